#!/usr/bin/env bash
# Runs each of the kernel's own selftests in the machine, as it was installed. Prints "row", its name, and pass, skip, fail or timeout,
# followed by " with a warning" if the kernel has logged trouble meanwhile.
# Takes the folder where the tests are installed, and a file with the names of those to run, as "<target> <test>" or "mm <group>".
# Started by: make regress
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

installed=$1 names=$2
# shellcheck source=lab/guest/rows.sh
. "$(dirname "$0")/rows.sh"
# The tests of vfio find in this variable the device that they assign.
VFIO_SELFTESTS_BDF=$("$(dirname "$0")/vfio-setup.sh")
export VFIO_SELFTESTS_BDF

# Tests of KVM's emulator mark the instructions that it must execute. v5.4 has no such tests, and its parameter is read-only.
echo 1 2>/dev/null >/sys/module/kvm/parameters/force_emulation_prefix || true

# huge_pages COUNT [SIZE]: reserves COUNT pages of that size, for example hugepages-2048kB, or of each size. Tests report if there are
# fewer.
huge_pages() {
	local file
	for file in /sys/kernel/mm/hugepages/${2:-*}/nr_hugepages; do echo "$1" >"$file"; done
}

# wanted NAME: succeeds if the test is to be run.
wanted() { grep -qxF "$1" "$names"; }

# Runs the groups of mm's script one by one. The script prints how each test ended.
groups_of_mm() {
	local group
	while read -r group; do
		wanted "mm $group" || continue
		# -d also runs tests that leave pages poisoned, which harms only this machine.
		run ./run_vmtests.sh -d -t "$group"
		# Remove the random part of names from mktemp.
		sed -i -E 's,(/tmp/[a-z_]+_)[A-Za-z0-9]{6}\b,\1,' "$log"
		sed -nE -e "s|^not ok [0-9]+ (.*) # exit=.*|row\tmm $group: \1\tfail|p" -e "s|^ok [0-9]+ (.*) # SKIP.*|row\tmm $group: \1\tskip|p" \
			-e "s|^ok [0-9]+ ([^#]*)$|row\tmm $group: \1\tpass|p" "$log"
		row "mm $group" "$status"
	done < <(./run_vmtests.sh -h | sed -n 's/^- //p')
}

# Runs the script of vm, as mm was called. It prints the name of each test before running it, and how most of them ended.
groups_of_vm() {
	run "./$1"
	awk -v OFS='\t' '
		/^running / { name = substr($0, 9) }
		/^\[(PASS|FAIL|SKIP)\]$/ && name { print "row", "vm " name, tolower(substr($0, 2, 4)); name = "" }' "$log"
	row "vm $1" "$status"
}

while IFS=: read -r target test; do
	cd "$installed/$target"
	if [ "$target $test" = "vm run_vmtests" ]; then
		! wanted "vm $test" || groups_of_vm "$test"
	elif wanted "$target $test"; then
		# Reserve the huge pages that these tests map. dirty_log_page_splitting_test needs 2 GiB, and some more for its code.
		case $target in
		vfio) huge_pages 1 ;;
		vm) huge_pages 4 ;;
		kvm) huge_pages 1100 hugepages-2048kB ;;
		esac
		run "./$test"
		row "$target $test" "$status"
		huge_pages 0
	fi
done <"$installed/kselftest-list.txt"
[ ! -e "$installed/mm/run_vmtests.sh" ] || (cd "$installed/mm" && groups_of_mm)
