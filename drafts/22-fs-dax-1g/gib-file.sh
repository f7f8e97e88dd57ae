#!/usr/bin/env bash
# Makes of the NVDIMM of devdax-1g a DAX file system whose files can be mapped by 1G, and runs dax_1g_test there, and a guest whose memory
# is such a file; prints their results and, if the kernel measures it, the longest time with interrupts off.
# Takes the built dax_1g_test and its options: make run BASE=v7.3 JOB='lab/guest/gib-file.sh <program>'.
# With -d, for a kernel without such mappings, the guest is only to have the right data. The memory is left without a namespace.
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

program=$1
shift
here=$(dirname "$0")
place=/dax/fsdax-xfs-1g	# dax-release.sh unmounts it if this ends before
gib=$((1 << 30))
tracing=/sys/kernel/tracing
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

fail() {
	echo "gib-file: $*" >&2
	exit 1
}

# The region that devdax-1g lies in begins at a multiple of 1G, and is the only one that does.
node=$(basename "$(readlink /dax/devdax-1g)")
node=${node#dax}
namespace=namespace${node%.*}.0
said=$(ndctl create-namespace -f -e "$namespace" --mode=fsdax --map=mem --align=1G 2>&1) || fail "ndctl create-namespace: $said"
namespace=$(sed -nE 's/.*"dev":"([^"]+)".*/\1/p' <<<"$said" | head -n 1)
disk=/dev/$(sed -nE 's/.*"blockdev":"([^"]+)".*/\1/p' <<<"$said")
[ -b "$disk" ] || fail "$namespace has no disk: $said"
start=$(($(<"/sys/class/block/${disk##*/}/device/resource")))
[ $((start % gib)) -eq 0 ] || fail "the data of $namespace begins at $(printf '%#x' "$start"), which is no multiple of 1G"
size=$(($(<"/sys/class/block/${disk##*/}/size") * 512))

# mkfs.xfs -d su=1g has the first inodes at a multiple of 1G, too, and so each of its groups loses a GiB: 3 GiB would have none left.
# Aligned by the mount options alone, the first group of 2 GiB has one that is free.
mkfs=(-d "agsize=2g,su=4k,sw=1") options=dax=always,sunit=2097152,swidth=2097152
if [ "$size" -ge $((6 * gib)) ]; then
	mkfs=(-d "agcount=2,su=1g,sw=1") options=dax=always
fi
mkfs.xfs -q -f -K -m reflink=1,rmapbt=1 "${mkfs[@]}" "$disk" 2>"$work/said" || fail "mkfs.xfs: $(<"$work/said")"
mkdir "$place"
mount -t xfs -o "$options" "$disk" "$place" || fail "cannot mount $disk"
truncate -s 4096 "$place/memory"

# new_file: one whose GiB is written, in one piece; the memory of a guest.
new_file() {
	local extents
	rm -f "$place/guest"
	sync -f "$place"
	fallocate -l 1G "$place/guest"
	dd if=/dev/zero of="$place/guest" bs=2M count=512 conv=notrunc,fsync status=none
	extents=$(xfs_io -r -c 'bmap -v' "$place/guest" | grep -c ': \[') || true
	[ "$extents" -eq 1 ] || fail "the guest's file has $extents extents: $(xfs_io -r -c 'bmap -v' "$place/guest")"
}

# traced TRACER COMMAND...: prints the longest time that the tracer has seen, and where, if the kernel has it.
traced() {
	local tracer=$1 ended=0
	shift
	if grep -qw "$tracer" "$tracing/available_tracers" 2>/dev/null; then
		echo "$tracer" >"$tracing/current_tracer"
		echo 0 >"$tracing/tracing_max_latency"
		"$@" || ended=$?
		echo "# $tracer max_us=$(<"$tracing/tracing_max_latency")"
		sed -nE 's/^#  => (started|ended) at: */# \1 at /p' "$tracing/trace"
		echo nop >"$tracing/current_tracer"
	else
		"$@" || ended=$?
	fi
	return "$ended"
}

size_of_guest=1g data_only=
for option in "$@"; do
	[ "$option" != -d ] || size_of_guest=2m data_only=1
done

# The guest comes first: the last case of the test leaves a page that has failed.
gcc -O2 -Wall -Wextra -Werror -o "$work/gib-guest" "$here/gib-guest.c"
new_file
if timeout -v 1200 "$work/gib-guest" "$place/guest" "$size_of_guest"; then
	echo "ok gib-guest"
else
	echo "not ok gib-guest"
	status=1
fi
rm "$place/guest"
sync -f "$place"

# What makes a GiB of struct pages a folio, and what undoes it.
traced irqsoff timeout -v 1200 "$program" -s "dax:$place/memory" ${data_only:+-d} -c read -c mkwrite -c fsync -c punch-4k -c truncate || status=1
timeout -v 7200 "$program" -s "dax:$place/memory" "$@" || status=1

umount "$place" || { status=1; echo "not ok umount"; }
said=$(ndctl destroy-namespace -f "$namespace" 2>&1) || { status=1; echo "not ok ndctl destroy-namespace: $said"; }
exit "$status"
