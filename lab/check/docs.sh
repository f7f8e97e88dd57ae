# shellcheck shell=bash disable=SC2154
# Checks for make check on the documents: their commands must work, their links must lead somewhere, and their tables and pictures must
# match results/.
# Sourced by check.sh; gives check_docs.

help_lists_every_target_and_variable() {
	diff <(sed -nE 's/^([a-z-]+):.*/\1/p' "$TOP/Makefile" | sort) \
		<(make -s -C "$TOP" help | sed -nE 's/^  make ([a-z-]+) +[^ ].*/\1/p' | sort) || return 1
	# shellcheck disable=SC2016
	diff <(sed -n 's/^export //p' "$TOP/Makefile" | tr ' ' '\n' | sort) \
		<(sed -nE '/^\| variable/,/^$/s/^\| (`[A-Z].*=[^|]*`) .*/\1/p' "$TOP/docs/lab.md" | grep -oE '[A-Z_0-9]+=' | tr -d = | sort) |
		sed -n 's/^< //p' >"$work/left"
	[ ! -s "$work/left" ] || { echo "the table of variables in docs/lab.md lacks: $(paste -sd ' ' "$work/left")"; return 1; }
}

# make help-<target> must explain each variable of docs/lab.md for some target, and only those that the target takes. The table of the
# variables with many targets must name only targets.
help_explains_what_a_target_takes() {
	local targets name='[A-Z_0-9]+=[a-z0-9]*(, [A-Z_0-9]+=[a-z0-9]*)*' target bad=0
	targets=$(sed -nE 's/^([a-z-]+):.*##.*/\1/p' "$TOP/Makefile")
	for target in $targets; do
		"$LAB/lib/explain.sh" "$target" | grep -oE "^$name " | sed "s/^/$target /"
	done >"$work/explained"
	# shellcheck disable=SC2016
	diff <(sed -nE '/^\| variable /,/^$/s/^\| (`[A-Z][^|]*`) .*/\1/p' "$TOP/docs/lab.md" | tr -d '`' | sort -u) \
		<(cut -d ' ' -f 2- "$work/explained" | sed 's/ $//' | sort -u) ||
		{ echo "< is explained for no target; docs/lab.md has to name the targets"; bad=1; }
	# shellcheck disable=SC2016
	! sed -nE '/^\| variables /,/^$/s/^\| `[^|]*\| (.*) \|$/\1/p' "$TOP/docs/lab.md" | grep -oE '`[^`]*`' | sed -E 's/`(make )?//g' |
		grep -vxF "$targets" || { echo "docs/lab.md has variables for the above, which are no targets"; bad=1; }
	[ "$(grep -E '^(kvm-dax-check|table|clean) ' "$work/explained")" = 'kvm-dax-check STATIC=1 ' ] ||
		{ echo "make help-kvm-dax-check explains another variable than STATIC=1, or make help-table or help-clean some"; bad=1; }
	return $bad
}

