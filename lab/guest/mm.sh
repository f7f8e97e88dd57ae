#!/usr/bin/env bash
# Puts DAX memory into each state that its struct pages can have, and prints one TAP result per step, not numbered.
# Takes the results' prefix, page_flags.ko, the programs dax-memory and dax_huge_page_test, an extended regular expression that names must
# match, dax_failure_test if the base has it, and in BAR a PCI device's memory that has struct pages. Leaves the namespaces as it found
# them, except for their content.
# Started by: make kselftest
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/ends.sh
. "$(dirname "$0")/ends.sh"

prefix=$1 module=$2 dax_memory=$3 guest=$4 only=${5:-.} failing=${6:-}
samples=16	# pages sampled in a range
cycles=3

# region_of BACKING: prints the region that a device-dax backing lies in.
region_of() {
	local dax
	dax=$(basename "$(readlink "/dax/$1")")
	dax=${dax#dax}
	echo "region${dax%.*}"
}

region=$(region_of devdax-2m)	# of the namespace that most steps use
blocks=/sys/devices/system/memory

fail() {
	echo "mm: $*" >&2
	exit 1
}

# step NAME FUNCTION...: runs a step, and prints its result. The last line of its output is what it measured, or why it failed.
step() {
	local name="mm $1" start=$SECONDS status=0 log pid
	grep -qE "$only" <<<"$prefix $name" || return 0
	log=$(mktemp)
	# Run it in the background, because set -e is off in a function whose status is tested.
	"${@:2}" >"$log" 2>&1 &
	pid=$!
	wait "$pid" || status=$?
	tap_line "$prefix $name" "$status" $((SECONDS - start)) "$log"
	rm "$log"
}

# field NAME: prints the first value of that name in ndctl's JSON on stdin.
field() { sed -nE "s/.*\"$1\":\"([^\"]+)\".*/\1/p" | head -n 1; }

# create WORDS: makes the region's namespace anew with these options of ndctl; sets namespace, and dax or disk.
create() {
	local said
	namespace=$(ndctl list -N -r "$region" | field dev)
	[ -z "$namespace" ] || said=$(ndctl destroy-namespace -f "$namespace" 2>&1) || fail "ndctl destroy-namespace: $said"
	said=$(ndctl create-namespace -r "$region" "$@" 2>&1) || fail "ndctl create-namespace $*: $said"
	namespace=$(field dev <<<"$said")
	dax=$(field chardev <<<"$said")
	disk=$(field blockdev <<<"$said")
}

load_module() { [ -e /sys/kernel/debug/page_flags ] || insmod "$module"; }

# flags FIRST END: prints the flags of some pages of the range of page frames from FIRST up to END, without END.
flags() {
	local i
	load_module
	for ((i = 0; i < samples; i++)); do
		echo $(($1 + ($2 - $1 - 1) * i / (samples - 1))) >/sys/kernel/debug/page_flags
		cat /sys/kernel/debug/page_flags
	done
}

# pages FIRST END: prints how many of such pages are reserved, of a device, and online.
pages() {
	local line reserved=0 zone_device=0 online=0
	while read -r line; do
		case $line in *reserved=1*) reserved=$((reserved + 1)) ;; esac
		case $line in *zone_device=1*) zone_device=$((zone_device + 1)) ;; esac
		case $line in *online=1*) online=$((online + 1)) ;; esac
	done < <(flags "$@")
	echo "reserved=$reserved zone_device=$zone_device online=$online"
}

# expect WHAT GOT WANT: fails unless GOT is WANT.
expect() {
	[ "$2" = "$3" ] || fail "$1: $2, expected $3"
}

data_pfn() { echo $(($(<"/sys/bus/dax/devices/$dax/resource") >> 12)); }
data_pages() { echo $(($(<"/sys/bus/dax/devices/$dax/size") >> 12)); }

# Prints the flags that some of the first $1 data pages have, each combination once.
data_flags() {
	flags "$(data_pfn)" $(($(data_pfn) + $1)) | grep -oE 'flags=.*' | sort -u | paste -sd ' '
}

# The pages of DAX memory have the same flags after a guest has written to it as after a program without KVM has.
untouched() {
	local without with
	create --mode=devdax --map=mem --align=2M
	"$dax_memory" "/dev/$dax"
	without=$(data_flags 512)
	create --mode=devdax --map=mem --align=2M
	"$guest" -s "dax:/dev/$dax" -c readback
	with=$(data_flags 4096)
	expect "flags of pages that a guest has written to" "$with" "$without"
	echo "$with"
}

