#!/usr/bin/env bash
# Runs a job in the machine with KVM loaded, which run-tests.sh does itself, and the DAX devices ready, and sees that it leaves them free.
# Takes the job's command and arguments; ends with the job's status, or 72 when a device stays busy.
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

here=$(dirname "$0")
"$here/dax-setup.sh" || exit 71
# A job that needs other parameters loads it anew. run-tests.sh always does, so it has nothing to unload: v5.4's kvm_amd frees the
# memory of only one CPU when it is unloaded, which kmemleak finds.
vendor=kvm_amd load=(modprobe)
! grep -q vmx /proc/cpuinfo || vendor=kvm_intel
[[ " $* " != *"/run-tests.sh "* ]] || load+=(--dry-run)
# On arm64 it is no module, and is there when its CPU can run guests.
[ "${CPU:-}" != arm64 ] || vendor=kvm load=(test -c /dev/kvm -a -n)
"${load[@]}" "$vendor" ||
	echo "session: without $vendor no guest runs; see that lab/kernel/config has CONFIG_${vendor^^}=m, and make kernel" >&2
status=0
${LAB_CPUS:+taskset -c "$LAB_CPUS"} "$@" || status=$?
if ! "$here/dax-release.sh"; then
	[ "$status" -ne 0 ] || status=72
fi
exit "$status"
