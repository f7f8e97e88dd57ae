#!/usr/bin/env bash
# Shows on each backing which of the processes that map DAX memory are told when a page of it fails. Also checks that their guests go on,
# with interrupts off, and with interrupts on, because KVM may then queue page faults as asynchronous ones.
# Takes nothing: make run JOB=lab/guest/failure-told.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"
status=0 told=early
# The kernel tells the process in which the page fails, and those that have asked for it, as QEMU does. Older kernels tell all.
base_has chosen-kill || told=all
for interrupts in off on; do
	for backing in "${backings[@]}"; do
		case $backing in
		devdax-1g) "$program" "/dax/$backing" $((1 << 30)) $told $interrupts || status=1 ;;
		devdax-*)
			"$program" "/dax/$backing" $((2 << 20)) $told $interrupts || status=1
			# Also map at an offset of 1M, which is not a multiple of 2M. The kernel maps it as if it were one.
			base_has chosen-kill || "$program" "/dax/$backing" $((4 << 20)) $told $interrupts $((1 << 20)) || status=1
			;;
		*)
			fallocate -l 2M "/dax/$backing/memory"
			"$program" "/dax/$backing/memory" $((2 << 20)) $told $interrupts || status=1
			rm "/dax/$backing/memory"
			;;
		esac
	done
done
exit $status
