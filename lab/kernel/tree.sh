#!/usr/bin/env bash
# Makes the git work tree of BASE: one commit for the pristine source, and one for each patch. Never overwrites work of yours in the tree.
# Takes STOCK=1 (no patches), UPTO=<n> (the first n patches), MUTANT=<name> (one more patch), SPARSE=1 (a separate tree, which has only
# the files that the patches touch) and KSRC.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

needs_source "a tree of sources"
patches=()
[ "$VARIANT" = stock ] || mapfile -t patches < <(series_patches)
[ "$VARIANT" != upto ] || patches=("${patches[@]:0:UPTO}")
[ -z "${MUTANT:-}" ] || patches+=("$LAB/kernel/mutants/$BASE/$MUTANT.patch")

repository=$(KSRC=${KSRC:-} "$LAB/kernel/source.sh")
lock "$BASE-${VARIANT%%-*}"
[ ! -f "$OUT/moving" ] ||
	die 1 "${TREE#"$TOP"/} is in the middle of make rebase; run make rebase BASE=$BASE, which says what is to be done, or ends it"

# The recipe says what the tree is made of. The same recipe gives the same commits.
pristine=$(git -C "$repository" rev-parse HEAD)
recipe=$(recipe "$pristine" "${patches[@]}")
made=$OUT/tree-made	# two words: the recipe, and the resulting commit; absent while the tree is being made

version() {
	git -C "$TREE" show "$pristine:Makefile" |
		awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) =/ { v = v dot $3; dot = "." } /^EXTRAVERSION =/ { v = v $3 } END { print v }'
}

if [ -f "$made" ] && [ -d "$TREE/.git" ]; then
	read -r old_recipe old_commit <"$made"
	edits=$(git -C "$TREE" status --porcelain --untracked-files=no)
	if [ "$(git -C "$TREE" rev-parse HEAD)" != "$old_commit" ] || [ -n "$edits" ]; then
		[ "$old_recipe" = "$recipe" ] ||
			die 1 "${TREE#"$TOP"/} has work of yours and series/$BASE or its source has changed:" \
				"$([ "$VARIANT" != series ] || echo "save it with make refresh, which says how, or ")drop it with" \
				"git -C ${TREE#"$TOP"/} reset --hard $old_commit"
		[ -z "${RECORD:-}" ] || die 1 "${TREE#"$TOP"/} has work of yours, and RECORD=1 keeps results of series/$BASE as it is;" \
			"save it with make refresh, or run without RECORD"
		say "${TREE#"$TOP"/} is used as it stands, with your work in it"
		exit 0
	fi
	[ "$old_recipe" != "$recipe" ] || exit 0
fi

if [ ! -d "$TREE/.git" ]; then
	rm -rf "$made" "$TREE" "$TREE.part"
	mkdir -p "$OUT"
	say "checking out ${TREE#"$TOP"/}"
	said=$(git clone -q --no-checkout "$repository" "$TREE.part" 2>&1) ||
		{ die_if_full "$said"; die 1 "cannot clone $repository: $said"; }
	git -C "$TREE.part" config gc.auto 0
	git -C "$TREE.part" config user.name "$(git -C "$TOP" config user.name || echo kvm-dax)"
	git -C "$TREE.part" config user.email "$(git -C "$TOP" config user.email || echo kvm-dax@localhost)"
	mv "$TREE.part" "$TREE"
else
	git -C "$TREE" fetch -q "$repository" HEAD
fi

# Apply the patches in a second work tree, which has only the files that they touch. Then check out the result in one step: files that
# stay the same keep their time, and are not compiled again.
beside=$TREE.am
rm -rf "$beside"
git -C "$TREE" worktree prune
git -C "$TREE" worktree add -q --no-checkout --detach "$beside" "$pristine"
cat /dev/null "${patches[@]}" | touched_by - | sed 's|^|/|' | git -C "$beside" sparse-checkout set --no-cone --stdin
git -C "$beside" checkout -q
for patch in "${patches[@]}"; do
	# Use the same committer and dates each time, so that the same series gives the same commits.
	git -C "$beside" -c user.name=kvm-dax -c user.email=kvm-dax am -q --committer-date-is-author-date "$patch" >"$OUT/am.log" 2>&1 || {
		if git -C "$beside" apply --check -R "$patch" 2>/dev/null; then
			why="is in Linux $(version) already; make rebase leaves out what a source has"
		else
			grep -vE '^(hint:|When you have|If you prefer|To restore)' "$OUT/am.log" >&2
			why="does not apply to Linux $(version); the series was made for $(base_field tested)"
		fi
		rm -rf "$beside"
		die 1 "${patch#"$TOP"/} $why"
	}
done
# The tree is unchanged until here. If this script is interrupted from here on, the tree must not look as if it had work of yours in it.
rm -f "$made"
git -C "$TREE" tag -f pristine "$pristine" >/dev/null
[ "$VARIANT" != sparse ] || cat "${patches[@]}" | touched_by - | sed 's|^|/|' | git -C "$TREE" sparse-checkout set --no-cone --stdin
git -C "$TREE" checkout -q -f -B "$BASE" "$(git -C "$beside" rev-parse HEAD)"
rm -rf "$beside" "$TREE/.git/rebase-apply"
git -C "$TREE" worktree prune
echo "$recipe $(git -C "$TREE" rev-parse HEAD)" >"$made.part"
mv "$made.part" "$made"
case $(base_field tested) in
"$(version)" | "$(version)"-*) ;;
*) say "this source is Linux $(version); series/$BASE was last tested on $(base_field tested)${patches[0]:+; all patches have applied}" ;;
esac
say "${TREE#"$TOP"/}: Linux $(version), ${#patches[@]} patches"
