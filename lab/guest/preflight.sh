#!/usr/bin/env bash
# Checks what kvm-dax-check prints for each DAX backing, with and without huge pages, and for paths that no guest can use, with the
# reason. Also checks that the host maps files as the tool says. QEMU must take the printed options, the printed commands must work, and
# the tool must find the entries of the guest that QEMU runs. Prints one TAP result per case.
# Takes nothing: make run JOB=lab/guest/preflight.sh, and with FILES_1G=1 for files that are mapped by 1G.
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"
patience=1000	# looks at a guest whose memory does not change; one at which QEMU has not run either counts as five
work=$(mktemp -d)
chmod 755 "$work"	# for users other than root
guest=''
trap '[ -z "$guest" ] || kill -9 "$guest" || true; rm -rf "$work"' EXIT
here=$(dirname "$0")
gcc -O2 -o "$work/kvm-dax-check" "$here/../../tools/kvm-dax-check.c"
gcc -O2 -o "$work/without-huge-pages" "$here/without-huge-pages.c"
gcc -O2 -o "$work/dax-memory" "$here/dax-memory.c"
gcc -O2 -pthread -o "$work/vm-of-thread" "$here/vm-of-thread.c"
under=()	# the command that runs the tool and QEMU
asked=()	# the tool's options
# shellcheck disable=SC2034
inside=()	# the command that runs only QEMU
not_root=(setpriv --reuid=65534 --regid=65534 --clear-groups)
of_file="it matters only with QEMU's -overcommit mem-lock=on, .*"	# printed of a file after RLIMIT_MEMLOCK
sysfs=/sys/dev/block
nx=/sys/module/kvm/parameters/nx_huge_pages
ulimit -S -l 64
echo N >"$nx"

# result NAME [REASON]: prints ok without a reason. With one, prints not ok, and what the tool printed.
result() {
	if [ -z "${2:-}" ]; then
		ok "preflight $1"
	else
		sed 's/^/# /' "$work/said"
		not_ok "preflight $1: $2"
	fi
}

# says LINE: succeeds if the tool has printed a whole line that matches LINE, an extended regular expression.
says() { grep -qxE "$1" "$work/said"; }

# path NAME PATH LINE...: checks that the tool prints these lines for a path that a guest can use, and does not print a LINE that begins
# with !. Its status must be 0 if it expects huge pages, and 3 otherwise. Sets options to those that it prints for QEMU.
path() {
	local name=$1 path=$2 line status=0 wanted=0
	shift 2
	"${under[@]}" "$work/kvm-dax-check" "${asked[@]}" "$path" >"$work/said" 2>&1 || status=$?
	options=$(sed -n 's/^QEMU: //p' "$work/said")
	! says "expected: (4K entries|not known).*" || wanted=3
	[ "$status" -eq "$wanted" ] || { result "$name" "status $status, not $wanted"; return 1; }
	for line; do
		[[ $line != !* ]] || ! says "${line#!}" || { result "$name" "it says: ${line#!}"; return 1; }
		[[ $line == !* ]] || says "$line" || { result "$name" "it does not say: $line"; return 1; }
	done
	result "$name"
}

# refused NAME PATH WORDS: checks that the tool refuses the path, and that its reason has these words.
refused() {
	local status=0
	"${under[@]}" "$work/kvm-dax-check" "${asked[@]}" "$2" >"$work/said" 2>&1 || status=$?
	if [ "$status" -ne 1 ]; then result "$1" "status $status, not 1"
	elif ! says "kvm-dax-check: .*$3.*"; then result "$1" "the reason is not: $3"
	else result "$1"
	fi
}

# expects WORDS: prints the line that the tool must print of what it expects for a file. This is 4K where KVM maps all files by 4K.
expects() { echo "expected: ${small:-$1}"; }

# mapped NAME PATH MIB: checks that writing to a file takes one page fault for each 2M of so many MiB, and one for each 4K of the rest.
mapped() {
	local faults=$(($3 / 2 + ($(stat -c %s "$2") / 1048576 - $3) * 256)) status=0
	"$work/dax-memory" "$2" faults >"$work/said" 2>&1 || status=$?
	if [ "$status" -ne 0 ]; then result "$1 mapped" "status $status"
	elif ! says "faults=$faults"; then result "$1 mapped" "it does not say: faults=$faults"
	else result "$1 mapped"
	fi
}

# as_said NAME PATH: checks the same for as many MiB as the tool has just said to be aligned.
as_said() { mapped "$1" "$2" "$(sed -nE 's/^2M-aligned extents: ([0-9]+)M of .*/\1/p' "$work/said")"; }

# no_access NAME PATH: checks that a process that accesses the path gets SIGBUS.
no_access() {
	local status=0
	# Hide the message of the shell about the signal.
	{ "${under[@]}" "$work/dax-memory" "$2" >"$work/said" 2>&1; } 2>/dev/null || status=$?
	if [ "$status" -eq 135 ]; then result "$1"; else result "$1" "status $status, not 135, that of SIGBUS"; fi
}

# goes_on: fails if the tool's output about the guest, with its entries and faults, is unchanged for many looks. A look takes longer on a
# slow host.
goes_on() {
	local now ran
	ran=$(cut -d ' ' -f 14,15 "/proc/$guest/stat" 2>/dev/null) || return 0
	now=$(<"$work/said")
	if [ "$now" != "$before" ]; then looks=0
	elif [ "$ran" != "$ran_before" ]; then looks=$((looks + 1))
	else looks=$((looks + 5))
	fi
	before=$now ran_before=$ran
	[ "$looks" -lt "$patience" ]
}

# guest_says LINE...: starts a guest with $options, and runs the tool on it until it has printed each line. Writes the reason to
# $work/reason if it does not.
guest_says() {
	local line reason='' before='' ran_before='' looks=0
	# The options are quoted for a shell.
	eval "exec \"\${under[@]}\" \"\${inside[@]}\" qemu-system-x86_64 -accel kvm -nodefaults -display none $options" \
		>"$work/qemu" 2>&1 </dev/null &
	guest=$!
	while [ -z "$reason" ]; do
		# Use another limit than QEMU's, because the tool must print QEMU's.
		(ulimit -S -l 32 && exec "$work/kvm-dax-check" -p "$guest") >"$work/said" 2>&1 || true
		for line; do
			says "${line//PID/$guest}" || break
			line=
		done
		[ -n "$line" ] || break
		if ! kill -0 "$guest" 2>/dev/null; then
			cat "$work/qemu" >"$work/said"
			reason="QEMU does not take: $options"
		elif ! goes_on; then
			reason="the guest has stopped, and it does not say: $line"
		fi
		sleep 0.1
	done
	echo "$reason" >"$work/reason"
}

# now_names PATH: runs the tool once on the guest of guest_says. Writes the reason to $work/reason unless it names this file as the mapping's.
now_names() {
	"$work/kvm-dax-check" -p "$guest" >"$work/said" 2>&1 || true
	says "mapping: .*, $1" || echo "the mapping is not named" >"$work/reason"
}

# guest_ends NAME: ends the guest of guest_says, and prints the result.
guest_ends() {
	kill -9 "$guest" 2>/dev/null || true
	wait "$guest" 2>/dev/null || true
	guest=''
	result "$1" "$(<"$work/reason")"
}

# running NAME PATH: starts a guest with the printed options, and checks what the tool prints once the guest's BIOS has used memory. The
# BIOS uses the first 1G, which has a hole for VGA, and the end of what lies below 4G.
running() {
	local name=$1 by_size large='[1-9][0-9]*' locked
	case ${small:+stock}:$name:${options##* } in
	*:devdax-4k:* | *' without-huge-pages:'* | stock:fsdax-*) large=0 by_size='0 of 2M, 0 of 1G' ;;
	*:devdax-1g:[2-9]G | *:fsdax-*-1g*:[2-9]G) by_size="[0-9]+ of 2M, $large of 1G" ;;
	*) by_size="$large of 2M, 0 of 1G" ;;
	esac
	# The limit is compared with the size that QEMU was given.
	locked="RLIMIT_MEMLOCK of process PID: 64K, less than $(($(numfmt --from=iec "${options##* }") >> 10))K"
	case $name in
	devdax-*) locked+=": a device cannot be assigned unless .*--pid PID.*" ;;
	fsdax-*) locked+="; $of_file" ;;
	esac
	guest_says "mapping: 0x[0-9a-f]+, [0-9]+[KMG], $2" "$locked" \
		"vm .*: ([1-9][0-9]* entries of 4K, $by_size, [0-9]+ faults|$large entries of 2M or 1G; .*)"
	guest_ends "$name guest"
}

