# shellcheck shell=bash
# Shared by the scripts of make regress, fstests and kvm-unit-tests that run the tests of a suite in the machine. For each test prints
# "row", its name, and pass, skip, fail or timeout, followed by " with a warning" if the kernel has logged trouble meanwhile.
# Sourced; takes LAB_TROUBLE and LAB_ASKED_FOR; gives row, run, and log, a file for a test's output.

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# row NAME STATUS: prints the result that the kernel's runner would give, and whether the kernel has logged what fails other jobs.
row() {
	local result
	case $2 in
	0) result=pass ;;
	4) result=skip ;;
	124 | 137) result=timeout ;;
	*) result=fail ;;
	esac
	if dmesg | grep -vF -- "$LAB_ASKED_FOR" | grep -F -- "$LAB_TROUBLE" | sed 's/^/# /'; then result+=" with a warning"; fi
	printf 'row\t%s\t%s\n' "$1" "$result"
}

# run COMMAND...: runs a test or a group of tests for at most ten minutes. Its output is in log, and the kernel's in dmesg. Sets status.
# On a failure, prints the lines that report it, and the last lines.
run() {
	status=0
	dmesg --clear
	# Let the kernel repeat warnings that it prints only once.
	[ ! -e /sys/kernel/debug/clear_warn_once ] || echo 1 >/sys/kernel/debug/clear_warn_once
	timeout --kill-after=5 600 "$@" >"$log" 2>&1 </dev/null || status=$?
	[ "$status" -eq 0 ] || { grep -aEm 10 "not ok|FAIL|ERROR|failed" "$log" || true; tail -n 5 "$log"; } | sed 's/^/# /' | cut -c 1-200
}
