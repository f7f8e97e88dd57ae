#!/usr/bin/env bash
# Shows how a guest on DAX memory fares, apart from how it is mapped. Prints tab-separated rows: "fact", a label for this kernel, the fact
# and its value. At the start of each look prints "look", the label and the look's name; at the end of all looks, the name is "end".
# Takes: the label, the folder of demo-facts, punch-waits, shared-failure and page_flags.ko, and the looks: assigned, full, punched,
# reserved, shared, cloned, written. The last row of a fact counts, because a look that may kill the kernel prints that in advance. If the label is
# stock, the kernel is reset when it is broken, and at the end, because it may hold devices forever.
# Started by: make demo
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/ends.sh
. "$(dirname "$0")/ends.sh"
export LC_ALL=C

label=$1 built=$2
shift 2
mib=16	# MiB of memory for the device
patience=30	# looks at a process that waits in the kernel

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fact() {
	echo "$1: $2" >&2
	printf 'fact\t%s\t%s\t%s\n' "$label" "$1" "$2"
}

# may_die NAME: prints in advance that the kernel dies, in case nothing follows.
may_die() {
	echo "$1: looking; the stock kernel may die here" >&2
	printf 'fact\t%s\t%s\tthe kernel dies\n' "$label" "$1"
}

# After a hang, other looks show nothing. No output is lost, because a write to the port returns only when the host has it.
reset_if_stock() { [ "$label" != stock ] || echo b >/proc/sysrq-trigger; }

# value NAME WORDS: prints the value of that name in "name=value ...". Fails if there is none.
value() { sed -nE "s/(^|.* )$1=([^ ]*).*/\2/p" <<<"$2" | grep -m 1 .; }

resource() { cat "/sys/bus/dax/devices/$(basename "$(realpath "/dax/$1")")/resource"; }

# Prints on how many of the kinds of DAX memory PG_reserved is set, and how many kinds there are.
count_reserved() {
	local backing place file said kinds=0 reserved=0
	IFS=, read -ra backings <<<"$LAB_BACKINGS"
	for backing in "${backings[@]}"; do
		file=''
		case $backing in
		devdax-*) place=$(($(resource "$backing") >> 12)) ;;
		*)
			place=/dax/$backing/reserved file=$place
			fallocate -l 2M "$place"
			;;
		esac
		said=$("$built/demo-facts" pages "$place" 1)
		[ -z "$file" ] || rm "$file"
		kinds=$((kinds + 1))
		[ "$(value reserved "$said")" -eq 0 ] || reserved=$((reserved + 1))
	done
	echo "$reserved of $kinds"
}

reserved() { fact 'DAX memory marked as not RAM (PG_reserved)' "$is_reserved kinds"; }

# A guest writes to a file of 4 MiB, which has blocks for only 2 MiB, on a full file system.
full() {
	local folder=/dax/fsdax-ext4 said step taken=0 name='Guest writes, but its file system is full'
	truncate -s 4M $folder/memory
	fallocate -l 2M $folder/memory
	step=$(stat -f -c '%a * %S' $folder)
	step=$((step))
	while [ "$step" -ge $((2 << 20)) ]; do
		if fallocate -o "$taken" -l "$step" $folder/rest 2>/dev/null; then taken=$((taken + step)); else step=$((step / 2)); fi
	done
	said=$("$built/demo-facts" full $folder/memory $((4 << 20)))
	rm -f $folder/memory $folder/rest
	case $said in
	loops) fact "$name" "still loops after 1000 faults" ;;
	errno=*) fact "$name" "ends with ${said#errno=}" ;;
	*) fact "$name" "$said" ;;
	esac
}

punched() {
	local said file=/dax/fsdax-xfs/punched name='Holes punched into a file in use'
	fallocate -l 4M $file
	said=$("$built/punch-waits" $file 500) || true
	rm $file
	case $said in
	punches=*) fact "$name" "${said#punches=} of 500" ;;
	"stuck after punches="*)
		fact "$name" "hangs after $(value punches "$said") of 500"
		reset_if_stock
		;;
	*) fact "$name" "fails: $said" ;;
	esac
}

