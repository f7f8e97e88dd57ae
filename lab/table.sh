#!/usr/bin/env bash
# Writes into README.md what is derived: the table of bases and features, and what make demo prints.
# Takes nothing; or: print, and prints README.md as it would be; demo FILE, and prints the rows that make demo has left there.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

# demo FILE: a table of its rows, the stock and the series row of a backing together.
demo() {
	awk -F'\t' '
		/^#/ { next }
		!head++ { printf "%-13s %-7s %9s %9s %9s %9s %8s\n", "backing", "kernel", "4K", "2M", "1G", "faults", "seconds"; next }
		!($3 in seen) { order[++n] = $3; seen[$3] }
		{ line[$3] = line[$3] sprintf("%-13s %-7s %9s %9s %9s %9s %8s\n", $3, $2, $4, $5, $6, $7, $8) }
		END { for (i = 1; i <= n; i++) printf "%s", line[order[i]] }
	' "$1"
}

# tests BASE REGEX: how many recorded tests of that name pass; nothing if there are none.
tests() {
	find "$TOP/results" \( -name "$1-amd.tap" -o -name "$1-intel.tap" \) -exec cat {} + | awk -v name="^(not )?ok [0-9]+ $2" '
		$0 ~ name && !/# SKIP/ { all++; passed += /^ok/ }
		END {
			if (all) print (passed < all ? passed " of " : "") all (all > 1 ? " tests pass" : " test passes")
		}'
}

# cell BASE: of the topic, title, regex and notes that are set.
cell() {
	local base=$1 note words=''
	if grep -qxF "$title" "$work/$base"; then
		words=carried
		! grep -q '^draft: ' "$TOP/series/$base/base" || words=draft
	fi
	for note in "${notes[@]}"; do
		[[ " ${note%%: *} " != *" $base "* ]] || words+=${words:+; }${note#*: }
	done
	[ -n "$words" ] || die 1 "lab/topics does not say what holds of $base without a patch: $topic"
	note=${regex:+$(tests "$base" "$regex")}
	words+=${note:+; $note}
	printf ' %s |' "$words"
}

row() {
	local base
	[ -n "$topic" ] || return 0
	printf '| %s |' "$topic"
	for base in "${bases[@]}"; do
		cell "$base"
	done
	echo
}

# recorded TITLE FILE: a row with the counts of results/<base>-FILE.tap.
recorded() {
	local base counts
	printf '| %s |' "$1"
	for base in "${bases[@]}"; do
		counts=$(grep -E '^[0-9]+ passed' "$TOP/results/$base-$2.tap" 2>/dev/null || true)
		printf ' %s |' "${counts:-not recorded}"
	done
	echo
}

bases() {
	local base line topic='' title regex
	local -a bases notes=()
	mapfile -t bases < <(cd "$TOP/series" && printf '%s\n' */ | tr -d / | sort -V)
	printf '| |'
	printf ' %s |' "${bases[@]}"
	printf '\n|---|'
	for base in "${bases[@]}"; do
		titles_of "$base" >"$work/$base"
		printf -- '---|'
	done
	echo
	while IFS= read -r line; do
		case $line in
		'#'*) continue ;;
		'  '*)
			notes+=("${line#  }")
			continue
			;;
		esac
		row
		IFS='|' read -r topic title regex <<<"$line"
		notes=()
	done <"$LAB/topics"
	row
	recorded "All recorded tests, on AMD's nested paging" amd
	recorded "The same on the stock kernel" amd-stock
	recorded "Tests on Intel's EPT" intel
}

# The README with what stands between "make table: WHAT" and the next end made anew.
print() {
	local line skip=''
	while IFS= read -r line; do
		case $line in
		'<!-- end of make table -->') skip='' ;;
		esac
		[ -n "$skip" ] || printf '%s\n' "$line"
		case $line in
		'<!-- make table: bases -->') skip=1; bases ;;
		'<!-- make table: demo -->') skip=1; echo; demo "$TOP/results/v6.12-demo.tsv" | sed 's/^/    /'; echo ;;
		esac
	done <"$TOP/README.md"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-table.XXXXXX")
trap 'rm -rf "$work"' EXIT
case ${1:-} in
demo) demo "$2" ;;
print) print ;;
'') print >"$work/README.md"; cat "$work/README.md" >"$TOP/README.md" ;;
*) die 2 "usage: table.sh [print | demo FILE]" ;;
esac
