# shellcheck shell=bash
# A Linux guest in QEMU that a script waits for: whether it goes on, and its last words. Its console is $work/console, and what QEMU
# says $work/qemu. Sourced; gives patience, look_anew, stands_still and last_lines.
# work and why are its caller's.
# shellcheck disable=SC2034,SC2154

# A guest ends when it stands still, not when it is slow: after so many looks in a row at which it has not advanced, where one at which
# QEMU has not run either counts as five. A look takes longer where all is slow; usually a guest needs 150.
patience=2000

# look_anew: begins to look at another guest.
look_anew() { still=0 looks=0 last='' last_ran=''; }

# stands_still PID DONE WHAT: looks once at QEMU, whose guest has done that much so far; WHAT it is that was counted. Sets why.
stands_still() {
	local ran
	ran=$(cut -d ' ' -f 14,15 "/proc/$1/stat" 2>/dev/null) || true
	if [ "$2" != "$last" ]; then
		still=0
	elif [ "$ran" != "$last_ran" ]; then
		still=$((still + 1))
	else
		still=$((still + 5))
	fi
	last=$2 last_ran=$ran looks=$((looks + 1)) why="the guest stands still: $3 are as they were $patience looks ago"
	[ "$still" -ge "$patience" ]
}

# last_lines: prints the guest's last lines, without what every guest says, and QEMU's.
last_lines() {
	tr -d '\0\r' <"$work/console" | grep -vE '^$|No config space access function found' | tail -n 15 >&2 || true
	tail -n 5 "$work/qemu" >&2 || true
}
