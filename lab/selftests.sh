#!/usr/bin/env bash
# Builds the selftests of the tree with the series, by the kernel's own makefiles, whatever kernel they will run on.
# Takes TARGETS=<folders of tools/testing/selftests>, "kvm vfio dax" if not given; what a base does not have is left out;
# and INSTALL=<folder>, where they are to be installed as the kernel does it, with the list of them.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

lock "$BASE-series"
HELD=$BASE-series STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/tree.sh"
targets=
for target in ${TARGETS:-kvm vfio dax}; do
	[ ! -d "$SELFTESTS/$target" ] || targets+=" $target"
done
build() {
	make -s -C "$SELFTESTS/../../.." headers
	make -C "$SELFTESTS" TARGETS="${targets// [mv]m/}" FORCE_TARGETS=1 -j"$(nproc)" all
	[ -n "${INSTALL:-}" ] || return 0
	# Not every base's tests of mm, or of vm as it was called, all build; what does is installed.
	make -k -C "$SELFTESTS" TARGETS="$targets" INSTALL_PATH="$INSTALL" -j"$(nproc)" install || [ -f "$INSTALL/kselftest-list.txt" ]
}
[ -f "$SELFTESTS/../../../.config" ] || STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/config.sh"
quietly "$BUILD/$BASE/series/selftests.log" "building the selftests of $BASE" build
