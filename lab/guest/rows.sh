# shellcheck shell=bash
# Shared by the scripts of make regress, fstests and kvm-unit-tests that run the tests of a suite in the machine. For each test prints
# "row", its name, and pass, skip, fail or timeout, followed by " with a warning" if the kernel has logged trouble meanwhile.
# Sourced; takes LAB_TROUBLE and LAB_ASKED_FOR; gives row, run, and log, a file for a test's output.
# shellcheck source=lab/guest/done-by.sh
. "$(dirname "${BASH_SOURCE[0]}")/done-by.sh"

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

# await PID: waits for a test, the leader of a process group, and sets status. Ends the group, with status 124, after ten looks in a row, a
# minute apart, without progress: the log has not grown, and none of the test's processes has done anything. A process that loops forever
# is never idle, so 30 looks in a row without more output are also enough.
await() {
	local clock ended printed did was_printed='' was_did='' still=0 silent=0 looks=0
	while [ "$still" -lt 10 ] && [ "$silent" -lt 30 ]; do
		sleep 60 &
		clock=$! status=0
		wait -n -p ended "$1" "$clock" || status=$?
		if [ "$ended" = "$1" ]; then
			kill "$clock" 2>/dev/null || true
			wait "$clock" 2>/dev/null || true
			return
		fi
		did=$(done_by "$1") printed=$(stat -c %s "$log") looks=$((looks + 1))
		[ "$printed" = "$was_printed" ] && silent=$((silent + 1)) || silent=0
		[ "$silent" -gt 0 ] && [ "$did" = "$was_did" ] && still=$((still + 1)) || still=0
		was_printed=$printed was_did=$did
		[ $((looks % 5)) -ne 0 ] || echo "# it still runs, $silent of 30 looks without output"
	done
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
