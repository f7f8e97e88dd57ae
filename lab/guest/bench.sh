#!/usr/bin/env bash
# Runs kvm-bench on each kind of memory, in the machine; prints its rows.
# Takes: the program, MiB of memory, how often each figure is taken, and which backings (default: all but those of 1G, which take long).
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

program=$1 size=$2 repetitions=$3
shift 3
backings=("$@")
[ $# -gt 0 ] || backings=(devdax-4k devdax-2m fsdax-ext4 fsdax-xfs hugetlbfs-2m thp anon)

# reserve SIZE PAGES: pages of hugetlbfs, beyond those that are there.
reserve() {
	local file=/sys/kernel/mm/hugepages/hugepages-${1}kB/nr_hugepages
	echo "$2" >"$file"
	[ "$(<"$file")" -ge "$2" ] || { echo "bench: only $(<"$file") of $2 pages of $1 kB could be reserved" >&2; exit 1; }
}

device=$("$(dirname "$0")/vfio-setup.sh")
# What would work in the background now and then.
for file in /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs /sys/kernel/mm/ksm/sleep_millisecs; do
	[ ! -e "$file" ] || echo 100000000 >"$file"
done

for backing in "${backings[@]}"; do
	path=- mib=$size largest=$((4 * size)) times=$repetitions
	case $backing in
	*-1g) mib=1024 largest=2048 times=1 ;;
	esac
	case $backing in
	devdax-*) path=/dax/$backing ;;
	fsdax-*)
		path=/dax/$backing/memory
		fallocate -l "${largest}M" "$path"
		dd if=/dev/zero of="$path" bs=2M count=$((largest / 2)) conv=notrunc,fsync status=none
		;;
	hugetlbfs-2m) reserve 2048 $((largest / 2)) ;;
	hugetlbfs-1g) reserve 1048576 $((largest / 1024)) ;;
	esac
	echo "$backing: $mib MiB" >&2
	"$program" "$backing" "$path" "$mib" 1 "$times" host populate level log chase ${device:+vfio="$device"}
	for ((more = 2 * mib; more <= largest; more *= 2)); do
		"$program" "$backing" "$path" "$more" 1 1 populate
	done
	# With few faults, what the vCPUs' threads need to take turns would be all there is to see.
	for vcpus in 2 4; do
		[[ $backing == *-4k || $backing == anon ]] || continue
		"$program" "$backing" "$path" "$mib" "$vcpus" 1 populate
	done
	case $backing in
	fsdax-*) rm "$path" ;;
	hugetlbfs-2m) reserve 2048 0 ;;
	hugetlbfs-1g) reserve 1048576 0 ;;
	esac
done