# make must have each target and pass on each variable that a document or a message names, whether or not the command is run.
commands_of_make_are_right() {
	local found targets variables
	found=$({
		"$LAB/check/commands.sh" list | cut -f2
		sed -nE '/^[[:space:]]*#/!s/.*run: (make [a-z-]+( [A-Z_]+=[^ "]*)*).*/\1/p' "$LAB"/*/*.sh
	} | grep -E '(^| )make [a-z]')
	targets=$(sed -nE 's/^([a-z-]+):.*##.*/\1/p' "$TOP/Makefile")
	variables=$(sed -n 's/^export //p' "$TOP/Makefile")
	awk -v targets="$targets" -v variables="$variables JOB" '
		BEGIN { split(targets, t); for (i in t) { known[t[i]]; known["help-" t[i]] } split(variables, v); for (i in v) known[v[i] "="] }
		{
			said = $0
			gsub(/<[^>]*>|\047[^\047]*\047/, "")
			for (i = 1; i <= NF; i++) {
				word = $i
				sub(/=.*/, "=", word)
				if (word != "make" && !(word in known)) { print said ": the Makefile has no " word; bad = 1 }
			}
		}
		END { exit bad }' <<<"$found"
}

# Sentences of the documents and cover letters have at most 25 words. Text in backquotes counts as one word. Code, tables and headings do
# not count. In letters, each paragraph is joined into one line first.
sentences_are_short() {
	local letter
	mkdir -p "$work/letters"
	for letter in "$TOP"/docs/letters/*; do
		awk -v RS='' '{ gsub(/\n(- )?/, $0 ~ /\n- / ? ". " : " "); print }' "$letter" >"$work/letters/${letter##*/}"
	done
	(cd "$TOP" && awk '
		/^(    |[|#!]|<!--)/ { next }
		{
			gsub(/`[^`]*`/, "code")
			gsub(/\]\([^)]*\)/, "]")
			for (n = split($0, sentence, /[.?!][")]?( |$)/); n > 0; n--)
				if ((words = split(sentence[n], word, / +/)) > 25) { print FILENAME ":" FNR ": " words " words: " sentence[n]; bad = 1 }
		}
		END { exit bad }' README.md docs/{maintainers,design,tests,lab,bench,security}.md "$work"/letters/*)
}

# Whoever decides reads these two from the beginning to the end.
documents_are_short() {
	local file most lines bad=0
	while read -r file most; do
		lines=$(wc -l <"$TOP/$file")
		[ "$lines" -le "$most" ] || { echo "$file has $lines lines, and may have $most"; bad=1; }
	done <<-END
		README.md 120
		docs/maintainers.md 150
	END
	return $bad
}

# The register must name the tests of each kernel patch, or say why there are none. These tests must exist, or be recorded.
register_names_tests() {
	local base title harm regex bad=0
	{
		sed -nE 's/^(not )?ok [0-9]+ //p' "$TOP"/results/*.tap
		for base in "$TOP"/series/*/; do
			BASE=$(basename "$base") CPU=amd MODES='' TESTS='' "$LAB/prove/test-names.sh" || return
		done
	} >"$work/names"
	while IFS=$'\x1f' read -r title harm regex; do
		[ -n "$harm" ] || [ -n "$regex" ] || continue
		case $regex in
		'') echo "no Tests: $title" ;;
		'none, '?*) continue ;;
		*) ! grep -qE "^$regex" "$work/names" || continue; echo "no test is of Tests: $regex: $title" ;;
		esac
		bad=1
	done < <(register Title Without Tests | tr '\t' '\037')
	return $bad
}

# The register must say of each kernel patch whom it concerns, and what holds of each base without it.
register_tells_of_each_base() {
	local base
	for base in "$TOP"/series/*/; do
		titles_of "$(basename "$base")" | sed "s/^/$(basename "$base")\t/"
	done >"$work/carried"
	awk -F'\t' '
		NR == FNR { carried[$1, $2]; bases[$1]; next }
		$3 == "" { next }
		$2 == "" { print "no Concerns: " $1; bad = 1 }
		{
			split("", said)
			for (i = split($4, note, "^"); i > 0; i--)
				if (note[i] !~ /^and /) {
					sub(/: .*/, "", note[i])
					for (j = split(note[i], of, " "); j > 0; j--) said[of[j]]
				}
			for (base in bases)
				if (((base, $1) in carried) == (base in said)) {
					print "Base " (base in said ? "tells of " base ", which has the patch: " : "does not tell of " base ": ") $1
					bad = 1
				}
		}
		END { exit bad }' "$work/carried" <(register Title Concerns Without Base)
}

# A patch must have an Origin in the register if its changelog begins with a note about upstream, and only then. Forwarded must match it.
register_names_origins() {
	local base bad=0
	for base in "$TOP"/series/*/; do
		paste <(titles_of "$(basename "$base")") "$base/series" | while IFS=$'\t' read -r title path; do
			printf '%s\t%s\n' "$title" "$(sed '1,/^$/d; /^---$/,$d' "$base/$path" | sed -nE '1s/^\[ Upstream commits? ([0-9a-f]{12}).*/\1/p; 1s/^\[ Fixed upstream .*/v/p')"
		done
	done | sort -u >"$work/changelogs"
	awk -F'\t' '
		NR == FNR { origin[$1] = $2; forwarded[$1] = $3; next }
		!($1 in origin) { next }
		($2 == "") != (origin[$1] == "") || !index(origin[$1], $2) { print "the Origin of a patch is not that of its changelog: " $1; bad = 1 }
		forwarded[$1] !~ (origin[$1] == "" ? "^(no$|https://)" : "^not-needed$") { print "Forwarded: " forwarded[$1] ": " $1; bad = 1 }
		END { exit bad }' <(register Title Origin Forwarded) "$work/changelogs" || bad=1
	return $bad
}

# If a topic's changelogs or letter name a patch that repairs an exploitable bug, the topic must need that patch's topic, or tell of it.
topics_tell_of_what_they_name() {
	local base topic title secret bad=0
	while IFS=$'\t' read -r topic; do
		for base in "$TOP"/series/*/; do
			[ ! -d "$base/$topic" ] || sed '/^---$/,/^From 0000/d' "$base/$topic"/*
		done | tr '\n' ' ' | tr -s ' ' >"$work/told"
		{ needed_by "$topic"; stanzas "$TOP/series/topics" Topic Tells | awk -F'\t' -v topic="$topic" '$1 == topic { print $2 }' | tr ' ' '\n'; } >"$work/known"
		while IFS=$'\t' read -r title secret _; do
			grep -qF -- "\"$title\"" "$work/told" || continue
			! grep -qxF -- "$secret" "$work/known" || continue
			echo "$topic names \"$title\"; series/topics needs Tells: $secret"
			bad=1
		done < <(register Title Topic Exploit | awk -F'\t' '$3 != ""')
	done < <(stanzas "$TOP/series/topics" Topic)
	return $bad
}

# Each link to a file must lead to one, and each link to a heading, too. Headings get their names as on GitHub.
documents_link_to_what_is_there() {
	local file link target bad=0
	while IFS=: read -r file link; do
		target=${link%%#*}
		target=$(realpath -m "$TOP/${target:+$(dirname "$file")/}${target:-$file}")
		[ -e "$target" ] || { echo "$file: there is no $link"; bad=1; continue; }
		[[ $link != *'#'* ]] || sed -nE 's/^#+ //p' "$target" | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g' | grep -xF -- "${link#*#}" >/dev/null ||
			{ echo "$file: there is no heading ${link#*#} in ${target#"$TOP/"}"; bad=1; }
	done < <(cd "$TOP" && documents | xargs grep -HoE '\]\([^)]+\)' | sed -E 's/\]\(([^)]*)\)/\1/' | grep -vE ':[a-z]+://')
	return $bad
}

# The tables must be those that make table writes. Any other result that a document shows, without its number, must be a recorded one.
documents_show_the_results() {
	local file line bad=0
	for file in $(tabled_documents); do
		BASE=$DEFAULT_BASE "$LAB/record/table.sh" print "$TOP/$file" | diff "$TOP/$file" - ||
			{ echo "$file's tables are not those of results/, series/; run: make table"; return 1; }
	done
	sed -E 's/^ok [0-9]+ /ok /' "$TOP"/results/*.tap >"$work/recorded"
	while IFS= read -r line; do
		grep -qxF -- "$line" "$work/recorded" || { echo "a document has a line that no file in results/ has: $line"; bad=1; }
	done < <(documents | sed "s,^,$TOP/," | xargs sed -nE '/seconds=/!s/^    (ok .*|[0-9]+ passed, .*)/\1/p')
	return $bad
}

# picture_is_of PICTURE RESULT...: checks that the picture was drawn from the current results.
picture_is_of() {
	local picture=$1
	shift
	grep -qF "<!-- of: $(drawn_hash "$@") -->" "$TOP/$picture" || { echo "$picture is not of $*; run: make plot"; return 1; }
}

every_command_has_its_place() { "$LAB/check/commands.sh" unlisted; }
commands_are_found() { [ ${#commands[@]} -gt 0 ]; }
command_works() { "$LAB/check/commands.sh" run "$work/commands" "$1"; }

# bases_without_tree COMMAND: prints needed bases that have no tree, or are not in BASES. Every command needs the default base.
bases_without_tree() {
	{ echo "$DEFAULT_BASE"; grep -oE '\bv[0-9]+\.[0-9]+' <<<"$1" || true; } | sort -u | while read -r one; do
		[ -f "$BUILD/$one/series/tree-made" ] && [[ " $bases " == *" $one "* ]] || echo "$one"
	done
}

check_docs() {
	local command missing demos facts
	check "make help lists every target and variable" help_lists_every_target_and_variable
	check "make help-<target> explains what a target takes" help_explains_what_a_target_takes
	check "documents: each command is run by somebody, or marked" every_command_has_its_place
	check "documents: make's targets and variables" commands_of_make_are_right
	mapfile -t commands < <("$LAB/check/commands.sh" of '(check|tree)')
	check "commands are found" commands_are_found
	for command in "${commands[@]}"; do
		chosen "command: $command" command_works || continue
		missing=$(bases_without_tree "$command")
		if [ -z "$missing" ]; then
			check "command: $command" command_works "$command"
		else
			skip "command: $command" "there is no tree of ${missing//$'\n'/, } here"
		fi
	done
	check "documents: sentences are short, also of docs/letters" sentences_are_short
	check "documents: README.md and docs/maintainers.md are short" documents_are_short
	check "series/patches: each patch of the kernel has its tests" register_names_tests
	check "series/patches: whom each patch of the kernel concerns, and each base without it" register_tells_of_each_base
	check "series/topics: each says what it tells of" topics_tell_of_what_they_name
	check "series/patches: what upstream has" register_names_origins
	check "documents: what they link to is there" documents_link_to_what_is_there
	check "documents: what they show of the results" documents_show_the_results
	demos=("$TOP"/results/*-demo.tsv)
	check "docs/levels.svg is of the results" picture_is_of docs/levels.svg "${demos[@]##*/}"
	facts=("$TOP"/results/*-demo-facts.tsv)
	check "docs/charged.svg is of the results" picture_is_of docs/charged.svg "${facts[@]##*/}"
	check "docs/references.svg is of the results" picture_is_of docs/references.svg "${facts[@]##*/}"
}
