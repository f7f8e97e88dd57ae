#!/usr/bin/env bash
# Checks what can be checked without booting: the patches of each base, the shell scripts and the C of the lab.
# Takes BASES=<list>, all of series/ if not given; prints one line per check and ends with their count.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/record/results.sh
. "$LAB/record/results.sh"

# The last three for the commands in the documents.
"$LAB/kernel/deps.sh" build check machine applies plot htmldocs
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

# check NAME COMMAND...: one line for the result, and the command's output when it fails.
check() {
	local name=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		sed 's/^/# /' "$work/log"
		echo "not ok $name"
		failed=$((failed + 1))
	fi
}

# has_been_made LOG STATUS: the tree of the series.
has_been_made() {
	[ "$2" -eq 0 ] || { cat "$1"; return 1; }
}

# What checkpatch may say of a patch is listed in lab/check/checkpatch-allowed, with the reason.
checkpatch_says_nothing_new() {
	local patch=$1 said status=0
	said=$("$tree/scripts/checkpatch.pl" --root="$tree" --strict --terse --no-summary --show-types "$patch") || status=$?
	# 1: it has something to say.
	[ "$status" -le 1 ] || { echo "checkpatch.pl has ended with status $status: $said"; return 1; }
	said=$(echo "$said" | grep -E '(ERROR|WARNING|CHECK):' | grep -vFf <(sed "/^#/d; /^$/d; s/^$BASE: //" "$LAB/check/checkpatch-allowed") || true)
	[ -z "$said" ] || { echo "$said"; return 1; }
}

in_mail_form() {
	local patch=$1
	head -n 1 "$patch" | grep -qx 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001' || { echo "the first line is not that of --zero-commit"; return 1; }
	grep -q '^Signed-off-by: ' "$patch" || { echo "there is no Signed-off-by"; return 1; }
	! grep -E '^Subject: \[PATCH [0-9]' "$patch" || { echo "the subject is numbered"; return 1; }
	# What the kernel's lists refuse; a patch of that size has something in it that is generated.
	(($(wc -c <"$patch") <= 100000)) || { echo "it has more than 100 kB"; return 1; }
	! tail -n 2 "$patch" | grep -E '^[0-9]+\.[0-9]+\.[0-9]+$' || { echo "it ends with a git version"; return 1; }
}

# -h of a program says what it does and what it takes: in two lines or more.
says_what_it_does() {
	local said
	said=$("$1" -h) && [ "$(wc -l <<<"$said")" -ge 2 ]
}

# A script of the lab that is told to end in a long command: what that has started holds the writing end of a pipe.
what_is_ended_leaves_nothing() {
	local script
	mkfifo "$work/held"
	bash -c '. "$1/lib/env.sh"; quietly "$2/ended.log" test bash -c "sleep 600 & echo begun >&8; wait"' - "$LAB" "$work" 8>"$work/held" &
	script=$!
	exec 7<"$work/held"
	read -r <&7 || return 1
	kill "$script"
	! wait "$script" || return 1
	timeout 30 cat <&7 || { echo "something that it has started goes on"; return 1; }
}

help_lists_every_target_and_variable() {
	diff <(sed -nE 's/^([a-z-]+):.*/\1/p' "$TOP/Makefile" | sort) <(make -s -C "$TOP" help | sed -nE 's/^  make ([a-z-]+) +[^ ].*/\1/p' | sort) || return 1
	diff <(sed -n 's/^export //p' "$TOP/Makefile" | tr ' ' '\n' | sort) \
		<(make -s -C "$TOP" help | sed -nE '/^  [A-Z]/{s/  +[^ A-Z].*//; s/(, )?([A-Z_]+)=1?/\2\n/g; p}' | tr -d ' ' | sort) | sed -n 's/^< //p' >"$work/left"
	[ ! -s "$work/left" ] || { echo "the table of variables in docs/lab.md, which make help shows, lacks: $(paste -sd ' ' "$work/left")"; return 1; }
}

