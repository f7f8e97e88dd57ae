#!/usr/bin/env bash
# Builds the kernel of BASE and its modules, in the tree that make tree makes; a second run builds only what changed.
# Takes STOCK=1 (without the series) or MUTANT=<name> (with one broken patch more), and KSRC.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

"$LAB/deps.sh" build
"$LAB/tree.sh"
lock "$BASE-${VARIANT%%-*}"
"$LAB/config.sh"

# The compiler's results are shared between the trees of stock, series and mutants.
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=3G
export KBUILD_BUILD_USER=kvm-dax KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP='2000-01-01 00:00:00'
cd "$TREE"
log=$OUT/kernel.log
kernel() { make -j"$(nproc)" CC="ccache gcc" HOSTCC="ccache gcc" "$@"; }
build() {
	kernel bzImage modules
	rm -rf "$MODULES"
	kernel -s modules_install INSTALL_MOD_PATH="$MODULES"
}
quietly "$log" "building $BASE $VARIANT" build
ls -l "$BZIMAGE" >/dev/null
