#!/usr/bin/env bash
# Sees that kvm-dax-check says of each DAX backing, with huge pages and without, and of what is none and why, what holds there, that the host maps files
# as it says, that QEMU takes the options which it prints, and that it finds the entries of the guest that QEMU then runs. Prints one TAP result per case.
# Takes nothing: make run JOB=lab/guest/preflight.sh
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"
limit=60	# seconds for QEMU to start, and for its BIOS to use memory; 10 are usual
work=$(mktemp -d)
chmod 755 "$work"	# for who is not root
guest='' passed=0 failed=0
trap '[ -z "$guest" ] || kill -9 "$guest" || true; rm -rf "$work"' EXIT
here=$(dirname "$0")
gcc -O2 -o "$work/kvm-dax-check" "$here/../../tools/kvm-dax-check.c"
gcc -O2 -o "$work/without-huge-pages" "$here/without-huge-pages.c"
gcc -O2 -o "$work/dax-memory" "$here/dax-memory.c"
under=()	# what runs the check and QEMU
not_root=(setpriv --reuid=65534 --regid=65534 --clear-groups)
of_file="it matters only with QEMU's -overcommit mem-lock=on, .*"	# the limit to what can be locked
sysfs=/sys/dev/block
nx=/sys/module/kvm/parameters/nx_huge_pages
ulimit -S -l 64
echo N >"$nx"

# result NAME [REASON]: ok without a reason; what was said is shown with one.
result() {
	if [ -z "${2:-}" ]; then
		echo "ok preflight $1"
		passed=$((passed + 1))
	else
		sed 's/^/# /' "$work/said"
		echo "not ok preflight $1: $2"
		failed=$((failed + 1))
	fi
}

# says LINE: whether that was said, an extended regular expression for a whole line.
says() { grep -qxE "$1" "$work/said"; }

# path NAME PATH LINE...: what it says of a path that a guest can have, and with ! before a line, what it does not; the options for
# QEMU go to options.
path() {
	local name=$1 path=$2 line status=0
	shift 2
	"${under[@]}" "$work/kvm-dax-check" "$path" >"$work/said" 2>&1 || status=$?
	options=$(sed -n 's/^QEMU: //p' "$work/said")
	[ "$status" -eq 0 ] || { result "$name" "status $status"; return 1; }
	for line; do
		[[ $line != !* ]] || ! says "${line#!}" || { result "$name" "it says: ${line#!}"; return 1; }
		[[ $line == !* ]] || says "$line" || { result "$name" "it does not say: $line"; return 1; }
	done
	result "$name"
}

# refused NAME PATH WORDS: that it is none, and why.
refused() {
	local status=0
	"${under[@]}" "$work/kvm-dax-check" "$2" >"$work/said" 2>&1 || status=$?
	if [ "$status" -ne 1 ]; then result "$1" "status $status, not 1"
	elif ! says "kvm-dax-check: .*$3.*"; then result "$1" "the reason is not: $3"
	else result "$1"
	fi
}

# expects WORDS: the line in which it says what it expects of a file, which is 4K where KVM maps no file by more.
expects() { echo "expected: ${small:-$1}"; }

# mapped NAME PATH MIB: that the host maps so much of a file of 64M by 2M, and the rest by 4K, each with one page fault, when it is written to.
mapped() {
	local faults=$(($3 / 2 + (64 - $3) * 256)) status=0
	"$work/dax-memory" "$2" faults >"$work/said" 2>&1 || status=$?
	if [ "$status" -ne 0 ]; then result "$1 mapped" "status $status"
	elif ! says "faults=$faults"; then result "$1 mapped" "it does not say: faults=$faults"
	else result "$1 mapped"
	fi
}

# no_access NAME PATH: that a process cannot have it.
no_access() {
	local status=0
	# The shell would say of the signal, too.
	{ "${under[@]}" "$work/dax-memory" "$2" >"$work/said" 2>&1; } 2>/dev/null || status=$?
	if [ "$status" -eq 135 ]; then result "$1"; else result "$1" "status $status, not 135, that of SIGBUS"; fi
}

