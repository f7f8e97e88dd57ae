#!/usr/bin/env bash
# Builds the selftests of the tree with the series, by the kernel's own makefiles, whatever kernel they will run on.
# Takes TARGETS=<folders of tools/testing/selftests>, "kvm vfio dax" if not given; what a base does not have is left out.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

STOCK='' MUTANT='' CONFIG='' "$LAB/tree.sh"
lock "$BASE-series"
targets=
for target in ${TARGETS:-kvm vfio dax}; do
	[ ! -d "$SELFTESTS/$target" ] || targets+=" $target"
done
build() {
	make -s -C "$SELFTESTS/../../.." headers
	make -C "$SELFTESTS" TARGETS="$targets" FORCE_TARGETS=1 -j"$(nproc)" all
}
[ -f "$SELFTESTS/../../../.config" ] || STOCK='' MUTANT='' CONFIG='' "$LAB/config.sh"
quietly "$BUILD/$BASE/series/selftests.log" "building the selftests of $BASE" build
