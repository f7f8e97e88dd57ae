#!/usr/bin/env bash
# Builds the kernel of BASE and its modules, in the tree that make tree makes. A second run builds only what changed.
# Takes STOCK=1 (without the series), STOCK=package (the distribution's own, which package.sh unpacks) or MUTANT=<name> (with a patch that
# removes one protection), and KSRC.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ -z "${CROSS_COMPILE:-}" ] || [ -n "$MACHINE_CONFIG" ] ||
	die 2 "CONFIG=$CONFIG is for make objects, which compiles a part; no machine of the lab runs it"
if [ "${STOCK:-}" = package ]; then exec "$LAB/kernel/package.sh"; fi
# Check all packages in one call, so that one message names everything that is missing.
case $CPU in
amd) "$LAB/kernel/deps.sh" build machine ;;
intel) "$LAB/kernel/deps.sh" build intel ;;
arm64) "$LAB/kernel/deps.sh" build arm64 ;;
esac
# Take the lock before making the tree, so that no other run changes its source before the build ends.
held=$BASE-${VARIANT%%-*}
lock "$held"
HELD=$held "$LAB/kernel/tree.sh"
"$LAB/kernel/config.sh"

# Skip make if nothing has changed since the last build, and the tree has no edits.
built=$OUT/built
state=$(git -C "$TREE" rev-parse HEAD; cat "$OUT/config-stamp")
edits=$(git -C "$TREE" status --porcelain --untracked-files=no)
if [ -z "$edits" ] && [ "$(cat "$built" 2>/dev/null)" = "$state" ]; then
	exit 0
fi
rm -f "$built"
# Compile files with warnings again, so that each build shows these warnings.
if [ -e "$OUT/kernel.log" ]; then
	{ new_warnings "$OUT/kernel.log" || true; } |
		sed -nE 's/^[0-9]+:([^ :]+)\.([cSh]|o):([0-9:]*)? *warning:.*/\1.\2/p' | sed -E 's/(.*)\.o$/\1.c\n\1.S/' | sort -u |
		while read -r file; do [ ! -f "$TREE/$file" ] || touch "$TREE/$file"; done
fi

# The trees of stock, series and mutants share the results of the compiler. It names the headers itself, so ccache need not preprocess.
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=3G CCACHE_DEPEND=1
export KBUILD_BUILD_USER=kvm-dax KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP='2000-01-01 00:00:00'
cd "$TREE"
kernel() { make -j"$(nproc)" CC="ccache ${CROSS_COMPILE:-}gcc" HOSTCC="ccache gcc" LOCALVERSION= "$@"; }
build() {
	kernel "${BZIMAGE##*/}" modules
	# Replace the modules in one step, because a machine that runs meanwhile may use them.
	rm -rf "$MODULES.new" "$MODULES.old"
	kernel -s modules_install INSTALL_MOD_PATH="$MODULES.new"
	[ ! -d "$MODULES" ] || mv "$MODULES" "$MODULES.old"
	mv "$MODULES.new" "$MODULES"
}
quietly "$OUT/kernel.log" "building $BASE $VARIANT" build
[ -n "$edits" ] || echo "$state" >"$built"
