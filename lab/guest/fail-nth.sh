#!/usr/bin/env bash
# Makes the allocations fail, one after the other, that VFIO, KVM, mremap(), mprotect(), madvise() and page faults make for DAX memory;
# and if the kernel can do that, each copy from and to user space. Checks that nothing is left behind. Prints for each call how often it
# returned an error, and how many failures were injected.
# Takes the backings (all if none is given). Needs a kernel with fault injection: make run CONFIG=debug JOB=lab/guest/fail-nth.sh
# With FILES_1G=1, the machine has only fsdax-xfs-1g.
# Arguments: ((devdax-(4k|2m|1g)|fsdax-(ext4|xfs(-1g)?))( (devdax-(4k|2m|1g)|fsdax-(ext4|xfs(-1g)?)))*)?
# CPU: amd
# Configuration: debug
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"

[ -e /proc/self/fail-nth ] || { echo "fail-nth: this kernel injects no faults; CONFIG=debug makes one that does" >&2; exit 1; }
device=$("$(dirname "$0")/vfio-setup.sh")
backings=("$@")
[ $# -gt 0 ] || IFS=, read -ra backings <<<"$LAB_BACKINGS"
for backing in "${backings[@]}"; do
	case $backing in
	devdax-1g) "$program" "/dax/$backing" 1024 ${device:+"$device"} ;;
	devdax-2m) "$program" "/dax/$backing" 4 ${device:+"$device"} ;;	# two pages, so that one can be split off
	devdax-*) "$program" "/dax/$backing" 2 ${device:+"$device"} ;;
	fsdax-xfs-1g)
		new_file_1g 1
		"$program" "/dax/$backing/memory" 1024
		;;
	*)
		# Write the file, so that a page fault only maps a block.
		dd if=/dev/zero of="/dax/$backing/memory" bs=2M count=1 conv=fsync status=none
		"$program" "/dax/$backing/memory" 2
		;;
	esac
done
