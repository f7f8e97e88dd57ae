#!/usr/bin/env bash
# Writes the parts of the documents that are made from results/, series/ and the mutants. These are tables, the output of make demo, and the
# figures and missed targets of make bench. The tables are those of symptoms, defects, bases and features, evidence, patches, sizes, exploits,
# notices, untested patches and mutants.
# Takes nothing. Or takes: print FILE, and prints the new text of that file. Or takes: soaked FILE or regressed FILE, and prints what that
# result of make soak or make regress has found.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

mapfile -t bases < <(cd "$TOP/series" && printf '%s\n' */ | tr -d / | sort -V)

# tests BASE REGEX: prints how many recorded tests of that name pass; prints nothing if there are none.
tests() {
	find "$TOP/results" \( -name "$1-amd.tap" -o -name "$1-intel.tap" \) -exec cat {} + | awk -v name="^(not )?ok [0-9]+ $2" '
		$0 ~ name && !/# SKIP/ { all++; passed += /^ok/ }
		END {
			if (all) print (passed < all ? passed " of " : "") all (all > 1 ? " tests pass" : " test passes")
		}'
}

# cell BASE: prints a table cell for the feature that the caller's variables topic, title, regex and notes describe.
cell() {
	local base=$1 note words=''
	if grep -qxF "$title" "$work/$base"; then
		words=carried
		! grep -q '^draft: ' "$TOP/series/$base/base" || words=draft
	fi
	for note in "${notes[@]}"; do
		[[ " ${note%%: *} " = *" $base "* ]] || continue
		case $note in
		'and '*) ;;
		*) [ -z "$words" ] || die 1 "series/patches says \"${note#*: }\" of $base, whose series has the patch of: $topic" ;;
		esac
		words+=${words:+; }${note#*: }
	done
	[ -n "$words" ] || die 1 "series/patches does not say what holds of $base without a patch: $topic"
	# A base whose note begins with "no:" lacks the feature, so a test that passes there shows nothing.
	note=''
	[ -z "$regex" ] || [[ $words = no:* ]] || note=$(tests "$base" "$regex")
	words+=${note:+; $note}
	printf ' %s |' "$words"
}

row() {
	local base
	printf '| %s |' "$topic"
	for base in "${bases[@]}"; do
		cell "$base"
	done
	echo
}

# said BASE FILE [COMMAND...]: prints what COMMAND, or grep for the counts, says of results/BASE-FILE, and whether that result is old.
said() {
	local base=$1 file=$1-$2
	shift 2
	[ $# -gt 0 ] || set -- grep -E '^[0-9]+ passed'
	if [[ $file = *-arm64* ]] && grep -q '^no-arm64: ' "$TOP/series/$base/base"; then
		printf 'not applicable: %s' "$(sed -n 's/^no-arm64: //p' "$TOP/series/$base/base")"
		return
	fi
	[ -e "$TOP/results/$file" ] || { printf 'not recorded'; return; }
	printf '%s' "$("$@" "$TOP/results/$file")"
	[ -e "$work/old-$base" ] || BASE=$base "$LAB/record/old.sh" >"$work/old-$base"
	case $(sed -n "s|^results/$file	[^	]*	||p" "$work/old-$base") in
	left) printf '; not complete' ;;
	*changed) printf '; of an earlier state' ;;
	esac
}

# recorded TITLE FILE [COMMAND...]: prints a row of what said prints for each base.
recorded() {
	local base title=$1
	shift
	printf '| %s |' "$title"
	for base in "${bases[@]}"; do
		printf ' %s |' "$(said "$base" "$@")"
	done
	echo
}

