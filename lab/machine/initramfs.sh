#!/usr/bin/env bash
# Makes the initramfs of the machine, which holds lab/machine/init.c, compiled, and lab/machine/trouble.
# Takes nothing; prints the file's path.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

image=$BUILD/initramfs${MACHINE_CONFIG:+-$MACHINE_CONFIG}.gz
if [ ! -f "$image" ] || [ "$LAB/machine/init.c" -nt "$image" ] || [ "$LAB/machine/trouble" -nt "$image" ]; then
	lock initramfs
	work=$(mktemp -d "$BUILD/initramfs.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	"${CROSS_COMPILE:-}gcc" -static -O2 -Wall -Wextra -Werror -o "$work/init" "$LAB/machine/init.c"
	cp "$LAB/machine/trouble" "$work/trouble"
	(cd "$work" && printf '%s\n' init trouble | cpio --quiet -o -H newc | gzip >image)
	mv "$work/image" "$image"
fi
echo "$image"