# mounted OPTIONS: unmounts the file system of the current backing, and mounts it with these options.
mounted() {
	umount "/dax/$backing"
	mount -t "${backing#fsdax-}" -o "$1" "$node" "/dax/$backing"
}

# sysfs_has COMMAND...: runs a command while sysfs shows only the content of $work/sysfs for the file system's device.
sysfs_has() {
	mount -t tmpfs tmpfs "$sysfs"
	mkdir "$sysfs/$device"
	[ ! -e "$work/sysfs" ] || cp -r "$work/sysfs/." "$sysfs/$device"
	"$@" || true
	umount "$sysfs"
}

# proc_has NAME COMMAND...: runs a command while /proc/NAME has the content of $work/proc.
proc_has() {
	mount --bind "$work/proc" "/proc/$1"
	"${@:2}" || true
	umount "/proc/$1"
}

# no_1g: checks what the tool says of a file if something is missing without which no file is mapped by 1G.
no_1g() {
	local config
	config=/boot/config-$(uname -r)
	grep -v ' dax_iomap_pud_fault' /proc/kallsyms >"$work/proc"
	proc_has kallsyms path "$backing, other kernel" "$memory" \
		"1G: this kernel maps files by 2M at most; one with .* and CONFIG_FS_DAX_PUD=y .*" "expected: 2M entries" "QEMU: .*,align=2M,.*"
	mkdir -p /boot
	echo '# CONFIG_FS_DAX_PUD is not set' >"$config"
	proc_has kallsyms path "$backing, without the option" "$memory" \
		"1G: this kernel maps files by 2M at most, as it was built without CONFIG_FS_DAX_PUD" "expected: 2M entries"
	rm "$config"
	[ -z "${STOCK:-}" ] || return 0
	sed 's/ pdpe1gb\b//' /proc/cpuinfo >"$work/proc"
	proc_has cpuinfo path "$backing, other CPU" "$memory" "1G: this CPU has no pages of 1G; .*" "expected: 2M entries"
}

# cloned_1g: checks a file that shares blocks with another one, and then does no longer. The printed command must make it one for 1G again.
cloned_1g() {
	local folder=/dax/$backing none='1G: 1024M of the file .*; 0M of these are mapped by 1G, as the file shares blocks .*' command sector
	sector=$(<"/sys/dev/block/$(mountpoint -d "$folder")/queue/logical_block_size")
	cp --reflink=always "$memory" "$memory.copy"
	path "$backing cloned" "$memory" "shared: 1048576K of the file .*" "$none" "expected: 2M entries" "QEMU: .*,align=2M,.*" || true
	command=$(sed -nE 's/^for 1G, while no guest uses it: (xfs_io .*) gives .*/\1/p' "$work/said")
	rm "$memory.copy"
	# The blocks stay shared until XFS has released the removed clone, which freezing waits for.
	fsfreeze -f "$folder"
	fsfreeze -u "$folder"
	# XFS shows the mark of such a file by the alignment of direct I/O, to blocks and not to sectors.
	[ "$sector" -ge 4096 ] || path "$backing clone removed" "$memory" "!shared: .*" "$none" "expected: 2M entries" || true
	eval "$command" >/dev/null 2>&1 || true
	path "$backing unshared" "$memory" "1G: 1024M of the file .*; 1024M of these are mapped by 1G, but .*" "$first" || true
}

# guest_1g: checks a file of 2G, whose second 1G a guest has by one entry. Takes the place of the smaller file, once XFS has released it.
guest_1g() {
	local at
	rm "$memory"
	fsfreeze -f "/dax/$backing"
	fsfreeze -u "/dax/$backing"
	for at in 0 1G; do
		fallocate -o "$at" -l 1G "$memory"
	done
	dd if=/dev/zero of="$memory" bs=2M count=1024 conv=notrunc,fsync status=none
	path "$backing, 2G" "$memory" "1G: 2048M of the file .*; 2048M of these are mapped by 1G, but .*" \
		"expected: 1G entries for 1024M, .*, smaller ones for the rest [(]the guest's first 1G has a hole for VGA, .*" "QEMU: .*,align=1G,.*" \
		"nvdimm: .* sees 1G of these 2G, as the label takes a whole 1G; .*" && running "$backing, 2G" "$memory"
	asked=(--for libvirt)
	path "$backing for libvirt, 2G" "$memory" "expected: 1G entries, where .*" || true
	asked=()
}

# places_1g: checks a folder and a block device for files that are to be mapped by 1G.
places_1g() {
	local folder=/dax/$backing node line='1G: this kernel maps files by 2M at most; .*'
	node=$(findmnt -n -o SOURCE "$folder")
	[ -n "${STOCK:-}" ] || line='1G: [1-9][0-9]*M are whole 1G at multiples of 1G; .*'
	path "$backing folder" "$folder" "$line" "!for 1G: .*" \
		"expected: 4K entries, as its XFS has a stripe unit of 1G, .*mkfs[.]xfs -m reflink=0 -d su=2m,sw=1 .*" || true
	umount "$folder"
	refused "$backing block device" "$node" "is a block device, and no DAX memory of a guest; mount its file system with -o dax=always"
	[ -n "${STOCK:-}" ] || line='for 1G: .*mkfs[.]xfs -m reflink=0 -d su=1g,sw=1,agcount=2, .*'
	result "$backing block device, 1G" "$(says "$line" || echo "it does not say: $line")"
	mount -t xfs -o dax "$node" "$folder"
}

# files_1g: checks files on a file system that can map them by 1G, if the kernel can do that.
files_1g() {
	local aligned="2M-aligned extents: 1024M of 1024M; 1G-aligned: 1024M"
	local first="expected: 2M entries [(]the guest's first 1G has a hole for VGA, .*"	# of a file of 1G

	fallocate -l 1G "$memory"
	if [ -n "${STOCK:-}" ]; then
		path "$backing unwritten" "$memory" "$aligned, which file systems map by 2M, too" "expected: 2M entries" || true
	else
		path "$backing unwritten" "$memory" "$aligned" "1G: 1024M of the file .*; 0M of these are mapped by 1G, as each 1G has to be one extent that is written" \
			"!for 1G: .*" "for a file with blocks .*" "expected: 2M entries" "QEMU: .*,align=2M,.*" || true
	fi
	"$work/kvm-dax-check" --json "$memory" >"$work/said" 2>&1 || true
	result "$backing unwritten json" "$(grep -q '"bytes_1g":0,' "$work/said" || echo "it says that some of it is mapped by 1G")"
	dd if=/dev/zero of="$memory" bs=2M count=512 conv=notrunc,fsync status=none
	no_1g
	if [ -n "${STOCK:-}" ]; then
		path "$backing" "$memory" "$aligned, which file systems map by 2M, too" "expected: 2M entries" || true
	else
		path "$backing" "$memory" "$aligned" "1G: 1024M of the file .*; 1024M of these are mapped by 1G, but .*" "to get 1G back: .*" \
			"!for 1G: .*" "$first" "QEMU: .*,align=1G,.*" \
			"nvdimm: .* sees nothing of these 1G, as the label takes a whole 1G; .*" && running "$backing" "$memory"
		asked=(--for libvirt)
		path "$backing for libvirt" "$memory" " *<alignsize unit='KiB'>1048576</alignsize>" "expected: 1G entries, where .*" || true
		asked=()
		cloned_1g
		fallocate -p -o 4M -l 4K "$memory"
		path "$backing hole" "$memory" "1G: 0M of the file .*" "for 1G: .*" "expected: 2M entries for .*" "QEMU: .*,align=2M,.*" || true
		guest_1g
	fi
	rm "$memory"
	places_1g
}

