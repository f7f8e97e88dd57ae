#!/usr/bin/env bash
# Runs the selftests of one MMU mode on the DAX backings, in the machine. Prints one TAP result per test, not numbered.
# Takes a mode (see -h), the folder of the built selftests, which of its targets to run, an optional extended regular expression that
# names must match, and the folder of the programs and modules that the lab has built for some parts.
# Started by: make kselftest and make soak
set -euo pipefail
# shellcheck source=lab/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"
# shellcheck source=lab/guest/ends.sh
. "$(dirname "$0")/ends.sh"

if [ $# -lt 3 ]; then
	# shellcheck source=lab/lib/help.sh
	(. "$(dirname "$0")/../lib/help.sh")
	echo "usage: ${0##*/} MODE SELFTESTS TARGETS [REGEX [BUILT]]; MODE is one of:"
	plan mode | sed -E 's/^([^|]+)\|.*\|/  \1\t/' | expand -t 24
	case ${1:-} in
	-h | --help) exit ;;
	esac
	exit 2
fi
mode=$1 selftests=$2 targets=$3 only=${4:-.} built=${5:-}
kvm=$selftests/kvm
plan mode | grep "^$mode|" >/dev/null || { echo "run-tests: no such mode: $mode" >&2; exit 2; }
what=$(plan parts | sed -n "s/^$mode|//p")
# KVM gets the parameters of this mode. A nested machine gets the name in its lines, and what to run, from the outer one.
of_kvm=$mode
mode=${LABEL:-$mode} what=${PARTS:-$what}
IFS=, read -ra backings <<<"$LAB_BACKINGS"
# A kernel that checks itself needs more time: a multiple of each limit.
slower=1
[ ! -e /proc/lockdep ] || slower=$(plan_value slower)
limit=$(($(plan_value limit) * slower))
limit_cases=$(($(plan_value limit-cases) * slower))
limit_pairs=$(($(plan_value limit-pairs) * slower))

# load_kvm MODE: loads KVM with the parameters of this mode. session.sh has left that to this script.
load_kvm() {
	local vendor=kvm_amd paging=npt kvm_parameters vendor_parameters
	[ "${CPU:-amd}" != arm64 ] || return 0
	IFS='|' read -r _ kvm_parameters vendor_parameters _ < <(plan mode | grep "^$1|")
	grep -q vmx /proc/cpuinfo && vendor=kvm_intel paging=ept
	modprobe -r kvm_amd kvm_intel kvm 2>/dev/null || true
	! grep -q '^kvm ' /proc/modules || { not_ok "$mode KVM is in use, and keeps its parameters"; return 1; }
	# shellcheck disable=SC2086
	modprobe kvm $kvm_parameters
	# shellcheck disable=SC2086
	modprobe "$vendor" ${vendor_parameters/paging/$paging}
}

# limited SECONDS COMMAND...: runs a command for at most SECONDS, or longer on a slow host. If it takes too long, prints where its threads
# are, ends it, and returns 124, as timeout does. Does not wait forever if the kernel does not let it end. The command's output is also
# ours. The tests of the series have their own time limits for a loop that never ends.
limited() {
	local seconds=$1 test status task signal output=/proc/$BASHPID/fd/1
	shift
	"$@" </dev/null {progress}>&- &
	test=$!
	! ends "$test" $(((seconds + 9) / 10)) 60 "$output" "$mode ${name:-}" || return "$status"
	echo "its threads:"
	for task in /proc/"$test"/task/*; do
		echo "$(sed -nE 's/^(Name|State|Cpus_allowed_list):\t(.*)/\2/p' "$task/status" | paste -sd ' ') $(cut -d ' ' -f 14,15,39 "$task/stat")"
		cat "$task/stack"
	done
	for signal in TERM KILL; do
		kill -s "$signal" "$test" 2>/dev/null || true
		! ends "$test" 3 60 "$output" "$mode ${name:-}" || return 124
	done
	echo "it cannot be killed"
	return 124
}

# last_words STATUS LOG: prints the last lines of a test's output; if the test took too long, all of it, with the threads.
last_words() {
	tail -n "$([ "$1" -eq 124 ] && echo +1 || echo 20)" "$2" | sed 's/^/# /'
}

# counted LOG: prints the page faults that pre_fault_memory_test has counted, those of its last kind of VM.
counted() { sed -nE 's/^0x[0-9a-f]+ bytes take ([0-9]+) page faults, and ([0-9]+) if prefaulted$/ faults=\1 prefaulted_faults=\2/p' "$1" | tail -n 1; }

# result NAME STATUS SECONDS LOG: prints the TAP line of a test that prints none itself.
result() {
	case $2 in
	0) ok "$mode ${1% }$(counted "$4") seconds=$3" ;;
	4) skip "$mode $1" "$(grep -iE 'skip|require' "$4" | tail -n 1 | sed 's/^.*SKIP *//')" ;;
	*)
		last_words "$2" "$4"
		not_ok "$mode $1 status=$2 seconds=$3"
		;;
	esac
}

