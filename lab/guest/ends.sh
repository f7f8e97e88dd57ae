# shellcheck shell=bash disable=SC2034,SC2154
# Waits for a process, and tells one that works, or is only slow, from one that is idle.
# Sourced; takes progress, a descriptor for what the host is told; gives done_by, ends and waits.

# done_by PID: prints the page faults and CPU time so far of a process and of all that it has started, also of what has ended.
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

# ends PID LOOK SILENT OUTPUT NAME: waits until a process ends, and sets status to its exit status. On a slow host it may take long. Fails
# after ten looks in a row, LOOK seconds apart, without progress: OUTPUT, the file of its output, has not grown, and none of its processes
# has done anything. A process that loops forever, as in KVM_RUN or in the kernel, is never idle, so SILENT looks in a row without more
# output are also enough. Every five minutes tells the host, which ends a machine that prints nothing for long.
ends() {
	local clock ended printed did was_printed='' was_did='' still=0 silent=0 said=$SECONDS
	while [ "$still" -lt 10 ] && [ "$silent" -lt "$3" ]; do
		sleep "$2" {progress}>&- &
		clock=$! status=0
		wait -n -p ended "$1" "$clock" || status=$?
		if [ "$ended" = "$1" ]; then
			kill "$clock" 2>/dev/null || true
			wait "$clock" 2>/dev/null || true
			return 0
		fi
		did=$(done_by "$1") printed=$(stat -L -c %s "$4")
		[ "$printed" = "$was_printed" ] && silent=$((silent + 1)) || silent=0
		[ "$silent" -gt 0 ] && [ "$did" = "$was_did" ] && still=$((still + 1)) || still=0
		was_printed=$printed was_did=$did
		if [ $((SECONDS - said)) -ge 300 ]; then
			said=$SECONDS
			echo "# $5: still runs, $silent of $3 looks without output" >&"$progress"
		fi
	done
	return 1
}

# waits PID [LOOKS]: waits until a process ends, however slow it is. Succeeds if it never ends: LOOKS looks in a row (120 if not given), a
# second apart, find it waiting in the kernel, and not run in between. Nothing could end such a process. Needs no progress.
waits() {
	local now last='' still=0
	while now=$(sed -nE 's/^(State|.*ctxt_switches):\t//p' "/proc/$1/status" 2>/dev/null) && [[ -n $now && $now != Z* ]]; do
		if [[ $now = D* && $now = "$last" ]]; then still=$((still + 1)); else still=0; fi
		[ "$still" -lt "${2:-120}" ] || return 0
		last=$now
		# Look again soon at first, because most processes end at once.
		sleep "$([ "$still" -gt 0 ] && echo 1 || echo 0.1)"
	done
	return 1
}
