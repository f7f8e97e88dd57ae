#!/usr/bin/env bash
# Takes every DAX device away from the kernel: shows that a job has left none in use.
# Takes nothing; fails, naming the device, when one is still busy.
set -euo pipefail
# shellcheck source=lab/help.sh
. "$(dirname "$0")/../help.sh"

shopt -s nullglob
limit=120	# seconds; all of them take 45 with CONFIG=debug, and one that a lost reference holds is never free

failed=0
for mounted in /dax/fsdax-*; do
	umount "$mounted" || failed=1
done
for device in ${LAB_RANGES:+/sys/bus/dax/drivers/device_dax/dax*}; do
	# shellcheck disable=SC2016
	if ! timeout "$limit" bash -c 'echo "$1" >/sys/bus/dax/drivers/device_dax/unbind' unbind "${device##*/}"; then
		echo "dax-release: ${device##*/} is still in use $limit s after the job's end" >&2
		failed=1
	fi
done
# All at once: those that are in use are waited for together.
waiting=()
namespaces=$(ndctl list -N | sed -nE 's/.*"dev":"([^"]+)".*/\1/p') || { echo "dax-release: ndctl cannot say which namespaces there are" >&2; failed=1; }
for namespace in $namespaces; do
	{
		# Who waits in the kernel cannot be killed, but left behind.
		# shellcheck disable=SC2016
		timeout "$limit" bash -c '"$@" & wait $!' disable ndctl disable-namespace "$namespace" >/dev/null 2>&1 && exit
		echo "dax-release: $namespace is still in use $limit s after the job's end" >&2
		exit 1
	} &
	waiting+=($!)
done
for pid in "${waiting[@]}"; do
	wait "$pid" || failed=1
done
exit "$failed"
