#!/usr/bin/env bash
# Reads a huge page of device-dax while it is removed from the page table, or marks the page as cold. Prints how many bad entries the
# kernel logs.
# Takes the seconds for each of the four races (20 if not given; cold, which is no race, takes 100 rounds):
# make run BASE=v5.4 JOB=lab/guest/huge-races.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

status=0
for backing in devdax-2m:2 devdax-1g:1024; do
	for way in cold dontneed pagemap; do
		dmesg --clear
		"$program" "$way" "/dax/${backing%:*}" "${backing#*:}" "${1:-20}" || status=1
		echo "bad entries: $(dmesg | grep -c ': bad p[mu]d' || true)"
	done
done
exit $status
