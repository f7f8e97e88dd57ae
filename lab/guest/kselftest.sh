#!/usr/bin/env bash
# Runs the KVM selftests of one MMU mode on the DAX backings, in the machine; prints one TAP result per test, not numbered.
# Takes a mode (see -h), the folder of the built selftests, and an optional extended regular expression that names must match.
set -euo pipefail

backings=(devdax-4k devdax-2m devdax-1g fsdax-ext4 fsdax-xfs)

# mode, parameters of kvm, parameters of kvm_amd or kvm_intel's equivalent, what runs
modes="
npt=1                |                     |        | levels backings | nested paging, the default
npt=0                |                     | paging=0 | levels        | shadow paging
tdp_mmu=N            | tdp_mmu=N           |        | levels          | nested paging without the TDP MMU
nx_huge_pages=force  | nx_huge_pages=force |        | levels          | executable pages are never huge
"

if [ "${1:-}" = -h ] || [ $# -lt 2 ]; then
	echo "usage: $0 MODE SELFTESTS [REGEX]; MODE is one of:"
	sed -nE 's/^([^ |]+) *\|.*\| (.*)/  \1\t\2/p' <<<"$modes" | expand -t 24
	[ "${1:-}" = -h ] && exit
	exit 2
fi
mode=$1 kvm=$2/kvm only=${3:-.}
row=$(grep -E "^$mode +\|" <<<"$modes") || { echo "kselftest: no such mode: $mode" >&2; exit 2; }
IFS='|' read -r _ kvm_parameters vendor_parameters what _ <<<"$row"

load_kvm() {
	local vendor=kvm_amd paging=npt
	grep -q vmx /proc/cpuinfo && vendor=kvm_intel paging=ept
	modprobe -r kvm_amd kvm_intel kvm 2>/dev/null || true
	# shellcheck disable=SC2086
	modprobe kvm $kvm_parameters
	# shellcheck disable=SC2086
	modprobe "$vendor" ${vendor_parameters/paging/$paging}
}

# result NAME STATUS SECONDS LOG: the TAP line of a test that has no lines of its own.
result() {
	case $2 in
	0) echo "ok $mode $1 seconds=$3" ;;
	4) echo "ok $mode $1 # SKIP $(grep -iE 'skip|require' "$4" | tail -n 1 | sed 's/^.*SKIP *//')" ;;
	*)
		sed 's/^/# /' "$4" | tail -n 20
		echo "not ok $mode $1 status=$2 seconds=$3"
		;;
	esac
}

run() {
	local name=$1 start=$SECONDS status=0 log
	shift
	grep -qE "$only" <<<"$mode $name" || return 0
	log=$(mktemp)
	echo "# $mode $name: $*"
	timeout 300 "$@" >"$log" 2>&1 </dev/null || status=$?
	result "$name" "$status" $((SECONDS - start)) "$log"
	rm "$log"
}

# path BACKING: what a test takes, for a file system a file that fills most of it.
path() {
	case $1 in
	devdax-*) echo "/dax/$1" ;;
	fsdax-*) echo "/dax/$1/memory" ;;
	esac
}

# dax_huge_page_test prints a TAP line for each of its cases.
levels() {
	local backing=$1 start=$SECONDS status=0 log
	grep -qE "$only" <<<"$mode $backing dax_huge_page_test" || return 0
	log=$(mktemp)
	timeout 600 "$kvm/x86_64/dax_huge_page_test" -s "dax:$(path "$backing")" >"$log" 2>&1 </dev/null || status=$?
	sed -nE "s/^(ok|not ok) [0-9]+ [^ ]+ (.*)/\1 $mode $backing \2/p; /^# /p" "$log"
	echo "# $mode $backing dax_huge_page_test: $((SECONDS - start)) s"
	# An exit that its lines do not explain.
	case $status in
	0) grep -q '^ok' "$log" || { sed 's/^/# /' "$log" | tail; echo "not ok $mode $backing dax_huge_page_test printed no result"; } ;;
	4) echo "ok $mode $backing dax_huge_page_test # SKIP $(tail -n 1 "$log")" ;;
	*) grep -q '^not ok' "$log" || { sed 's/^/# /' "$log" | tail; echo "not ok $mode $backing dax_huge_page_test status=$status"; } ;;
	esac
	rm "$log"
}

load_kvm
for file in /dax/fsdax-*; do
	fallocate -l 1280M "$file/memory"
done
for backing in "${backings[@]}"; do
	for part in $what; do
		$part "$backing"
	done
done