# parts: checks files into which huge pages fit only in part, or not at all.
parts() {
	local cut="the guest's memory is a multiple of 2M"

	truncate -s 1M "$memory"
	refused "$backing small" "$memory" "has 1M, and $cut; fallocate"
	truncate -s 1023 "$memory"
	refused "$backing small, odd" "$memory" "has 1023 bytes, and $cut; fallocate"
	rm "$memory"
	fallocate -l 65M "$memory"
	fallocate -n -l 68M "$memory"	# beyond its end
	path "$backing cut off" "$memory" "$memory: file on a DAX file system, 65M" "cut off: the last 1M, as $cut; fallocate -o 64M -l 2M .*" \
		"2M-aligned extents: 64M of 64M; .*" "$(expects "2M entries")" "QEMU: .*,size=64M .* -m 64M" && running "$backing cut off" "$memory"
	rm "$memory"
	fallocate -l 64M "$memory"
	fallocate -p -o 0 -l 4K "$memory"
	path "$backing small hole" "$memory" "holes: 4K of the file .*" "2M-aligned extents: 62M of 64M; .*" "!cut off.*" \
		"$(expects "2M entries for 62M, 4K for the rest")" || true
	fallocate -p -o 4M -l 4M "$memory"
	path "$backing holes" "$memory" "holes: 4100K of the file .*" "2M-aligned extents: 58M of 64M; .*" \
		"$(expects "2M entries for 58M, not known until written for 4M, 4K for the rest")" || true
	rm "$memory"
	fallocate -l 64M "$memory"
	# Move half of the file by 4K. The clusters of 2M of ext4 do not allow that.
	[ "$backing" = fsdax-xfs ] || return 0
	fallocate -c -o 32M -l 4K "$memory"
	path "$backing moved" "$memory" "cut off: the last 2044K, .*fallocate -o 62M -l 2M .*" "!holes.*" "2M-aligned extents: 32M of 62M; .*" \
		"for more: .*" "$(expects "2M entries for 32M, 4K for the rest")" "QEMU: .*,size=62M .* -m 62M" || true
	rm "$memory"
	fallocate -l 64M "$memory"
}

# written BYTES: makes the file anew, with that many bytes of it written.
written() {
	rm "$memory"
	fallocate -l 64M "$memory"
	dd if=/dev/zero of="$memory" bs="$1" count=1 conv=notrunc,fsync status=none
}

# states: checks files whose first 2M are aligned, but whose blocks there are partly unwritten or shared. Also checks the better file that
# the printed command makes.
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
	# On v5.4, files share no blocks.
	if [ "$backing" = fsdax-xfs ] && [ -z "$old" ]; then
		written 2M
		cp --reflink=always "$memory" "$copy"
		path "$backing cloned" "$memory" \
			"shared: 2048K of the file .* read-only until then; do not clone .*" "for a file with blocks .*" "${whole[@]}" || true
		rm "$copy"
		# Make a new file, because blocks stay shared until XFS has released the removed clone.
		written 2M
		xfs_io -f -c "reflink $memory 0 0 1M" "$copy" >/dev/null
		path "$backing half cloned" "$memory" "shared: 1024K of the file .*" "${part[@]}" || true
		mapped "$backing half cloned" "$memory" 62
		rm "$copy"
	fi
	rm "$memory"
	fallocate -l 64M "$memory"
}

# large: checks files with more than one extent, whose boundaries may lie inside 2M.
large() {
	local file=/dax/$backing/large
	fallocate -l 300M "$file"
	path "$backing large" "$file" "2M-aligned extents: [0-9]+M of 300M; .*" "$(expects "2M entries.*")" || true
	[ -n "$small" ] || as_said "$backing large" "$file"
	rm "$file"
	dd if=/dev/zero of="$file" bs=2M count=150 conv=fsync status=none
	path "$backing large written" "$file" "2M-aligned extents: [0-9]+M of 300M; .*" "$(expects "2M entries.*")" || true
	[ -n "$small" ] || as_said "$backing large written" "$file"
	rm "$file"
}

# places: checks other paths to the same file, and files that cannot be changed.
places() {
	local at=$work/place
	mkdir "$at"
	mount --bind "/dax/$backing" "$at"
	path "$backing bind mount" "$at/preflight" "$at/preflight: file on a DAX file system, 64M" "$(expects "2M entries")" || true
	umount "$at"
	ln -s "$memory" "$at/link"
	path "$backing link" "$at/link" "$at/link: file on a DAX file system, 64M" "$(expects "2M entries")" || true
	refused "$backing not made yet" "/dax/$backing/none" \
		"No such file or directory; $work/kvm-dax-check /dax/$backing says what a new file there would get"
	chattr +i "$memory"
	path "$backing immutable" "$memory" \
		"read-only: it cannot be written [(]Operation not permitted[)], .*; chattr -i $memory makes it writable" || true
	under=("${not_root[@]}")
	path "$backing immutable, not root" "$memory" \
		"read-only: it cannot be written [(]Operation not permitted[)], .*; sudo chattr -i $memory makes it writable" || true
	under=()
	asked=(--for libvirt)
	refused "$backing immutable, for libvirt" "$memory" "libvirt opens it for writing; make it writable, or use QEMU"
	asked=()
	chattr -i "$memory"
	chattr +a "$memory"
	path "$backing append-only" "$memory" \
		"read-only: it cannot be written [(]Operation not permitted[)], .*; chattr -a $memory makes it writable" "QEMU: .*,readonly=on,.*" || true
	chattr -a "$memory"
	rm -r "$at"
}

# elsewhere: checks a file system that is mounted only in the mount namespace of another process.
elsewhere() {
	local at=$work/elsewhere pid
	mkdir "$at"
	# shellcheck disable=SC2016
	coproc other { exec unshare -m --propagation private bash -c 'mount --bind "$1" "$2" && echo mounted && read -r' - "/dax/$backing" "$at"; }
	pid=$!
	read -r <&"${other[0]}"
	umount "/dax/$backing"
	path "$backing elsewhere" "/proc/$pid/root$at/preflight" "2M-aligned extents: 64M of 64M; .*" "$(expects "2M entries")" || true
	path "$backing elsewhere, folder" "/proc/$pid/root$at" "/proc/$pid/root$at: folder on a DAX file system; .*" \
		"$(expects "2M entries for up to [0-9]+M of what a guest writes$in_order")" || true
	eval "exec ${other[1]}>&-"
	wait "$pid" || true
	mount -t "${backing#fsdax-}" -o dax "$node" "/dax/$backing"
	rmdir "$at"
}

# not_dax: checks each reason why a file is not DAX. Where two can apply, checks which of them the tool prints.
not_dax() {
	local lacks="it lacks the attribute, and its file system is mounted"

	mounted defaults
	case $old:$backing in
	:*) refused "$backing no option" "$memory" "$lacks without dax=, which is as with dax=inode; xfs_io -c 'chattr [+]x' $memory " ;;
	*ext4) refused "$backing no option" "$memory" "its file system is mounted without -o dax; unmount it" ;;
	*xfs) refused "$backing no option" "$memory" "$lacks without -o dax; xfs_io -c 'chattr [+]x' $memory " ;;
	esac
	mkdir -p "$work/sysfs/queue"
	echo 0 >"$work/sysfs/queue/dax"
	sysfs_has refused "$backing no DAX device" "$memory" "its block device, $node, cannot do DAX; take one"
	sysfs_has refused "$backing no DAX device, block device" "$node" "is a block device that cannot do DAX; ndctl"
	rm -r "$work/sysfs"
	sysfs_has refused "$backing unknown" "$memory" "could not be found, as $sysfs/$device/queue/dax cannot be read"
	if [ -z "$old" ]; then
		mounted dax=never
		refused "$backing dax=never" "$memory" "its file system is mounted with dax=never; unmount it"
		mounted dax=inode
		# XFS does not show the default.
		refused "$backing dax=inode" "$memory" "$lacks with(out dax=, which is as with)? dax=inode; xfs_io -c 'chattr [+]x' $memory "
		exec 3<"$memory"
		xfs_io -c 'chattr +x' "$memory"
		refused "$backing attribute" "$memory" "is not DAX, though it has the attribute; .*fuser $memory "
		exec 3<&-
		path "$backing attribute closed" "$memory" "2M-aligned extents: 64M of 64M; .*" "expected: 2M entries" || true
		mounted dax=never
		refused "$backing attribute dax=never" "$memory" "its file system is mounted with dax=never; unmount it"
	fi
	if [ "$backing" = fsdax-ext4 ]; then
		# Files inherit the attribute of their folder. ext4 journals their data only if it allocates blocks at once.
		mounted defaults
		mkdir "/dax/$backing/journaled"
		chattr +j "/dax/$backing/journaled"
		mounted dax,nodelalloc
		truncate -s 64M "/dax/$backing/journaled/file"
		refused "$backing journaled" "/dax/$backing/journaled/file" "though its file system is mounted with dax(=always)?; .*j [(]journaled[)]"
		rm -r "/dax/$backing/journaled"
	fi
	mounted dax
}

