#!/usr/bin/env bash
# Shows whether a page of 1G of device-dax can still be accessed at its old address after mremap() has moved it and something else is there.
# Takes nothing: make run JOB=lab/guest/moved-pud.sh
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

program=$(mktemp)
trap 'rm "$program"' EXIT
gcc -O2 -Wall -Wextra -Werror -o "$program" "$(dirname "$0")/moved-pud.c"
"$program" /dax/devdax-1g
