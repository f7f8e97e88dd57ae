# shellcheck shell=bash disable=SC2153,SC2154
# Checks for make check on the patches of a base: they must apply as mails, by quilt, and each topic alone. The tree and the results in
# results/ must match them.
# Sourced by check.sh; gives check_series.

checkpatch_says_nothing_new() { "$LAB/carry/checkpatch.sh" "$tree" "$1"; }

in_mail_form() {
	local patch=$1
	head -n 1 "$patch" | grep -qx 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001' ||
		{ echo "the first line is not that of --zero-commit"; return 1; }
	grep -q '^Signed-off-by: ' "$patch" || { echo "there is no Signed-off-by"; return 1; }
	! grep -E '^Subject: \[PATCH [0-9]' "$patch" || { echo "the subject is numbered"; return 1; }
	# The kernel's lists refuse larger mails. A patch of that size contains something generated.
	(($(wc -c <"$patch") <= 100000)) || { echo "it has more than 100 kB"; return 1; }
	! tail -n 2 "$patch" | grep -E '^[0-9]+\.[0-9]+\.[0-9]+$' || { echo "it ends with a git version"; return 1; }
	# A changelog must be short enough to be read, and narrow enough to be quoted twice. A tag may be wider, because it is one line.
	sed '1,/^$/d; /^---$/,$d' "$patch" | awk '
		length > 75 && !/^[A-Z][A-Za-z-]*: / { print "the changelog has a line of " length " columns: " $0; bad = 1 }
		END { if (NR > 60) { print "the changelog has " NR " lines; 60 are enough"; bad = 1 } exit bad }'
}

series_lists_every_patch() {
	diff <(cd "$SERIES" && for patch in */*.patch; do [ ! -e "$patch" ] || echo "$patch"; done) "$SERIES/series"
}

refuses_a_source_that_has_the_series() {
	local said
	! said=$(KSRC=$tree "$LAB/kernel/source.sh" 2>&1) || return 1
	[[ $said == *"has all of series/$BASE already"* ]] || { echo "$said"; return 1; }
}

# Applies the series by quilt to the files that it touches, from the pristine source.
applies_by_quilt() {
	local path
	rm -rf "$work/quilt-$BASE"
	mkdir "$work/quilt-$BASE"
	[ -s "$SERIES/series" ] || return 0
	mapfile -t patches < <(series_patches)
	touched_by "${patches[@]}" | while read -r path; do
		# The pristine source does not have the files that the series adds.
		git -C "$tree" cat-file -e "pristine:$path" 2>/dev/null || continue
		mkdir -p "$work/quilt-$BASE/$(dirname "$path")"
		git -C "$tree" show "pristine:$path" >"$work/quilt-$BASE/$path"
	done
	(cd "$work/quilt-$BASE" && QUILT_PATCHES=$SERIES quilt --quiltrc=- push -a --fuzz=0)
}

# Each topic must apply with only the topics that series/topics says it needs. This uses the folder of applies_by_quilt, unpatched.
topics_apply_alone() {
	local topic needs wanted bad=0
	[ -d "$work/quilt-$BASE" ] || applies_by_quilt >/dev/null || return 1
	(cd "$work/quilt-$BASE" && QUILT_PATCHES=$SERIES quilt --quiltrc=- pop -q -a) || return 1
	while IFS=$'\t' read -r topic needs; do
		[ -d "$SERIES/$topic" ] || continue
		wanted=$(needed_by "$topic")
		# Check the patches as one, because each builds on those before it.
		series_patches | grep -E "/(${wanted//$'\n'/|})/" | xargs cat | (cd "$work/quilt-$BASE" && git apply --check) ||
			{ echo "$topic does not apply with ${needs:-nothing else}; series/topics says what it needs"; bad=1; }
	done < <(stanzas "$TOP/series/topics" Topic Needs)
	return $bad
}

# make refresh of the tree must give exactly the series.
round_trips() {
	rm -rf "$work"/{there,refreshed}
	mkdir "$work"/{there,refreshed}
	(cd "$SERIES" && cp --parents series ./*/*.patch "$work/there")
	"$LAB/carry/refresh.sh" "$work/refreshed" || return 1
	diff -r "$work/there" "$work/refreshed"
}

mailbox_holds_the_series() {
	local mbox
	mbox=$(BASES='' "$LAB/carry/mbox.sh") || return 1
	mapfile -t patches < <(series_patches)
	diff <(cat "${patches[@]}" | git patch-id --stable) <(git patch-id --stable <"$mbox")
}

# The patches that two bases share must be in the same order. Prints the patches that only one of them has.
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

# The cover letters must be those that make letters writes. Each has the same parts in the same order, and a limited length.
letters_are_current() {
	local folder topic letter bad=0
	for folder in "$SERIES"/*/; do
		topic=$(basename "$folder")
		letter=$folder/cover-letter.txt
		BASE=$BASE "$LAB/carry/letters.sh" print "$topic" | diff "$letter" - || { echo "run: make letters BASE=$BASE"; bad=1; }
		[ "$(wc -l <"$letter")" -le 40 ] || { echo "$topic: more than 40 lines"; bad=1; }
		! awk '/^On Linux / { exit } FNR > 1 && length > 75' "$letter" | grep . || { echo "$topic: more than 75 columns (above)"; bad=1; }
		awk '{ if (sub(/:.*/, "") && /^(For users|Tests|Upstream|Drop|Lab)$/) print }' "$letter" | grep -vx Lab | paste -sd ' ' |
			grep -qx 'For users Tests Upstream Drop' || { echo "$topic: not For users:, Tests:, Upstream:, Drop: in this order"; bad=1; }
	done
	return $bad
}