# devices: checks states in which a guest cannot use a device-dax node, and that the printed commands change them.
devices() {
	local device=${memory##*/} drivers=/sys/bus/dax/drivers command pid

	exec 3<"$memory"
	refused "$backing busy" "$memory" "is busy: process $$ [(].*[)] has it open, .*; end that process"
	exec 3<&-
	# A process may have closed what it maps, and may use another node of the device.
	cp -a "$memory" "$work/other"
	coproc holder { exec perl -e '$| = 1; open my $f, "+<", $ARGV[0] or die; syscall(9, 0, 2 << 20, 3, 1, fileno $f, 0) > 0 or die;
		close $f; ($<, $>) = (65534, 65534); print "mapped\n"; <STDIN>' "$memory"; }
	pid=$!
	read -r command <&"${holder[0]}"
	refused "$backing busy, by a mapping" "$work/other" "is busy: process $pid [(]perl[)] has it open, .*; end that process"
	# Container engines drop this capability, without which the links and maps of others cannot be read.
	under=(setpriv --bounding-set=-sys_ptrace --inh-caps=-all)
	path "$backing busy, in a container" "$memory" "expected: .*" "busy: not known; only root outside of a container sees .*" || true
	under=()
	eval "exec ${holder[1]}>&-"
	wait "$pid" || true
	rm "$work/other"
	refused "$backing in sysfs" "/sys/bus/dax/devices/$device" "is what sysfs says of device .*, and no memory; give the node in /dev: $memory"
	ln -s "$memory" "$work/link"
	path "$backing link" "$work/link" "$work/link: device-dax, alignment 2M, .*" "expected: 2M entries" || true
	rm "$work/link"
	mkdir "$work/nodev"
	mount -t tmpfs -o nodev tmpfs "$work/nodev"
	cp -a "$memory" "$work/nodev/node"
	refused "$backing nodev" "$work/nodev/node" "is on a file system that is mounted with nodev; give the node in /dev"
	umount "$work/nodev"
	under=("${not_root[@]}")
	refused "$backing no permission" "$memory" \
		"may not be opened by this user [(]owner 0:0, mode 0600[)]: Permission denied; sudo chgrp 65534 $memory && sudo chmod g[+]rw "
	command=$(sed -nE 's/.*: Permission denied; (.*) changes that until .*/\1/p' "$work/said")
	eval "${command//sudo /}" >/dev/null 2>&1 || true
	path "$backing permission" "$memory" "expected: .*" "busy: not known; only root sees .*" "!read-only: .*" || true
	# With hidepid=, the processes of others are not even listed.
	under=(unshare -m sh -c 'mount -o remount,hidepid=2 /proc && exec "$@"' sh "${not_root[@]}")
	path "$backing permission, hidepid" "$memory" "expected: .*" "busy: not known; only root sees .*" || true
	mount -o remount,hidepid=0 /proc
	under=("${not_root[@]}")
	chmod g-w "$memory"
	path "$backing read-only" "$memory" \
		"read-only: it cannot be written [(]Permission denied[)], .*; sudo chgrp 65534 $memory && sudo chmod g[+]rw $memory makes it writable until .*" \
		"expected: 2M entries" "QEMU: .*,readonly=on,.*,unarmed=on" && {
		under=()
		guest_says "mapping: .*, $memory" "vm .*"
		guest_ends "$backing read-only guest"
		under=("${not_root[@]}")
	}
	asked=(--for libvirt)
	refused "$backing read-only, for libvirt" "$memory" "libvirt opens it for writing; make it writable, or use QEMU"
	asked=(--for cloud-hypervisor)
	refused "$backing read-only, for cloud-hypervisor" "$memory" "device-dax refuses the private mapping .*; make it writable, or use QEMU"
	asked=()
	under=()
	path "$backing permission, root" "$memory" "expected: .*" "!busy: .*" || true
	chown 0:0 "$memory"
	chmod 600 "$memory"
	[ -d "$drivers/device_dax" ] || return 0
	echo "$device" >"$drivers/device_dax/unbind"
	refused "$backing no driver" "$memory" "has no driver, .*; daxctl enable-device $device gives"
	under=("${not_root[@]}")
	refused "$backing no driver, not root" "$memory" "has no driver, .*; sudo daxctl enable-device $device gives"
	under=()
	"$work/kvm-dax-check" "$memory" >"$work/said" 2>&1 || true
	command=$(sed -nE 's/.*; (daxctl .*) gives it one/\1/p' "$work/said")
	eval "$command" >/dev/null 2>&1 || true
	path "$backing driver" "$memory" "expected: .*" || echo "$device" >"$drivers/device_dax/bind" || true
	if modprobe kmem 2>/dev/null && echo "$device" >"$drivers/device_dax/unbind" && echo "$device" >"$drivers/kmem/new_id"; then
		refused "$backing system-ram" "$memory" "is in system-ram mode: .*; daxctl reconfigure-device --force --mode=devdax $device changes"
		command=$(sed -nE 's/.*; (daxctl .*) changes that/\1/p' "$work/said")
		eval "$command" >/dev/null 2>&1 || true
		path "$backing devdax mode" "$memory" "expected: .*" || true
	fi
}

# sparse: checks files whose blocks are allocated when they are written, and how much space the tool finds for them.
sparse() {
	local free=$(($(stat -f -c '%a * %S' "/dax/$backing"))) command

	rm "$memory"
	truncate -s 64M "$memory"
	chmod 666 "$memory"
	path "$backing hole" "$memory" \
		"holes: 65536K of the file have no blocks yet: .*" "free: ([0-9]+M); [1-9][0-9]*M of the \\1 are whole 2M at multiples of 2M" \
		"$(expects "not known until written: holes are filled with .*$in_order")" || true
	under=("${not_root[@]}")
	path "$backing not root, hole" "$memory" "extents: .* cannot be checked: only root .*" "holes: 65536K of the file have no blocks yet: .*" \
		"free: [0-9]+M; it is not known what .*" "$(expects "not known until written: holes are filled with .*$in_order")" || true
	under=()
	chattr +i "$memory"
	path "$backing read-only hole" "$memory" "holes: 65536K of the file have no blocks yet: they read as zeros, .*" \
		"$(expects "not known: holes read as zeros")" || true
	chattr -i "$memory"
	[ -n "$small" ] || mapped "$backing hole" "$memory" 64
	rm "$memory"
	truncate -s "$((free + (512 << 20)))" "$memory"
	chmod 666 "$memory"
	under=("${not_root[@]}")
	refused "$backing not root, more holes than space" "$memory" \
		"has holes of [0-9]+M, and [0-9]+M are free: a guest that writes to more of it ends with"
	under=()
	refused "$backing more holes than space" "$memory" \
		"has holes of [0-9]+M, and [0-9]+M are free: a guest that writes to more of it ends with"
	result "$backing more holes than space, said" "$(says "holes: .*, and only [0-9]+K are free, so they cannot all be allocated" ||
		echo "it does not say that they cannot be allocated")"
	rm "$memory"
	truncate -s 64M "$memory"
	"$work/kvm-dax-check" "$memory" >"$work/said" 2>&1 || true
	command=$(sed -nE 's/^holes: .*; (fallocate .*) allocates them now/\1/p' "$work/said")
	eval "$command" >/dev/null 2>&1 || true
	path "$backing hole allocated" "$memory" "!holes.*" "$(expects "2M entries")" || true
}

# unnamed: checks guests whose file no longer has a path, or is hidden by another mount.
unnamed() {
	local folder=/dax/$backing inner=$work/inner

	path "$backing folder" "$folder" "$folder: folder on a DAX file system; .*" "free: ([0-9]+M); [1-9][0-9]*M of the \\1 are whole 2M .*" \
		"$(expects "2M entries for up to [0-9]+M of what a guest writes$in_order")" && {
		guest_says "mapping: .*, $folder/qemu_back_mem[^ ]* [(]deleted[)]" "vm .*"
		guest_ends "$backing folder guest"
	}
	path "$backing mounted over" "$memory" "QEMU: .*" && {
		guest_says "mapping: .*, $memory" "vm .*"
		mount -t tmpfs tmpfs "$folder"
		now_names "$memory"
		umount "$folder"
		guest_ends "$backing mounted over guest"
	}
	mkdir -p "$inner"
	# shellcheck disable=SC2016,SC2034
	inside=(unshare -m bash -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' - "$folder" "$inner")
	options=${options//mem-path=$folder/mem-path=$inner}
	guest_says "mapping: .*/preflight" "vm .*"
	guest_ends "$backing mount namespace guest"
	# shellcheck disable=SC2034
	inside=()
	options=${options//mem-path=$inner/mem-path=$folder} options=${options/share=on/share=off}
	guest_says "mapping: .*, $memory: private: what is written becomes 4K copies in RAM, not in the file; .*" "vm .*"
	guest_ends "$backing private guest"
	path "$backing removed" "$memory" "QEMU: .*" && {
		guest_says "mapping: .*, $memory" "vm .*"
		rm "$memory"
		now_names "$memory [(]deleted[)]"
		guest_ends "$backing removed guest"
		fallocate -l 64M "$memory"
	}
	# A guest in a chroot has another path for its file, and the name of this one looks like that of a deleted file.
	ln "$memory" "$memory (deleted)"
	path "$backing chroot" "$memory (deleted)" "QEMU: .*" && {
		options+=" -chroot $folder"
		guest_says "vm .*"
		# The guest changes its root only after it has made its memory.
		until [ "$(readlink "/proc/$guest/root")" = "$folder" ]; do
			kill -0 "$guest" 2>/dev/null || break
			sleep 0.1
		done
		now_names "'$memory [(]deleted[)]'"
		guest_ends "$backing chroot guest"
	}
	rm "$memory (deleted)"
	# The file still exists under another name, but the guest's name for it is gone.
	path "$backing unlinked" "$memory" "QEMU: .*" && {
		guest_says "mapping: .*, $memory" "vm .*"
		ln "$memory" "$memory.other"
		rm "$memory"
		now_names "$memory [(]deleted[)]"
		guest_ends "$backing unlinked guest"
		mv "$memory.other" "$memory"
	}
}

# named NAME: checks a file whose name has a meaning for a shell or for QEMU. Both must take what the tool prints.
named() {
	local odd=/dax/$backing/$1 said command
	fallocate -l 64M "$odd"
	fallocate -p -o 0 -l 2M "$odd"
	path "$backing named ${1@Q}" "$odd" "holes: 2048K .*" "QEMU: .*" && {
		said=$(sed -nE 's/^holes: .*; (fallocate .*) allocates them now/\1/p' "$work/said")
		eval "$said" >/dev/null 2>&1 || true
		[ "$(stat -c %b "$odd")" -ge 131072 ] && said='' || said="it is not allocated by: $said"
		result "$backing named ${1@Q} allocated" "$said"
		guest_says "mapping: .*" "vm .*"
		command=$(sed -nE "s/^mapping: 0x[^,]*, [^,]*, //p" "$work/said")
		eval "[ $command = \"\$odd\" ]" || echo "the mapping is not named as a shell takes it: $command" >"$work/reason"
		guest_ends "$backing named ${1@Q} guest"
	}
	rm -f "$odd"
}

# read_only: checks files and mounts that cannot be written to.
read_only() {
	local times command
	times=$(stat -c '%x %y %z' "$memory")
	"$work/kvm-dax-check" "$memory" >"$work/said" 2>&1 || true
	result "$backing times" "$([ "$(stat -c '%x %y %z' "$memory")" = "$times" ] || echo "they were $times")"
	chmod 444 "$memory"
	under=("${not_root[@]}")
	path "$backing read-only file" "$memory" \
		"read-only: it cannot be written [(]Permission denied[)], .* readonly=on and unarmed=on; sudo chgrp 65534 $memory && sudo chmod g[+]rw $memory .*" || true
	chmod 600 "$memory"
	refused "$backing private file" "$memory" "cannot be opened by this user: Permission denied; sudo chgrp 65534 $memory && sudo chmod g[+]rw $memory "
	under=()
	chmod 644 "$memory"
	mount -o remount,ro "/dax/$backing"
	path "$backing read-only mount" "$memory" \
		"read-only: it cannot be written [(]Read-only file system[)], .*; mount -o remount,rw /dax/$backing makes .*" "$(expects "2M entries")" \
		"QEMU: .*,readonly=on,.*,unarmed=on" && {
		guest_says "mapping: .*, $memory" "vm .*"
		guest_ends "$backing read-only guest"
		options=${options/share=on,/}
		guest_says "mapping: .*, $memory: private, and only read; share=on .*" "vm .*"
		guest_ends "$backing read-only private guest"
	}
	under=("${not_root[@]}")
	path "$backing read-only mount, not root" "$memory" "read-only: .*; sudo mount -o remount,rw /dax/$backing makes .*" || true
	under=()
	asked=(--for libvirt)
	refused "$backing read-only mount, for libvirt" "$memory" "libvirt opens it for writing; make it writable, or use QEMU"
	asked=()
	refused "$backing read-only folder" "/dax/$backing" \
		"is a folder in which this user cannot make a file: Read-only file system; mount -o remount,rw /dax/$backing "
	mount -o remount,rw "/dax/$backing"
	mkdir "$work/bound"
	mount --bind "/dax/$backing" "$work/bound"
	mount -o remount,bind,ro "$work/bound"
	refused "$backing read-only bind mount" "$work/bound" "Read-only file system; mount -o remount,bind,rw $work/bound changes that"
	command=$(sed -nE 's/.*; (mount .*) changes that/\1/p' "$work/said")
	eval "$command" >/dev/null 2>&1 || true
	path "$backing bind mount made writable" "$work/bound" "free: .*" || true
	umount "$work/bound"
	rmdir "$work/bound"
	mkdir -m 700 "/dax/$backing/private"
	: >"/dax/$backing/private/file"
	under=("${not_root[@]}")
	refused "$backing private folder" "/dax/$backing/private/file" "private/file: Permission denied; namei -l /dax/$backing/private/file shows"
	refused "$backing closed folder" "/dax/$backing/private" \
		"cannot be opened by this user: Permission denied; sudo chgrp 65534 .* && sudo chmod g[+]rwx /dax/$backing/private "
	chmod 706 "/dax/$backing/private"
	refused "$backing folder that cannot be entered" "/dax/$backing/private" \
		"is a folder in which this user cannot make a file: Permission denied; sudo chgrp 65534 .* && sudo chmod g[+]rwx /dax/$backing/private "
	under=()
	rm -r "/dax/$backing/private"
	refused "$backing block device" "$node" "is a block device, and no DAX memory of a guest; .*: $work/kvm-dax-check /dax/$backing says"
	umount "/dax/$backing"
	refused "$backing block device, not mounted" "$node" "is a block device, and no DAX memory of a guest; mount its file system with -o dax=always"
	result "$backing block device, a file there" "$(says "a file there: can be mapped by 2M, if .*" || echo "it does not say what a file there gets")"
	mount -t "${backing#fsdax-}" -o dax "$node" "/dax/$backing"
	# A container engine mounts single files, such as /etc/hosts.
	: >"$work/file"
	mount --bind "$memory" "$work/file"
	refused "$backing block device, of which a file is mounted" "$node" "use the file system on it: $work/kvm-dax-check /dax/$backing says"
	umount "$work/file"
	# shellcheck disable=SC2016
	under=(unshare -m sh -c 'mount -t tmpfs tmpfs /sys && exec "$@"' sh)
	path "$backing without sysfs" "$memory" "!expected: .*CONFIG_TRANSPARENT_HUGEPAGE.*" || true
	under=()
}

# overlay: checks overlayfs on a DAX file system, where opening a file for writing would copy it. The tool must not do that.
overlay() {
	local at=/dax/$backing/overlay
	mkdir -p "$at"/{lower,upper,work,on}
	fallocate -l 64M "$at/lower/file"
	mount -t overlay -o "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work" overlay "$at/on" 2>"$work/said" ||
		{ result "$backing overlay" "it cannot be mounted"; rm -r "$at"; return; }
	refused "$backing overlay" "$at/on/file" "is on overlayfs .*upperdir=$at/upper.*; give the path on the file system below"
	result "$backing overlay unchanged" "$([ ! -e "$at/upper/file" ] || echo "the file was copied up")"
	umount "$at/on"
	if mount -t overlay -o "lowerdir=$at/lower:$at/upper" overlay "$at/on" 2>"$work/said"; then
		refused "$backing overlay without upper layer" "$at/on/file" "and it cannot be opened for writing, as this overlay has no upper layer; "
		umount "$at/on"
	fi
	rm -r "$at"
}

# volume TABLE: unmounts the file system, and makes a device-mapper device with this table.
volume() {
	umount "/dax/$backing"
	echo "$1" | dmsetup create --noudevsync --noudevrules preflight
	dmsetup mknodes >/dev/null
}

no_volume() {
	umount "/dax/$backing" || true
	dmsetup remove --noudevsync --noudevrules --retry preflight
	mount -t "${backing#fsdax-}" -o dax "$node" "/dax/$backing"
}

# volumes: checks device-mapper volumes. The tool adds up linear targets if root runs it, and names other targets.
volumes() {
	local sectors half
	modprobe dm-mod 2>/dev/null || true
	if ! command -v dmsetup >/dev/null || ! dmsetup version >/dev/null 2>&1; then
		skip "preflight $backing volumes" "no dmsetup, or a kernel without CONFIG_BLK_DEV_DM"
		return
	fi
	sectors=$(blockdev --getsz "$node")
	half=$(((sectors / 2) & ~4095))
	volume "0 $half linear $node 0
$half $((sectors - half)) linear $node $half"
	mount -t "${backing#fsdax-}" -o dax /dev/mapper/preflight "/dax/$backing"
	path "$backing volume" "$memory" "2M-aligned extents: 64M of 64M; .*" "!extents.*" "!device.*" "$(expects "2M entries")" || true
	[ -n "$small" ] || mapped "$backing volume" "$memory" 64
	under=("${not_root[@]}")
	chmod 666 "$memory"
	path "$backing volume not root" "$memory" \
		"extents: .* cannot be checked: device-mapper's table cannot be read [(]Permission denied[)]; root can.*" \
		"$(expects "not known, as device-mapper's table .*")" || true
	under=()
	no_volume
	volume "0 $((sectors / 8192 * 8192)) striped 1 8192 $node 0"
	if mount -t "${backing#fsdax-}" -o dax /dev/mapper/preflight "/dax/$backing" 2>/dev/null; then
		"$work/kvm-dax-check" /dev/mapper/preflight >"$work/said" 2>&1 || true
		result "$backing striped, block device" \
			"$(says "physical start: not known: its device-mapper target is striped, .*" || echo "it does not say why")"
		path "$backing striped" "$memory" "extents: .* cannot be checked: its device-mapper target is striped, and only linear .*" || true
	else
		mount -t tmpfs tmpfs "/dax/$backing"	# for no_volume to unmount
	fi
	no_volume
	# Make the file system anew, 1M from where it should begin.
	volume "0 $((sectors - 2048)) linear $node 2048"
	case $backing in
	*ext4) mkfs.ext4 -q -b 4096 -E nodiscard -m 0 -O bigalloc -C 2M /dev/mapper/preflight ;;
	*) mkfs.xfs -q -f -K -d agcount=2,su=2m,sw=1 -m bigtime=0,inobtcount=0,reflink=0 -i nrext64=0 /dev/mapper/preflight ;;
	esac
	mount -t "${backing#fsdax-}" -o dax /dev/mapper/preflight "/dax/$backing"
	fallocate -l 64M "$memory"
	refused "$backing volume shifted, block device" /dev/mapper/preflight "use the file system on it: $work/kvm-dax-check /dax/$backing "
	path "$backing volume shifted" "$memory" \
		"2M-aligned extents: 0M of 64M; .*" "device: it begins at 0x[0-9a-f]*, which is not a multiple of 2M, .*--dataalignment 2M" \
		"expected: 4K entries.*" || true
	mapped "$backing volume shifted" "$memory" 0
	path "$backing volume shifted, folder" "/dax/$backing" "device: it begins at .*" \
		"$(expects "4K entries, as its device does not begin at a multiple of 2M")" || true
	rm "$memory"
	truncate -s 64M "$memory"
	path "$backing volume shifted, hole" "$memory" "$(expects "4K entries, as its device does not begin at a multiple of 2M")" || true
	umount "/dax/$backing"
	dmsetup remove --noudevsync --noudevrules --retry preflight
	mkfs.ext4 -q -b 4096 -E nodiscard -m 10 "$node"
	mount -t ext4 -o dax "$node" "/dax/$backing"
	path "$backing reserved blocks" "/dax/$backing" "free: ([0-9]+M), [1-9][0-9]*M of it for root alone; [0-9]+M of the \\1 are whole 2M .*" || true
	: >"$memory"
}

# scattered: checks XFS without a stripe unit of 2M. It comes after volumes, which no longer needs the file system.
scattered() {
	[ "$backing" = fsdax-xfs ] || return 0
	umount "/dax/$backing"
	mkfs.xfs -q -f -K -m bigtime=0,inobtcount=0,reflink=0 -i nrext64=0 "$node"
	mount -t xfs -o dax "$node" "/dax/$backing"
	path "$backing without su=2m, folder" "/dax/$backing" "$(expects "4K entries, as its XFS was made without su=2m, .*mkfs[.]xfs -m reflink=0 -d su=2m,sw=1 .*")" || true
	truncate -s 64M "$memory"
	path "$backing without su=2m, hole" "$memory" "$(expects "4K entries, as its XFS was made without su=2m, .*")" \
		"for more: .*mkfs[.]xfs -m reflink=0 -d su=2m,sw=1 .*" || true
	chmod 666 "$memory"
	under=("${not_root[@]}")
	path "$backing without su=2m, not root, hole" "$memory" "$(expects "4K entries, as its XFS was made without su=2m, .*")" || true
	under=()
	mapped "$backing without su=2m, hole" "$memory" 0
}

# assigned: checks that QEMU cannot start with a DAX file as a second memory and an assigned device, because it maps the file for the
# device, too. This is why the tool says that QEMU's nvdimm does not help.
assigned() {
	local device before='' ran_before='' looks=0 reason=''
	device=$("$here/vfio-setup.sh") && [ -n "$device" ] || return 0
	qemu-system-x86_64 -accel kvm -nodefaults -display none -machine q35,nvdimm=on -m 128M,slots=1,maxmem=4G \
		-object "memory-backend-file,id=mem,mem-path=$memory,share=on,align=2M,size=64M" -device nvdimm,memdev=mem \
		-device "vfio-pci,host=$device" >"$work/said" 2>&1 </dev/null &
	guest=$!
	while kill -0 "$guest" 2>/dev/null; do
		goes_on || { reason="QEMU starts with it"; kill -9 "$guest"; }
		sleep 0.1
	done
	wait "$guest" || true
	guest=''
	grep -q 'Operation not supported' "$work/said" || reason=${reason:-QEMU says another reason}
	result "$backing second memory, assigned device" "$reason"
}

# vmms: checks the line for each VMM, and the JSON.
vmms() {
	local vmm line odd
	while read -r vmm line; do
		"$work/kvm-dax-check" --for "$vmm" "$memory" >"$work/said" 2>&1 || true
		result "$backing for $vmm" "$(says "$line" || echo "it does not say: $line")"
		# The expectation comes first, and then what to type.
		result "$backing first lines for $vmm" \
			"$(sed -n '1s/^expected: .*//p; 2s/^QEMU: .*\|^[a-z-]*: .*//p' "$work/said" | wc -l | grep -qx 2 || echo "they are others")"
	done <<-EOF
		libvirt [[:space:]]*<path>$memory</path>
		libvirt place: <devices>, .*
		cloud-hypervisor cloud-hypervisor: --memory size=0 --memory-zone id=mem,size=64M,file=$memory,shared=on
		kata kata: file_mem_backend = "/dax/$backing"
		kata place: configuration.toml, .*
	EOF
	# These give QEMU no align=.
	asked=(--for kata)
	path "$backing for kata, file" "$memory" "$(expects "4K entries, as Kata gives QEMU no align=, .*")" || true
	path "$backing for kata, folder" "/dax/$backing" "$(expects "4K entries, as Kata gives QEMU no align=, .*")" || true
	path "$backing for kata, folder of a file" "$memory" "/dax/$backing: folder on a DAX file system; .*" \
		"kata: it makes a file for each guest, so this is about the folder of $memory, /dax/$backing" || true
	mkdir "/dax/$backing/"$'a\xff' "/dax/$backing/a,b"
	refused "$backing for kata, name" "/dax/$backing/"$'a\xff' "TOML cannot hold this path; give it another name"
	refused "$backing for kata, comma" "/dax/$backing/a,b" "Kata takes no path with a comma, as it gives QEMU .*; give it another name"
	rmdir "/dax/$backing/"$'a\xff' "/dax/$backing/a,b"
	asked=(--for libvirt)
	path "$backing for libvirt, file" "$memory" "nvdimm: .* with <label>.*</label>, the guest sees 62M of these 64M, as the label takes a whole 2M; .*" || true
	mkdir "/dax/$backing/"{'a"b','a"'\''b','a'\''"'}
	path "$backing for libvirt, folder with a quotation mark" "/dax/$backing/a\"b" \
		"libvirt: memory_backing_dir = '/dax/$backing/a\"b'" "place: /etc/libvirt/qemu.conf; .*" || true
	path "$backing for libvirt, folder with two kinds" "/dax/$backing/a\"'b" \
		"libvirt: memory_backing_dir = \"\"\"/dax/$backing/a\"'b\"\"\"" || true
	refused "$backing for libvirt, folder that ends so" "/dax/$backing/a'\"" "libvirt's qemu.conf cannot hold this path, .*; give it another name"
	rmdir "/dax/$backing/"{'a"b','a"'\''b','a'\''"'}
	path "$backing for libvirt, folder" "/dax/$backing" "$(expects "4K entries, as libvirt gives QEMU no align= for a folder, .*")" || true
	fallocate -l 4M "/dax/$backing/"$'a\nb'
	refused "$backing for libvirt, name" "/dax/$backing/"$'a\nb' "libvirt's XML cannot hold this path; give it another name"
	rm "/dax/$backing/"$'a\nb'
	asked=(--for cloud-hypervisor)
	refused "$backing for cloud-hypervisor, folder" "/dax/$backing" "takes no folder; make a file in this one"
	for odd in a 'a ' $'a\xff'; do
		fallocate -l 5M "/dax/$backing/$odd"
	done
	refused "$backing for cloud-hypervisor, name" "/dax/$backing/"$'a\xff' "takes no path that is not UTF-8; give it another name"
	refused "$backing for cloud-hypervisor, white space" "/dax/$backing/a " "removes white space at the .* end of a path; give it another name"
	chattr +i "/dax/$backing/a"
	path "$backing for cloud-hypervisor, read-only" "/dax/$backing/a" \
		"cloud-hypervisor: --pmem 'file=\"/dax/$backing/a\",size=4M,discard_writes=on'" \
		"cloud-hypervisor: it maps such a file privately: .* 4K copies in RAM, not in the file" || true
	chattr -i "/dax/$backing/a"
	rm "/dax/$backing/a" "/dax/$backing/a " "/dax/$backing/"$'a\xff'
	asked=()
	"$work/kvm-dax-check" --json "$memory" >"$work/said" 2>&1 || true
	result "$backing json" "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>);
		exit !($d->{size} == 64 << 20 && $d->{kind} eq "file" && @{$d->{notes}})' \
		"$work/said" 2>&1 || echo "it is no JSON, or says no size")"
}

# of_thread NAME [ended]: checks a VM that a thread other than the first has made, and if given, that thread has ended.
of_thread() {
	local name=$1 reason=''
	shift
	coproc "$work/vm-of-thread" "$@"
	guest=$COPROC_PID
	read -r -u "${COPROC[0]}"
	"$work/kvm-dax-check" -p "$guest" >"$work/said" 2>&1 || true
	says "vm [0-9]+-[0-9]+, all its memory: (0 entries of 4K, 0 of 2M, 0 of 1G.*|0 entries of 2M or 1G; .*)" || reason="it finds no VM"
	result "$name" "$reason"
	echo >&"${COPROC[1]}"
	wait "$guest" || true
	guest=''
}

# of_two_threads NAME: checks two VMs in two processes that have the same descriptor, and whose threads have ended. Nothing tells which of
# the VMs belongs to which process.
of_two_threads() {
	local each go vms=() status=0 reason=''
	mkfifo "$work"/{go,ended1,ended2}
	for each in 1 2; do
		"$work/vm-of-thread" ended <"$work/go" >"$work/ended$each" &
		vms+=($!)
	done
	exec {go}>"$work/go"
	for each in 1 2; do
		read -r <"$work/ended$each" || true
	done
	"$work/kvm-dax-check" -p "${vms[0]}" >"$work/said" 2>&1 || status=$?
	says "which vm: not known: debugfs names it by a thread that has ended .*; it is one of [0-9]+-[0-9]+, [0-9]+-[0-9]+" ||
		reason="it does not say that this is not known"
	[ "$status" -eq 3 ] || reason="status $status, not 3"
	result "$1" "$reason"
	exec {go}>&-
	wait "${vms[@]}" || true
	rm "$work/go" "$work/ended"[12]
}

# not_dax_guest: checks a guest whose memory is a file without a name, and a host without debugfs.
not_dax_guest() {
	local command
	options="-object memory-backend-memfd,id=mem,share=on,size=64M -machine q35,memory-backend=mem -m 64M"
	guest_says "mapping: .*, /memfd:.* [(]deleted[)]: not DAX; .* says why" "vm .*"
	command=$(sed -nE '/memfd:/{s/.*: not DAX; (.*) says why/\1/p;q}' "$work/said")
	eval "$command" >"$work/said" 2>&1 || true
	result "memfd" "$(says "kvm-dax-check: .*: it is not DAX, as its file system is tmpfs; take a file of ext4 or XFS.*" ||
		echo "it does not say why, as: $command")"
	mount -t tmpfs tmpfs /sys/kernel/debug
	no_process "no debugfs" "$guest" "/sys/kernel/debug/kvm: No such file or directory; mount -t debugfs debugfs /sys/kernel/debug"
	umount /sys/kernel/debug
	guest_ends "memfd guest"
}

processes() {
	not_dax_guest
	of_thread "VM of a thread"
	of_thread "VM of a thread that has ended" ended
	of_two_threads "VMs of two threads that have ended"
	local status=0
	"$work/kvm-dax-check" -p $$ >"$work/said" 2>&1 || status=$?
	result "no VM" "$(says "kvm-dax-check: process $$ has no VM: .*" && [ "$status" -eq 1 ] || echo "status $status, or it does not say so")"
}

# no_process NAME PID REASON: checks that the tool refuses the process for this reason.
no_process() {
	local status=0
	"${under[@]}" "$work/kvm-dax-check" -p "$2" >"$work/said" 2>&1 || status=$?
	result "$1" "$(says "kvm-dax-check: $3" && [ "$status" -eq 1 ] || echo "status $status, or it does not say: $3")"
}

usage() {
	local words status
	for words in "" "-p x" "-p 1 2" "--for x /dev" "--bad" "-p 99999999999" "/dev /dev" "--json" "-p 1 -p 1" "--for kata -p 1"; do
		status=0
		# shellcheck disable=SC2086
		"$work/kvm-dax-check" $words >"$work/said" 2>&1 || status=$?
		[ "$status" -eq 2 ] || break
	done
	result "wrong usage" "$([ "$status" -eq 2 ] || echo "status $status of: $words")"
	"$work/kvm-dax-check" --for x /dev >"$work/said" 2>&1 || true
	result "wrong usage said" "$(says "kvm-dax-check: --for x: there is no line for that" || echo "it does not say what is wrong")"
	"$work/kvm-dax-check" -p 1 /dev >"$work/said" 2>&1 || true
	result "wrong usage, both" "$(says "kvm-dax-check: give a path or -p PID, not both" || echo "it does not say what is wrong")"
	"$work/kvm-dax-check" --json >"$work/said" 2>&1 || true
	result "wrong usage, no path" "$(says "kvm-dax-check: no path given" || echo "it does not say what is wrong")"
	status=0
	"$work/kvm-dax-check" --version >/dev/full 2>"$work/said" || status=$?
	result "version, nowhere to print" "$([ "$status" -eq 1 ] || echo "status $status, not 1")"
	"$work/kvm-dax-check" --json /dev/zero >/dev/full 2>"$work/said" || true
	result "nowhere to print" "$(says "kvm-dax-check: cannot write the output: No space left on device" || echo "it does not say why")"
	"$work/kvm-dax-check" "" >"$work/said" 2>&1 || true
	result "empty path" "$(says "kvm-dax-check: '': No such file or directory; give a device-dax node, .*" || echo "it says another step")"
	# U+2028 is UTF-8, though it cannot be printed, and the last byte is not.
	"$work/kvm-dax-check" --json $'/none\n\xe2\x80\xa8\xff' >"$work/said" 2>/dev/null || true
	result "json of a name" "$(grep -qF $'"path":"/none\\u000a\xe2\x80\xa8\\udcff"' "$work/said" || echo "it is another name")"
	"$work/kvm-dax-check" --version >"$work/said" 2>&1 || true
	result "version" "$(says "kvm-dax-check [0-9]+[.][0-9]+" || echo "it says none")"
}

old=	# the base has no dax=, and no attribute of ext4
base_has huge-files || old=1
small='' series="!kernel: this is Linux .*"	# what the tool says of files that KVM maps by 4K, and of the series
case $old:${STOCK:-} in
1:) series="kernel: this is Linux .* with the series .*" ;;
1:*) small="4K entries, as KVM before v5[.]6 maps files by 4K .*: /proc/kallsyms has no user_mapping_shift" ;;
esac
for backing in "${backings[@]}"; do
	case $backing in
	devdax-*)
		size=${backing#devdax-} size=${size^^}
		memory=$(realpath "/dax/$backing")
		entries="$size entries"
		bytes=$(<"/sys/dev/char/$((16#$(stat -c %t "$memory"))):$((16#$(stat -c %T "$memory")))/size")
		if [ "$size" = 1G ]; then
			[ "$bytes" -gt $((1 << 30)) ] || entries="2M entries [(]the guest's first 1G has a hole for VGA, .*"
		fi
		path "$backing" "$memory" "$memory: device-dax, alignment $size, .*" "expected: $entries.*" "!but KVM's nx.*" \
			"RLIMIT_MEMLOCK: 64K, less than [0-9]+K: a device cannot be assigned unless .*[(]ulimit -l unlimited, .*" && running "$backing" "$memory"
		under=(prlimit --memlock=unlimited)
		path "$backing lockable" "$memory" "RLIMIT_MEMLOCK: unlimited" || true
		under=()
		asked=(--for libvirt)
		# libvirt rounds the size up to a multiple of 2M, and the device ends before that.
		target="[[:space:]]*<size unit='KiB'>$((bytes >> 21 << 11))</size>"
		case $size in
		4K) path "$backing for libvirt" "$memory" "$target" "!nvdimm: .*" || true ;;
		*) path "$backing for libvirt" "$memory" "$target" "nvdimm: as a guest's nvdimm with <label>.*</label>, the guest sees .*; add one align .*" || true ;;
		esac
		asked=(--for cloud-hypervisor)
		path "$backing for cloud-hypervisor" "$memory" "cloud-hypervisor: a device needs a build with vm-memory 0.17 or later, .*" || true
		asked=(--for kata)
		refused "$backing for kata" "$memory" "so it takes no device; give it a folder on a DAX file system"
		asked=()
		sees="nvdimm: as a guest's nvdimm with label-size=2M, the guest sees"
		if [ "$size" = 1G ]; then
			path "$backing label" "$memory" "$sees (2G|nothing) of these [13]G, as the label takes a whole 1G; add one align .*" || true
			sed 's/ pdpe1gb\b//' /proc/cpuinfo >"$work/proc"
			proc_has cpuinfo refused "$backing, other CPU" "$memory" "cannot be accessed, as this CPU has no pages of 1G .*; one with --align=2M"
		fi
		[ "$size" != 2M ] || devices
		[ "$size" != 4K ] || continue
		echo Y >"$nx"
		path "$backing nx_huge_pages" "$memory" \
			"expected: $entries.*" "but KVM's nx_huge_pages is Y: memory which the guest executes .*" || true
		echo N >"$nx"
		under=("$work/without-huge-pages")
		refused "$backing without-huge-pages" "$memory" "cannot be accessed, as prctl"
		no_access "$backing without-huge-pages access" "$memory"
		under=()
		;;
	fsdax-*-1g)
		memory=/dax/$backing/preflight
		files_1g
		;;
	fsdax-*)
		memory=/dax/$backing/preflight
		node=$(findmnt -n -o SOURCE "/dax/$backing") device=$(mountpoint -d "/dax/$backing")
		case $backing in
		*xfs) in_order=', fewer where it is not written in order; fallocate .*' ;;
		*) in_order= ;;
		esac
		: >"$memory"
		refused "$backing empty" "$memory" "is empty; fallocate"
		sparse
		path "$backing" "$memory" "$memory: file on a DAX file system, 64M" "2M-aligned extents: 64M of 64M; .*" \
			"$(expects "2M entries")" "$series" "!kernel: but this is Linux .*" \
			"assigned devices: not with a file .*Use device-dax .*" "!but KVM's nx.*" "!cut off.*" \
			"RLIMIT_MEMLOCK: 64K, less than 65536K; $of_file" && running "$backing" "$memory"
		echo Y >"$nx"
		[ -n "$small" ] ||
			path "$backing nx_huge_pages" "$memory" \
				"expected: 2M entries" "but KVM's nx_huge_pages is Y: memory which the guest executes .*; echo N >$nx ends that, .*" || true
		echo N >"$nx"
		under=(prlimit "--memlock=$((64 << 20))")
		path "$backing lockable" "$memory" "RLIMIT_MEMLOCK: 65536K, enough for 65536K; $of_file" || true
		chmod 666 "$memory"
		under=("${not_root[@]}")
		path "$backing not root" "$memory" "extents: .* cannot be checked: only root .*" "$(expects "not known, as only root .*")" || true
		echo Y >"$nx"
		[ -n "$small" ] ||
			path "$backing not root, nx_huge_pages" "$memory" "but KVM's nx_huge_pages is Y: .*; echo N [|] sudo tee $nx ends that, .*" || true
		echo N >"$nx"
		chmod 777 "/dax/$backing"
		path "$backing not root, folder" "/dax/$backing" \
			"$(expects "not known, as only root can read where the device, $device, begins")" || true
		chmod 755 "/dax/$backing"
		under=()
		sysfs_has path "$backing no address" "$memory" "extents: .* cannot be checked: device $device has no physical address .*" \
			"$(expects "not known, as device $device has no physical address .*")"
		under=("$work/without-huge-pages")
		path "$backing without-huge-pages" "$memory" "expected: 4K entries, as prctl.*" && running "$backing without-huge-pages" "$memory"
		under=()
		vmms
		parts
		states
		unnamed
		named "a b,c'd"
		named $'t\tb'
		named $'line\nend'
		# In maps, this looks like the one before.
		named 'line\012end'
		named 'é ü'
		# shellcheck disable=SC2016,SC1003
		named '-$(x)"\'
		large
		places
		elsewhere
		read_only
		assigned
		overlay
		not_dax
		volumes
		scattered
		rm "$memory"
		;;
	esac
