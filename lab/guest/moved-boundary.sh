#!/usr/bin/env bash
# Shows whether madvise() moves the boundary of two VMAs of device-dax into a page of 1G, from the left and from the right.
# Takes nothing: make run JOB=lab/guest/moved-boundary.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

status=0
for way in left right; do
	"$program" "$way" /dax/devdax-1g || status=1
done
exit $status
