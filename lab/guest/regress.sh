#!/usr/bin/env bash
# Runs each of the kernel's own selftests as it was installed, in the machine; prints "row", its name and pass, skip, fail or timeout.
# Takes the folder where they are installed, and an extended regular expression on the names.
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

installed=$1 only=$2
log=$(mktemp)
modprobe vfio-pci

# row NAME STATUS: the verdict that the kernel's runner would give.
row() {
	case $2 in
	0) printf 'row\t%s\tpass\n' "$1" ;;
	4) printf 'row\t%s\tskip\n' "$1" ;;
	124 | 137) printf 'row\t%s\ttimeout\n' "$1" ;;
	*) printf 'row\t%s\tfail\n' "$1" ;;
	esac
}

# A script that runs many of mm's tests says of each how it ended.
many() {
	sed -nE "s|^not ok [0-9]+ (.*) # exit=.*|row\t$1 \1\tfail|p; s|^ok [0-9]+ (.*) # SKIP.*|row\t$1 \1\tskip|p; s|^ok [0-9]+ ([^#]*)$|row\t$1 \1\tpass|p" "$log"
}

while IFS=: read -r target test; do
	name="$target $test"
	grep -qE "$only" <<<"$name" || continue
	seconds=120 status=0
	[ "$target" != mm ] || seconds=1200
	cd "$installed/$target"
	timeout --kill-after=5 "$seconds" "./$test" >"$log" 2>&1 </dev/null || status=$?
	if grep -qE '^(not )?ok [0-9]+' "$log" && [ "$target" = mm ]; then many "$name"; fi
	row "$name" "$status"
	[ "$status" -eq 0 ] || tail -n 5 "$log" | sed 's/^/# /'
done <"$installed/kselftest-list.txt"
rm "$log"