# defects: prints a row for each defect: whom it meets, and what holds of each base, with the number of bugs that can be exploited and stay.
defects() {
	local base defect whom topic states state is stay
	local -a topics
	register Topic Exploit Base | awk -F'\t' '
		$2 == "" { next }
		{
			for (i = split($3, note, "^"); i > 0; i--)
				if (sub(/: no(: .*)?$/, "", note[i]))
					for (j = split(note[i], of, " "); j > 0; j--) print $1, of[j]
		}' >"$work/stay"
	printf '| defect | who meets it |'
	printf ' %s |' "${bases[@]}"
	printf '\n|---|---|'
	for base in "${bases[@]}"; do
		SERIES=$TOP/series/$base series_patches | while read -r patch; do ! changes_kernel "$patch" || echo "${patch%/*}"; done >"$work/topics-$base"
		printf -- '---|'
	done
	echo
	while IFS=$'\x1f' read -r defect whom topic states; do
		read -ra topics <<<"$topic"
		printf '| %s | %s |' "$defect" "$whom"
		for base in "${bases[@]}"; do
			is=
			! printf "$TOP/series/$base/%s\n" "${topics[@]}" | grep -qxFf - "$work/topics-$base" || is=patched
			state=$(tr '^' '\n' <<<"$states" | sed -n "s/^$base: //p")
			case $is,$state in
			,) die 1 "series/patches does not say what holds of $base, which has no patch of $topic: $defect" ;;
			patched,'not patched' | ,patched*) die 1 "series/patches says \"$state\" of $base, and its patches of $topic say otherwise: $defect" ;;
			esac
			stay=$(printf "%s $base\n" "${topics[@]}" | grep -cxFf - "$work/stay") || true
			[ "$stay" -gt 0 ] || stay=''
			printf ' %s |' "${state:-$is}${stay:+, but for $stay bugs that [stay](docs/security.md)}"
		done
		echo
	done < <(register Defect Meets Topics State | tr '\t' '\037')
}

# symptoms: prints a list of what users of DAX memory do that meets a defect.
symptoms() { register Symptom | tr '^' '\n' | sed '$!s/$/;/; $s/$/./; s/^/- /'; }

# evidence: prints a row for each base: the selftests with the series, and on the stock kernel.
evidence() {
	local base
	# shellcheck disable=SC2016
	echo '| `make kselftest` | with the series | on the stock kernel |'
	echo '|---|---|---|'
	for base in "${bases[@]}"; do
		echo "| $base | $(said "$base" amd.tap) | $(said "$base" amd-stock.tap) |"
	done
}

# soaked FILE: prints what all races of make soak have checked.
soaked() {
	awk '
		/^not ok / { bad++ }
		/ race / { runs++ }
		/ race-pairs / { pairs++ }
		{ for (i = 1; i <= NF; i++) { if (sub(/^pages_checked=/, "", $i)) pages += $i; else if (sub(/^mismatches=/, "", $i)) mismatches += $i } }
		END {
			printf "%d runs at random, all pairs on %d backings; %d pages checked, %d mismatches", runs, pairs, pages, mismatches
			print bad ? ", " bad " of them failed" : ""
		}' "$1"
}

# regressed FILE: prints how many tests of a suite pass on the stock kernel, and how many are worse with the series.
regressed() {
	awk -F'\t' -v worse="$("$LAB/prove/regress.sh" worse "$1" | wc -l)" '
		/^#/ || $1 == "test" { next }
		{ n++; passed += $2 ~ /^pass/ }
		END { printf "%d, of which %d pass on the stock kernel; %d worse with the series\n", n, passed, worse }' "$1"
}

