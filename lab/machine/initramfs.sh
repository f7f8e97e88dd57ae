#!/usr/bin/env bash
# Makes the initramfs of the machine, which holds lab/machine/init.c, compiled, lab/machine/trouble, and for STOCK=package the modules that
# init loads.
# Takes STOCK; prints the file's path.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

image=$BUILD/initramfs${MACHINE_CONFIG:+-$MACHINE_CONFIG}.gz files=(init trouble)
[ "${STOCK:-}" != package ] || image=$OUT/initramfs.gz files+=(modules)
if [ ! -f "$image" ] || [ "$LAB/machine/init.c" -nt "$image" ] || [ "$LAB/machine/trouble" -nt "$image" ]; then
	lock initramfs
	work=$(mktemp -d "$BUILD/initramfs.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	"${CROSS_COMPILE:-}gcc" -static -O2 -Wall -Wextra -Werror -o "$work/init" "$LAB/machine/init.c"
	cp "$LAB/machine/trouble" "$work/trouble"
	# The lab's kernels have these built in. Each module comes after those that it needs.
	if [ "${STOCK:-}" = package ]; then
		[ -d "$MODULES/lib/modules" ] || die 2 "the distribution's kernel is not here yet; run: make kernel BASE=$BASE STOCK=package"
		mkdir "$work/modules"
		for module in 9pnet_virtio 9p overlay; do
			modprobe -d "$MODULES" -S "$(ls "$MODULES/lib/modules")" --ignore-install --show-depends "$module"
		done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r path; do
			name=$(basename "$path" .xz)
			xz -dcf <"$path" >"$work/modules/$name"
			echo "/modules/$name" >>"$work/modules/order"
		done
	fi
	(cd "$work" && find "${files[@]}" | cpio --quiet -o -H newc | gzip >image)
	mv "$work/image" "$image"
fi
echo "$image"
