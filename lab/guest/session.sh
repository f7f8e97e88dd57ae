#!/usr/bin/env bash
# Sets up the DAX devices, loads KVM (run-tests.sh loads it itself), and runs a job in the machine. Then checks that no DAX device is in
# use.
# Takes the job's command and arguments. Exits with the job's status, with 71 if the setup fails, or with 72 if the job ends well but a
# device stays busy.
# Started by: each machine
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

here=$(dirname "$0")
"$here/dax-setup.sh" || exit 71
# A job that needs other parameters reloads KVM. run-tests.sh always does, so it gets nothing to unload: v5.4's kvm_amd frees the memory
# of only one CPU when it is unloaded, which kmemleak reports.
vendor=kvm_amd load=(modprobe)
! grep -q vmx /proc/cpuinfo || vendor=kvm_intel
[[ " $* " != *"/run-tests.sh "* ]] || load+=(--dry-run)
# On arm64, KVM is no module. /dev/kvm exists if the CPU can run guests.
[ "${CPU:-}" != arm64 ] || vendor=kvm load=(test -c /dev/kvm -a -n)
"${load[@]}" "$vendor" ||
	echo "session: without $vendor no guest runs; see that lab/kernel/config has CONFIG_${vendor^^}=m, and make kernel" >&2
status=0
${LAB_CPUS:+taskset -c "$LAB_CPUS"} "$@" || status=$?
if ! "$here/dax-release.sh"; then
	[ "$status" -ne 0 ] || status=72
fi
exit "$status"
