#!/usr/bin/env bash
# Binds the machine's edu device to vfio-pci, and prints its address. Prints nothing if the machine has no such device.
# Takes nothing; fails, naming the device, if it is behind no IOMMU or vfio-pci does not take it.
# Arguments: none
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

edu=0x1234:0x11e8

for device in /sys/bus/pci/devices/*; do
	[ "$(<"$device/vendor"):$(<"$device/device")" = "$edu" ] || continue
	modprobe vfio-pci
	echo vfio-pci >"$device/driver_override"
	# On arm64 a device gets its IOMMU only when a driver is bound to it.
	echo "${device##*/}" >/sys/bus/pci/drivers_probe
	[ -e "$device/iommu_group" ] || { echo "vfio-setup: ${device##*/} is behind no IOMMU" >&2; exit 1; }
	[ "$(basename "$(realpath "$device/driver")")" = vfio-pci ] || { echo "vfio-setup: vfio-pci does not take ${device##*/}" >&2; exit 1; }
	echo "${device##*/}"
	exit
done
