#!/usr/bin/env bash
# Checks that checkpatch.pl --strict reports nothing about a patch except what lab/carry/checkpatch-allowed lists, with the reason.
# Takes a tree, whose scripts/checkpatch.pl runs, and the patch; BASE, whose series/<base>/checkpatch-allowed may list more.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

tree=$1 patch=$2 status=0
said=$("$tree/scripts/checkpatch.pl" --root="$tree" --strict --terse --no-summary --show-types "$patch") || status=$?
# Status 1 means that checkpatch.pl has something to report.
[ "$status" -le 1 ] || die 1 "checkpatch.pl has ended with status $status: $said"
said=$(grep -E '(ERROR|WARNING|CHECK):' <<<"$said" |
	grep -vFf <(cat "$LAB/carry/checkpatch-allowed" "$SERIES/checkpatch-allowed" 2>/dev/null | sed '/^#/d; /^$/d')) || exit 0
echo "$said"
exit 1
