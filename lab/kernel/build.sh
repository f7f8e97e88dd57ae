#!/usr/bin/env bash
# Builds the kernel of BASE and its modules, in the tree that make tree makes; a second run builds only what changed.
# Takes STOCK=1 (without the series) or MUTANT=<name> (with one broken patch more), and KSRC.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ -z "${CROSS_COMPILE:-}" ] || [ -n "$MACHINE_CONFIG" ] ||
	die 2 "CONFIG=$CONFIG is for make objects, which compiles a part; no machine of the lab runs it"
# All that is missing is named at once.
case $CPU in
amd) "$LAB/kernel/deps.sh" build machine ;;
intel) "$LAB/kernel/deps.sh" build intel ;;
arm64) "$LAB/kernel/deps.sh" build arm64 ;;
esac
# Locked before the tree is made: until it is built, no other run gives it another source.
held=$BASE-${VARIANT%%-*}
lock "$held"
HELD=$held "$LAB/kernel/tree.sh"
"$LAB/kernel/config.sh"

# An unchanged tree without edits needs no look by make.
built=$OUT/built
state=$(git -C "$TREE" rev-parse HEAD; cat "$OUT/config-stamp")
edits=$(git -C "$TREE" status --porcelain --untracked-files=no)
if [ -z "$edits" ] && [ "$(cat "$built" 2>/dev/null)" = "$state" ]; then
	exit 0
fi
rm -f "$built"
# What was warned of is warned of again, also where this build has nothing else to compile.
if [ -e "$OUT/kernel.log" ]; then
	{ new_warnings "$OUT/kernel.log" || true; } |
		sed -nE 's/^[0-9]+:([^ :]+)\.([cSh]|o):([0-9:]*)? *warning:.*/\1.\2/p' | sed -E 's/(.*)\.o$/\1.c\n\1.S/' | sort -u |
		while read -r file; do [ ! -f "$TREE/$file" ] || touch "$TREE/$file"; done
fi

# The compiler's results are shared between the trees of stock, series and mutants.
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=3G
export KBUILD_BUILD_USER=kvm-dax KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP='2000-01-01 00:00:00'
cd "$TREE"
kernel() { make -j"$(nproc)" CC="ccache ${CROSS_COMPILE:-}gcc" HOSTCC="ccache gcc" LOCALVERSION= "$@"; }
build() {
	kernel "${BZIMAGE##*/}" modules
	# A machine that runs meanwhile keeps the modules that it booted with.
	rm -rf "$MODULES.new" "$MODULES.old"
	kernel -s modules_install INSTALL_MOD_PATH="$MODULES.new"
	[ ! -d "$MODULES" ] || mv "$MODULES" "$MODULES.old"
	mv "$MODULES.new" "$MODULES"
}
quietly "$OUT/kernel.log" "building $BASE $VARIANT" build
[ -n "$edits" ] || echo "$state" >"$built"
