#!/usr/bin/env bash
# Boots an arm64 Linux guest on each kind of memory in turn, makes it write to nearly all of it, and prints how KVM mapped that memory.
# Takes: a label for this kernel, the guest's Image, its initramfs, and the backings (default: all).
#
# For a guest that boots, prints a row as boot-guests.sh does. Its page faults are the entries that KVM made for the guest's RAM. For each
# guest also prints "fact", the label, the backing, and whether it boots, tab-separated. Last come a fact of the removed files, and "look",
# the label and "end".
# Started by: make demo
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/linux-guest.sh
. "$(dirname "$0")/linux-guest.sh"
export LC_ALL=C

label=$1 image=$2 initramfs=$3
shift 3
backings=("$@")
[ $# -gt 0 ] || backings=(devdax-4k devdax-2m fsdax-ext4 fsdax-xfs anon)

mib=224	# much less than the smallest NVDIMM has
ram=0x40000000	# where RAM begins in QEMU's virt machine
# A guest that can run has an entry for its first instruction after one exit. One without an entry after this many exits never runs.
exits_max=1000
tracing=/sys/kernel/tracing

work=$(mktemp -d)
guest='' file=''

fail() {
	echo "demo-arm64: $*" >&2
	exit 1
}

stop_guest() {
	if [ -n "$guest" ]; then
		kill -9 "$guest" 2>/dev/null || true
		wait "$guest" 2>/dev/null || true
	fi
	guest=''
	[ -z "$file" ] || rm -f "$file"
	file=''
}

cleanup() {
	stop_guest
	rm -rf "$work"
}
trap cleanup EXIT

# Sets backend, QEMU's option for the memory of backing $1.
provide() {
	local path
	case $1 in
	devdax-*)
		path=$(realpath -e "/dax/$1") || fail "there is no /dax/$1; the machine's DAX setup makes it"
		backend=memory-backend-file,mem-path=$path,share=on,align=${1#devdax-}
		;;
	fsdax-*)
		file=/dax/$1/guest-memory
		fallocate -l "${mib}M" "$file" || fail "$1: no room for $file of $mib MiB"
		backend=memory-backend-file,mem-path=$file,share=on,align=2M
		;;
	anon) backend=memory-backend-ram ;;
	*) fail "there is no backing $1; those of arm64 are devdax-4k, devdax-2m, fsdax-ext4, fsdax-xfs and anon" ;;
	esac
	backend+=,id=mem,size=${mib}M
}

# entries: prints how many entries of 4K, of 2M and of other sizes map the guest's RAM, and how often KVM made one.
entries() {
	sed -nE 's/.* addr=0x([0-9a-f]+) size=0x([0-9a-f]+).*/\1 \2/p' "$tracing/trace" | awk -v ram="$ram" -v bytes=$((mib << 20)) '
		function number(hex,  i, n) { for (i = 1; i <= length(hex); i++) n = n * 16 + index("123456789abcdef", substr(hex, i, 1)); return n }
		BEGIN { first = number(substr(ram, 3)) }
		{ at = number($1) }
		at >= first && at < first + bytes { size[at] = $2; made++ }
		END {
			for (at in size) { if (size[at] == "1000") small++; else if (size[at] == "200000") huge++; else other++ }
			print small + 0, huge + 0, other + 0, made + 0
		}'
}

# exits: prints how often the guest has left its CPU so far.
exits() { cat "/sys/kernel/debug/kvm/$guest"-*/exits 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }

# Boots a guest on backend, and waits until the guest has written to its memory. Sets touched (MiB), or fails and sets why. Returns 2 if
# the guest has never executed an instruction.
boot() {
	local now made
	look_anew
	: >"$work/console"
	echo 0 >"$tracing/events/demo/stage2/enable"
	: >"$tracing/trace"
	echo 1 >"$tracing/events/demo/stage2/enable"
	qemu-system-aarch64 -accel kvm -cpu host -M virt,gic-version=3,memory-backend=mem -m "$mib" -object "$backend" \
		-nodefaults -nographic -serial "file:$work/console" -no-reboot \
		-kernel "$image" -initrd "$initramfs" -append "console=ttyAMA0 loglevel=8 panic=-1" >"$work/qemu" 2>&1 </dev/null &
	guest=$!
	while :; do
		if [[ $(tr -d '\0' <"$work/console") =~ touched\ ([0-9]+)\ MiB ]]; then
			touched=${BASH_REMATCH[1]}
			return
		fi
		kill -0 "$guest" 2>/dev/null || { why="QEMU ended before the guest had written to its memory"; return 1; }
		# Read the exits before the entries. If there is no entry then, none followed these exits.
		now=$(exits)
		if [ ! -s "$work/console" ] && [ "$now" -ge "$exits_max" ]; then
			read -r _ _ _ made < <(entries)
			[ "$made" -ne 0 ] || { why="no entry for its RAM after $now exits"; return 2; }
		fi
		! stands_still "$guest" "$(stat -c %s "$work/console") $now" "its console and its exits" || return 1
		sleep 0.2
	done
}

for needed in "$image" "$initramfs"; do
	[ -r "$needed" ] || fail "cannot read $needed"
done
[ -c /dev/kvm ] || fail "there is no /dev/kvm; why stands above"
echo 'p:demo/stage2 kvm_pgtable_stage2_map addr=%x1:x64 size=%x2:x64' >"$tracing/kprobe_events" ||
	fail "the kernel takes no probe on kvm_pgtable_stage2_map(); it needs CONFIG_KPROBE_EVENTS"
echo 16384 >"$tracing/buffer_size_kb"

for backing in "${backings[@]}"; do
	provide "$backing"
	echo "$backing: booting a guest of $mib MiB" >&2
	status=0
	boot || status=$?
	echo 0 >"$tracing/events/demo/stage2/enable"
	if [ "$status" -eq 0 ]; then
		read -r in_4k in_2m other made < <(entries)
		[ "$other" -eq 0 ] || fail "$backing: $other entries are neither of 4K nor of 2M"
		echo "$backing: touched $touched MiB" >&2
		printf 'row\t%s\t%s\t%s\t%s\t0\t%s\n' "$label" "$backing" "$in_4k" "$in_2m" "$made"
		printf 'fact\t%s\t%s: a Linux guest\tboots\n' "$label" "$backing"
	elif [ "$status" -eq 2 ]; then
		echo "$backing: $why" >&2
		printf 'fact\t%s\t%s: a Linux guest\texecutes no instruction\n' "$label" "$backing"
	else
		last_lines
		fail "$backing: $why"
	fi
	stop_guest
done

# If KVM has kept references, the kernel warns once when a file is removed. demo.sh ignores that of the stock kernel, because it comes
# before the end of all looks.
kept="free again"
if dmesg | grep -q 'WARNING: .* dax_disassociate_entry'; then kept="still referenced"; fi
printf 'fact\t%s\tPages of a file that is removed after its guest has ended\t%s\n' "$label" "$kept"
printf 'look\t%s\tend\n' "$label"
