#!/usr/bin/env bash
# Boots a Linux guest on each kind of memory in turn, makes it write to nearly all of it, and prints how KVM mapped that memory.
# Takes: a label for this kernel, the guest's bzImage, its initramfs, kvm_leaves.ko, and the backings (default: all but fsdax-xfs-1g).
#
# Prints tab-separated rows: "row", the label, the backing, leaf entries of 4K, 2M and 1G, and page faults. For devdax-1g also prints
# "fact", the label, a text, and how many 1G entries are left after smaps is read.
# Counts only leaves of the guest's RAM, but page faults of the whole VM.
# Started by: make demo
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/linux-guest.sh
. "$(dirname "$0")/linux-guest.sh"
export LC_ALL=C

label=$1 bzimage=$2 initramfs=$3 module=$4
shift 4
backings=("$@")
[ $# -gt 0 ] || backings=(devdax-4k devdax-2m devdax-1g fsdax-ext4 fsdax-xfs hugetlbfs-2m anon)

# The emulator reports a wrong size of a guest's XSAVE area, and newer kernels overwrite their own memory with it. So guests run without.
cpu=host
! grep -q 'QEMU TCG' /proc/cpuinfo || cpu=host,-xsave
leaves=/sys/kernel/debug/kvm_leaves
huge_reserve=/proc/sys/vm/nr_hugepages

work=$(mktemp -d)
guest='' huge_before='' file=''

fail() {
	echo "boot-guests: $*" >&2
	exit 1
}

stop_guest() {
	local pid=$guest looks=0
	guest=''
	[ -n "$pid" ] || return 0
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	while compgen -G "/sys/kernel/debug/kvm/$pid-*" >/dev/null; do
		looks=$((looks + 1))
		[ "$looks" -lt "$patience" ] ||
			fail "the VM of QEMU $pid is still there after its end, and $looks looks: something holds a reference to it"
		sleep 0.1
	done
}

# Releases what provide() took.
release() {
	[ -z "$file" ] || rm -f "$file"
	file=''
	[ -n "$huge_before" ] || return 0
	umount "$work/huge"
	echo "$huge_before" >"$huge_reserve"
	huge_before=''
}

cleanup() {
	stop_guest
	release
	rm -rf "$work"
}
trap cleanup EXIT

# Sets up $2 MiB of backing $1. Sets path, which /proc/<pid>/maps shows for the memory (empty: anonymous), and backend, QEMU's option.
provide() {
	local backing=$1 mib=$2 got
	case $backing in
	devdax-*)
		path=$(realpath -e "/dax/$backing") || fail "there is no /dax/$backing; the machine's DAX setup makes it"
		backend=memory-backend-file,mem-path=$path,share=on,align=${backing#devdax-}
		;;
	fsdax-*)
		path=/dax/$backing/guest-memory file=$path
		fallocate -l "${mib}M" "$path" || fail "$backing: no room for $path of $mib MiB"
		backend=memory-backend-file,mem-path=$path,share=on,align=2M
		if [[ $backing = *-1g ]]; then
			# Write to all of it, because only written blocks are mapped by 1G.
			dd if=/dev/zero of="$path" bs=4M count=$((mib / 4)) conv=notrunc status=none || fail "$backing: cannot write to $path"
			backend=${backend/%2M/1G}
		fi
		;;
	hugetlbfs-2m)
		path=$work/huge/guest-memory
		mkdir -p "$work/huge"
		mount -t hugetlbfs -o pagesize=2M hugetlbfs "$work/huge"
		huge_before=$(<"$huge_reserve")
		file=$path
		echo $((huge_before + mib / 2)) >"$huge_reserve"
		got=$(($(<"$huge_reserve") - huge_before))
		[ "$got" -eq $((mib / 2)) ] ||
			fail "$backing: only $got of $((mib / 2)) huge pages could be reserved; give the machine more memory"
		backend=memory-backend-file,mem-path=$path,share=on,align=2M
		;;
	anon)
		path=''
		backend=memory-backend-ram
		;;
	*) fail "there is no backing $backing" ;;
	esac
	backend+=,id=mem,size=${mib}M
}

