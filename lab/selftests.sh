#!/usr/bin/env bash
# Builds the selftests of the tree with the series, by the kernel's own makefiles, whatever kernel they will run on.
# Takes TARGETS=<folders of tools/testing/selftests>, "kvm vfio" if not given.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

STOCK='' MUTANT='' "$LAB/tree.sh"
lock "$BASE-series"
build() {
	make -s -C "$SELFTESTS/../../.." headers
	make -C "$SELFTESTS" TARGETS="${TARGETS:-kvm vfio}" FORCE_TARGETS=1 -j"$(nproc)" all
}
[ -f "$SELFTESTS/../../../.config" ] || STOCK='' MUTANT='' "$LAB/config.sh"
quietly "$BUILD/$BASE/series/selftests.log" "building the selftests of $BASE" build