# running NAME PATH: of a guest with the options that it has printed, until its BIOS has used memory.
running() {
	local name=$1 path=$2 deadline=$((SECONDS + limit)) mapping="mapping: 0x[0-9a-f]+, [0-9]+[KMG], $2" by_size large='[1-9][0-9]*' reason='' locked
	case ${small:+stock}:$name in
	*:devdax-4k | *' without-huge-pages' | stock:fsdax-*) large=0 by_size='0 of 2M, 0 of 1G' ;;
	*:devdax-1g) by_size="[0-9]+ of 2M, $large of 1G" ;;
	*) by_size="$large of 2M, 0 of 1G" ;;
	esac
	# shellcheck disable=SC2086
	"${under[@]}" qemu-system-x86_64 -accel kvm -nodefaults -display none $options >"$work/qemu" 2>&1 </dev/null &
	guest=$!
	# with another limit than QEMU's
	until (ulimit -S -l 32 && exec "$work/kvm-dax-check" -p "$guest") >"$work/said" 2>&1 &&
		says "vm .*: ([1-9][0-9]* entries of 4K, $by_size, [0-9]+ faults|$large entries of 2M or 1G; .*)" && says "$mapping"; do
		if ! kill -0 "$guest" 2>/dev/null; then
			cat "$work/qemu" >"$work/said"
			reason="QEMU does not take: $options"
		elif [ "$SECONDS" -ge "$deadline" ]; then
			says "$mapping" && reason="the entries are not as expected within $limit s" || reason="it does not name the mapping of $path alone within $limit s"
		fi
		[ -z "$reason" ] || break
		sleep 0.1
	done
	# of the size that QEMU was given
	locked="RLIMIT_MEMLOCK of process $guest: 64K, less than $(($(numfmt --from=iec "${options##* }") >> 10))K"
	case $name in
	devdax-*) locked+=": a device cannot be assigned unless .*--pid $guest.*" ;;
	fsdax-*) locked+="; $of_file" ;;
	esac
	[ -n "$reason" ] || says "$locked" || reason="it does not say: $locked"
	kill -9 "$guest" 2>/dev/null || true
	wait "$guest" 2>/dev/null || true
	guest=''
	result "$name guest" "$reason"
}

# mounted OPTIONS: the file system of the present backing, anew.
mounted() {
	umount "/dax/$backing"
	mount -t "${backing#fsdax-}" -o "$1" "$node" "/dax/$backing"
}

# sysfs_has COMMAND...: runs it where sysfs has of the file system's device what is in $work/sysfs alone.
sysfs_has() {
	mount -t tmpfs tmpfs "$sysfs"
	mkdir "$sysfs/$device"
	[ ! -e "$work/sysfs" ] || cp -r "$work/sysfs/." "$sysfs/$device"
	"$@" || true
	umount "$sysfs"
}

# parts: files that huge pages fit in part, or not at all.
parts() {
	local cut="the guest's memory is a multiple of 2M"

	truncate -s 1M "$memory"
	refused "$backing small" "$memory" "has 1M, and $cut; fallocate"
	rm "$memory"
	fallocate -l 65M "$memory"
	fallocate -n -l 68M "$memory"	# beyond its end
	path "$backing cut off" "$memory" "$memory: file on a DAX file system, 65M" "cut off: the last 1M, as $cut; fallocate -l 66M .*" \
		"2M-aligned extents: 64M of 64M; .*" "$(expects "2M entries")" "QEMU: .*,size=64M .* -m 64M" && running "$backing cut off" "$memory"
	rm "$memory"
	fallocate -l 64M "$memory"
	fallocate -p -o 0 -l 4K "$memory"
	path "$backing small hole" "$memory" "holes: 4K of the file .*" "2M-aligned extents: 62M of 64M; .*" "!cut off.*" \
		"$(expects "2M entries for 62M, 4K for the rest")" || true
	rm "$memory"
	fallocate -l 64M "$memory"
	# Half of the file moves by 4K; clusters of 2M do not let it.
	[ "$backing" = fsdax-xfs ] || return 0
	fallocate -c -o 32M -l 4K "$memory"
	path "$backing moved" "$memory" "cut off: the last 2044K, .*fallocate -l 64M .*" "!holes.*" "2M-aligned extents: 32M of 62M; .*" \
		"for more: .*" "$(expects "2M entries for 32M, 4K for the rest")" "QEMU: .*,size=62M .* -m 62M" || true
	rm "$memory"
	fallocate -l 64M "$memory"
}

