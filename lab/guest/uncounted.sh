#!/usr/bin/env bash
# Removes pages of a file while another thread unmaps it, with a delay between the two that varies: truncates a file on tmpfs that is mapped
# by 4K, and punches holes into a DAX file on XFS that is mapped by 2M.
# Takes the number of rounds, 10000 if not given: make run JOB='lab/guest/uncounted.sh 60000'
# Arguments: |[1-9][0-9]*
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

"$program" /dax/fsdax-xfs/uncounted "${1:-10000}" punch
"$program" /dev/shm/uncounted "${1:-10000}" truncate
