#!/usr/bin/env bash
# Shows, with shadow paging, whether a guest keeps memory that INVLPG makes KVM map while the host removes it. Tries device-dax, DAX files
# and tmpfs.
# Takes how often to remove the memory (20 times if not given): make run BASE=v5.4 JOB=lab/guest/invlpg.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

mib=24
trap 'umount "$work/tmpfs" 2>/dev/null || true; rm -rf "$work" /dax/fsdax-*/invlpg' EXIT
cd "$work"
modprobe -r kvm_amd
modprobe kvm_amd npt=0
[[ $(</sys/module/kvm_amd/parameters/npt) == [0N] ]] || { echo "invlpg: kvm_amd does not take npt=0" >&2; exit 1; }
mkdir tmpfs
mount -t tmpfs tmpfs tmpfs
status=0
for path in /dax/devdax-4k /dax/fsdax-ext4/invlpg /dax/fsdax-xfs/invlpg tmpfs/memory; do
	[ -c "$path" ] || truncate -s $((2 * mib))M "$path"
	"$program" "$path" $mib "${1:-20}" || status=1
done
exit $status