unreleased() { sed -n '0,/^## /s/^## //p' "$TOP/CHANGES" | grep -qx Unreleased; }

nothing_is_old() {
	[ -z "$1" ] || { echo "not of series/$BASE as it is now; make record BASE=$BASE runs what follows:"; echo "$1"; return 1; }
}

# The recorded results must be of the current series. Those that take hours may be incomplete. Between two versions, while CHANGES begins
# with "Unreleased", results may be of an earlier state. For a version, they must be recorded.
check_results() {
	local old count what="$BASE recorded results are current"
	chosen "$what" nothing_is_old || return 0
	BASE=$BASE "$LAB/record/old.sh" >"$work/old" || { not_ok "$what"; return; }
	sed -nE 's/^([^\t]*)\t([^\t]*)\tleft$/# \1 is not complete; go on by: \2/p' "$work/old"
	old=$(grep -v $'\tleft$' "$work/old") || true
	count=$(grep -c . <<<"$old") || true
	if [ "$count" -gt 0 ] && unreleased; then
		echo "# ${old//$'\n'/$'\n# '}"
		skip "$what" "$count are of an earlier state or missing (above), as allowed before a version; make record BASE=$BASE runs them"
	else
		check "$what" nothing_is_old "$old"
	fi
}

# The first check that needs the series' tree makes it; its status and output are kept for the others. A base whose source is not
# available has no tree.
tree_is_made() {
	if [ "$tree_of" != "$BASE" ]; then
		tree_of=$BASE tree_status=0
		STOCK='' MUTANT='' CONFIG='' "$LAB/kernel/tree.sh" >"$work/tree" 2>&1 || tree_status=$?
		[ "$tree_status" -ne "$NO_SOURCE" ] || skip "$BASE" "$(tail -n 1 "$work/tree")"
	fi
	[ "$tree_status" -eq 0 ]
}
tree_of='' tree_status=0

git_am() { tree_is_made || { cat "$work/tree"; return 1; }; }

# with_tree NAME COMMAND...: runs a check that needs the tree; leaves it out if the base's source is not available.
with_tree() {
	chosen "$1" "$2" || return 0
	tree_is_made || [ "$tree_status" -ne "$NO_SOURCE" ] || return 0
	check "$@"
}

# A mutant that no longer applies would be noticed only when make mutants comes to it, after hours.
mutants_apply() {
	local mutant bad=0
	for mutant in "$LAB/kernel/mutants/$BASE"/*.patch; do
		git -C "$tree" apply --cached --check "$mutant" || { echo "${mutant##*/} does not apply to series/$BASE"; bad=1; }
	done
	return $bad
}

readers_have_their_rows() { "$LAB/check/reserved-audit.sh" "$tree" "$BASE"; }
documentation_builds() { "$LAB/carry/htmldocs.sh"; }
has_recorded_results() { [ -e "$TOP/results/$BASE-amd.tap" ]; }

check_series() {
	local patch
	SERIES=$TOP/series/$BASE
	tree=$BUILD/$BASE/series/tree
	[ "$BASE" = "$DEFAULT_BASE" ] ||
		check "$BASE has the patches that it shares with $DEFAULT_BASE in their order" in_the_order_of "$DEFAULT_BASE" 3>&1
	check_results
	check "$BASE cover letters are of series/topics, docs/letters and the patches" letters_are_current
	with_tree "$BASE git am" git_am
	check "$BASE series lists every patch" series_lists_every_patch
	with_tree "$BASE mutants apply" mutants_apply
	# A base whose source is not available cannot be tested here, so it must have recorded results, unless it is a draft.
	[ -n "$(base_field draft)" ] || ! chosen "$BASE has recorded results" has_recorded_results ||
		tree_is_made || [ "$tree_status" -ne "$NO_SOURCE" ] ||
		check "$BASE has recorded results" has_recorded_results
	with_tree "$BASE a source that has the series is refused" refuses_a_source_that_has_the_series
	with_tree "$BASE quilt push --fuzz=0" applies_by_quilt
	with_tree "$BASE each topic applies alone" topics_apply_alone
	with_tree "$BASE mbox" mailbox_holds_the_series
	with_tree "$BASE refresh round trip" round_trips
	with_tree "$BASE documentation builds" documentation_builds
	# A base is audited as soon as the document has rows for it.
	if grep -qE "^\| \`[^|]*\| [^|]*\b$BASE\b" "$TOP/docs/page-reserved-audit.md"; then
		with_tree "$BASE readers of PG_reserved have their rows" readers_have_their_rows
	fi
	while read -r patch; do
		with_tree "$BASE checkpatch $patch" checkpatch_says_nothing_new "$SERIES/$patch"
		check "$BASE mail form $patch" in_mail_form "$SERIES/$patch"
	done <"$SERIES/series"
}
