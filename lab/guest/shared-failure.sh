#!/usr/bin/env bash
# Makes pages of an XFS file fail while a file that shares its blocks is copied or closed, and shows whether both go on. If not, prints
# the kernel's log, with the tasks that hang. Not for v5.4, whose DAX files share no blocks.
# Takes how often a page fails (2000 times if not given), and one of copied, closed and told (all if not given):
# make run JOB=lab/guest/shared-failure.sh
# Arguments: ([1-9][0-9]*( (copied|closed|told))?)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

for other in ${2:-copied closed told}; do
	status=0
	"$program" /dax/fsdax-xfs "${1:-2000}" "$other" || status=$?
	[ "$status" -eq 0 ] || break
done
if [ "$status" -ne 0 ]; then
	echo w >/proc/sysrq-trigger
	dmesg | grep -v 'emory failure' | tail -n 90
fi
exit "$status"
