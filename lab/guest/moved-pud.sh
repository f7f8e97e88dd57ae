#!/usr/bin/env bash
# Shows whether a 1G page of device-dax is still accessible at its old address after mremap() has moved it and other memory is there.
# Takes nothing: make run JOB=lab/guest/moved-pud.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

"$program" /dax/devdax-1g
