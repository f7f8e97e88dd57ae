#!/usr/bin/env bash
# Runs the KVM selftests of one MMU mode on the DAX backings, in the machine; prints one TAP result per test, not numbered.
# Takes a mode (see -h), the folder of the built selftests, which of its targets to run, an optional extended regular
# expression that names must match, and the folder of what the lab has built for mm.sh.
set -euo pipefail
# shellcheck source=lab/guest/tap-line.sh
. "$(dirname "$0")/tap-line.sh"

# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"

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
row=$(plan mode | grep "^$mode|") || { echo "kselftest: no such mode: $mode" >&2; exit 2; }
IFS='|' read -r _ kvm_parameters vendor_parameters _ <<<"$row"
what=$(plan parts | sed -n "s/^$mode|//p")
# A machine within the machine is given these two.
mode=${LABEL:-$mode} what=${PARTS:-$what}
IFS=, read -ra backings <<<"$LAB_BACKINGS"
# A kernel that checks itself needs more time: so many times the limit of a test.
slower=1
[ ! -e /proc/lockdep ] || slower=$(plan_value slower)
limit=$(($(plan_value limit) * slower))
limit_cases=$(($(plan_value limit-cases) * slower))
limit_pairs=$(($(plan_value limit-pairs) * slower))

# load_kvm: loads it with the parameters of the mode; session.sh has left that to this script.
load_kvm() {
	local vendor=kvm_amd paging=npt
	[ "${CPU:-amd}" != arm64 ] || return 0
	grep -q vmx /proc/cpuinfo && vendor=kvm_intel paging=ept
	modprobe -r kvm_amd kvm_intel kvm 2>/dev/null || true
	# shellcheck disable=SC2086
	modprobe kvm $kvm_parameters
	# shellcheck disable=SC2086
	modprobe "$vendor" ${vendor_parameters/paging/$paging}
}

# done_by PID: what a process and all that it has started have done so far: page faults and CPU time, also of what has ended.
done_by() {
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v of="$1" '
		{ pid = $1; sub(/.*[)] /, ""); parent[pid] = $2; for (i = 8; i <= 15; i++) work[pid] += $i }
		END {
			for (pid in work) {
				for (one = pid; one != of && one in parent; one = parent[one]);
				if (one == of) sum += work[pid]
			}
			printf "%.0f\n", sum
		}'
}

# ends PID SECONDS: waits for the end of a process that may take so long, and sets status to how it has ended. It may take longer where
# the host is slow: it fails when ten looks in a row, a tenth of that time apart, find that neither its output, which is also ours, has
# grown, nor any process of it has done anything. What goes round for ever, as in KVM_RUN or in the kernel, always has: it is given
# three times as long; the tests of the series have clocks of their own for that.
ends() {
	local clock ended did was='' still=0 looks said=$SECONDS
	for looks in {1..30}; do
		sleep $((($2 + 9) / 10)) {progress}>&- &
		clock=$! status=0
		wait -n -p ended "$1" "$clock" || status=$?
		if [ "$ended" = "$1" ]; then
			kill "$clock" 2>/dev/null || true
			wait "$clock" 2>/dev/null || true
			return 0
		fi
		did="$(done_by "$1") $(stat -L -c %s "/proc/$BASHPID/fd/1")"
		[ "$did" = "$was" ] && still=$((still + 1)) || still=0
		was=$did
		[ "$still" -lt 10 ] || return 1
		# Said to the host, which ends a machine that says nothing for long.
		if [ $((SECONDS - said)) -ge 300 ]; then
			said=$SECONDS
			echo "# $mode ${name:-}: still runs, $looks of 30 looks" >&"$progress"
		fi
	done
	return 1
}