# chosen NAME: succeeds if the test is to run: TESTS matches its name, or one of its lines, for which test-names.sh has put it in ALSO.
chosen() { grep -qE "$only" <<<"$mode $1" || grep -qxF -- "$mode $1" <<<"${ALSO:-}"; }

# chosen_lines NAME: prints those lines on stdin, a test's output, that TESTS matches as they stand or without their values; also
# comments. If TESTS matches the test's name, prints all lines.
chosen_lines() {
	if grep -qE "$only" <<<"$mode $1"; then cat; return; fi
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			sed -E 's/^(not )?ok //; h; s/^([^ ]+ .*[^ ]) +(#|[a-z_0-9]+=).*/\1/; H; g' <<<"$line" | grep -qE "$only" || continue
			;;
		esac
		printf '%s\n' "$line"
	done
}

run() {
	local name=$1 start=$SECONDS status=0 runs=0 log
	shift
	chosen "$name" || return 0
	log=$(mktemp)
	while [ "$runs" -lt "${REPEAT:-1}" ] && [ "$status" -eq 0 ]; do
		runs=$((runs + 1))
		limited "$limit" "$@" >"$log" 2>&1 || status=$?
	done
	[ "$runs" -eq 1 ] || name+=" runs=$runs"
	result "$name" "$status" $((SECONDS - start)) "$log"
	rm "$log"
}

# program TEST: prints the test's path. Tests that run only on x86 have their own folder, x86, or x86_64 in older kernels.
program() {
	local path
	for path in "$kvm"/{,x86/,x86_64/}"$1"; do
		! there "$path" || break
	done
	echo "$path"
}

# there PROGRAM: succeeds if the tree has the test, which it lacks without some patches. One that was not built counts, and fails.
there() { [ -e "$1" ] || [ -e "$1.c" ]; }

# path BACKING: prints the path for a test: the device, or on a file system, a file that fills most of it.
path() {
	case $1 in
	devdax-*) echo "/dax/$1" ;;
	fsdax-*) echo "/dax/$1/memory" ;;
	esac
}

