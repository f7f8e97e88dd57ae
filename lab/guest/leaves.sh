#!/usr/bin/env bash
# Runs guest-leaves on a backing. It checks the page table entries that map the memory of a guest: all of one size, and write-back.
# Takes the backing, and the folder that holds guest-leaves and kvm_leaves.ko. Prints the numbers of entries, or why the check fails.
# Started by: make kselftest and make demo
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

backing=$1 built=$2
case $backing in
devdax-4k) path=/dax/$backing mib=16 size=4k ;;
devdax-1g) path=/dax/$backing mib=1024 size=1g ;;
devdax-*) path=/dax/$backing mib=256 size=2m ;;
fsdax-*)
	path=/dax/$backing/memory mib=256 size=2m
	[ -e "$path" ] || fallocate -l "${mib}M" "$path"
	;;
esac
[ -e /sys/kernel/debug/kvm_leaves ] || insmod "$built/kvm_leaves.ko"
exec "$built/guest-leaves" "$path" "$mib" "$size"
