#!/usr/bin/env bash
# Compares two runs of make bench: prints each figure that differs, and the largest difference.
# Takes A=<file> and B=<file>, the rows of two runs. Ends with an error if a figure differs by more than 0.5 % or in its faults, or if
# only one file has it.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

for file in "${A:-}" "${B:-}"; do
	[ -n "$file" ] || die 2 "two files of make bench are needed: make bench-diff A=<file> B=<file>"
	[ -f "$file" ] || die 2 "$file: there is no such file; A= and B= are two files of make bench"
	grep -sq '^base	cpu	' "$file" || die 2 "$file is no file of make bench, as results/$BASE-amd.tsv is"
done
awk -F'\t' '
	/^#/ || /^base\t/ { next }
	{ k = $3 " " $4 ", " $5 " MiB, " $6 " vCPUs, " $7 }
	FNR == NR { old[k] = $10; old_faults[k] = $9; next }
	!(k in old) { print k ": only in the second"; bad = 1; next }
	{
		n++
		difference = old[k] ? 100 * ($10 / old[k] - 1) : 0
		if ($9 != old_faults[k]) { print k ": " old_faults[k] " faults, " $9 " in the second"; bad = 1 }
		if ($10 != old[k]) { printf "%s: %.3f %%\n", k, difference; differing++ }
		if (difference < 0) difference = -difference
		if (difference > largest) { largest = difference; where = k }
		delete old[k]
	}
	END {
		for (k in old) { print k ": only in the first"; bad = 1 }
		if (!n) { print "no figure is in both"; bad = 1 }
		printf "%d figures, %d differ, at most by %.3f %%%s\n", n, differing, largest, where ? " (" where ")" : ""
		exit bad || largest > 0.5
	}' "$A" "$B" || exit 1