# tap NAME WORDS PREFIX COMMAND...: runs a test that prints TAP lines, and replaces what matches WORDS in their names with PREFIX. If a
# case is skipped, kselftest prints its name and a colon after the word SKIP; in v5.4 such a line begins with "not ok".
tap() {
	local name=$1 words=$2 prefix=$3 start=$SECONDS status=0 log lines
	shift 3
	there "$1" && chosen "$name" || return 0
	log=$(mktemp)
	limited "$limit_cases" "$@" >"$log" 2>&1 || status=$?
	lines=$(sed -nE "s/^(not )?ok [0-9]+ # SKIP $words([^:]*): /ok $mode $prefix\2 # SKIP /p; t
		s/^(not )?ok [0-9]+ # SKIP /ok $mode $prefix# SKIP /p; t
		s/^(ok|not ok) [0-9]+ $words/\1 $mode $prefix/p; /^# /p" "$log")
	chosen_lines "$name" <<<"$lines"
	echo "# $mode $name: $((SECONDS - start)) s"
	# Report an exit status that the lines do not explain.
	if [ "$status" -eq 4 ]; then
		skip "$mode $name" "$(tail -n 1 "$log")"
	elif ! grep -q "^$([ "$status" -eq 0 ] || echo 'not ')ok" <<<"$lines"; then
		last_words "$status" "$log"
		not_ok "$mode $name status=$status and no line says why"
	elif [ "$status" -eq 124 ]; then
		last_words "$status" "$log"
	fi
	rm "$log"
}

levels() {
	tap "$1 dax_huge_page_test" '[^ ]+ ' "$1 " "$(program dax_huge_page_test)" -s "dax:$(path "$1")"
}

# Runs a guest whose whole memory is that of the backing, and for comparison, one on anonymous memory.
stage2() {
	local backing memory
	for backing in anon "${backings[@]}"; do
		memory=$(path "$backing")
		tap "$backing" '[^ ]+ ' "$backing " "$built/arm64-guest" "${memory:-anon}"
	done
}

# Checks the page table entries themselves: all of one size, with the page frames that belong there, and write-back.
leaves() {
	local name="$1 leaves" start=$SECONDS status=0 log
	grep -qE "$only" <<<"$mode $name" || return 0
	log=$(mktemp)
	limited "$limit" "$(dirname "$0")/leaves.sh" "$1" "$built" >"$log" 2>&1 || status=$?
	tap_line "$mode $name" "$status" $((SECONDS - start)) "$log"
	rm "$log"
}

# Searches what hibernation writes to the disk for DAX memory. Needs CONFIG=dump.
hibernation() {
	[ -e /sys/power/disk ] && grep -qE "$only" <<<"$mode hibernation" || return 0
	local order
	read -ra order <<<"$(plan_value hibernation)"
	"$(dirname "$0")/hibernation.sh" "$mode" "$built/memory-image" "$(program dax_huge_page_test)" "$only" "${order[@]}"
}

# left_out PART: prints a line for each test that the plan skips in this part.
left_out() {
	local part name reason
	plan skip | while IFS='|' read -r part name reason; do
		[ "$part" != "$1" ] || ! chosen "$name" || skip "$mode $name" "$reason"
	done
}

# race_test NAME BACKING LIMIT WORDS...: runs dax_race_test, in which others remove memory while the guest uses it. Without a given seed,
# each run has a new one.
race_test() {
	local name="$1 $2" test start=$SECONDS status=0 log said
	test=$(program dax_race_test)
	there "$test" && grep -qE "$only" <<<"$mode $name" || return 0
	log=$(mktemp)
	limited "$3" "$test" "${@:4}" -s "dax:$(path "$2")" >"$log" 2>&1 || status=$?
	grep -E '^# (mismatch|not tested)' "$log" || true
	said=$(grep '^seed=' "$log" || true)
	# The test skips what it cannot test. In this machine it can test everything, so a skip is a failure.
	if [ "$status" -eq 0 ] || { [[ $status -eq 1 || $status -eq 4 ]] && grep -q '^seed=' "$log"; }; then
		# If clones are refused, the test leaves them out without a message.
		if [[ $2 = fsdax-xfs && -z "${RACE_OPERATION:-}" && $said != *' clone='* ]] && base_has shared-blocks; then
			status=1
			echo "# no clone was made"
		fi
		echo "$([ "$status" -eq 0 ] || echo 'not ')ok $mode $name $said"
	else
		result "$name $(grep -o 'seed=[0-9]*' "$log" | head -n 1)" "$status" $((SECONDS - start)) "$log"
	fi
	rm "$log"
}

# Runs the race for a few seconds, which are enough to show that each operation works. A soak runs longer.
race() {
	local seconds=${RACE_SECONDS:-$(plan_value race-seconds)}
	race_test race "$1" $((limit + 5 * seconds * slower)) -t "$seconds" ${RACE_OPERATION:+-o "$RACE_OPERATION"} ${RACE_SEED:+-S "$RACE_SEED"}
}

# Runs each pair of operations, one right after the other, which takes minutes.
race_pairs() {
	race_test race-pairs "$1" "$limit_pairs" -p -t $((limit_pairs * 3 / 4))
}

# Tests memory that fails or is removed.
failure() {
	tap "failure $1" '[^ ]+ ' "failure $1 " "$(program dax_failure_test)" -s "dax:$(path "$1")"
	[ "$1" != fsdax-xfs ] || quota "$1"
}

# mount_anew PLACE OPTIONS: unmounts the file system at PLACE, and mounts it with these options.
mount_anew() {
	local disk
	disk=$(findmnt -no SOURCE "$1")
	umount "$1" && mount -o "$2" "$disk" "$1"
}

# Tests a file whose owner has no quota left. XFS counts blocks only if it is mounted with uquota.
quota() {
	chosen "failure $1" && there "$(program dax_failure_test)" || return 0
	mount_anew "/dax/$1" dax,uquota || { not_ok "$mode failure $1 quota: XFS cannot be mounted with uquota"; return 0; }
	tap "failure $1" '[^ ]+ ' "failure $1 " "$(program dax_failure_test)" -s "dax:$(path "$1")" -c quota
	mount_anew "/dax/$1" dax
}

# case_1g NAME: runs one case of dax_1g_test on a new file system, because each case, most of all the race, leaves metadata in the GiBs.
# The test's own limit (-T) ends a case that is only slow, so limited() watches it instead.
case_1g() {
	chosen "1g $1" || return 0
	new_file_system fsdax-xfs-1g
	tap "1g $1" '1g [^ ]+ ' '1g ' "$selftests/dax/dax_1g_test" -s "dax:$(path fsdax-xfs-1g)" -c "$1" -T 36000 \
		${RACE_SECONDS:+-t "$RACE_SECONDS"} ${RACE_SEED:+-S "$RACE_SEED"}
}

# Runs the race of files that are mapped by 1G. Then makes the large file that the other race needs.
race_1g() {
	case_1g race
	fallocate -l "$(plan_value file-size)" "$(path fsdax-xfs-1g)"
}

# Runs race_pairs on each backing, then the races of all backings again and again. Fails if a line is not ok, or none is ok.
soak() {
	local end backing one log selected=()
	log=$(mktemp)
	for backing in "${backings[@]}"; do
		! grep -qE "$only" <<<"$mode race $backing" || selected+=("race $backing")
	done
	[ "$mode" != files-1g ] || ! chosen '1g race' || selected+=(race_1g)
	[ "$mode" != files-1g ] || ! chosen 'guest-race fsdax-xfs-1g' || selected+=(race_guest_1g)
	{
		for backing in "${backings[@]}"; do
			race_pairs "$backing"
		done
		end=$((SECONDS + SOAK_SECONDS))
		while [ "$SECONDS" -lt "$end" ] && [ "${#selected[@]}" -gt 0 ]; do
			for one in "${selected[@]}"; do
				$one
			done
		done
	} | tee "$log"
	! grep -q '^not ok' "$log" && grep -q '^ok' "$log"
}

# 2M pages can be reserved at any time. The 1G page comes from the kernel's command line, where the machine has enough memory.
hugetlb() {
	local huge=/proc/sys/vm/nr_hugepages huge_before size
	huge_before=$(<"$huge")
	echo $((huge_before + 32)) >"$huge"
	for size in $(plan_value hugetlb); do
		tap "hugetlb-${size,,} dax_huge_page_test" '[^ ]+ ' "hugetlb-${size,,} " "$(program dax_huge_page_test)" -s "hugetlb:$size"
	done
	echo "$huge_before" >"$huge"
}

# Writes to all files for the tests of speed, because the first write to a page is slow if its extent is unwritten.
fill_files() {
	local file
	for file in /dax/fsdax-*/memory; do
		dd if=/dev/zero of="$file" bs=2M conv=notrunc,fsync count=$(($(stat -c %s "$file") >> 21)) status=none
	done
}

others() {
	local backing=$1 part test arguments dax
	# Without the patches of the series, the library takes no DAX memory as a backing.
	grep -q '"dax' "$kvm/lib/test_util.c" || return 0
	dax=$(path "$backing")
	while IFS='|' read -r part test arguments; do
		[ "$part" = others ] || continue
		arguments=" $arguments"
		# Without -t, this test does not wait long enough for 4K pages.
		[[ $test != memslot_perf_test || $backing != devdax-4k || $arguments != *'-f 5'* || $arguments = *'-t '* ]] || continue
		# shellcheck disable=SC2086
		run "$backing ${test##*/}${arguments%-? dax:*}" "$(program "$test")" ${arguments//'{}'/$dax}
	done < <(plan test)
}

# Sets p2pdma to the PCI device that has p2pdma pages, the NVMe controller; or fails, and sets it to the reason. The driver makes the
# pages some time after it is loaded, and before the controller is live. Nothing tells if it gives up, so wait very long, but only once.
find_p2pdma() {
	local path live deadline=$((SECONDS + 600))
	modprobe nvme
	[ -z "${no_p2pdma:-}" ] || deadline=$SECONDS
	while :; do
		live=$(grep -lxsE 'live|dead' /sys/class/nvme/nvme*/state </dev/null || true)
		for path in /sys/bus/pci/devices/*/p2pmem; do
			p2pdma=${path%/p2pmem}
			return 0
		done
		[[ -z $live && $SECONDS -lt $deadline ]] || break
		sleep 0.1
	done
	no_p2pdma=1
	p2pdma="no PCI device has p2pmem"
	return 1
}

# Prints the device's BAR that is as large as its p2pdma memory.
p2pdma_resource() {
	local path
	for path in "$p2pdma"/resource[0-5]; do
		[ "$(stat -c %s "$path")" -ne "$(<"$p2pdma/p2pmem/size")" ] || echo "$path"
	done
}

existing() {
	local test
	for test in $(plan test | sed -n 's/^existing|//p'); do
		run "${test##*/}" "$(program "$test")"
	done
}

# Tests what KVM tells a VMM whose guest touches memory that cannot be allocated. Needs no DAX memory.
async() { run async_pf_fault_test "$(program async_pf_fault_test)"; }

# every_backing [PREFIX]: sets arguments to all backings, or to those whose names begin with PREFIX, for a test that takes them at once.
every_backing() {
	local backing
	arguments=()
	for backing in "${backings[@]}"; do
		[[ $backing != "${1:-}"* ]] || arguments+=(-s "dax:$(path "$backing")")
	done
}

# A machine without a device to assign runs the test without -d.
vfio() {
	local device arguments huge=/proc/sys/vm/nr_hugepages huge_before cycles test=$selftests/vfio/vfio_dax_test
	there "$test" && { chosen vfio_dax_test || chosen 'vfio_dax_test many' || chosen 'vfio_dax_test iommufd'; } || return 0
	cycles=$(plan_value vfio-cycles)
	device=$("$(dirname "$0")/vfio-setup.sh") || { not_ok "$mode vfio no device"; return 0; }
	every_backing
	if find_p2pdma; then arguments+=(-p "$(p2pdma_resource)"); else not_ok "$mode vfio p2pdma: $p2pdma"; fi
	huge_before=$(<"$huge")
	echo $((huge_before + 8)) >"$huge"
	tap vfio_dax_test '' '' "$test" ${device:+-d "$device"} "${arguments[@]}"
	# Find leaks that are small, or that only some cycles have.
	tap 'vfio_dax_test many' 'vfio ' "vfio cycles=$cycles " \
		"$test" -c "$cycles" ${device:+-d "$device"} -s "dax:$(path devdax-2m)"
	! base_has vfio-iommufd ||
		tap 'vfio_dax_test iommufd' '' '' "$test" -i ${device:+-d "$device"} "${arguments[@]}"
	echo "$huge_before" >"$huge"
}

# Tests what adds a reference to a DAX page. Comes before vfio(), which on a stock kernel leaves references behind.
references() {
	local device arguments test=$selftests/dax/dax_references_test
	there "$test" && chosen references || return 0
	device=$("$(dirname "$0")/vfio-setup.sh") || { not_ok "$mode references vfio no device"; return 0; }
	every_backing
	# shellcheck disable=SC2046
	tap references '' '' "$test" ${device:+-d "$device"} "${arguments[@]}" $(plan_value references)
}

# Tests who owns the page of a file to which only a pipe refers. Before v7.3, no such page has only one reference.
splice() {
	local arguments
	every_backing fsdax-
	tap splice '' '' "$selftests/dax/dax_splice_test" "${arguments[@]}"
}

# Tests whether fsync() writes back what was written before a hole was punched, and the like. Kernels before v7.3 have no such test.
writeback() {
	local arguments test=$selftests/dax/dax_writeback_test
	there "$test" || return 0
	every_backing fsdax-
	tap writeback '' '' "$test" "${arguments[@]}"
}

# guest_1g [MODE]: runs a guest whose memory is a file that is mapped by 1G. With MODE, loads KVM as in that mode, and leaves it so.
guest_1g() {
	local name="guest fsdax-xfs-1g${1:+ $1}" device
	chosen "$name" || return 0
	device=$("$(dirname "$0")/vfio-setup.sh") || true
	[ -n "$device" ] || { not_ok "$mode $name no device"; return 0; }
	new_file_1g 1
	[ -z "${1:-}" ] || load_kvm "$1"
	# The guest leaves a file that is mapped by 2M, so REPEAT doesn't run it again.
	REPEAT=1 run "$name" "$built/files-1g-guest" "$(path fsdax-xfs-1g)" 1g "$device"
}

# Changes such a file, its mapping and its memslot, while a guest uses it. Then makes the file as large as the other races need it.
race_guest_1g() {
	local name='guest-race fsdax-xfs-1g' seed=${RACE_SEED:-$(date +%s)}
	chosen "$name" || return 0
	new_file_1g 1
	echo "# $mode $name: seed=$seed"
	tap "$name" '' "$name " "$built/files-1g-race" "$(path fsdax-xfs-1g)" "${RACE_SECONDS:-$(plan_value race-seconds)}" "$seed"
	fallocate -l "$(plan_value file-size)" "$(path fsdax-xfs-1g)"
}

# Tests a file that is mapped by 1G, and a guest whose memory it is.
files() {
	local case other test=$selftests/dax/dax_1g_test
	there "$test" || return 0
	guest_1g
	for other in $(plan_value 'guest files-1g'); do
		guest_1g "$other"
	done
	load_kvm "$of_kvm"
	race_guest_1g
	for case in $("$test" -h | sed -n '/^ -c:/,/^ -d:/s/^     //p'); do
		case_1g "$case"
	done
}

# Tests whether the kernel tracks each page of a file whose blocks others share. Comes last: a failure may keep the file system busy.
shared() {
	local arguments
	every_backing fsdax-
	# ext4 cannot clone. On XFS, count a skip as a failure, because it would hide one.
	tap shared '' '' "$selftests/dax/dax_shared_test" "${arguments[@]}" |
		sed -E 's/^ok ([^ ]+ shared fsdax-xfs [^ ]+) # SKIP/not ok \1/'
}

# Tests which pages have PG_reserved set.
reserved() {
	local arguments test=$selftests/dax/dax_reserved_test
	there "$test" && chosen reserved || return 0
	every_backing
	# v5.4 cannot allocate p2pdma pages from user space, nor show the flags of a page without a module.
	if ! find_p2pdma; then
		not_ok "$mode reserved p2pdma: $p2pdma"
	elif [ -e "$p2pdma/p2pmem/allocate" ]; then
		arguments+=(-p "$p2pdma/p2pmem/allocate")
	else
		arguments+=(-p "$(p2pdma_resource)")
		insmod "$built/page_flags.ko"
	fi
	tap reserved '' '' "$test" "${arguments[@]}"
}

mm() {
	local levels failure bar=
	levels=$(program dax_huge_page_test) failure=$(program dax_failure_test)
	there "$levels" && there "$failure" && there "$selftests/dax/dax_reserved_test" || return 0
	! find_p2pdma || bar=$(p2pdma_resource)
	BAR=$bar "$(dirname "$0")/mm.sh" "$mode" "$built/page_flags.ko" "$built/dax-memory" "$levels" "$only" "$failure"
}

# Runs the test of the levels in a nested machine. It gets a third of the time, so that this machine can still end in order after two of
# them. A nested machine once hung at boot (docs/lab.md). If one does, print that, and start another.
nested() {
	local start=$SECONDS status try
	for try in 1 2; do
		status=0
		NESTED=1 ACCEL=kvm SECONDS_MAX=$((LAB_SECONDS / 3)) "$(dirname "$0")/../machine/run.sh" run \
			env LABEL=nested PARTS=levels ALSO="${ALSO:-}" "$0" npt=1 "$selftests" kvm "$only" || status=$?
		[ "$status" -eq 126 ] || break
		echo "# $mode: inner machine $try has hung as it booted"
	done
	[ "$status" -eq 0 ] || not_ok "$mode inner machine status=$status seconds=$((SECONDS - start))"
}

# The job's own output, because that of a test goes elsewhere.
exec {progress}>&1
load_kvm "$of_kvm"
shopt -s nullglob
for directory in /dax/fsdax-*; do
	fallocate -l "$(plan_value file-size)" "$directory/memory"
done
for part in $what; do
	case $part in
	vfio) target=vfio ;;
	references | splice | reserved | mm | writeback | files | shared) target=dax ;;
	*) target=kvm ;;
	esac
	[[ $part == stage2 || ( " $targets " == *" $target "* && -d $selftests/$target ) ]] || continue
	left_out "$part"
	case $part in
	elsewhere) ;;
	async | existing | hugetlb | stage2 | hibernation | nested | references | splice | soak | vfio | reserved | mm | writeback | files | shared)
		$part
		;;
	others) fill_files ;;&
	*)
		for backing in "${backings[@]}"; do
			$part "$backing"
		done
		;;
	esac
done
