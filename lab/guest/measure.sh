#!/usr/bin/env bash
# Runs kvm-bench in the machine, on one kind of memory after the other, and prints its rows.
# Takes: the program, MiB of memory, how often each figure is measured, a list of more MiB, for which only KVM's page faults are counted,
# and the backings.
# Started by: make bench
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"

program=$1 size=$2 repetitions=$3 growth=$4
shift 4

# reserve SIZE PAGES: sets the number of hugetlbfs pages of SIZE kB. Fails if there are fewer.
reserve() {
	local file=/sys/kernel/mm/hugepages/hugepages-${1}kB/nr_hugepages
	echo "$2" >"$file"
	[ "$(<"$file")" -ge "$2" ] || { echo "measure: only $(<"$file") of $2 pages of $1 kB could be reserved" >&2; exit 1; }
}

device=$("$(dirname "$0")/vfio-setup.sh")
# Make khugepaged and KSM sleep, because they would work in the background now and then.
for file in /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs /sys/kernel/mm/ksm/sleep_millisecs; do
	[ ! -e "$file" ] || echo 100000000 >"$file"
done

for backing; do
	path=- mib=$size times=$repetitions more_times=$repetitions sizes=()
	case $backing in
	*-1g) mib=1024 times=1 more_times=1 ;;
	# Count in the first round, because so many faults take long. Other work of the machine is small beside them.
	*-4k | anon) more_times=0 ;;
	esac
	# The same on a base whose stock kernel maps files by 4K.
	[[ $backing != fsdax-* ]] || base_has huge-files || more_times=0
	for more in $growth; do
		# Leave out more than 4 GiB by pages of 4K, which would take too long.
		[ "$more" -le "$mib" ] || { [[ $backing == *-4k || $backing == anon ]] && [ "$more" -gt 4096 ]; } || sizes+=("$more")
	done
	# The file system has no room for more.
	[[ $backing != fsdax-*-1g ]] || sizes=(2048)
	largest=$(printf '%s\n' "$mib" "${sizes[@]}" | sort -n | tail -n 1)
	case $backing in
	devdax-*) path=/dax/$backing ;;
	fsdax-*)
		path=/dax/$backing/memory
		fallocate -l "${largest}M" "$path"
		# Write to all of it, because only written blocks are mapped by 1G.
		[[ $backing != *-1g ]] || dd if=/dev/zero of="$path" bs=4M count=$((largest / 4)) conv=notrunc status=none
		;;
	hugetlbfs-2m) reserve 2048 $((largest / 2)) ;;
	hugetlbfs-1g) reserve 1048576 $((largest / 1024)) ;;
	esac
	echo "$backing: $mib MiB" >&2
	"$program" "$backing" "$path" "$mib" 1 "$times" host absent mapped level log chase ${device:+vfio="$device"}
	# With few faults, the result would show only what the vCPUs' threads need to take turns.
	for vcpus in 2 4; do
		[[ $backing == *-4k || $backing == anon ]] || continue
		"$program" "$backing" "$path" "$mib" "$vcpus" 1 absent mapped
	done
	for more in "${sizes[@]}"; do
		echo "$backing: $more MiB" >&2
		"$program" "$backing" "$path" "$more" 1 "$more_times" mapped
	done
	case $backing in
	fsdax-*) rm "$path" ;;
	hugetlbfs-2m) reserve 2048 0 ;;
	hugetlbfs-1g) reserve 1048576 0 ;;
	esac
done
