#!/usr/bin/env bash
# Lets pages of a file on XFS fail while they become a folio of 1G, and single pages again. Does it with rmapbt, by which XFS finds the
# file that has a page; and without, where the kernel takes it from the folio, which may be half made.
# Takes how many failures to cause each time (10000 if not given). More than 40000 don't fit into the kernel's log.
# FILES_1G=1 make run BASE=v7.3 JOB=lab/guest/failure-while-made.sh
# Arguments: ([1-9][0-9]{0,3}|[1-3][0-9]{4}|40000)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"

folder=/dax/fsdax-xfs-1g
[ -d "$folder" ] || { echo "failure-while-made: this machine has no $folder; run it with FILES_1G=1" >&2; exit 1; }
status=0
for rmapbt in 0 1; do
	new_file_1g "$rmapbt"
	echo -n "rmapbt=$rmapbt "
	"$program" "$folder/memory" "${1:-10000}" || status=1
done
exit $status
