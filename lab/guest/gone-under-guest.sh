#!/usr/bin/env bash
# Removes device-dax memory while the two vCPUs of a guest write to it: unbinds its driver, disables its namespace, unmaps it. Does so
# with the guest's interrupts off, and again with interrupts on, because KVM may then queue page faults as asynchronous ones.
# Takes how often to do each of these (20 times if not given): make run JOB=lab/guest/gone-under-guest.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

status=0
IFS=, read -ra backings <<<"$LAB_BACKINGS"
for backing in "${backings[@]}"; do
	# Use less memory with 4K pages, because the program tries each page.
	case $backing in
	devdax-4k) mib=16 page_kib=4 ;;
	devdax-2m) mib=1024 page_kib=2048 ;;
	devdax-1g) mib=1024 page_kib=1048576 ;;
	*) continue ;;
	esac
	node=$(realpath "/dax/$backing")
	device=$(realpath "/sys/bus/dax/devices/${node##*/}")
	driver=$(realpath "$device/driver")
	namespace=$(<"$device/../namespace")
	for interrupts in off on; do
		"$program" "/dax/$backing" "$mib" "$page_kib" "${1:-20}" "$driver" "$namespace" "$interrupts" || status=1
	done
done
exit $status