# each_path COMMAND...: runs the command with a path of memory mapped by 4K, with one mapped by 2M, and with each file.
each_path() {
	local path count=0
	shopt -s nullglob
	for path in /dax/devdax-4k "/dev/$(ndctl list -N -r "$region" | field chardev)" /dax/fsdax-*/memory; do
		"$@" "$path"
		count=$((count + 1))
	done
	echo "mappings=$count"
}

# use WORD PATH: runs the program dax-memory with that word on PATH.
use() {
	echo "$2"
	"$dax_memory" "$2" "$1"
}

# poison WORD PATH...: makes a page of each path fail. The page's owner must be told, and find it unmapped.
poison() {
	local path count=0
	for path in "${@:2}"; do
		use "$1" "$path"
		count=$((count + 1))
	done
	echo "pages=$count"
}

# numa_maps PATH: DAX memory does not count as memory of a node, whether mapped by PTEs or by PMDs. Other memory does.
numa_maps() { expect "pages of a node in $1" "$("$dax_memory" "$1" numa)" "dax=0 anon=512"; }

# by_each_size WORD: uses each path, and also 1G pages. A warning of the kernel fails the machine.
by_each_size() {
	each_path use "$1"
	use "$1" /dax/devdax-1g
}

# A child's mappings need references of their own.
fork_guarded() {
	load_module
	by_each_size fork-guarded
}

# GUP takes the pages of a huge page in steps, and gives them back one by one. In the end each page has the references that it had.
read_by_gup() {
	load_module
	use read "$1"
}

# With the memmap on the device itself, the pages of the memmap are reserved, and those of the data are not.
altmap() {
	local start first memmap data
	create --mode=devdax --map=dev --align=4k
	start=$(($(<"/sys/bus/nd/devices/$namespace/resource") >> 12))
	first=$(data_pfn)
	# The first two pages hold the info block; their struct pages are never set up.
	memmap=$(pages $((start + 2)) "$first")
	data=$(pages "$first" $((first + $(data_pages))))
	expect "pages of the memmap" "$memmap" "reserved=$samples zone_device=$samples online=0"
	expect "pages of the data" "$data" "reserved=0 zone_device=$samples online=0"
	echo "memmap_pages=$((first - start - 2))"
}

# counts PFN PAGES: prints the different reference counts of some pages of a range.
counts() { flags "$1" $(($1 + $2)) | sed -nE 's/.* (count=-?[0-9]+) .*/\1/p; s/^(no|poisoned) page$/&/p' | sort -u | paste -sd ' '; }

# pin WAY: has dax-memory map the namespace's first 2M for the machine's device by WAY, which is vfio or iommufd. Sets pfn, pages and
# fresh, the references before, and what unpin and let_go need.
pin() {
	local device said
	device=$("$(dirname "$0")/vfio-setup.sh")
	[ -n "$device" ] || fail "the machine has no device to assign"
	pfn=$(data_pfn) pages=512
	fresh=$(counts "$pfn" "$pages")
	coproc "$dax_memory" "/dev/$dax" "$1" "$device"
	pid=$COPROC_PID
	# Copy the descriptors, because Bash forgets those of COPROC when the coprocess has ended.
	exec {from}<&"${COPROC[0]}" {to}>&"${COPROC[1]}"
	read -r said <&"$from" || fail "$1 does not map $dax"
	expect "charge of what $1 has mapped" "$said" mapped_kb=2048
	[ "$(counts "$pfn" "$pages")" != "$fresh" ] || fail "$1 has pinned nothing: $fresh"
}

# unpin WAY: has dax-memory unmap that, which must not be charged any more.
unpin() {
	local said
	echo >&"$to"
	read -r said <&"$from" || fail "$1 does not unmap $dax"
	expect "charge of what $1 has unmapped" "$said" unmapped_kb=0
}

# let_go WAY: ends dax-memory.
let_go() {
	echo >&"$to"
	wait "$pid" || fail "dax-memory with $1 ends with status $?"
	exec {from}<&- {to}>&-
}

# unbind_pinned WAY BIND: unbinds the driver of device-dax memory while VFIO has it pinned, and if BIND is bind, binds it again with a new
# memmap. VFIO must then give back the charge, but no pins: they went with the old memmap, and the new pages have none. Sets gone.
unbind_pinned() {
	local fresh pfn pages pid from to
	pin "$1"
	echo "$dax" >/sys/bus/dax/drivers/device_dax/unbind
	gone=$(counts "$pfn" "$pages")
	[ "$2" != bind ] || echo "$dax" >/sys/bus/dax/drivers/device_dax/bind
	unpin "$1"
	let_go "$1"
	[ "$2" = bind ] || echo "$dax" >/sys/bus/dax/drivers/device_dax/bind
	expect "references of the new memmap after $1" "$(counts "$pfn" "$pages")" "$fresh"
	"$dax_memory" "/dev/$dax"
}