done
truncate -s 64M "$work/memory"
refused "no dax" "$work/memory" "is on overlayfs .*; give the path on the file system below"
truncate -s 64M /dax/preflight
refused "tmpfs" /dax/preflight "it is not DAX, as its file system is tmpfs; take a file of ext4 or XFS"
rm /dax/preflight
refused "no device-dax" /dev/zero "is a character device, but not of device-dax"
refused "a folder" /dax "a file in it would not be DAX, as its file system is tmpfs"
refused "nothing" "$work/none" "No such file"
mkdir "$work/target"
ln -s target/none "$work/dangling"
refused "dangling link" "$work/dangling" \
	"is a symbolic link to $work/target/none: No such file or directory; $work/kvm-dax-check $work/target says what a new file there would get"
mkdir "$work/a folder"
cp "$work/kvm-dax-check" "$work/a folder"
status=0
"$work/a folder/kvm-dax-check" "$work/dangling" >"$work/said" 2>&1 || status=$?
result "the tool's own path" "$([ "$status" -eq 1 ] && says ".*; '$work/a folder/kvm-dax-check' $work/target says what a new file .*" ||
	echo "status $status, or it does not quote it")"
(cd / && PATH="$work:$PATH" kvm-dax-check "$work/dangling") >"$work/said" 2>&1 || true
result "the tool in PATH" "$(says ".*; kvm-dax-check $work/target says what a new file .*" || echo "it gives another name")"
mkfifo "$work/pipe"
paths="give a device-dax node, a file or a folder on a DAX file system"
refused "a pipe" "$work/pipe" "is neither a device-dax node nor a file or a folder; $paths"
ln -s loop "$work/loop"
refused "a loop of links" "$work/loop" "Too many levels of symbolic links; $paths"
refused "a file as a folder" /etc/passwd/x "Not a directory; $paths"
refused "no folder" "$work/none/x" "No such file or directory; $paths"
refused "no descriptor" /proc/self/fd/99 "No such file or directory; $paths"
refused "no device" /dev/dax99.9 "No such file or directory; daxctl list says .*"
refused "no block device" /dev/pmem99 "No such file or directory; ndctl list says .*"
processes
bash -c : & wait $!
no_process "process that has ended" $! "there is no process $!; .*"
coproc parent { exec perl -MPOSIX -e '$| = 1; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGCHLD)); $SIG{CHLD} = sub { $ended = 1 };
	my $child = fork // die; exit if !$child; sigsuspend(POSIX::SigSet->new) until $ended; print "$child\n"; <STDIN>' ; }
parent_pid=$!
read -r ended <&"${parent[0]}"
no_process "zombie" "$ended" "process $ended has ended, and its parent has not yet awaited it [(]zombie[)]; .*"
eval "exec ${parent[1]}>&-"
wait "$parent_pid" || true
under=("${not_root[@]}")
: >"$work/private"
chmod 600 "$work/private"
refused "no permission, and not DAX" "$work/private" "it is not DAX, as it.*"
refused "no permission in /proc" /proc/1/root "Permission denied; root can follow the links there; .*"
no_process "process of another user" $$ "process $$: its maps cannot be read: Permission denied; root can read them"
under=()
usage
end_tap
