#!/usr/bin/env bash
# Prints how long interrupts are off while a file is mapped by 1G, written back and truncated, and for comparison, by 2M.
# Takes how often to measure (5 if not given). Prints the smallest times: what else the host does only adds to them.
# FILES_1G=1 make run BASE=v7.3 CONFIG=irqsoff JOB=lab/guest/interrupts-off.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
# Configuration: irqsoff
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"

folder=/dax/fsdax-xfs-1g
[ -d "$folder" ] || { echo "interrupts-off: this machine has no $folder; run it with FILES_1G=1" >&2; exit 1; }
for ((i = 0; i < ${1:-5}; i++)); do
	for size in 1g 2m; do
		new_file_1g 1
		"$program" "$folder/memory" "$size" | tee -a "$work/all"
	done
done
echo "smallest:"
awk '{ split($4, us, "="); split($5, off, "="); key = $1 " " $2 " " $3
	if (!(key in least)) order[++n] = key
	if (!(key in least) || us[2] < least[key]) least[key] = us[2]
	if (!(key in shortest) || off[2] < shortest[key]) { shortest[key] = off[2]; where[key] = $6 } }
	END { for (i = 1; i <= n; i++) print order[i], "us=" least[order[i]], "off_us=" shortest[order[i]], where[order[i]] }' "$work/all"
