#!/usr/bin/env bash
# Shows what becomes of a write to one page of a DAX file that is read by 2M and cloned, before and after the clone. With CONFIG=base-small
# the kernel can't split an entry of 2M, as on arm64 with pages of 64K. Not for v5.4, whose DAX files share no blocks.
# Takes nothing: make run CONFIG=base-small JOB=lab/guest/cloned-huge.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

status=0
for when in before after; do
	"$program" /dax/fsdax-xfs "$when" || status=1
done
exit $status
