#!/usr/bin/env bash
# Prints how many KiB of page tables the host and KVM need for 1 GiB of guest memory, if it is mapped by 4K, 2M and 1G.
# Takes nothing: make run JOB=lab/guest/page-tables.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

for backing in devdax-4k devdax-2m devdax-1g; do
	"$program" "/dax/$backing"
done