# written BYTES: the file anew, with that much of it written.
written() {
	rm "$memory"
	fallocate -l 64M "$memory"
	dd if=/dev/zero of="$memory" bs="$1" count=1 conv=notrunc,fsync status=none
}

# states: files whose first 2M lie as they should, but not all of their blocks are written, or shared; and those that come of the command for a better one.
states() {
	local copy=$memory.copy command
	local whole=("2M-aligned extents: 64M of 64M; .*" "!mixed.*" "!for more: .*" "$(expects "2M entries")")
	local part=("2M-aligned extents: 62M of 64M; .*" "mixed: 2M more .*" "!for more: .*" "$(expects "2M entries for 62M, 4K for the rest")")

	written 1M
	path "$backing half written" "$memory" "!shared.*" "${part[@]}" || true
	command=$(sed -n 's/^for a file with blocks .*: //p' "$work/said")
	eval "${command//<new file>/$copy}" >/dev/null 2>&1 || true
	mapped "$backing half written" "$memory" 62
	path "$backing half written copied" "$copy" "!shared.*" "!for a file with blocks .*" "${whole[@]}" || true
	mapped "$backing half written copied" "$copy" 64
	rm -f "$copy"
	# Files of v5.4 share no blocks.
	if [ "$backing" = fsdax-xfs ] && [ -z "$old" ]; then
		written 2M
		cp --reflink=always "$memory" "$copy"
		path "$backing cloned" "$memory" "shared: 2048K of the file .* read-only until then; do not clone .*" "for a file with blocks .*" "${whole[@]}" || true
		rm "$copy"
		# Blocks are shared until XFS has let go of a file that was removed, so these are others.
		written 2M
		xfs_io -f -c "reflink $memory 0 0 1M" "$copy" >/dev/null
		path "$backing half cloned" "$memory" "shared: 1024K of the file .*" "${part[@]}" || true
		mapped "$backing half cloned" "$memory" 62
		rm "$copy"
	fi
	rm "$memory"
	fallocate -l 64M "$memory"
}

# not_dax: each reason for which a file is not DAX, with another one that comes after it where there can be both.
not_dax() {
	local lacks="it lacks the attribute, and its file system is mounted"

	mounted defaults
	case $old:$backing in
	:*) refused "$backing no option" "$memory" "$lacks without dax=, which is as with dax=inode; xfs_io -c 'chattr [+]x' '$memory' " ;;
	*ext4) refused "$backing no option" "$memory" "its file system is mounted without -o dax; unmount it" ;;
	*xfs) refused "$backing no option" "$memory" "$lacks without -o dax; xfs_io -c 'chattr [+]x' '$memory' " ;;
	esac
	mkdir -p "$work/sysfs/queue"
	echo 0 >"$work/sysfs/queue/dax"
	sysfs_has refused "$backing no DAX device" "$memory" "its block device, $node, cannot do DAX; take one"
	rm -r "$work/sysfs"
	sysfs_has refused "$backing unknown" "$memory" "could not be found, as $sysfs/$device/queue/dax cannot be read"
	if [ -z "$old" ]; then
		mounted dax=never
		refused "$backing dax=never" "$memory" "its file system is mounted with dax=never; unmount it"
		mounted dax=inode
		# What is the default, XFS does not show.
		refused "$backing dax=inode" "$memory" "$lacks with(out dax=, which is as with)? dax=inode; xfs_io -c 'chattr [+]x' '$memory' "
		exec 3<"$memory"
		xfs_io -c 'chattr +x' "$memory"
		refused "$backing attribute" "$memory" "is not DAX yet, though it has the attribute: .*fuser '$memory'"
		exec 3<&-
		path "$backing attribute closed" "$memory" "2M-aligned extents: 64M of 64M; .*" "expected: 2M entries" || true
		mounted dax=never
		refused "$backing attribute dax=never" "$memory" "its file system is mounted with dax=never; unmount it"
	fi
	if [ "$backing" = fsdax-ext4 ]; then
		# A folder's files take after it; data is journaled only where it is allocated at once.
		mounted defaults
		mkdir "/dax/$backing/journaled"
		chattr +j "/dax/$backing/journaled"
		mounted dax,nodelalloc
		truncate -s 64M "/dax/$backing/journaled/file"
		refused "$backing journaled" "/dax/$backing/journaled/file" "though its file system is mounted with dax(=always)?: .*j [(]journaled[)]"
		rm -r "/dax/$backing/journaled"
	fi
	mounted dax
}

