# shellcheck shell=bash
# What the guests of make regress, fstests and kvm-unit-tests share: they run the tests of a suite one by one, and print for each
# "row", its name and pass, skip, fail or timeout, and " with a warning" after it if the kernel has complained meanwhile.
# Sourced; takes LAB_TROUBLE and LAB_ASKED_FOR; gives log, a file for a test's output.

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# row NAME STATUS: the result that the kernel's runner would give, and whether the kernel's log has what fails other jobs.
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

# run COMMAND...: runs a test, or a group, that may take ten minutes, its output in log and the kernel's in dmesg; gives status.
# If it fails, shows what says so, and the end.
run() {
	status=0
	dmesg --clear
	# What has warned in an earlier test may warn again.
	[ ! -e /sys/kernel/debug/clear_warn_once ] || echo 1 >/sys/kernel/debug/clear_warn_once
	timeout --kill-after=5 600 "$@" >"$log" 2>&1 </dev/null || status=$?
	[ "$status" -eq 0 ] || { grep -aEm 10 "not ok|FAIL|ERROR|failed" "$log" || true; tail -n 5 "$log"; } | sed 's/^/# /' | cut -c 1-200
}