# The memory's driver is unbound and bound again while VFIO has the memory pinned.
unbound() {
	local gone
	create --mode=devdax --map=mem --align=2M
	unbind_pinned vfio no
	unbind_pinned vfio bind
	echo "while_unbound=$gone"
}

# The same for memory that IOMMUFD has mapped by its file, which makes no difference. IOMMUFD keeps the file open, and a device that is
# open when its driver is bound again loses count of its openers. So the driver is bound when the memory is unmapped.
unbound_file() {
	local gone
	create --mode=devdax --map=mem --align=2M
	unbind_pinned iommufd no
	unbind_pinned iommufd no
	expect "memmap of memory without its driver" "$gone" "no page"
	echo "while_unbound=$gone"
}

# A guest's memory is mapped by its file, and unmapped. Then no page has more references than before, and its namespace can be destroyed at
# once, although dax-memory goes on with its iommufd. A namespace in use would keep ndctl waiting, or make it fail.
destroyed_file() {
	local fresh pfn pages pid from to log destroying
	create --mode=devdax --map=mem --align=2M
	"$guest" -s "dax:/dev/$dax" -c readback
	pin iommufd
	unpin iommufd
	expect "references of what iommufd has unmapped" "$(counts "$pfn" "$pages")" "$fresh"
	log=$(mktemp)
	ndctl destroy-namespace -f "$namespace" >"$log" 2>&1 &
	destroying=$!
	if waits "$destroying"; then
		cat "/proc/$destroying/stack" || true
		fail "ndctl destroy-namespace still waits (above), though iommufd has unmapped $dax"
	fi
	wait "$destroying" || fail "ndctl destroy-namespace, after iommufd has unmapped $dax: $(cat "$log")"
	rm "$log"
	expect "memmap of the destroyed namespace" "$(counts "$pfn" "$pages")" "no page"
	let_go iommufd
	create --mode=devdax --map=mem --align=2M
	expect "references of the new namespace" "$(counts "$pfn" "$pages")" "$fresh"
	"$dax_memory" "/dev/$dax"
	echo "$fresh"
}

# The same for memory that memmap= has made persistent. Its memmap stays, because a part of it has belonged to System RAM since boot.
outlived() {
	local gone said
	modprobe nd_e820
	region=$(basename /sys/devices/platform/e820_pmem/ndbus*/region*)
	namespace=namespace${region#region}.0
	said=$(ndctl create-namespace -f -e "$namespace" --mode=devdax --map=mem --align=2M 2>&1) || fail "ndctl create-namespace: $said"
	dax=$(field chardev <<<"$said")
	unbind_pinned vfio no
	unbind_pinned vfio bind
	expect "memmap of memory without its driver" "$gone" "poisoned page"
	echo "while_unbound=$gone"
}

memory_blocks() { printf '%s\n' "$blocks"/memory*/ | sort; }
total_kb() { sed -nE 's/^MemTotal: *([0-9]+) kB/\1/p' /proc/meminfo; }

# Does what daxctl reconfigure-device --mode=system-ram does, and undoes it.
system_ram() {
	local cycle before total new block pfn count word=new_id
	create --mode=devdax --map=mem --align=2M
	modprobe kmem
	before=$(memory_blocks)
	total=$(total_kb)
	block=$((0x$(<"$blocks/block_size_bytes")))
	pfn=$((($(data_pfn) * 4096 + block - 1) / block * block / 4096))
	for ((cycle = 0; cycle < cycles; cycle++)); do
		expect "pages of device-dax" "$(pages "$(data_pfn)" $(($(data_pfn) + $(data_pages))))" \
			"reserved=0 zone_device=$samples online=0"
		echo "$dax" >/sys/bus/dax/drivers/device_dax/unbind
		echo "$dax" >/sys/bus/dax/drivers/kmem/$word
		word=bind
		mapfile -t new < <(comm -13 <(echo "$before") <(memory_blocks))
		count=${#new[@]}
		[ "$count" -gt 0 ] || fail "kmem has added no memory"
		for block in "${new[@]}"; do
			[ "$(<"$block/state")" = online ] || echo online_movable >"$block/state"
		done
		expect "memory that was added" $(($(total_kb) - total)) $((count * 0x$(<"$blocks/block_size_bytes") / 1024))
		expect "pages of System RAM" "$(pages "$pfn" $((pfn + count * 0x$(<"$blocks/block_size_bytes") / 4096)))" \
			"reserved=0 zone_device=0 online=$samples"
		for block in "${new[@]}"; do
			echo offline >"$block/state"
		done
		echo "$dax" >/sys/bus/dax/drivers/kmem/unbind
		expect "memory blocks" "$(memory_blocks)" "$before"
		echo "$dax" >/sys/bus/dax/drivers/device_dax/bind
		"$dax_memory" "/dev/$dax"
	done
	echo "$dax" >/sys/bus/dax/drivers/kmem/remove_id
	echo "blocks=$count cycles=$cycles"
}

# Makes each kind of namespace, writes to it, and removes it.
namespaces() {
	local mode map align made=0
	for mode in devdax fsdax; do
		for map in mem dev; do
			for align in 4k 2M; do
				create --mode="$mode" --map="$map" --align="$align"
				case $mode in
				devdax) "$dax_memory" "/dev/$dax" ;;
				fsdax) dd if=/dev/zero "of=/dev/$disk" bs=2M count=8 oflag=direct status=none ;;
				esac
				made=$((made + 1))
			done
		done
	done
	echo "namespaces=$made"
}

