#!/usr/bin/env bash
# Shows whether device-dax binds a device with pages of 1G whose memory begins 512M after a multiple of 1G, and whose memory that maps.
# Takes nothing: make run KERNEL_WORDS='memmap=2G%0x120000000+0xefffffff' JOB=lab/guest/unaligned-device.sh
# Arguments: none
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

start=0x120000000 device=''
modprobe dax_hmem
for one in /sys/bus/dax/devices/dax*; do
	[ $(($(<"$one/resource"))) -ne $((start)) ] || device=${one##*/}
done
[ -n "$device" ] || {
	echo "unaligned-device: no soft-reserved memory begins at $start; boot with KERNEL_WORDS='memmap=2G%$start+0xefffffff'" >&2
	exit 1
}
echo $((1 << 30)) >"/sys/bus/dax/devices/$device/align"
echo "$device" >/sys/bus/dax/drivers/device_dax/new_id || true
if [ ! -e "/sys/bus/dax/devices/$device/driver" ]; then
	echo "refused"
	exit
fi
"$program" "/dev/$device"
