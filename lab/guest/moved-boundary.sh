#!/usr/bin/env bash
# Shows whether madvise() moves the boundary of two VMAs of device-dax into a page of 1G, from the left and from the right.
# Takes nothing: make run JOB=lab/guest/moved-boundary.sh
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

program=$(mktemp)
gcc -O2 -Wall -Wextra -Werror -o "$program" "$(dirname "$0")/moved-boundary.c"
status=0
for way in left right; do
	"$program" "$way" /dax/devdax-1g || status=1
done
rm "$program"
exit $status
