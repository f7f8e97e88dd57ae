#!/usr/bin/env bash
# Sees that kvm-dax-check says of each DAX backing, with huge pages and without, and of what is none, what holds there, that QEMU takes the options which it
# prints, and that it finds the entries of the guest that QEMU then runs. Prints one TAP result per case.
# Takes nothing: make run JOB=lab/guest/preflight.sh
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"
limit=60	# seconds for QEMU to start, and for its BIOS to use memory; 10 are usual
work=$(mktemp -d)
guest='' passed=0 failed=0
trap '[ -z "$guest" ] || kill -9 "$guest" || true; rm -rf "$work"' EXIT
here=$(dirname "$0")
gcc -O2 -o "$work/kvm-dax-check" "$here/../../tools/kvm-dax-check.c"
gcc -O2 -o "$work/without-huge-pages" "$here/without-huge-pages.c"
gcc -O2 -o "$work/dax-memory" "$here/dax-memory.c"
under=()	# what runs the check and QEMU

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

# path NAME PATH LINE...: what it says of a path that a guest can have; the options for QEMU go to options.
path() {
	local name=$1 path=$2 line status=0
	shift 2
	"${under[@]}" "$work/kvm-dax-check" "$path" >"$work/said" 2>&1 || status=$?
	options=$(sed -n 's/^QEMU: //p' "$work/said")
	[ "$status" -eq 0 ] || { result "$name" "status $status"; return 1; }
	for line; do
		says "$line" || { result "$name" "it does not say: $line"; return 1; }
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

# no_access NAME PATH: that a process cannot have it.
no_access() {
	local status=0
	# The shell would say of the signal, too.
	{ "${under[@]}" "$work/dax-memory" "$2" >"$work/said" 2>&1; } 2>/dev/null || status=$?
	if [ "$status" -eq 135 ]; then result "$1"; else result "$1" "status $status, not 135, that of SIGBUS"; fi
}

# running NAME PATH: of a guest with the options that it has printed, until its BIOS has used memory.
running() {
	local name=$1 path=$2 deadline=$((SECONDS + limit)) by_size large='[1-9][0-9]*' reason=''
	case $name in
	devdax-4k | *' without-huge-pages') large=0 by_size='0 of 2M, 0 of 1G' ;;
	devdax-1g) by_size="[0-9]+ of 2M, $large of 1G" ;;
	*) by_size="$large of 2M, 0 of 1G" ;;
	esac
	# shellcheck disable=SC2086
	"${under[@]}" qemu-system-x86_64 -accel kvm -nodefaults -display none $options >"$work/qemu" 2>&1 </dev/null &
	guest=$!
	until "$work/kvm-dax-check" -p "$guest" >"$work/said" 2>&1 &&
		says "vm .*: ([1-9][0-9]* entries of 4K, $by_size, [0-9]+ faults|$large entries of 2M or 1G; .*)"; do
		if ! kill -0 "$guest" 2>/dev/null; then
			cat "$work/qemu" >"$work/said"
			reason="QEMU does not take: $options"
		elif [ "$SECONDS" -ge "$deadline" ]; then
			reason="the entries are not as expected within $limit s"
		fi
		[ -z "$reason" ] || break
		sleep 0.1
	done
	[ -n "$reason" ] || says "mapping: 0x[0-9a-f]+, [0-9]+[KMG], $path" || reason="it does not name the mapping of $path alone"
	kill -9 "$guest" 2>/dev/null || true
	wait "$guest" 2>/dev/null || true
	guest=''
	result "$name guest" "$reason"
}

for backing in "${backings[@]}"; do
	case $backing in
	devdax-*)
		size=${backing#devdax-} size=${size^^}
		memory=$(realpath "/dax/$backing")
		path "$backing" "$memory" "$memory: device-dax, alignment $size, .*" "expected: $size entries.*" &&
			running "$backing" "$memory"
		[ "$size" != 4K ] || continue
		under=("$work/without-huge-pages")
		refused "$backing without-huge-pages" "$memory" "cannot be accessed, as prctl"
		no_access "$backing without-huge-pages access" "$memory"
		under=()
		;;
	fsdax-*)
		memory=/dax/$backing/preflight
		: >"$memory"
		refused "$backing empty" "$memory" "is empty; fallocate"
		truncate -s 64M "$memory"
		path "$backing hole" "$memory" "holes: 65536K of the file have no blocks yet, .*" "expected: 4K entries" || true
		fallocate -l 64M "$memory"
		path "$backing" "$memory" "$memory: file on a DAX file system, 64M" "2M-aligned extents: 64M of 64M; .*" \
			"expected: 2M entries" "assigned devices: not with a file .*" && running "$backing" "$memory"
		under=("$work/without-huge-pages")
		path "$backing without-huge-pages" "$memory" "expected: 4K entries, as prctl.*" && running "$backing without-huge-pages" "$memory"
		under=()
		rm "$memory"
		;;
	esac
done
truncate -s 64M "$work/memory"
refused "no dax" "$work/memory" "is not DAX"
refused "no device-dax" /dev/zero "is a character device, but not of device-dax"
refused "a folder" "$work" "neither a device-dax node nor a file"
refused "nothing" "$work/none" "No such file"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
