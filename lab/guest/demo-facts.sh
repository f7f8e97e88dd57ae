#!/usr/bin/env bash
# Looks at what a guest on DAX memory meets besides how it is mapped, and prints a row of each: "fact", a label for this kernel,
# the fact and what it is, tab-separated. The last fact of a name counts: what may end the machine is told before it has.
# Takes: the label, and the folder of demo-facts, punch-waits, shared-failure and page_flags.ko, which lab/prove/demo.sh has built. On a
# kernel labelled stock it ends with the machine's reset, as that kernel may be ill, and hold the devices for ever.
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
export LC_ALL=C

label=$1 built=$2
mib=16	# of memory that the device gets
patience=300	# looks at who waits in the kernel, without any change

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fact() {
	echo "$1: $2" >&2
	printf 'fact\t%s\t%s\t%s\n' "$label" "$1" "$2"
}

# value NAME WORDS: the value of that name in "name=value ..."; fails if there is none.
value() { sed -nE "s/(^|.* )$1=([^ ]*).*/\2/p" <<<"$2" | grep -m 1 .; }

# waits PID: whether a process does not end: so many looks in a row see that it waits in the kernel and has not run in between.
waits() {
	local last='' now still=0
	while now=$(cat "/proc/$1/status" "/proc/$1/stack" 2>/dev/null) && [[ $now != *'State:'*Z* ]]; do
		now=$(grep -E '^(State|.*ctxt_switches|\[)' <<<"$now")
		if [ "$now" = "$last" ] && [[ $now = *D\ * ]]; then still=$((still + 1)); else still=0; fi
		[ "$still" -lt "$patience" ] || return 0
		last=$now
		sleep 0.1
	done
	return 1
}

resource() { cat "/sys/bus/dax/devices/$(basename "$(realpath "/dax/$1")")/resource"; }

reserved() {
	local backing place file said kinds=0 reserved=0 names=''
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
		[ "$(value reserved "$said")" -eq 0 ] || reserved=$((reserved + 1)) names+=" $backing"
	done
	fact 'PG_reserved is set on' "$reserved of $kinds kinds of DAX memory"
}

# A file of 4 MiB, of which 2 MiB can be had, as the rest of the file system is full.
full() {
	local folder=/dax/fsdax-ext4 said step taken=0
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
	loops) fact 'guest whose file system is full' "loops, 1000 page faults" ;;
	errno=*) fact 'guest whose file system is full' "ends with ${said#errno=}" ;;
	*) fact 'guest whose file system is full' "$said" ;;
	esac
}

punched() {
	local said file=/dax/fsdax-xfs/punched
	fallocate -l 4M $file
	said=$("$built/punch-waits" $file 500) || true
	rm $file
	case $said in
	punches=*) fact 'holes punched under load' "${said#punches=} of 500" ;;
	*) fact 'holes punched under load' "hangs after $(value punches "$said")" ;;
	esac
}

# It takes devdax-4k, each page of which counts its own references.
assigned() {
	local device frame before after said node namespace pid pages=$((mib << 8))
	device=$("$(dirname "$0")/vfio-setup.sh")
	[ -n "$device" ] || return 0
	frame=$(($(resource devdax-4k) >> 12))
	before=$(value references "$("$built/demo-facts" pages $frame $pages)")
	said=$("$built/demo-facts" assign /dax/devdax-4k $((mib << 20)) "$device")
	after=$(value references "$("$built/demo-facts" pages $frame $pages)")
	fact "device assigned: charged as VmLck" "$(value charged "$said") of $((mib << 10)) kB"
	fact "references left after its end" "$((after - before)) on $pages pages"
	node=$(realpath /dax/devdax-4k)
	namespace=$(<"$(realpath "/sys/bus/dax/devices/${node##*/}")/../namespace")
	ndctl destroy-namespace -f "$namespace" >"$work/destroyed" 2>&1 </dev/null &
	pid=$!
	if waits $pid; then
		fact "its namespace can be destroyed" "no, waits for ever"
	elif wait $pid; then
		fact "its namespace can be destroyed" "yes"
	else
		fact "its namespace can be destroyed" "no: $(tail -n 1 "$work/destroyed")"
	fi
}

# Without rmapbt, XFS does not say whose a block is, and whoever fails it has to find that out.
failures() {
	local said device count name
	if [ "${BASE:-}" = v5.4 ]; then return; fi
	name='XFS: clone closed, memory fails'
	fact "$name" "the kernel dies"
	said=$("$built/shared-failure" /dax/fsdax-xfs 200 closed 2>&1) && status=0 || status=$?
	count=$(value failures "$(tail -n 1 <<<"$said")") || count='?'
	if [ "$status" -eq 0 ]; then
		fact "$name" "goes on after $count failures"
	elif dmesg | grep -q 'XFS.*[Ss]hut'; then
		fact "$name" "XFS shut down by failure $((count + 1))"
	else
		fact "$name" "hangs after $count failures"
		return
	fi

	name='XFS without rmapbt: clone, memory fails'
	device=$(sed -n 's|^\([^ ]*\) /dax/fsdax-xfs .*|\1|p' /proc/mounts)
	umount /dax/fsdax-xfs
	mkfs.xfs -q -f -K -m reflink=1,rmapbt=0 "$device"
	mount -o dax "$device" /dax/fsdax-xfs
	fact "$name" "the kernel dies"
	said=$("$built/demo-facts" clone-fails /dax/fsdax-xfs)
	case $said in
	told=*) fact "$name" "told by ${said#told=}" ;;
	errno=*) fact "$name" "madvise(): ${said#errno=}" ;;
	killed=*) fact "$name" "kernel: $(dmesg | sed -nE 's/.*BUG: (kernel )?([^,]*).*/\2/p' | tail -n 1)" ;;
	esac
}

[ -e /sys/kernel/debug/page_flags ] || insmod "$built/page_flags.ko"
for look in reserved full punched assigned failures; do
	$look
done
printf 'fact\t%s\tall told\tyes\n' "$label"
# A write to the port returns when the host has it.
[ "$label" != stock ] || echo b >/proc/sysrq-trigger
