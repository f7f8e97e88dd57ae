#!/usr/bin/env bash
# Removes every DAX device from the kernel, to show that a job has left none in use.
# Takes nothing; fails, naming the device, if one is still busy.
# Started by: each machine
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/ends.sh
. "$(dirname "$0")/ends.sh"

shopt -s nullglob
failed=0
for mounted in /dax/fsdax-*; do
	umount "$mounted" || failed=1
done
for device in ${LAB_RANGES:+/sys/bus/dax/drivers/device_dax/dax*}; do
	echo "${device##*/}" >/sys/bus/dax/drivers/device_dax/unbind &
	pid=$!
	if waits $pid || ! wait $pid; then
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
		# A device with a lost reference is never free. The process that removes it waits in the kernel, and cannot be killed. Leave it behind.
		ndctl disable-namespace "$namespace" >/dev/null 2>&1 &
		pid=$!
		! waits $pid && wait $pid && exit
		echo "dax-release: $namespace is still in use after the job's end" >&2
		exit 1
	} &
	waiting+=($!)
done
for pid in "${waiting[@]}"; do
	wait "$pid" || failed=1
done
exit "$failed"