# A page fails. Its users must be told, and nothing else may happen.
memory_failure() {
	create --mode=devdax --map=mem --align=2M
	ln -sfn "/dev/$dax" /dax/devdax-2m
	shopt -s nullglob
	poison poison /dax/devdax-* /dax/fsdax-*/memory
}

# mount_new PLACE TYPE [OPTION]...: makes a file system on the namespace with these options, and mounts it at PLACE.
mount_new() {
	local place=$1 type=$2 said
	shift 2
	create --mode=fsdax --map=mem
	said=$("mkfs.$type" -q "$@" "/dev/$disk" 2>&1) || fail "mkfs.$type: $said"
	mkdir "$place"
	mount -t "$type" -o dax "/dev/$disk" "$place"
}

# unmount_new PLACE: undoes mount_new. The disk is good again, because its driver is bound anew.
unmount_new() {
	umount "$1"
	rmdir "$1"
	create --mode=devdax --map=mem --align=2M
	ln -sfn "/dev/$dax" /dax/devdax-2m
}

# failing_file CASE TYPE [OPTION]...: runs a case of dax_failure_test on a file of a file system that is made with these options.
failing_file() {
	local case=$1 place=/dax/$1 said status=0
	mount_new "$place" "${@:2}"
	fallocate -l 16M "$place/memory"
	said=$("$failing" -s "dax:$place/memory" -c "$case" 2>&1) || status=$?
	unmount_new "$place"
	echo "$said"
	[ "$status" -eq 0 ] || return "$status"
	sed -nE 's/^ok [0-9]+ [^ ]+ [^ ]+ //p' <<<"$said"
}

# A file that is the memory of a guest has a bad block. KVM_RUN must tell the guest's process.
bad_block() {
	failing_file bad-block ext4 -b 4096 -E nodiscard -m 0 -O bigalloc -C 2M
}

# A block fails that two files share, on a file system that does not know who uses a block. So nobody can be told.
shared_block() {
	failing_file shared-block xfs -f -K -m reflink=1,rmapbt=0
}

# Uses 1G pages in a namespace that does not begin at a multiple of 1G, such as the second one of a region.
offset_1g() {
	local first said written start
	region=$(region_of devdax-1g)
	create --mode=raw --size=256M
	first=$namespace
	said=$(ndctl create-namespace -r "$region" --mode=devdax --map=mem --align=1G --size=3G 2>&1) || fail "ndctl create-namespace: $said"
	namespace=$(field dev <<<"$said")
	dax=$(field chardev <<<"$said")
	written=$("$dax_memory" "/dev/$dax")
	start=$(($(<"/sys/bus/nd/devices/$namespace/resource") % (1 << 30) >> 20))
	[ "$start" -ne 0 ] || fail "$namespace begins at a multiple of 1G"
	ndctl destroy-namespace -f "$first" >/dev/null
	create --mode=devdax --map=mem --align=1G
	ln -sfn "/dev/$dax" /dax/devdax-1g
	echo "offset=${start}M $written"
}

# A guest in memory that is mapped by pfn must go on working if its page has no reference.
unreferenced_bar() {
	local start interrupts
	[ -n "${BAR:-}" ] || fail "no PCI device has p2pmem"
	load_module
	read -r start _ < <(sed -n "$((${BAR##*resource} + 1))p" "${BAR%/*}/resource")
	for interrupts in off on; do
		"${module%/*}/unreferenced" "$BAR" $((1 << 20)) 0 "$interrupts" $((start >> 12))
	done
}