series_lists_every_patch() {
	diff <(cd "$SERIES" && for patch in */*.patch; do [ ! -e "$patch" ] || echo "$patch"; done) "$SERIES/series"
}

refuses_a_source_that_has_the_series() {
	local said
	! said=$(KSRC=$tree "$LAB/kernel/source.sh" 2>&1) || return 1
	[[ $said == *"has all of series/$BASE already"* ]] || { echo "$said"; return 1; }
}

# quilt takes the files that the series touches, from the pristine source.
applies_by_quilt() {
	local path
	rm -rf "$work/quilt"
	mkdir "$work/quilt"
	[ -s "$SERIES/series" ] || return 0
	mapfile -t patches < <(series_patches)
	touched_by "${patches[@]}" | while read -r path; do
		# a file that the series makes is not in the source
		git -C "$tree" cat-file -e "pristine:$path" 2>/dev/null || continue
		mkdir -p "$work/quilt/$(dirname "$path")"
		git -C "$tree" show "pristine:$path" >"$work/quilt/$path"
	done
	(cd "$work/quilt" && QUILT_PATCHES=$SERIES quilt --quiltrc=- push -a --fuzz=0)
}

# needed_by TOPIC: it, what it needs, and what that needs.
needed_by() {
	local need
	echo "$1"
	for need in $(stanzas "$TOP/series/topics" Topic Needs | awk -F'\t' -v topic="$1" '$1 == topic { print $2 }'); do needed_by "$need"; done
}

# Each topic applies with no others but those that series/topics says it needs. It comes after quilt's check, whose folder it uses.
topics_apply_alone() {
	local topic needs wanted bad=0
	(cd "$work/quilt" && QUILT_PATCHES=$SERIES quilt --quiltrc=- pop -q -a) || return 1
	while IFS=$'\t' read -r topic needs; do
		[ -d "$SERIES/$topic" ] || continue
		wanted=$(needed_by "$topic")
		# as one, so that a patch sees what those before it do
		series_patches | grep -E "/(${wanted//$'\n'/|})/" | xargs cat | (cd "$work/quilt" && git apply --check) ||
			{ echo "$topic does not apply with ${needs:-nothing else}; series/topics says what it needs"; bad=1; }
	done < <(stanzas "$TOP/series/topics" Topic Needs)
	return $bad
}

# What the tree gives is the series.
round_trips() {
	rm -rf "$work"/{there,refreshed}
	mkdir "$work"/{there,refreshed}
	(cd "$SERIES" && cp --parents series ./*/*.patch "$work/there")
	"$LAB/carry/refresh.sh" "$work/refreshed" || return 1
	diff -r "$work/there" "$work/refreshed"
}

mailbox_holds_the_series() {
	local mbox
	mbox=$("$LAB/carry/mbox.sh") || return 1
	mapfile -t patches < <(series_patches)
	diff <(cat "${patches[@]}" | git patch-id --stable) <(git patch-id --stable <"$mbox")
}

# Patches that two bases share stand in the same order; what only one of them has is said.
in_the_order_of() {
	local base
	for base in "$BASE" "$1"; do
		titles_of "$base" >"$work/titles-$base"
	done
	for base in "$BASE" "$1"; do
		grep -xFf "$work/titles-$BASE" "$work/titles-$base" | grep -xFf "$work/titles-$1" >"$work/shared-$base" || true
		grep -vxFf "$work/shared-$base" "$work/titles-$base" | sed "s/^/# only $base: /" >&3 || true
	done
	diff "$work/shared-$1" "$work/shared-$BASE"
}

# The results in results/ are those of the series as it is now. What takes hours can be there in part, and between two versions,
# while CHANGES begins with "Unreleased", be of an earlier state; a version has to be recorded.
check_results() {
	local old count what="$BASE recorded results are current"
	BASE=$BASE "$LAB/record/record.sh" list >"$work/old" || { check "$what" false; return; }
	sed -nE 's/^([^\t]*)\t([^\t]*)\tleft$/# \1 is not complete; go on by: \2/p' "$work/old"
	old=$(grep -v $'\tleft$' "$work/old") || true
	count=$(grep -c . <<<"$old") || true
	if [ "$count" -gt 0 ] && unreleased; then
		echo "# ${old//$'\n'/$'\n# '}"
		echo "ok $what # SKIP $count are of an earlier state or missing (above), as allowed before a version; make record BASE=$BASE runs them"
		skipped=$((skipped + 1))
	else
		check "$what" nothing_is_old "$old"
	fi
}

unreleased() { sed -n '0,/^## /s/^## //p' "$TOP/CHANGES" | grep -qx Unreleased; }

nothing_is_old() {
	[ -z "$1" ] || { echo "not of series/$BASE as it is now; make record BASE=$BASE runs what follows:"; echo "$1"; return 1; }
}

