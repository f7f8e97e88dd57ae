#!/usr/bin/env bash
# Prints the path of a sparse that can read the source of BASE: the system's, or else one that is built once, of the newest source
# package of it in the suites that series/<base>/base names.
# Takes BASE, the tree of which is there; fails if there is neither.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

folder=$BUILD/$BASE/checker

# can_read SPARSE: the source has a script that tells, if it asks for more than sparse could always do.
can_read() {
	[ -x "$1" ] || return 1
	[ ! -e "$TREE/scripts/checker-valid.sh" ] || [ "$(sh "$TREE/scripts/checker-valid.sh" "$1" -m64)" = 1 ]
}

for sparse in "$(command -v sparse)" "$folder/sparse"; do
	if can_read "$sparse"; then
		echo "$sparse"
		exit
	fi
done
lock "$BASE-checker"
package=$("$LAB/kernel/source.sh" package sparse) || exit
rm -rf "$folder"
mkdir -p "$folder"
tar -C "$folder" --strip-components=1 -xf "${package%-*.dsc}".orig.tar.*	# without the revision of the package
# Without the programs that want libraries.
quietly "$folder.log" "building sparse" make -C "$folder" HAVE_SQLITE=no HAVE_LIBXML=no HAVE_GTK=no HAVE_LLVM=no sparse
can_read "$folder/sparse" || die 1 "the sparse of ${package##*/} cannot read the source of $BASE, either"
echo "$folder/sparse"
