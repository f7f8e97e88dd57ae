#!/usr/bin/env bash
# Shows which of the processes that map DAX memory are told when a page of it fails, on each backing, and that their guests go on, with
# interrupts off, and on, when KVM may queue page faults as asynchronous ones.
# Takes nothing: make run JOB=lab/guest/failure-told.sh
# Arguments: none
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"
status=0 told=early
# Who has asked for it is told, as QEMU does, and who is running; without that, all are.
base_has chosen-kill || told=all
for interrupts in off on; do
	for backing in "${backings[@]}"; do
		case $backing in
		devdax-1g) "$program" "/dax/$backing" $((1 << 30)) $told $interrupts || status=1 ;;
		devdax-*)
			"$program" "/dax/$backing" $((2 << 20)) $told $interrupts || status=1
			# It is mapped as if it began where a page of 2M does.
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
