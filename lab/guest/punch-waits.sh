#!/usr/bin/env bash
# Shows on each file system whether a hole can be punched into a DAX file while its memory is written to, and read by GUP. If not, prints
# what the kernel waits for.
# Takes how many holes to punch (2000 if not given): make run BASE=v7.3 JOB=lab/guest/punch-waits.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

status=0
for folder in /dax/fsdax-*/; do
	file=${folder}punched
	fallocate -l 4M "$file"
	echo "# $file"
	"$program" "$file" "${1:-2000}" || status=1
	rm "$file"
done
exit $status
