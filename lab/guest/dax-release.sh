#!/usr/bin/env bash
# Removes every DAX device from the kernel, to show that a job has left none in use.
# Takes nothing; fails, naming the device, if one is still busy.
# Started by: each machine
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

shopt -s nullglob
looks=120	# a device with a lost reference is never free: the process that removes it waits in the kernel forever

# ends PID: waits for the end of a process, however slow. Fails if $looks looks in a row, a second apart, find it waiting in the kernel.
ends() {
	local now last='' still=0
	while now=$(sed -nE 's/^(State|.*ctxt_switches):\t//p' "/proc/$1/status" 2>/dev/null) && [[ -n $now && $now != Z* ]]; do
		if [[ $now = D* && $now = "$last" ]]; then still=$((still + 1)); else still=0; fi
		[ "$still" -lt "$looks" ] || return 1
		last=$now
		# Look again soon at first, because most devices are free at once.
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
# Disable all namespaces at once, to wait for busy ones together.
waiting=()
namespaces=$(ndctl list -N | sed -nE 's/.*"dev":"([^"]+)".*/\1/p') ||
	{ echo "dax-release: ndctl cannot say which namespaces there are" >&2; failed=1; }
for namespace in $namespaces; do
	{
		# A process that waits in the kernel cannot be killed. Leave it behind.
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
