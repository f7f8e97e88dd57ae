#!/usr/bin/env bash
# Prints the path of a sparse that can read the source of BASE. If the system's sparse cannot, it builds one, once, from the newest
# source package in the suites that series/<base>/base names.
# Takes BASE, whose tree must exist. Fails if no such sparse can be found.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

folder=$BUILD/$BASE/checker

# can_read SPARSE: whether it can read the source. A source that needs a recent sparse has a script that tests it.
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
tar -C "$folder" --strip-components=1 -xf "${package%-*.dsc}".orig.tar.*	# the name without the package's revision
# Do not build the programs that need libraries.
quietly "$folder.log" "building sparse" make -C "$folder" HAVE_SQLITE=no HAVE_LIBXML=no HAVE_GTK=no HAVE_LLVM=no sparse
can_read "$folder/sparse" || die 1 "the sparse of ${package##*/} cannot read the source of $BASE, either"
echo "$folder/sparse"
