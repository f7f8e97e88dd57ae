#!/usr/bin/env bash
# Runs the test guest, which writes to its memory, on each DAX backing. Prints how KVM mapped that memory, in rows as boot-guests.sh does.
# At the end prints "fact", the label, a text, and the memory types of these entries, tab-separated.
# Takes: a label for this kernel, and the folder that holds guest-leaves and kvm_leaves.ko.
# Started by: make demo
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

label=$1 built=$2
IFS=, read -ra backings <<<"$LAB_BACKINGS"
names=([0]=uncached [1]=write-combining [4]=write-through [5]=write-protected [6]=write-back)	# EPT's memory types
backings_of=()	# by memory type

for backing in "${backings[@]}"; do
	echo "$backing: running the test guest" >&2
	# Ignore the status: leaves.sh fails if the entries are not as expected, and the row shows that.
	said=$("$(dirname "$0")/leaves.sh" "$backing" "$built" || true)
	echo "$backing: $said" >&2
	[[ $said =~ pages_4k=([0-9]+)\ pages_2m=([0-9]+)\ pages_1g=([0-9]+)\ faults=([0-9]+) ]] || exit 1
	printf 'row\t%s\t%s' "$label" "$backing"
	printf '\t%s' "${BASH_REMATCH[@]:1}"
	echo
	for type in $(grep -oE '\bmemtype[0-7]=' <<<"$said" | tr -dc '0-7\n'); do
		backings_of[type]+=${backings_of[type]:+, }$backing
	done
done
types=''
for type in "${!backings_of[@]}"; do
	types+=${types:+; }${names[type]:-type $type}
	[ ${#backings_of[@]} -eq 1 ] || types+=" (${backings_of[type]})"
done
printf 'fact\t%s\t%s\t%s\n' "$label" "KVM's memory type for DAX memory" "${types:-no entries}"
