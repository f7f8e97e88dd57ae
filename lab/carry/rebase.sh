#!/usr/bin/env bash
# Moves the series of BASE to another source of its line, and writes it back into series/<base>/.
# Takes KSRC=<tree or tarball>, the newest Debian package if not given. At a conflict it stops, as git am does; then run it again.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ "$VARIANT" = series ] || die 2 "only the series can be moved, not STOCK or MUTANT"
moving=$OUT/moving	# during a move: the old pristine commit, the old end of the series, the recipe in tree-made, KSRC
shown=${TREE#"$TOP"/}
mapfile -t patches < <(series_patches)

stop_at_conflict() {
	local number title files
	number=$(cat "$TREE/.git/rebase-apply/next")
	title=$(sed -n 's/^Subject: //p' "$TREE/.git/rebase-apply/info")
	files=$(git -C "$TREE" diff --name-only --diff-filter=U | sed 's/^/  conflict in /')
	cat >&2 <<-END
		rebase.sh: patch $number of $(cat "$TREE/.git/rebase-apply/last") does not fit: $title
		${files:-  git am could not merge it at all}
		The tree $shown is as git am left it: the patches before it are commits there. Now, in that tree:
		  git am --show-current-patch=diff     shows the patch; make rangediff, how another base has it
		  edit the files, git add -f them, git am --continue
		  git am --skip                        if the new source has the change already
		  git am --abort                       to give up
		and then, here: make rebase BASE=$BASE
	END
	exit 1
}

# lacks_a_blob: whether the tree lacks a file version from which a patch was made. Patches can apply to such a source, with offsets.
lacks_a_blob() {
	sed -nE 's/^index ([0-9a-f]{40})\.\..*/\1/p' "${patches[@]}" | grep -v '^0*$' |
		git -C "$TREE" cat-file --batch-check | grep ' missing$' >/dev/null
}

if [ ! -f "$moving" ]; then
	# The tree must hold the series and the file versions from which its patches were made, because git am -3 merges by these.
	made_of=$(recipe "$(git -C "$TREE" rev-parse -q --verify pristine 2>/dev/null)" "${patches[@]}")
	if [ "$(cut -d' ' -f1 "$OUT/tree-made" 2>/dev/null)" != "$made_of" ] || lacks_a_blob; then
		tested=$("$LAB/kernel/source.sh" tarball "$(base_field tested)") ||
			die 2 "Linux $(base_field tested), which series/$BASE was made for, is not within reach; make the tree with make tree KSRC=<that>"
		KSRC=$tested "$LAB/kernel/tree.sh"
	fi
	repository=$("$LAB/kernel/source.sh")
	lock "$BASE-series"
	read -r recipe head <"$OUT/tree-made"
	[ "$(git -C "$TREE" rev-parse HEAD) $(git -C "$TREE" status --porcelain --untracked-files=no)" = "$head " ] ||
		die 1 "$shown has work of yours; save it with make refresh, or drop it with git -C $shown reset --hard $head"
	git -C "$TREE" fetch -q "$repository" HEAD
	new=$(git -C "$TREE" rev-parse FETCH_HEAD) old=$(git -C "$TREE" rev-parse pristine)
	[ "$new" != "$old" ] || { say "series/$BASE is on Linux $(make -s -C "$TREE" kernelversion) already, from the same source"; exit; }
	echo "$old $head $recipe ${KSRC:-}" >"$moving"
	git -C "$TREE" tag -f pristine "$new" >/dev/null
	git -C "$TREE" checkout -q -f -B "$BASE" "$new"
	say "moving ${#patches[@]} patches to Linux $(make -s -C "$TREE" kernelversion)"
	git -C "$TREE" am -q -3 "${patches[@]}" >"$OUT/am.log" 2>&1 || {
		[ -d "$TREE/.git/rebase-apply" ] || { cat "$OUT/am.log" >&2; die 1 "git am failed; give up with: git -C $shown am --abort"; }
		stop_at_conflict
	}
else
	lock "$BASE-series"
	[ ! -d "$TREE/.git/rebase-apply" ] || stop_at_conflict
fi

read -r old head recipe KSRC <"$moving"
if [ "$(git -C "$TREE" rev-parse HEAD)" = "$(git -C "$TREE" rev-parse pristine)" ]; then
	git -C "$TREE" tag -f pristine "$old" >/dev/null
	git -C "$TREE" checkout -q -f -B "$BASE" "$head"
	echo "$recipe $head" >"$OUT/tree-made"
	rm "$moving"
	say "git am was given up; $shown is the series on its old source again"
	exit
fi
git -C "$TREE" --no-pager range-diff "$old..$head" pristine..HEAD
# refresh.sh takes the same lock.
flock -u 9
"$LAB/carry/refresh.sh"
rm "$moving"
cat <<-END
	series/$BASE now is for Linux $(make -s -C "$TREE" kernelversion); above, each patch that is not the same ("=") has changed, "<" has gone.
	Next: make check BASES=$BASE${KSRC:+ KSRC=$KSRC}
	      make kselftest BASE=$BASE${KSRC:+ KSRC=$KSRC}
	then write the version into "tested:" of series/$BASE/base, and commit.
END
