#!/usr/bin/env bash
# Unbinds the driver of a disk whose DAX file system is mounted while somebody uses a file there, and prints what comes of it, step by
# step, as a step may end the kernel: a guest must fare no worse than a process on the stock kernel does. The rest is the file system's.
# Takes the backing, and process or guest: make run JOB='lab/guest/unbind-mounted.sh fsdax-ext4 guest'
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

backing=$1 user=$2
place=/dax/$backing
limit=20	# seconds for what ends at once, if it does

# answer: what the user says next.
answer() {
	local said
	if read -r -t "$limit" said <&"$from"; then echo "$said"; else echo "nothing within $limit s, or the $user is gone"; fi
}

# ends PID: whether a process ends within the limit.
ends() { timeout "$limit" tail --pid="$1" -f /dev/null; }

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
