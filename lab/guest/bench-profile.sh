#!/usr/bin/env bash
# Runs kvm-bench as bench.sh does, in the machine; prints its rows, and then at which address each function of the kernel begins.
# Takes: what bench.sh takes.
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

"$(dirname "$0")/bench.sh" "$@"
awk -v OFS='\t' '$2 ~ /^[tTwW]$/ { print "symbol", $1, $3 }' /proc/kallsyms
