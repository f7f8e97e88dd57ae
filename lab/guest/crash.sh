#!/usr/bin/env bash
# Crashes the kernel. The next kernel then searches the dump of the first for DAX memory, which must not be there.
# Takes the backing to search for (devdax-2m if not given): make run CONFIG=dump JOB=lab/guest/crash.sh
# Arguments: (devdax-(4k|2m|1g)|fsdax-(ext4|xfs))?
# CPU: amd
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
# The next kernel runs only this script, because it has no DAX devices to set up.
words=$(sed -E 's/ (crashkernel|LAB_JOB)=[^ ]*//g' /proc/cmdline)
"$program" crash "$path" "$BZIMAGE" "$("$LAB/machine/initramfs.sh")" "$words LAB_JOB=$LAB/guest/crash.sh nr_cpus=1 reset_devices"