# A guest runs in a huge page whose first page has no reference, as while its disk is unbound. KVM must not take that first page. The
# guest writes to the 17th page: KVM also maps the 4K around a 4K that it maps, and GUP has a BUG for a page without a reference.
unreferenced_first() {
	local interrupts
	create --mode=devdax --map=mem --align=2M
	load_module
	for interrupts in off on; do
		"${module%/*}/unreferenced" "/dev/$dax" $((2 << 20)) $((64 << 10)) "$interrupts"
	done
}

# A page of a file on XFS fails while its entry is locked. The task that waits for the entry must not block others, and can be killed.
failure_waits() {
	[ -e /sys/kernel/debug/dax_entry ] || insmod "${module%/*}/dax_entry.ko"
	"${module%/*}/failure-waits" /dax/fsdax-xfs/failure-waits
	rm /dax/fsdax-xfs/failure-waits
}

# Of two files with the same content, one has a bad block. They cannot be compared, and so must not be deduplicated.
dedupe_bad_block() {
	local place=/dax/dedupe sector said status=0
	mount_new "$place" xfs -f -K -m reflink=1
	for file in one other; do
		dd if=/dev/zero "of=$place/$file" bs=64K count=1 conv=fsync status=none
	done
	sector=$(filefrag -b512 -v "$place/other" | sed -nE 's/^ +0: +0\.\. +[0-9]+: +([0-9]+)\.\..*/\1/p')
	[ -n "$sector" ] || fail "filefrag does not say where the file is"
	echo "$sector 8" >"/sys/class/block/$disk/badblocks"
	# Ignore the status, which tells only of the command line.
	said=$(xfs_io -c "dedupe $place/one 0 0 65536" "$place/other" 2>&1) || status=$?
	unmount_new "$place"
	[[ $said == *'Input/output error'* || $said == *'Memory page has hardware error'* ]] || fail "FIDEDUPERANGE ends with: $said"
	echo "errno=$(sed -nE 's/.*: (.)/\1/p' <<<"$said" | tr ' ' -)"
}

# A driver pins memory page by page, as mediated devices do. The memory is mapped by 4K, and by 2M.
mediated() {
	local path
	create --mode=devdax --map=mem --align=2M
	modprobe vfio_iommu_type1
	insmod "${module%/*}/vfio_pins.ko"
	for path in /dax/devdax-4k "/dev/$dax"; do
		"${module%/*}/vfio-mediated" "$path"
	done
	rmmod vfio_pins
}

step "untouched" untouched
# The lab's kernel of v5.4 has no NUMA.
[ ! -e /proc/self/numa_maps ] || step "numa-maps" each_path numa_maps
# MADV_COLD has nothing to do for DAX memory, which stays mapped. 1G pages are left out: v5.4 and the stock kernels split, i.e. unmap them.
# For the series of the other bases, dax_huge_page_test has a case.
step "cold" each_path use cold
step "protected" by_each_size protect
! base_has protected-1g || step "protected-read" by_each_size protect-read
! base_has wp-async || step "userfaultfd" by_each_size userfaultfd
! base_has guards || step "fork-guarded" fork_guarded
step "read-by-gup" each_path read_by_gup
step "reserved-altmap" altmap
step "reserved-system-ram" system_ram
! base_has vfio-release || step "vfio-unbound" unbound
! base_has vfio-iommufd || step "iommufd-unbound" unbound_file
! base_has vfio-iommufd || step "iommufd-destroyed" destroyed_file
[ ! -e "${module%/*}/vfio_pins.ko" ] || step "vfio-mediated" mediated
# Such memory exists only with KERNEL_WORDS='memmap=64M!0x28000000' or the like.
! grep -q 'Persistent Memory (legacy)' /proc/iomem || step "vfio-outlived" outlived
step "namespaces" namespaces
step "memory-failure" memory_failure
! base_has protected-1g || step "protected-failure" poison protect-poison /dax/devdax-*
[ ! -e "$failing" ] || step "bad-block" bad_block
step "unreferenced-bar" unreferenced_bar
base_has huge-page-count || step "unreferenced-first" unreferenced_first
! base_has shared-blocks || step "failure-waits" failure_waits
! base_has shared-blocks || step "dedupe-bad-block" dedupe_bad_block
# These come last, because each crashes a kernel that does not expect it: the first one v7.3's, the second one v6.12's.
step "offset-1g" offset_1g
[ ! -e "$failing" ] || ! base_has shared-blocks || step "shared-block" shared_block
