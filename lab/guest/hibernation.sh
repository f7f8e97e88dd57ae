#!/usr/bin/env bash
# Hibernates the machine to a disk, resumes it from there, and searches the disk for DAX memory, which must not be there. Prints one TAP
# result per backing, not numbered.
# Takes the results' prefix, the programs memory-image and dax_huge_page_test, an extended regular expression that names must match, the
# backing whose memory is used as the disk, and the backings to search for. Destroys the disk's file system.
# Started by: make kselftest
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

prefix=$1 image=$2 guest=$3 only=$4 swap=$5
shift 5

# The kernel hibernates to the first disk that it swaps to.
disk=$(awk -v place="/dax/$swap" '$2 == place { print $1 }' /proc/mounts)
umount "/dax/$swap"
rm -d "/dax/$swap"
mkswap "$disk" >/dev/null
swapon "$disk"
echo test_resume >/sys/power/disk	# resumes at once, without switching the machine off

# Hibernates, checks that the memory of backing $1 is still there, and starts a guest on it.
hibernate() {
	local path=/dax/$1
	[ ! -d "$path" ] || path+=/memory
	"$image" hibernate "$path" "$disk" || return
	"$guest" -s "dax:$path" -c populate >"$log.guest" || { cat "$log.guest"; return 1; }
}

log=$(mktemp)
for backing in "$@"; do
	grep -qE "$only" <<<"$prefix hibernation $backing" || continue
	start=$SECONDS status=0
	hibernate "$backing" >"$log" 2>&1 || status=$?
	tap_line "$prefix hibernation $backing" "$status" $((SECONDS - start)) "$log"
done
rm -f "$log" "$log.guest"
swapoff "$disk"
