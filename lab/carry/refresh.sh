#!/usr/bin/env bash
# Writes the commits of the work tree of make tree back into series/<base>/, as patches and the file that lists them.
# Takes nothing, or an empty folder, to write there instead. The tree must be clean, with only commits on top of the pristine source.
# series/<base>/ must not have changed since the tree was made of it.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ "$VARIANT" = series ] || die 2 "only the series can be refreshed, not STOCK, UPTO or MUTANT"
[ -d "$TREE/.git" ] || die 2 "there is no ${TREE#"$TOP"/}; run: make tree BASE=$BASE"
lock "$BASE-series"
[ -f "$OUT/tree-made" ] ||
	die 1 "${TREE#"$TOP"/} has not got all patches of the series, as the last make tree has not ended well; run: make tree BASE=$BASE"
if [ -d "$TREE/.git/rebase-apply" ] || [ -d "$TREE/.git/rebase-merge" ]; then
	die 1 "${TREE#"$TOP"/} is in the middle of a git am or git rebase; git -C ${TREE#"$TOP"/} status says how to end that"
fi
[ -z "$(git -C "$TREE" status --porcelain --untracked-files=no)" ] ||
	die 1 "${TREE#"$TOP"/} has changes that are not committed; commit them first (git add -f for new files)"
[ "$(git -C "$TREE" rev-parse HEAD)" != "$(git -C "$TREE" rev-parse pristine)" ] ||
	die 1 "${TREE#"$TOP"/} has no patches; after git am --abort, make rebase BASE=$BASE brings them back"

# During make rebase, the tree was made from the previous source.
mapfile -t patches < <(series_patches)
made=$(cut -d' ' -f1 "$OUT/tree-made") known=
for pristine in "$(git -C "$TREE" rev-parse pristine)" $([ ! -f "$OUT/moving" ] || cut -d' ' -f1 "$OUT/moving"); do
	[ "$made" != "$(recipe "$pristine" "${patches[@]}")" ] || known=1
done
[ -n "$known" ] ||
	die 1 "series/$BASE has changed since ${TREE#"$TOP"/} was made of it, and that change would be lost; commit it," \
		"bring back what was there before with git checkout <commit> -- series/$BASE, run this again, and merge the two"

new=${1:-}
if [ -z "$new" ]; then
	new=$(mktemp -d "$BUILD/refresh.XXXXXX")
	trap 'rm -rf "$new"' EXIT
fi
git -C "$TREE" -c core.abbrev=12 -c diff.noprefix=false -c diff.algorithm=myers -c format.pretty= -c user.useConfigOnly=false \
	format-patch -q --zero-commit --no-signature --full-index -N --no-renames --no-attach --no-thread --no-cover-letter \
	-o "$new" pristine..HEAD

# Each patch goes into the folder of its topic. The topics must be in their order.
register Title Topic >"$BUILD/topics"
before=
for patch in "$new"/*.patch; do
	[ -f "$patch" ] || continue
	title=$(git mailinfo /dev/null /dev/null <"$patch" | sed -n 's/^Subject: //p')
	topic=$(awk -F'\t' -v title="$title" '$1 == title { print $2 }' "$BUILD/topics")
	[ -n "$topic" ] || die 1 "series/patches has no stanza for \"$title\"; add one with its Topic, and run this again"
	[[ ! $topic < $before ]] || die 1 "\"$title\" is of $topic, and stands behind a patch of $before;" \
		"git -C ${TREE#"$TOP"/} rebase -i pristine puts it in its place"
	before=$topic
	mkdir -p "$new/$topic"
	mv "$patch" "$new/$topic/"
done
(cd "$new" && for patch in */*.patch; do [ ! -f "$patch" ] || echo "$patch"; done) >"$new/series"
[ -z "${1:-}" ] || exit 0
rm -f "$SERIES"/*/*.patch
cp -r "$new"/* "$SERIES/"
find "$SERIES" -type d -empty -delete

# Now the tree and the series are the same.
mapfile -t patches < <(series_patches)
echo "$(recipe "$(git -C "$TREE" rev-parse pristine)" "${patches[@]}") $(git -C "$TREE" rev-parse HEAD)" >"$OUT/tree-made"
say "series/$BASE: ${#patches[@]} patches"
