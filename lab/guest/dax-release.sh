#!/usr/bin/env bash
# Takes every DAX device away from the kernel: shows that a job has left none in use.
# Takes nothing; fails, naming the device, when one is still busy.
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

shopt -s nullglob
looks=120	# one that a lost reference holds is never free: its taker waits in the kernel, and never runs

# ends PID: waits for a process, which may be slow; fails when so many looks in a row, a second apart, find it waiting there.
ends() {
	local now last='' still=0
	while now=$(sed -nE 's/^(State|.*ctxt_switches):\t//p' "/proc/$1/status" 2>/dev/null) && [[ -n $now && $now != Z* ]]; do
		if [[ $now = D* && $now = "$last" ]]; then still=$((still + 1)); else still=0; fi
		[ "$still" -lt "$looks" ] || return 1
		last=$now
		# Most are free at once.
		sleep "$([ "$still" -gt 0 ] && echo 1 || echo 0.1)"
	done
	wait "$1"
}

failed=0
for mounted in /dax/fsdax-*; do
	umount "$mounted" || failed=1
done
for device in ${LAB_RANGES:+/sys/bus/dax/drivers/device_dax/dax*}; do
	echo "${device##*/}" >/sys/bus/dax/drivers/device_dax/unbind &
	if ! ends $!; then
		echo "dax-release: ${device##*/} is still in use after the job's end" >&2
		failed=1
	fi
done
# All at once: those that are in use are waited for together.
waiting=()
namespaces=$(ndctl list -N | sed -nE 's/.*"dev":"([^"]+)".*/\1/p') ||
	{ echo "dax-release: ndctl cannot say which namespaces there are" >&2; failed=1; }
for namespace in $namespaces; do
	{
		# Who waits in the kernel cannot be killed, but left behind.
		ndctl disable-namespace "$namespace" >/dev/null 2>&1 &
		ends $! && exit
		echo "dax-release: $namespace is still in use after the job's end" >&2
		exit 1
	} &
	waiting+=($!)
done
for pid in "${waiting[@]}"; do
	wait "$pid" || failed=1
done
exit "$failed"
