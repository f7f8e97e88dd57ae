#!/usr/bin/env bash
# Unbinds the driver of a disk while its DAX file system is mounted and a process or a guest uses a file there. Prints each step's result,
# because a step may crash the kernel. A guest must fare no worse than a process on the stock kernel. The rest is up to the file system.
# There are two guests at once, with interrupts off and on, because KVM may queue the page faults of the latter as asynchronous ones.
# Takes the backing, and process or guest: make run JOB='lab/guest/unbind-mounted.sh fsdax-ext4 guest'
# Arguments: fsdax-(ext4|xfs) (process|guest)
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

backing=$1 user=$2
place=/dax/$backing
# What ends, ends at once. So give up after this many looks; one at which the CPUs have nothing else to run counts as five.
patience=2000

# stands_still: counts one more look, and succeeds if it is the last. The caller sets still to 0 before the first.
stands_still() {
	local runnable
	read -r _ _ _ runnable _ </proc/loadavg
	# This script is one of the runnable tasks.
	if [ "${runnable%/*}" -eq 1 ]; then still=$((still + 5)); else still=$((still + 1)); fi
	[ "$still" -ge "$patience" ]
}

# answer WAY: prints the next line of the process or guest, or why there is none.
answer() {
	local said still=0
	until read -r -t 0.1 said <&"${from[$1]}"; do
		[ $? -gt 128 ] || { echo "nothing, as the $user is gone"; return; }
		! stands_still || { echo "nothing, and all stands still"; return; }
	done
	echo "$said"
}

# ends PID: succeeds if the process ends.
ends() {
	local still=0
	while kill -0 "$1" 2>/dev/null; do
		! stands_still || return 1
		sleep 0.1
	done
}

close_pipes() {
	local fd
	for fd in "${to[@]}" "${from[@]}"; do
		eval "exec $fd>&-"
	done
}

warnings() { dmesg | grep -c 'cut here' || true; }

disk=$(findmnt -no SOURCE "$place")
type=$(findmnt -no FSTYPE "$place")
namespace=$(basename "$(realpath "/sys/class/block/${disk##*/}/device")")
driver=$(realpath "/sys/bus/nd/devices/$namespace/driver")
# A process has no interrupts.
ways=(off on)
[ "$user" = guest ] || ways=(off)
declare -A pid from to of
# Start all before a pipe is open here, so that none inherits the pipe of another, and each reads its end.
for way in "${ways[@]}"; do
	of[$way]=${ways[1]:+, interrupts=$way}
	fallocate -l 2M "$place/memory-$way"
	mkfifo "$work/to-$way" "$work/from-$way"
	"$program" "$place/memory-$way" "$user" "$way" <"$work/to-$way" >"$work/from-$way" &
	pid[$way]=$!
done
for way in "${ways[@]}"; do
	exec {fd}>"$work/to-$way"
	to[$way]=$fd
	exec {fd}<"$work/from-$way"
	from[$way]=$fd
done
for way in "${ways[@]}"; do
	echo "before${of[$way]}: $(answer "$way")"
done
{ close_pipes; echo "$namespace" >"$driver/unbind"; } &
unbinding=$!
if ends "$unbinding"; then echo "unbinding: ends"; else echo "unbinding: waits for the $user"; fi
for way in "${ways[@]}"; do
	echo >&"${to[$way]}" || true
	echo "after${of[$way]}: $(answer "$way")"
done
close_pipes
for way in "${ways[@]}"; do
	if ends "${pid[$way]}"; then echo "the $user${of[$way]}: ends"; else echo "the $user${of[$way]}: hangs in the kernel"; fi
done
if ends "$unbinding"; then echo "unbinding: has ended"; else echo "unbinding: never ends"; fi
echo "warnings: $(warnings)"
umount "$place"
echo "umount: ends"
echo "$namespace" >"$driver/bind"
mount -t "$type" -o dax "$disk" "$place"
echo "mounted again, warnings: $(warnings)"