# Whether run or not: each target of make in a document or a message is there, each variable given to it is one that is passed on.
commands_of_make_are_right() {
	local found targets variables
	found=$({ "$LAB/check/commands.sh" list | cut -f2; sed -nE '/^[[:space:]]*#/!s/.*run: (make [a-z-]+( [A-Z_]+=[^ "]*)*).*/\1/p' "$LAB"/*/*.sh; } | grep -E '(^| )make [a-z]')
	targets=$(sed -nE 's/^([a-z-]+):.*##.*/\1/p' "$TOP/Makefile")
	variables=$(sed -n 's/^export //p' "$TOP/Makefile")
	awk -v targets="$targets" -v variables="$variables JOB" '
		BEGIN { split(targets, t); for (i in t) known[t[i]]; split(variables, v); for (i in v) known[v[i] "="] }
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

# Each link of a document to a file, and to a heading of one, as GitHub and others name headings.
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

# What make table writes is there; a result that a document shows besides is a recorded one.
documents_show_the_results() {
	local file line bad=0
	for file in $(tabled_documents); do
		BASE=v6.12 "$LAB/record/table.sh" print "$TOP/$file" | diff "$TOP/$file" - || { echo "$file's tables are not those of results/, series/; run: make table"; return 1; }
	done
	while IFS= read -r line; do
		grep -qxF -- "$line" "$TOP"/results/*.tap || { echo "a document has a line that no file in results/ has: $line"; bad=1; }
	done < <(documents | sed "s,^,$TOP/," | xargs sed -nE '/seconds=/!s/^    (ok .*|[0-9]+ passed, .*)/\1/p')
	return $bad
}

# The cover letters are what make letters writes, and none is longer than a reader's patience.
letters_are_current() {
	local folder topic bad=0
	for folder in "$SERIES"/*/; do
		topic=$(basename "$folder")
		BASE=$BASE "$LAB/carry/letters.sh" print "$topic" | diff "$folder/cover-letter.txt" - || { echo "run: make letters BASE=$BASE"; bad=1; }
		[ "$(wc -l <"$folder/cover-letter.txt")" -le 45 ] || { echo "$topic: more than 45 lines"; bad=1; }
	done
	return $bad
}

# picture_is_of PICTURE RESULT...
picture_is_of() {
	local picture=$1 hash
	shift
	hash=$(cd "$TOP/results" && printf '%s\n' "$@" | sort -V | xargs sha256sum | sha256sum | cut -c1-16)
	grep -qF "<!-- of: $hash -->" "$TOP/$picture" || { echo "$picture is not of $*; run: make plot"; return 1; }
}

# With sanitizers, on broken texts of /proc and /sys and on nasty names, and without a library.
tool_stands_broken_texts() {
	local tool=$TOP/tools/kvm-dax-check.c
	gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -o "$work/fuzz" "$LAB/check/kvm-dax-check-fuzz.c" || return 1
	mkdir "$work/fuzzed"
	ASAN_OPTIONS=detect_leaks=0 "$work/fuzz" "$work/fuzzed" 60 || return 1
	gcc -O2 -static -Wall -Wextra -Werror -o "$work/static" "$tool" && "$work/static" --version | grep -x "kvm-dax-check $(sed -n 's/^#define VERSION\t"\(.*\)"/\1/p' "$tool")" || return 1
	! command -v groff >/dev/null || [ -z "$(groff -man -Tascii -ww -z "${tool%.c}.1" 2>&1)" ] || { echo "groff warns of ${tool%.c}.1"; return 1; }
}

made=	# the bases that have a tree
export BASE
for BASE in ${BASES:-$(cd "$TOP/series" && printf '%s\n' */ | tr -d /)}; do
	SERIES=$TOP/series/$BASE
	[ -d "$SERIES" ] || die 2 "BASES: there is no series/$BASE"
	[ "$BASE" = v6.12 ] || check "$BASE has the patches that it shares with v6.12 in their order" in_the_order_of v6.12 3>&1
	check_results
	check "$BASE cover letters are of series/topics, docs/letters and the patches" letters_are_current
	tree=$BUILD/$BASE/series/tree
	status=0
	STOCK='' MUTANT='' CONFIG='' "$LAB/kernel/tree.sh" >"$work/tree" 2>&1 || status=$?
	if [ "$status" -eq "$NO_SOURCE" ]; then
		echo "ok $BASE # SKIP $(tail -n 1 "$work/tree")"
		skipped=$((skipped + 1))
		# What nobody can run here has to have been run elsewhere, unless it is a draft.
		[ -n "$(base_field draft)" ] || check "$BASE has recorded results" [ -e "$TOP/results/$BASE-amd.tap" ]
		continue
	fi
	check "$BASE git am" has_been_made "$work/tree" "$status"
	[ "$status" -ne 0 ] || made+=" $BASE"
	check "$BASE series lists every patch" series_lists_every_patch
	check "$BASE a source that has the series is refused" refuses_a_source_that_has_the_series
	check "$BASE quilt push --fuzz=0" applies_by_quilt
	check "$BASE each topic applies alone" topics_apply_alone
	check "$BASE mbox" mailbox_holds_the_series
	check "$BASE refresh round trip" round_trips
	check "$BASE documentation builds" "$LAB/carry/htmldocs.sh"
	# A base is audited once the document has rows for it.
	if grep -qE "^\| \`[^|]*\| [^|]*\b$BASE\b" "$TOP/docs/page-reserved-audit.md"; then
		check "$BASE readers of PG_reserved have their rows" "$LAB/check/reserved-audit.sh" "$tree" "$BASE"
	fi
	while read -r patch; do
		check "$BASE checkpatch $patch" checkpatch_says_nothing_new "$SERIES/$patch"
		check "$BASE mail form $patch" in_mail_form "$SERIES/$patch"
	done <"$SERIES/series"
done

mapfile -t scripts < <(cd "$TOP" && git ls-files --cached --others --exclude-standard | xargs grep -lE '^#(!.*(bash|/sh)| shellcheck shell=)' | sort)
check "scripts are found" [ ${#scripts[@]} -gt 0 ]
for script in "${scripts[@]}"; do
	check "shellcheck $script" shellcheck -x -P "$TOP" "$TOP/$script"
	[ ! -x "$TOP/$script" ] || check "-h of $script" says_what_it_does "$TOP/$script"
done
check "a script that is told to end leaves nothing behind" what_is_ended_leaves_nothing
check "make help lists every target and variable" help_lists_every_target_and_variable
check "make's targets look at their arguments before they build" env BASE=v6.12 "$LAB/check/arguments.sh"
check "documents: each command is run by somebody, or marked" "$LAB/check/commands.sh" unlisted
check "documents: make's targets and variables" commands_of_make_are_right
# They are run on the bases that they name; one that names none is for v6.12, as is the folder that some need.
mapfile -t commands < <("$LAB/check/commands.sh" of '(check|tree)')
check "commands are found" [ ${#commands[@]} -gt 0 ]
for command in "${commands[@]}"; do
	missing=$({ echo v6.12; grep -oE '\bv[0-9]+\.[0-9]+' <<<"$command" || true; } | sort -u | while read -r base; do [[ " $made " == *" $base "* ]] || echo "$base"; done)
	if [ -z "$missing" ]; then
		check "command: $command" "$LAB/check/commands.sh" run "$work/commands" "$command"
	else
		echo "ok command: $command # SKIP there is no tree of ${missing//$'\n'/, } here"
		skipped=$((skipped + 1))
	fi
done
check "documents: what they link to is there" documents_link_to_what_is_there
check "documents: what they show of the results" documents_show_the_results
demos=("$TOP"/results/*-demo.tsv)
check "docs/levels.svg is of the results" picture_is_of docs/levels.svg "${demos[@]##*/}"
mapfile -t benches < <(bench_results)
[ "${#benches[@]}" -eq 0 ] || check "docs/bench.svg is of the results" picture_is_of docs/bench.svg "${benches[@]}"
[ ! -e "$TOP/results/v6.12-demo-session.tsv" ] || check "docs/demo.svg is of the results" picture_is_of docs/demo.svg v6.12-demo-session.tsv
for source in "$LAB"/*/*.c "$TOP"/tools/*.c; do
	program=$work/$(basename "$source" .c)
	plugin=()
	! grep -q qemu_plugin_install "$source" || plugin=(-shared -fPIC)
	check "compile ${source#"$TOP"/}" gcc -O2 -Wall -Wextra -Werror "${plugin[@]}" -o "$program" "$source"
	[ "${source%/*}" != "$TOP/tools" ] || check "-h of ${source#"$TOP"/}" says_what_it_does "$program"
done
check "kvm-dax-check stands broken texts" tool_stands_broken_texts

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