case $(uname -r) in
5.4*) old=1 ;;	# no dax=, and no attribute of ext4
*) old= ;;
esac
small='' series="!this is Linux .*"	# what is said of files that KVM maps by 4K, and of the series
case $old:${STOCK:-} in
1:) series="this is Linux .* with the series .*" ;;
1:*) small="4K entries, as KVM before v5[.]6 maps files by 4K .*: /proc/kallsyms has no user_mapping_shift" ;;
esac
for backing in "${backings[@]}"; do
	case $backing in
	devdax-*)
		size=${backing#devdax-} size=${size^^}
		memory=$(realpath "/dax/$backing")
		path "$backing" "$memory" "$memory: device-dax, alignment $size, .*" "expected: $size entries.*" "!but KVM's nx.*" \
			"RLIMIT_MEMLOCK: 64K, less than [0-9]+K: a device cannot be assigned unless .*ulimit.*" && running "$backing" "$memory"
		under=(prlimit --memlock=unlimited)
		path "$backing lockable" "$memory" "RLIMIT_MEMLOCK: unlimited" || true
		under=()
		[ "$size" != 4K ] || continue
		echo Y >"$nx"
		path "$backing nx_huge_pages" "$memory" "expected: $size entries.*" "but KVM's nx_huge_pages is Y: memory which the guest executes .*" || true
		echo N >"$nx"
		under=("$work/without-huge-pages")
		refused "$backing without-huge-pages" "$memory" "cannot be accessed, as prctl"
		no_access "$backing without-huge-pages access" "$memory"
		under=()
		;;
	fsdax-*)
		memory=/dax/$backing/preflight
		node=$(findmnt -n -o SOURCE "/dax/$backing") device=$(mountpoint -d "/dax/$backing")
		: >"$memory"
		refused "$backing empty" "$memory" "is empty; fallocate"
		truncate -s 64M "$memory"
		path "$backing hole" "$memory" "holes: 65536K of the file have no blocks yet, .*" "$(expects "4K entries")" || true
		fallocate -l 64M "$memory"
		path "$backing" "$memory" "$memory: file on a DAX file system, 64M" "2M-aligned extents: 64M of 64M; .*" \
			"$(expects "2M entries")" "$series" "!but this is Linux .*" "assigned devices: not with a file .*" "!but KVM's nx.*" "!cut off.*" \
			"RLIMIT_MEMLOCK: 64K, less than 65536K; $of_file" && running "$backing" "$memory"
		echo Y >"$nx"
		[ -n "$small" ] || path "$backing nx_huge_pages" "$memory" "expected: 2M entries" "but KVM's nx_huge_pages is Y: memory which the guest executes .*" || true
		echo N >"$nx"
		under=(prlimit "--memlock=$((64 << 20))")
		path "$backing lockable" "$memory" "RLIMIT_MEMLOCK: 65536K, enough for 65536K; $of_file" || true
		chmod 666 "$memory"
		under=("${not_root[@]}")
		path "$backing not root" "$memory" "extents: .* cannot be checked, as only root .*" "$(expects "not known .*")" || true
		under=()
		sysfs_has path "$backing no address" "$memory" "extents: .* cannot be checked, as device $device has no physical address .*" \
			"$(expects "not known .*")"
		under=("$work/without-huge-pages")
		path "$backing without-huge-pages" "$memory" "expected: 4K entries, as prctl.*" && running "$backing without-huge-pages" "$memory"
		under=()
		parts
		states
		not_dax
		rm "$memory"
		;;
	esac
done
truncate -s 64M "$work/memory"
refused "no dax" "$work/memory" "is not DAX: it is on (overlay|tmpfs), which has no block device"
truncate -s 64M /dax/preflight
refused "tmpfs" /dax/preflight "is not DAX: it is on tmpfs, which has no block device"
rm /dax/preflight
refused "no device-dax" /dev/zero "is a character device, but not of device-dax"
refused "a folder" "$work" "neither a device-dax node nor a file"
refused "nothing" "$work/none" "No such file"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
