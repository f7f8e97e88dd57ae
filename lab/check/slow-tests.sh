#!/usr/bin/env bash
# Checks which tests the machine ends: those that do nothing, and those that work for very long without output, but not slow ones. It calls
# ends() of lab/guest/ends.sh as lab/guest/run-tests.sh does, and await() of lab/guest/rows.sh. A look takes no time for them. Also checks
# that waits() of lab/guest/ends.sh finds a process that waits in the kernel, and no other.
# Takes nothing. Prints what is wrong.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/guest/ends.sh
. "$LAB/guest/ends.sh"

failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-slow-tests.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$work/log
# ends() tells its machine by this descriptor that a test still runs.
exec {progress}>/dev/null
sed -n '/^await() {/,/^}/p' "$LAB/guest/rows.sh" >"$work/functions"
# shellcheck disable=SC1091
. "$work/functions"

# A test that runs a program for each line that it reads, until it is told to end. It opens the pipe so that nobody waits for the other end.
# shellcheck disable=SC2016
printf '#!/bin/bash\nexec 8<>"$1"\nwhile read -r -u 8 line; do [ "$line" != end ] || exit 3; /bin/true; done\n' >"$work/test"
chmod +x "$work/test"
# One that waits in the kernel, like all parents of vfork(), until its child has read something, or nobody can write any more.
printf '#include <unistd.h>\nint main(void) { char c; if (!vfork()) { (void)!read(0, &c, 1); _exit(0); } return 3; }\n' >"$work/hangs.c"
gcc -o "$work/hangs" "$work/hangs.c"

# Takes the place of the time between two looks: counts them, and makes the test print, work, or after many looks, end.
# shellcheck disable=SC2317
sleep() {
	echo >>"$work/looks"
	case $kind in
	prints) echo a line >>"$log" ;;
	works) echo go >"$work/pipe" ;;
	esac
	[ "$kind" = stops ] || [ "$(wc -l <"$work/looks")" -lt 70 ] || echo end >"$work/pipe"
	command sleep 0.05
}

# looks FUNCTION KIND LEAST MOST STATUS: checks after how many looks the function ends, and with which status. await sets the status; ends
# fails if it gives up, and waits succeeds.
looks() {
	local pid hold count status=0
	kind=$2
	: >"$work/looks"
	: >"$log"
	rm -f "$work/pipe"
	mkfifo "$work/pipe"
	exec {hold}<>"$work/pipe"
	if [ "$kind" = hangs ]; then setsid "$work/hangs" <"$work/pipe" {hold}>&- & else setsid "$work/test" "$work/pipe" & fi
	pid=$!
	if [ "$1" = await ]; then
		await "$pid" >/dev/null
	elif [ "$1" = waits ]; then
		if waits "$pid" 10; then
			status=124
			kill "$pid"
		fi
		wait "$pid" || status=$((status > 0 ? status : $?))
	elif ! ends "$pid" 30 60 "$log" test; then
		status=124
		kill "$pid"
		wait "$pid" || true
	fi
	exec {hold}>&-
	count=$(wc -l <"$work/looks")
	[ "$count" -ge "$3" ] && [ "$count" -le "$4" ] && [ "$status" -eq "$5" ] && return
	echo "$1: a test that $kind: $count looks and status $status, and not $3 to $4 and $5"
	failed=1
}

looks ends prints 70 80 3
looks ends works 60 63 124
looks ends stops 10 13 124
looks await prints 70 80 3
looks await works 30 33 124
looks await stops 10 13 124
looks waits works 70 80 3
looks waits hangs 10 13 124
exit "$failed"