# Fails unless the host maps path at address $2 of QEMU $1. Reads maps, because reading smaps or pagemap may split a mapping.
check_mapping() {
	local pid=$1 address=$2 range mapped
	while read -r range _ _ _ _ mapped; do
		((address >= 0x${range%-*} && address < 0x${range#*-})) || continue
		[ "$mapped" = "$path" ] && return
		fail "$(printf 'the guest memory at %#x is not %s but %s' "$address" "${path:-anonymous}" "${mapped:-anonymous}")"
	done <"/proc/$pid/maps"
	fail "$(printf 'nothing is mapped at %#x of QEMU, where KVM has the guest memory' "$address")"
}

# Sets pages_4k, pages_2m, pages_1g and faults of QEMU $1, whose guest has $2 MiB. The RAM is one mapping, which begins at the guest's
# address 0.
count() {
	local pid=$1 bytes=$(($2 << 20)) rows vm_fd='' start='' gfn address in_4k in_2m in_1g stat
	pages_4k=0 pages_2m=0 pages_1g=0 faults=''
	echo "$pid" >"$leaves"
	mapfile -t rows <"$leaves"
	for row in "${rows[@]}"; do
		read -r _ _ gfn _ address _ <<<"$row"
		case $row in
		'# pid '*) read -r _ _ _ _ vm_fd _ <<<"${row//,/ }" ;;
		'#'*) ;;
		*) ((gfn)) || start=$((address)) ;;
		esac
	done
	[ -n "$start" ] || fail "kvm_leaves shows no memslot at the guest's address 0:"$'\n'"$(printf '%s\n' "${rows[@]}")"
	check_mapping "$pid" "$start"
	for row in "${rows[@]}"; do
		[[ $row != '#'* ]] || continue
		read -r _ _ _ _ address in_4k in_2m in_1g _ <<<"$row"
		((address >= start && address < start + bytes)) || continue
		pages_4k=$((pages_4k + in_4k)) pages_2m=$((pages_2m + in_2m)) pages_1g=$((pages_1g + in_1g))
	done
	for stat in pf_taken pf_fixed; do
		[ -e "/sys/kernel/debug/kvm/$pid-$vm_fd/$stat" ] || continue
		faults=$(<"/sys/kernel/debug/kvm/$pid-$vm_fd/$stat")
		break
	done
	[ -n "$faults" ] || fail "/sys/kernel/debug/kvm/$pid-$vm_fd has neither pf_taken nor pf_fixed"
}

# Prints what the guest has done so far: bytes on its console, and page faults.
advanced() {
	local stat
	stat -c %s "$work/console"
	for stat in /sys/kernel/debug/kvm/"$guest"-*/pf_taken /sys/kernel/debug/kvm/"$guest"-*/pf_fixed; do
		cat "$stat" 2>/dev/null || true
	done
}

# Boots a guest on the memory that provide() has set up, and waits until it has written to that. Sets guest and touched (MiB), or fails
# and sets why.
boot() {
	local mib=$1 console now
	look_anew
	: >"$work/console"
	# A microvm boots in half the time of a q35 machine here, and its RAM has the same layout.
	qemu-system-x86_64 -accel kvm -cpu "$cpu" -M microvm,memory-backend=mem -m "$mib" -object "$backend" \
		-nodefaults -nographic -serial "file:$work/console" -no-reboot \
		-kernel "$bzimage" -initrd "$initramfs" -append "console=ttyS0 loglevel=4 panic=-1" \
		>"$work/qemu" 2>&1 </dev/null &
	guest=$!

	while :; do
		console=$(tr -d '\0' <"$work/console")
		if [[ $console =~ touched\ ([0-9]+)\ MiB ]]; then
			touched=${BASH_REMATCH[1]}
			return
		fi
		if ! kill -0 "$guest" 2>/dev/null; then
			why="QEMU ended before the guest had written to its memory"
			return 1
		fi
		now=$(advanced)
		! stands_still "$guest" "$now" "its console and its page faults" || return 1
		[ $((looks % 200)) -ne 0 ] || echo "$backing: it goes on: $(tail -n 1 <<<"$now") page faults" >&2
		sleep 0.2
	done
}

# Reads smaps, which must not change how memory is mapped. Stops the guest for it, because the guest would make KVM map its memory again.
look_at() {
	local mib=$1 before=$pages_1g
	kill -STOP "$guest"
	while grep -qsvE '^[0-9]+ \(.*\) [TZ] ' /proc/"$guest"/task/*/stat; do sleep 0.1; done
	cat "/proc/$guest/smaps" >/dev/null
	count "$guest" "$mib"
	printf 'fact\t%s\t1G entries of a guest, after reading smaps\t%s of %s left\n' "$label" "$pages_1g" "$before"
}

measure() {
	local backing=$1 mib=1024 path backend touched why
	# A page fault for each 4K takes long.
	[ "$backing" != devdax-4k ] || mib=256
	# The hole below the guest's 1 MiB prevents a single leaf for the first GiB.
	[[ $backing != *-1g ]] || mib=2048
	provide "$backing" "$mib"

	echo "$backing: booting a guest of $mib MiB" >&2
	if ! boot "$mib"; then
		last_lines
		fail "$backing: $why"
	fi
	count "$guest" "$mib"
	echo "$backing: touched $touched MiB, $faults page faults" >&2
	printf 'row\t%s\t%s\t%s\t%s\t%s\t%s\n' "$label" "$backing" "$pages_4k" "$pages_2m" "$pages_1g" "$faults"
	[ "$backing" != devdax-1g ] || look_at "$mib"
	stop_guest
	release
}

for needed in "$bzimage" "$initramfs" "$module"; do
	[ -r "$needed" ] || fail "cannot read $needed"
done
[ -c /dev/kvm ] || fail "there is no /dev/kvm; why stands above"
[ -e "$leaves" ] || insmod "$module" || fail "cannot load $module; is it built for $(uname -r)?"

for backing in "${backings[@]}"; do
	measure "$backing"
done