# patched FILE: prints how many of all possible compilations and boots of patches are recorded. It does not count configurations that
# compile nothing of a patch.
patched() {
	local base=${1##*/}
	base=${base%-patches.tsv}
	awk -F'\t' '
		/^#/ || $1 == "patch" { next }
		NR == FNR { all[$2 == "boot"]++; next }
		{ seen[$2 == "boot"]++ }
		$2 != "boot" && $4 == "0" { seen[0]--; all[0]-- }
		END { printf "%d of %d compiled, %d of %d booted\n", seen[0], all[0], seen[1], all[1] }' <(BASE=$base "$LAB/carry/patch-results.sh" all) "$1"
}

# caught FILE: prints how many kernels with one protection removed were caught.
caught() { awk -F'\t' '/^#/ || $1 == "mutant" { next } { n++ } END { print n " caught" }' "$1"; }

bases() {
	local base topic title regex note
	local -a notes=()
	printf '| |'
	printf ' %s |' "${bases[@]}"
	printf '\n|---|'
	for base in "${bases[@]}"; do
		titles_of "$base" >"$work/$base"
		printf -- '---|'
	done
	echo
	while IFS=$'\x1f' read -r topic title regex note; do
		[ -n "$topic" ] || continue
		IFS='^' read -ra notes <<<"$note"
		[[ $regex != 'none, '* ]] || regex=''
		row
	done < <(register Feature Title Tests Base | tr '\t' '\037')
	recorded "All recorded tests, on the emulated AMD machine" amd.tap
	recorded "The same on the stock kernel, as far as it gets" amd-stock.tap
	recorded "All recorded tests, on the emulated Intel machine" intel.tap
	recorded "The same there on the stock kernel" intel-stock.tap
	recorded "On the emulated arm64 machine" arm64.tap
	recorded "The same there on the stock kernel" arm64-stock.tap
	recorded "Races on a kernel that checks itself, by \`make soak CONFIG=debug\`" soak-debug.tap soaked
	recorded "The kernel's own selftests, by \`make regress\`" selftests.tsv regressed
	recorded "fstests on DAX file systems, by \`make fstests FSTESTS=<folder>\`" fstests.tsv regressed
	recorded "KVM-unit-tests with guests on DAX, by \`make kvm-unit-tests KVM_UNIT_TESTS=<folder>\`" kvm-unit-tests.tsv regressed
	recorded "What each patch touches, compiled by \`make objects\`, and its kernel, booted by \`make bisect\`" patches.tsv patched
	recorded "Kernels with one protection removed, by \`make mutants\`" mutants.tsv caught
}

# instead BASE: prints what the caller's notes say of a base without the patch. The table of features has the rest if there is a feature.
instead() {
	local note
	for note in "${notes[@]}"; do
		[[ $note != 'and '* && " ${note%%: *} " = *" $1 "* ]] || continue
		note=${note#*: }
		[ -z "$feature" ] || note=${note%%: *}
		printf '%s' "$note"
	done
}

# patches: prints a row for each patch that changes the kernel. The row has its topic, its number in each series, or why it is not there,
# whether it is for stable, whom it concerns, and what happens without it.
patches() {
	local base path title topic whom harm feature note number stable
	local -a notes=()
	printf '| patch | topic |'
	printf ' %s |' "${bases[@]}"
	printf ' for stable | concerns | without it |\n|---|---|'
	for base in "${bases[@]}"; do
		printf -- '---|'
		paste -d '|' <(titles_of "$base") <(SERIES=$TOP/series/$base series_patches) |
			while IFS='|' read -r title path; do
				number=$((${number:-0} + 1))
				! changes_kernel "$path" || echo "$title|$number|$(grep -c '^Cc: stable' "$path")"
			done >"$work/numbers-$base"
	done
	printf -- '---|---|---|\n'
	while IFS=$'\x1f' read -r title topic whom harm feature note; do
		[ -n "$harm" ] || continue
		IFS='^' read -ra notes <<<"$note"
		stable=''
		# shellcheck disable=SC2016
		printf '| `%s` | %s |' "$title" "${topic%%-*}"
		for base in "${bases[@]}"; do
			number=$(awk -F'|' -v title="$title" '$1 == title { print $2 }' "$work/numbers-$base")
			printf ' %s |' "${number:-$(instead "$base")}"
			! grep -qxF "$title|$number|1" "$work/numbers-$base" || stable=yes
		done
		printf ' %s | %s | %s |\n' "$stable" "$whom" "$harm"
	done < <(register Title Topic Concerns Without Feature Base | tr '\t' '\037')
	cut -d '|' -f 1 "$work"/numbers-* | sort -u |
		diff - <(register Title Without | awk -F'\t' '$2 != "" { print $1 }' | sort) >"$work/differ" ||
		die 1 "series/patches does not say of each patch that changes the kernel what happens without it (\"<\")," \
			"or says it of others (\">\"): $(grep '^[<>]' "$work/differ")"
}

# sizes: prints for each base the patches that change the kernel, the lines that these add and remove, and the number of other patches.
sizes() {
	local base patch
	local -a kernel
	printf '| base | kernel patches | lines | tests and documentation |\n|---|---|---|---|\n'
	for base in "${bases[@]}"; do
		kernel=()
		while read -r patch; do
			! changes_kernel "$patch" || kernel+=("$patch")
		done < <(SERIES=$TOP/series/$base series_patches)
		# One patch at a time: git apply --numstat of several adds up the lines of each file.
		printf '%s\n' "${kernel[@]}" | xargs -n 1 git apply --numstat | awk -v base="$base" -v kernel=${#kernel[@]} \
			-v others=$(($(wc -l <"$TOP/series/$base/series") - ${#kernel[@]})) '
			{ added += $1; removed += $2 }
			END { printf "| %s | %d | +%d -%d | %d patches |\n", base, kernel, added, removed, others }'
	done
}

# keep_titles: writes the titles of each base's patches to $work, for the tables that name the bases of a patch.
keep_titles() {
	local base
	for base in "${bases[@]}"; do
		[ -e "$work/titles-$base" ] || titles_of "$base" >"$work/titles-$base"
	done
}

# exploits: prints the defects that users or guests can exploit, the bases whose series repair them, and the bases where they stay.
exploits() {
	local base title topic whom harm exploit note has stay feature=1
	local -a notes=()
	echo '| defect | whom it meets | patch | repaired on |'
	echo '|---|---|---|---|'
	keep_titles
	while IFS=$'\x1f' read -r title topic whom harm exploit note; do
		[ -n "$exploit" ] || continue
		IFS='^' read -ra notes <<<"$note"
		has='' stay=''
		for base in "${bases[@]}"; do
			if grep -qxF -- "$title" "$work/titles-$base"; then
				[ -n "$(BASE=$base of_topic "$topic" Private)" ] ||
					die 1 "series/patches says Exploit: of \"$title\", so $topic needs a Private: in series/topics for $base, which can be \"no\""
				has+="${has:+, }$base"
			elif [ "$(instead "$base")" = no ]; then
				stay+="${stay:+, }$base"
			fi
		done
		# shellcheck disable=SC2016
		printf '| %s | %s | `%s` | %s |\n' "${harm^}" "$whom" "$title" "$has${stay:+; not repaired on $stay}"
	done < <(register Title Topic Concerns Without Exploit Base | tr '\t' '\037')
}

# by_base FIELD: prints this field of each patch that has it, the patch's title, and a base that has the patch; a line for each base.
by_base() {
	local base title value
	keep_titles
	while IFS=$'\x1f' read -r title value; do
		[ -n "$value" ] || continue
		for base in "${bases[@]}"; do
			! grep -qxF -- "$title" "$work/titles-$base" || printf '%s\t%s\t%s\n' "$value" "$title" "$base"
		done
	done < <(register Title "$1" | tr '\t' '\037')
}

# notices: prints what users notice, with its bases if these are not all.
notices() {
	by_base Notice | awk -F'\t' -v all="${#bases[@]}" '
		!($1 in of) { order[++n] = $1 }
		{ of[$1] = of[$1] (of[$1] ? ", " : "") $3; count[$1]++ }
		END { for (i = 1; i <= n; i++) print "- " (count[order[i]] < all ? of[order[i]] ": " : "") order[i] }'
}

# untested: prints why no recorded test fails without some patches, or what shows them, and their bases if these are not all.
untested() {
	echo '| why, or what shows it | patches |'
	echo '|---|---|'
	by_base Tests | sed -n 's/^none, //p' | awk -F'\t' -v all="${#bases[@]}" '
		!($1 in has) { order[++n] = $1 }
		!($2 in of) { title[$1, ++has[$1]] = $2 }
		{ of[$2] = of[$2] (of[$2] ? ", " : "") $3; count[$2]++ }
		END {
			for (i = 1; i <= n; i++) {
				line = ""
				for (j = 1; j <= has[order[i]]; j++) {
					one = title[order[i], j]
					line = line (j > 1 ? "; " : "") "`" one "`" (count[one] < all ? " (" of[one] ")" : "")
				}
				print "| " order[i] " | " line " |"
			}
		}'
}

# mutants: prints a row for each mutant, with its bases, the number of tests that must fail on each, and their cases.
mutants() {
	echo '| kernel | what it does wrong | tests that fail | their cases |'
	echo '|---|---|---|---|'
	# shellcheck disable=SC2016
	find "$LAB/kernel/mutants" -name '*.patch' -printf '%f %p\n' | sort -V | cut -d' ' -f2- | xargs awk '
		FNR == 1 {
			at = split(FILENAME, part, "/")
			name = part[at]
			sub(/\.patch$/, "", name)
			base = part[at - 1]
			if (!(name in bases)) order[++n] = name
			bases[name] = bases[name] " " base
			text = body = 0
		}
		/^---$/ { body = 2 }
		body == 1 && /^Caught-by: / {
			failed[name, base]++
			sub(/^Caught-by: ((devdax|fsdax|hugetlb)-[^ ]+ )?/, "")
			gsub(/ or (devdax|fsdax|hugetlb)-[^ ]+ /, " or ")
			if (!seen[name, $0]++) cases[name] = cases[name] "\n" $0
		}
		# The first paragraph says what the mutant does wrong.
		body == 1 && text < 2 {
			if ($0 != "") { what[name, base] = what[name, base] (text ? " " : "") $0; text = 1 } else if (text) text = 2
		}
		!body && /^$/ { body = 1 }
		END {
			for (i = 1; i <= n; i++) {
				name = order[i]
				count = split(bases[name], base_of, " ")
				fails = said = ""
				kinds = 0
				split("", of)
				for (j = 1; j <= count; j++) {
					fails = fails (j > 1 ? ", " : "") base_of[j] ": " failed[name, base_of[j]] + 0
					one_text = what[name, base_of[j]]
					if (!(one_text in of)) kind[++kinds] = one_text
					of[one_text] = of[one_text] (of[one_text] ? ", " : "") base_of[j]
				}
				for (j = 1; j <= kinds; j++) {
					one_text = kind[j]
					if (j < kinds) sub(/\.$/, ";", one_text)
					said = said (kinds > 1 ? (j > 1 ? " " : "") of[kind[j]] ": " : "") one_text
				}
				count = split(substr(cases[name], 2), one, "\n")
				for (j = 2; j <= count; j++)
					for (k = j; k > 1 && one[k] < one[k - 1]; k--) { swap = one[k]; one[k] = one[k - 1]; one[k - 1] = swap }
				list = ""
				for (j = 1; j <= count; j++) list = list (j > 1 ? ", " : "") one[j]
				printf "| `%s` | %s | %s | %s |\n", name, said, fails, list
			}
		}'
}

# bench FIGURE: prints its instructions per fault, or per 4K without faults, for each kind of memory in every result of make bench.
bench() {
	local results
	mapfile -t results < <(bench_results)
	# shellcheck disable=SC2016
	[ "${#results[@]}" -gt 0 ] || { printf '\nNothing is recorded yet; `make bench RECORD=1` does it.\n\n'; return; }
	(cd "$TOP/results" && awk -F'\t' -v figure="$1" '
		/^#/ || $1 == "base" { next }
		!(($4, FILENAME) in size) { size[$4, FILENAME] = $5; if (!seen[$4]++) order[++n] = $4 }
		$7 == figure && $6 == 1 && $5 == size[$4, FILENAME] { cost[$4, FILENAME, $3] = $9 ? $10 / $9 : $10 / ($5 * 256) }
		END {
			printf "| |"
			for (f = 1; f < ARGC; f++) { name = ARGV[f]; sub(/\.tsv$/, "", name); printf " %s, stock | series |", name }
			printf "\n|---|"
			for (f = 1; f < ARGC; f++) printf "---|---|"
			print ""
			for (i = 1; i <= n; i++) {
				line = "| " order[i] " |"
				some = 0
				for (f = 1; f < ARGC; f++)
					for (k = 1; k <= 2; k++) {
						key = order[i] SUBSEP ARGV[f] SUBSEP (k == 1 ? "stock" : "series")
						line = line " " (key in cost ? sprintf("%.0f", cost[key]) : "") " |"
						some += key in cost
					}
				if (some) print line
			}
		}' "${results[@]}")
}

# machines BASE BACKING: prints each figure of that memory with the series on both machines, absolute and relative to the stock kernel.
machines() {
	awk -F'\t' -v backing="$2" '
		BEGIN {
			print "| figure | faults, amd | intel | instructions, amd | of the stock kernel | intel | of the stock kernel |"
			print "|---|---|---|---|---|---|---|"
		}
		$4 != backing || $6 != 1 { next }
		!size { size = $5 }
		$5 != size { next }
		{ faults[$2, $3, $7] = $9; cost[$2, $3, $7] = $10 }
		!seen[$7]++ { order[++n] = $7 }
		function both(cpu, figure) {
			return sprintf(" %d | %.4f |", cost[cpu, "series", figure], cost[cpu, "series", figure] / cost[cpu, "stock", figure])
		}
		END {
			for (i = 1; i <= n; i++) {
				f = order[i]
				if ((("amd", "series", f) in cost) && (("intel", "series", f) in cost) && f != "level")
					print "| " f " | " faults["amd", "series", f] " | " faults["intel", "series", f] " |" both("amd", f) both("intel", f)
			}
		}' "$TOP/results/$1-amd.tsv" "$TOP/results/$1-intel.tsv"
}

# missed: prints the missed targets of each result.
missed() {
	local result name base cpu
	while read -r result; do
		name=${result%.tsv}
		base=${name%-*} cpu=${name##*-}
		printf '%s:\n\n' "$name"
		BASE=$base CPU=$cpu "$LAB/prove/bench-table.sh" "$TOP/results/$result" |
			sed -n 's/^missed: /- /p; $s/.*/&, by the rules above/p' | sed '$s/^/\n/'
		echo
	done < <(bench_results)
}

# print FILE: prints the file with new text between each "make table: WHAT" and the next end.
print() {
	local line skip='' base backings
	while IFS= read -r line; do
		[ "$line" != '<!-- end of make table -->' ] || skip=''
		[ -n "$skip" ] || printf '%s\n' "$line"
		case $line in
		'<!-- make table: bases -->') skip=1; bases ;;
		'<!-- make table: mutants -->') skip=1; mutants ;;
		'<!-- make table: patches -->') skip=1; patches ;;
		'<!-- make table: missed -->') skip=1; missed ;;
		'<!-- make table: symptoms -->') skip=1; symptoms ;;
		'<!-- make table: defects -->') skip=1; defects ;;
		'<!-- make table: sizes -->') skip=1; sizes ;;
		'<!-- make table: evidence -->') skip=1; evidence ;;
		'<!-- make table: exploits -->') skip=1; exploits ;;
		'<!-- make table: notices -->') skip=1; notices ;;
		'<!-- make table: untested -->') skip=1; untested ;;
		'<!-- make table: machines '*)
			skip=1
			read -r _ _ _ _ base backings _ <<<"$line"
			machines "$base" "$backings"
			;;
		'<!-- make table: bench '*)
			skip=1
			read -r _ _ _ _ base _ <<<"$line"
			bench "$base"
			;;
		'<!-- make table: demo '*)
			skip=1
			read -r _ _ _ _ base _ <<<"$line"
			echo
			"$LAB/prove/demo-screen.sh" "$TOP/results/$base-demo.tsv" "$TOP/results/$base-demo-facts.tsv" | sed 's/^./    &/'
			echo
			;;
		esac
	done <"$1"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-table.XXXXXX")
trap 'rm -rf "$work"' EXIT
case ${1:-} in
soaked) soaked "$2" ;;
regressed) regressed "$2" ;;
print) print "$2" ;;
'')
	for file in $(tabled_documents); do
		print "$TOP/$file" >"$work/new"
		cat "$work/new" >"$TOP/$file"
	done
	;;
*) die 2 "usage: table.sh [print FILE | soaked FILE | regressed FILE]" ;;
esac
