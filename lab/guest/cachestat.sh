#!/usr/bin/env bash
# Calls cachestat() of a DAX file on ext4 and on XFS, all of which is mapped and in use.
# Takes nothing: make run JOB=lab/guest/cachestat.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

trap 'rm -rf "$work" /dax/fsdax-*/cachestat' EXIT
status=0
for folder in /dax/fsdax-*; do
	fallocate -l 4M "$folder/cachestat"
	"$program" "$folder/cachestat" || status=1
done
exit $status
