# shellcheck shell=bash
# Watches a Linux guest in QEMU: whether it still makes progress, and its last output. The guest's console is $work/console, and QEMU's
# output is $work/qemu.
# Sourced; gives patience, look_anew, stands_still and last_lines. The caller declares work and why.
# shellcheck disable=SC2034,SC2154

# End a guest only if it stands still, not if it is slow: after this many looks in a row without progress. A look at which QEMU has not
# run either counts as five. A look takes longer on a slow host. A guest usually needs 150.
patience=2000

# look_anew: starts to count the looks at another guest.
look_anew() { still=0 looks=0 last='' last_ran=''; }

# stands_still PID DONE WHAT: looks once at QEMU. DONE is the guest's progress, and WHAT names it. Sets why. Succeeds if the guest stands
# still.
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

# last_lines: prints the last lines of the guest, without one that every guest prints, and the last lines of QEMU.
last_lines() {
	tr -d '\0\r' <"$work/console" | grep -vE '^$|No config space access function found' | tail -n 15 >&2 || true
	tail -n 5 "$work/qemu" >&2 || true
}
