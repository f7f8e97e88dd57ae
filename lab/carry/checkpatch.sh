#!/usr/bin/env bash
# Sees that checkpatch.pl --strict says nothing of a patch but what lab/carry/checkpatch-allowed lists, with the reason.
# Takes a tree, whose scripts/checkpatch.pl it is, and the patch; BASE.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

tree=$1 patch=$2 status=0
said=$("$tree/scripts/checkpatch.pl" --root="$tree" --strict --terse --no-summary --show-types "$patch") || status=$?
# 1: it has something to say.
[ "$status" -le 1 ] || die 1 "checkpatch.pl has ended with status $status: $said"
said=$(grep -E '(ERROR|WARNING|CHECK):' <<<"$said" |
	grep -vFf <(cat "$LAB/carry/checkpatch-allowed" "$SERIES/checkpatch-allowed" 2>/dev/null | sed '/^#/d; /^$/d')) || exit 0
echo "$said"
exit 1
