#!/usr/bin/env bash
# Unbinds the driver of a disk whose DAX file system is mounted while somebody uses a file there, and prints what comes of it, step by
# step, as a step may end the kernel: a guest must fare no worse than a process on the stock kernel does. The rest is the file system's.
# Takes the backing, and process or guest: make run JOB='lab/guest/unbind-mounted.sh fsdax-ext4 guest'
# Arguments: fsdax-(ext4|xfs) (process|guest)
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

backing=$1 user=$2
place=/dax/$backing
# What ends at once, if it does, stands still after so many looks, where one at which the CPUs have nothing else to run counts as five.
patience=2000

# stands_still: one look more; succeeds when these are all. Its caller sets still to 0 before the first.
stands_still() {
	local runnable
	read -r _ _ _ runnable _ </proc/loadavg
	# One is this script.
	if [ "${runnable%/*}" -eq 1 ]; then still=$((still + 5)); else still=$((still + 1)); fi
	[ "$still" -ge "$patience" ]
}

# answer: what the user says next.
answer() {
	local said still=0
	until read -r -t 0.1 said <&"$from"; do
		[ $? -gt 128 ] || { echo "nothing, as the $user is gone"; return; }
		! stands_still || { echo "nothing, and all stands still"; return; }
	done
	echo "$said"
}

# ends PID: whether a process ends.
ends() {
	local still=0
	while kill -0 "$1" 2>/dev/null; do
		! stands_still || return 1
		sleep 0.1
	done
}

warnings() { dmesg | grep -c 'cut here' || true; }

disk=$(findmnt -no SOURCE "$place")
type=$(findmnt -no FSTYPE "$place")
namespace=$(basename "$(realpath "/sys/class/block/${disk##*/}/device")")
driver=$(realpath "/sys/bus/nd/devices/$namespace/driver")
fallocate -l 2M "$place/memory"
coproc "$program" "$place/memory" "$user"
pid=$COPROC_PID
exec {from}<&"${COPROC[0]}" {to}>&"${COPROC[1]}"
eval "exec ${COPROC[0]}<&- ${COPROC[1]}>&-"
echo "before: $(answer)"
echo "$namespace" >"$driver/unbind" &
unbinding=$!
if ends "$unbinding"; then echo "unbinding: ends"; else echo "unbinding: waits for the $user"; fi
echo >&"$to" || true
echo "after: $(answer)"
exec {to}>&- {from}<&-
if ends "$pid"; then echo "the $user: ends"; else echo "the $user: hangs in the kernel"; fi
if ends "$unbinding"; then echo "unbinding: has ended"; else echo "unbinding: never ends"; fi
echo "warnings: $(warnings)"
umount "$place"
echo "umount: ends"
echo "$namespace" >"$driver/bind"
mount -t "$type" -o dax "$disk" "$place"
echo "mounted again, warnings: $(warnings)"