# This look uses devdax-4k, because each of its pages counts its own references.
assigned() {
	local device frame idle said node namespace pid name pages=$((mib << 8))
	device=$("$(dirname "$0")/vfio-setup.sh")
	[ -n "$device" ] || return 0
	frame=$(($(resource devdax-4k) >> 12))
	idle=$(value most "$("$built/demo-facts" pages $frame $pages)")
	said=$("$built/demo-facts" assign /dax/devdax-4k $((mib << 20)) "$device")
	fact "Device assigned: memory charged (VmLck)" "$(value charged "$said") of $((mib << 10)) kB"
	fact "  pages still referenced after its end" "$(value held "$("$built/demo-facts" pages $frame $pages "$idle")") of $pages"
	node=$(realpath /dax/devdax-4k)
	namespace=$(<"$(realpath "/sys/bus/dax/devices/${node##*/}")/../namespace")
	name="Namespace destroyed after its guest's end"
	ndctl destroy-namespace -f "$namespace" >"$work/destroyed" 2>&1 </dev/null &
	pid=$!
	if waits $pid $patience; then
		fact "$name" "no: that hangs"
	elif wait $pid; then
		fact "$name" "yes"
	else
		fact "$name" "no: $(tail -n 1 "$work/destroyed")"
	fi
}

# This look does nothing on a base whose DAX files cannot be cloned.
shared() {
	local said count name='XFS: memory fails while a clone is closed' status=0
	base_has shared-blocks || return 0
	may_die "$name"
	said=$("$built/shared-failure" /dax/fsdax-xfs 200 closed) || status=$?
	count=$(value failures "$(tail -n 1 <<<"$said")") || count='?'
	if [ "$status" -eq 0 ]; then
		fact "$name" "survives $count of 200"
	elif dmesg | grep -q 'XFS.*[Ss]hut'; then
		fact "$name" "shuts down at $((count + 1)) of 200"
		# If nothing hangs, the next look can make another file system.
		umount /dax/fsdax-xfs || reset_if_stock
	else
		fact "$name" "hangs after $count of 200"
		reset_if_stock
	fi
}

# Without rmapbt, XFS cannot tell who uses a block. The code that handles the failure has to find that out.
cloned() {
	local said name='XFS without rmapbt: a clone'\''s memory fails'
	base_has shared-blocks || return 0
	! mountpoint -q /dax/fsdax-xfs || umount /dax/fsdax-xfs
	mkfs.xfs -q -f -K -m reflink=1,rmapbt=0 "$xfs_device"
	mount -o dax "$xfs_device" /dax/fsdax-xfs
	may_die "$name"
	said=$("$built/demo-facts" clone-fails /dax/fsdax-xfs)
	case $said in
	told=*) fact "$name" "its user gets ${said#told=}" ;;
	errno=*) fact "$name" "fails with ${said#errno=}" ;;
	*) fact "$name" "$said" ;;
	esac
}

# A page that the kernel no longer knows to be dirty isn't written back.
written() {
	local file=/dax/fsdax-xfs/written trace=/sys/kernel/tracing is='forgets a page'
	fallocate -l 4M $file
	echo 1 >$trace/events/fs_dax/dax_writeback_one/enable
	"$built/demo-facts" fsync-after-punch $file
	! grep "dax_writeback_one: .* ino $(printf '%#x' "$(stat -c %i $file)") " $trace/trace >/dev/null || is='writes it back'
	echo 0 >$trace/events/fs_dax/dax_writeback_one/enable
	rm $file
	fact 'fsync() after a hole was punched elsewhere' "$is"
}

[ -e /sys/kernel/debug/page_flags ] || insmod "$built/page_flags.ko"
# Look before a device or a file system is taken away.
is_reserved=$(count_reserved)
xfs_device=$(sed -n 's|^\([^ ]*\) /dax/fsdax-xfs .*|\1|p' /proc/mounts)
for look; do
	printf 'look\t%s\t%s\n' "$label" "$look"
	"$look"
done
printf 'look\t%s\tend\n' "$label"
reset_if_stock