# limited SECONDS COMMAND...: runs a command that may take so long, on a host that is not slow. Of one that takes too long it shows where
# its threads are, before it stops it, and returns 124, as timeout does. It does not wait for ever for one that the kernel does not let go.
limited() {
	local seconds=$1 test status task signal
	shift
	"$@" </dev/null {progress}>&- &
	test=$!
	! ends "$test" "$seconds" || return "$status"
	echo "its threads:"
	for task in /proc/"$test"/task/*; do
		echo "$(sed -nE 's/^(Name|State|Cpus_allowed_list):\t(.*)/\2/p' "$task/status" | paste -sd ' ') $(cut -d ' ' -f 14,15,39 "$task/stat")"
		cat "$task/stack"
	done
	for signal in TERM KILL; do
		kill -s "$signal" "$test" 2>/dev/null || true
		! ends "$test" 30 || return 124
	done
	echo "it cannot be killed"
	return 124
}

# last_words STATUS LOG: the end of what a test said, or, with the threads, all that one said that took too long.
last_words() {
	tail -n "$([ "$1" -eq 124 ] && echo +1 || echo 20)" "$2" | sed 's/^/# /'
}

# counted LOG: the page faults that pre_fault_memory_test has counted, those of its last kind of VM.
counted() { sed -nE 's/^0x[0-9a-f]+ bytes take ([0-9]+) page faults, and ([0-9]+) if prefaulted$/ faults=\1 prefaulted_faults=\2/p' "$1" | tail -n 1; }

# result NAME STATUS SECONDS LOG: the TAP line of a test that has no lines of its own.
result() {
	case $2 in
	0) echo "ok $mode ${1% }$(counted "$4") seconds=$3" ;;
	4) echo "ok $mode $1 # SKIP $(grep -iE 'skip|require' "$4" | tail -n 1 | sed 's/^.*SKIP *//')" ;;
	*)
		last_words "$2" "$4"
		echo "not ok $mode $1 status=$2 seconds=$3"
		;;
	esac
}

# chosen NAME: whether it is to run: TESTS names it, or one of its lines, for the sake of which lab/prove/test-names.sh has put it in ALSO.
chosen() { grep -qE "$only" <<<"$mode $1" || grep -qxF -- "$mode $1" <<<"${ALSO:-}"; }

# chosen_lines NAME: of the lines of such a test, on standard input, those that TESTS names, as they stand or without their values; of
# one that TESTS names itself all of them.
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

# program TEST: its path. What runs on x86 only has a folder of its own, which is x86_64 in older kernels.
program() {
	local path
	for path in "$kvm"/{,x86/,x86_64/}"$1"; do
		! there "$path" || break
	done
	echo "$path"
}

# there PROGRAM: whether the series has that test, which may have lost patches; one that was not built is there, and fails.
there() { [ -e "$1" ] || [ -e "$1.c" ]; }

# path BACKING: what a test takes, for a file system a file that fills most of it.
path() {
	case $1 in
	devdax-*) echo "/dax/$1" ;;
	fsdax-*) echo "/dax/$1/memory" ;;
	esac
}

# tap NAME WORDS PREFIX COMMAND...: runs a test that prints TAP lines; in their names PREFIX stands for what matches WORDS.
# Of a case that is skipped kselftest's lines have the name, and a colon, after the word SKIP; in v5.4 they are "not ok".
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
	# An exit that its lines do not explain.
	if [ "$status" -eq 4 ]; then
		echo "ok $mode $name # SKIP $(tail -n 1 "$log")"
	elif ! grep -q "^$([ "$status" -eq 0 ] || echo 'not ')ok" <<<"$lines"; then
		last_words "$status" "$log"
		echo "not ok $mode $name status=$status and no line says why"
	elif [ "$status" -eq 124 ]; then
		last_words "$status" "$log"
	fi
	rm "$log"
}

levels() {
	tap "$1 dax_huge_page_test" '[^ ]+ ' "$1 " "$(program dax_huge_page_test)" -s "dax:$(path "$1")"
}

# The guest's whole memory is that of the backing; anonymous memory is there to compare with.
stage2() {
	local backing memory
	for backing in anon "${backings[@]}"; do
		memory=$(path "$backing")
		tap "$backing" '[^ ]+ ' "$backing " "$built/arm64-guest" "${memory:-anon}"
	done
}

