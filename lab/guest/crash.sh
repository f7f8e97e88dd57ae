#!/usr/bin/env bash
# Has the kernel crash, and the next one look for DAX memory in the dump of the first, where it must not be.
# Takes the backing that is looked for, devdax-2m if none is given: make run CONFIG=dump JOB=lab/guest/crash.sh
# Arguments: (devdax-(4k|2m|1g)|fsdax-(ext4|xfs))?
# Configuration: dump
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

program=$(mktemp)
gcc -O2 -Wall -Wextra -Werror -o "$program" "$LAB/guest/memory-image.c"
if [ -e /proc/vmcore ]; then
	exec "$program" look /proc/vmcore "$(sed -nE 's/.* MARKS=([0-9a-f]+).*/\1/p' /proc/cmdline)"
fi

path=/dax/${1:-devdax-2m}
if [ -d "$path" ]; then
	path+=/memory
	fallocate -l 2M "$path"
fi
# The next kernel's job is this script alone, as it has no DAX devices to prepare.
words=$(sed -E 's/ (crashkernel|LAB_JOB)=[^ ]*//g' /proc/cmdline)
"$program" crash "$path" "$BZIMAGE" "$("$LAB/machine/initramfs.sh")" "$words LAB_JOB=$LAB/guest/crash.sh nr_cpus=1 reset_devices"
