#!/usr/bin/env bash
# Configures the machine's NVDIMMs as /dax/<backing>: device-dax nodes and mounted file systems.
# Takes LAB_BACKINGS from machine/run.sh: the backings that NVDIMM 0, 1, ... become, separated by commas. In a machine without NVDIMMs,
# LAB_RANGES says where the memory of each backing begins, as pmem or soft-reserved.
# Started by: each machine
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"
# shellcheck source=lab/guest/file-systems.sh
. "$(dirname "$0")/file-systems.sh"

IFS=, read -ra backings <<<"$LAB_BACKINGS"

fail() {
	echo "dax-setup: $*" >&2
	exit 1
}

# Prints the region of NVDIMM $1. Regions are numbered as their probes end, so the firmware's handle identifies the NVDIMM.
region_of_nvdimm() {
	local region nmem
	for region in /sys/bus/nd/devices/region*; do
		nmem=$(cut -d, -f1 "$region/mapping0")
		if [ $(($(cat "/sys/bus/nd/devices/$nmem/nfit/handle"))) -eq $(($1 + 1)) ]; then
			basename "$region"
			return
		fi
	done
	fail "the machine has no NVDIMM $1"
}

# Prints the region of the pmem that the kernel's command line makes at address $1, or nothing.
region_at() {
	local region
	for region in /sys/bus/nd/devices/region*; do
		[ ! -e "$region/resource" ] || [ $(($(<"$region/resource"))) -ne "$1" ] || basename "$region"
	done
}

# Makes backing $1 of the soft-reserved memory at address $2, which no driver has taken yet.
prepare_soft_reserved() {
	local backing=$1 align device said
	said=$(modprobe dax_hmem 2>&1) ||
		fail "$backing: there is no pmem at $(printf '%#x' "$2"), and the module for soft-reserved memory does not load: $said"
	case $backing in
	devdax-4k) align=4096 ;;
	devdax-2m) align=$((2 << 20)) ;;
	devdax-1g) align=$((1 << 30)) ;;
	esac
	for device in /sys/bus/dax/devices/dax*; do
		[ $(($(<"$device/resource"))) -eq "$2" ] || continue
		echo "$align" >"$device/align" || fail "$backing: ${device##*/} does not take an alignment of $align"
		echo "${device##*/}" >/sys/bus/dax/drivers/device_dax/new_id || fail "$backing: device_dax does not take ${device##*/}"
		[ -c "/dev/${device##*/}" ] || fail "$backing: ${device##*/} has no device node"
		ln -s "/dev/${device##*/}" "/dax/$backing"
		return
	done
	fail "there is no soft-reserved memory at $(printf '%#x' "$2")"
}

# Makes backing $1 of the namespace that fills region $2.
prepare() {
	local backing=$1 namespace=namespace${2#region}.0 large='' made device type
	[[ $backing != fsdax-xfs-1g* ]] || large=1
	case $backing in
	devdax-*) made=$(ndctl create-namespace -f -e "$namespace" --mode=devdax --map=mem --align="${backing#devdax-}" 2>&1) ;;
	fsdax-*) made=$(ndctl create-namespace -f -e "$namespace" --mode=fsdax --map=mem ${large:+--align=1G} 2>&1) ;;
	esac || fail "ndctl cannot make $backing of $namespace: $made"
	device=/dev/$(sed -nE 's/.*"(chardev|blockdev)":"([^"]+)".*/\2/p' <<<"$made")
	[ -e "$device" ] || fail "$backing of $namespace has no device node: $made"

	if [[ $backing = devdax-* ]]; then
		ln -s "$device" "/dax/$backing"
		return
	fi
	make_file_system "$backing" "$device" || fail "cannot make a file system on $device for $backing"
	mkdir "/dax/$backing"
	type=${backing#fsdax-}
	mount -t "${type%%-*}" -o dax "$device" "/dax/$backing" ||
		fail "cannot mount $device with -o dax for $backing"
}

mkdir -p /dax
mount -t tmpfs -o size=1M tmpfs /dax || fail "cannot mount a tmpfs on /dax"
said=$(modprobe -a nfit nd_pmem dax_pmem device_dax 2>&1) || fail "the NVDIMM and DAX modules do not load: $said"

ranges=()
if [ -n "${LAB_RANGES:-}" ]; then
	IFS=, read -ra ranges <<<"$LAB_RANGES"
	said=$(modprobe nd_e820 2>&1) || fail "the module for pmem does not load: $said"
fi

jobs=()
for i in "${!backings[@]}"; do
	if [ -z "${LAB_RANGES:-}" ]; then
		region=$(region_of_nvdimm "$i")
	else
		region=$(region_at "${ranges[i]}")
		case $region:${backings[i]} in
		:devdax-*)
			prepare_soft_reserved "${backings[i]}" "${ranges[i]}"
			continue
			;;
		:*) fail "there is no pmem at $(printf '%#x' "${ranges[i]}") for ${backings[i]}" ;;
		esac
	fi
	prepare "${backings[i]}" "$region" &
	jobs+=($!)
done
for job in "${jobs[@]}"; do
	wait "$job" || exit 1
done