# The entries themselves: all of one size, with the page frames that belong there, and write-back.
leaves() {
	local name="$1 leaves" start=$SECONDS status=0 log
	grep -qE "$only" <<<"$mode $name" || return 0
	log=$(mktemp)
	limited "$limit" "$(dirname "$0")/leaves.sh" "$1" "$built" >"$log" 2>&1 || status=$?
	tap_line "$mode $name" "$status" $((SECONDS - start)) "$log"
	rm "$log"
}

# What hibernation makes of DAX memory, with CONFIG=dump.
hibernation() {
	[ -e /sys/power/disk ] && grep -qE "$only" <<<"$mode hibernation" || return 0
	local order
	read -ra order <<<"$(plan_value hibernation)"
	"$(dirname "$0")/hibernation.sh" "$mode" "$built/memory-image" "$(program dax_huge_page_test)" "$only" "${order[@]}"
}

# left_out PART: a line for each test that the plan leaves out there.
left_out() {
	local part name reason
	plan skip | while IFS='|' read -r part name reason; do
		[ "$part" != "$1" ] || ! chosen "$name" || echo "ok $mode $name # SKIP $reason"
	done
}

# race_test NAME BACKING LIMIT WORDS...: whoever takes memory away races with the guest, with a seed that no run had before, if none is
# given.
race_test() {
	local name="$1 $2" test start=$SECONDS status=0 log said
	test=$(program dax_race_test)
	there "$test" && grep -qE "$only" <<<"$mode $name" || return 0
	log=$(mktemp)
	limited "$3" "$test" "${@:4}" -s "dax:$(path "$2")" >"$log" 2>&1 || status=$?
	grep -E '^# (mismatch|not tested)' "$log" || true
	said=$(grep '^seed=' "$log" || true)
	# The test skips where something cannot be tested; in this machine all can.
	if [ "$status" -eq 0 ] || { [[ $status -eq 1 || $status -eq 4 ]] && grep -q '^seed=' "$log"; }; then
		# It leaves out clones without a word where they are refused.
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

# A few seconds see to it that each operation works, a soak runs longer.
race() {
	local seconds=${RACE_SECONDS:-$(plan_value race-seconds)}
	race_test race "$1" $((limit + 5 * seconds * slower)) -t "$seconds" ${RACE_OPERATION:+-o "$RACE_OPERATION"} ${RACE_SEED:+-S "$RACE_SEED"}
}

# Each operation right after each, which takes minutes.
race_pairs() {
	race_test race-pairs "$1" "$limit_pairs" -p -t $((limit_pairs * 3 / 4))
}

# Memory that fails or goes away.
failure() {
	tap "failure $1" '[^ ]+ ' "failure $1 " "$(program dax_failure_test)" -s "dax:$(path "$1")"
	[ "$1" != fsdax-xfs ] || quota "$1"
}

# mount_anew PLACE OPTIONS
mount_anew() {
	local disk
	disk=$(findmnt -no SOURCE "$1")
	umount "$1" && mount -o "$2" "$disk" "$1"
}

# A file whose owner has no quota left; XFS counts blocks only if it is mounted so.
quota() {
	chosen "failure $1" && there "$(program dax_failure_test)" || return 0
	mount_anew "/dax/$1" dax,uquota || { echo "not ok $mode failure $1 quota: XFS cannot be mounted with uquota"; return 0; }
	tap "failure $1" '[^ ]+ ' "failure $1 " "$(program dax_failure_test)" -s "dax:$(path "$1")" -c quota
	mount_anew "/dax/$1" dax
}

# new_file_system BACKING: makes it anew, with a small file for a test that makes its own beside it.
new_file_system() {
	local folder=/dax/$1 disk
	disk=$(findmnt -no SOURCE "$folder")
	umount "$folder"
	make_file_system "$1" "$disk"
	mount -o dax "$disk" "$folder"
	truncate -s 4096 "$folder/memory"
}

# case_1g NAME: one case of dax_1g_test. Each, and the race most of all, leaves metadata in the GiBs of the file system.
case_1g() {
	chosen "1g $1" || return 0
	new_file_system fsdax-xfs-1g
	tap "1g $1" '1g [^ ]+ ' '1g ' "$selftests/dax/dax_1g_test" -s "dax:$(path fsdax-xfs-1g)" -c "$1"
}

# The race of files that are mapped by 1G. That of others needs a large file again.
race_1g() {
	case_1g race
	fallocate -l "$(plan_value file-size)" "$(path fsdax-xfs-1g)"
}

# The pairs on each backing, then all backings in turn, again and again; ends with an error when a line was not ok.
soak() {
	local end backing one log selected=()
	log=$(mktemp)
	for backing in "${backings[@]}"; do
		! grep -qE "$only" <<<"$mode race $backing" || selected+=("race $backing")
	done
	[ "$mode" != files-1g ] || ! chosen '1g race' || selected+=(race_1g)
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

# Pages of 2M can be had at any time, that of 1G is from the kernel's command line, where the machine has as much.
hugetlb() {
	local huge=/proc/sys/vm/nr_hugepages huge_before size
	huge_before=$(<"$huge")
	echo $((huge_before + 32)) >"$huge"
	for size in $(plan_value hugetlb); do
		tap "hugetlb-${size,,} dax_huge_page_test" '[^ ]+ ' "hugetlb-${size,,} " "$(program dax_huge_page_test)" -s "hugetlb:$size"
	done
	echo "$huge_before" >"$huge"
}

# A file's first write to a page is slow where its extents are unwritten; tests of speed run on a file that was written.
fill_files() {
	local file
	for file in /dax/fsdax-*/memory; do
		dd if=/dev/zero of="$file" bs=2M conv=notrunc,fsync count=$(($(stat -c %s "$file") >> 21)) status=none
	done
}

others() {
	local backing=$1 part test arguments dax
	# Without its patches the library takes no DAX memory as a backing.
	grep -q '"dax' "$kvm/lib/test_util.c" || return 0
	dax=$(path "$backing")
	while IFS='|' read -r part test arguments; do
		[ "$part" = others ] || continue
		arguments=" $arguments"
		# It would not wait long enough for pages of 4K.
		[[ $test != memslot_perf_test || $backing != devdax-4k || $arguments != *'-f 5'* || $arguments = *'-t '* ]] || continue
		# shellcheck disable=SC2086
		run "$backing ${test##*/}${arguments%-? dax:*}" "$(program "$test")" ${arguments//'{}'/$dax}
	done < <(plan test)
}

# The PCI device that has p2pdma pages, in p2pdma: the NVMe controller, whose driver makes them some time after it was loaded, and before
# the controller is live; nothing tells of it when the driver gives up, so that is waited for very long, once.
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

# The BAR that is as large as its p2pdma memory.
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

# What a VMM is told whose guest touches memory that cannot be had. It needs no DAX memory.
async() { run async_pf_fault_test "$(program async_pf_fault_test)"; }

# every_backing [PREFIX]: sets arguments, of a test that takes all backings at once, or those whose names begin so.
every_backing() {
	local backing
	arguments=()
	for backing in "${backings[@]}"; do
		[[ $backing != "${1:-}"* ]] || arguments+=(-s "dax:$(path "$backing")")
	done
}

# The machine within the machine has no device to assign.
vfio() {
	local device arguments huge=/proc/sys/vm/nr_hugepages huge_before cycles test=$selftests/vfio/vfio_dax_test
	there "$test" && { chosen vfio_dax_test || chosen 'vfio_dax_test many' || chosen 'vfio_dax_test iommufd'; } || return 0
	cycles=$(plan_value vfio-cycles)
	device=$("$(dirname "$0")/vfio-setup.sh") || { echo "not ok $mode vfio no device"; return 0; }
	every_backing
	if find_p2pdma; then arguments+=(-p "$(p2pdma_resource)"); else echo "not ok $mode vfio p2pdma: $p2pdma"; fi
	huge_before=$(<"$huge")
	echo $((huge_before + 8)) >"$huge"
	tap vfio_dax_test '' '' "$test" ${device:+-d "$device"} "${arguments[@]}"
	# A leak that is small, or that only some cycles have.
	tap 'vfio_dax_test many' 'vfio ' "vfio cycles=$cycles " \
		"$test" -c "$cycles" ${device:+-d "$device"} -s "dax:$(path devdax-2m)"
	! base_has vfio-iommufd ||
		tap 'vfio_dax_test iommufd' '' '' "$test" -i ${device:+-d "$device"} "${arguments[@]}"
	echo "$huge_before" >"$huge"
}

# What adds a reference to a DAX page. It comes before vfio(), which on a stock kernel leaves references behind.
references() {
	local device arguments test=$selftests/dax/dax_references_test
	there "$test" && chosen references || return 0
	device=$("$(dirname "$0")/vfio-setup.sh") || { echo "not ok $mode references vfio no device"; return 0; }
	every_backing
	# shellcheck disable=SC2046
	tap references '' '' "$test" ${device:+-d "$device"} "${arguments[@]}" $(plan_value references)
}

# Whose the page of a file is that only a pipe refers to. Before v7.3 no such page has one reference alone.
splice() {
	local arguments
	every_backing fsdax-
	tap splice '' '' "$selftests/dax/dax_splice_test" "${arguments[@]}"
}

# Whether fsync() knows what was written before a hole was punched, and the like. Kernels before v7.3 have no such test.
writeback() {
	local arguments test=$selftests/dax/dax_writeback_test
	there "$test" || return 0
	every_backing fsdax-
	tap writeback '' '' "$test" "${arguments[@]}"
}

# What happens to a file that is mapped by 1G, and to a guest whose memory it is.
files() {
	local case test=$selftests/dax/dax_1g_test memory
	memory=$(path fsdax-xfs-1g)
	there "$test" || return 0
	# Only what is written is mapped by 1G, and others may have left smaller entries.
	rm "$memory"
	fallocate -l 1G "$memory"
	fill_files
	run 'guest fsdax-xfs-1g' "$built/files-1g-guest" "$memory" 1g
	for case in $("$test" -h | sed -n '/^ -c:/,/^ -d:/s/^     //p'); do
		case_1g "$case"
	done
}

# Whether each page of a file is known whose blocks others share. The last one: what fails may keep the file system busy.
shared() {
	local arguments
	every_backing fsdax-
	# ext4 cannot clone; a skip on XFS would hide a failure.
	tap shared '' '' "$selftests/dax/dax_shared_test" "${arguments[@]}" |
		sed -E 's/^ok ([^ ]+ shared fsdax-xfs [^ ]+) # SKIP/not ok \1/'
}

# Which pages are PG_reserved.
reserved() {
	local arguments test=$selftests/dax/dax_reserved_test
	there "$test" && chosen reserved || return 0
	every_backing
	# v5.4 cannot allocate p2pdma pages from user space, nor show the flags of a page without a module.
	if ! find_p2pdma; then
		echo "not ok $mode reserved p2pdma: $p2pdma"
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

# The test of the levels in a machine within this one. It gets a third of the time, so that this one can still end in order after
# two of them: one has hung as it booted, once (docs/lab.md). That is said, and it is started once more.
nested() {
	local start=$SECONDS status try
	for try in 1 2; do
		status=0
		NESTED=1 ACCEL=kvm SECONDS_MAX=$((LAB_SECONDS / 3)) "$(dirname "$0")/../machine/run.sh" run \
			env LABEL=nested PARTS=levels ALSO="${ALSO:-}" "$0" npt=1 "$selftests" kvm "$only" || status=$?
		[ "$status" -eq 126 ] || break
		echo "# $mode: inner machine $try has hung as it booted"
	done
	[ "$status" -eq 0 ] || echo "not ok $mode inner machine status=$status seconds=$((SECONDS - start))"
}

# The job's own output, where a test's goes elsewhere.
exec {progress}>&1
load_kvm
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
