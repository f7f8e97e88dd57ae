#!/usr/bin/env bash
# Truncates a file on tmpfs while another thread empties the page table that maps it, with a delay between the two that varies.
# Takes the number of rounds, 30000 if not given: make run JOB='lab/guest/uncounted.sh 60000'
# Arguments: |[1-9][0-9]*
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

"$program" /dev/shm/uncounted "${1:-30000}"
