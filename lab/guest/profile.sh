#!/usr/bin/env bash
# Runs kvm-bench in the machine, as measure.sh does. Prints its rows, and then the address at which each function of the kernel begins.
# Takes: what measure.sh takes.
# Started by: make bench-profile
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

"$(dirname "$0")/measure.sh" "$@"
awk -v OFS='\t' '$2 ~ /^[tTwW]$/ { print "symbol", $1, $3 }' /proc/kallsyms
