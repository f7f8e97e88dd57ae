# shellcheck shell=bash
# Shared by the scripts of make regress, fstests and kvm-unit-tests that run the tests of a suite in the machine. For each test prints
# "row", its name, and pass, skip, fail or timeout, followed by " with a warning" if the kernel has logged trouble meanwhile.
# Sourced; takes LAB_TROUBLE and LAB_ASKED_FOR; gives row, run, and log, a file for a test's output.
# shellcheck source=lab/guest/ends.sh
. "$(dirname "${BASH_SOURCE[0]}")/ends.sh"

exec {progress}>&1
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

# await PID: waits for a test, the leader of a process group, and sets status. Ends the group, with status 124, if ends gives up.
await() {
	! ends "$1" 60 30 "$log" "the test" || return 0
	kill -TERM -- "-$1" 2>/dev/null || true
	sleep 5 &
	wait -n "$1" $! || true
	kill -KILL -- "-$1" 2>/dev/null || true
	wait "$1" || true
	status=124
}

# run COMMAND...: runs a test or a group of tests as await does. Its output is in log, and the kernel's in dmesg. Sets status. On a failure,
# prints the lines that report it, and the last lines.
run() {
	dmesg --clear
	# Let the kernel repeat warnings that it prints only once.
	[ ! -e /sys/kernel/debug/clear_warn_once ] || echo 1 >/sys/kernel/debug/clear_warn_once
	setsid "$@" >"$log" 2>&1 </dev/null &
	await $!
	[ "$status" -eq 0 ] || { grep -aEm 10 "not ok|FAIL|ERROR|failed" "$log" || true; tail -n 5 "$log"; } | sed 's/^/# /' | cut -c 1-200
}
