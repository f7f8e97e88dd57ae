#!/usr/bin/env bash
# Shows whether a page of 1G of device-dax can still be accessed at its old address after mremap() has moved it and something else is there.
# Takes nothing: make run JOB=lab/guest/moved-pud.sh
# Arguments: none
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

"$program" /dax/devdax-1g
