#!/usr/bin/env bash
# Checks that the Debian packages for some jobs of the lab are installed. Root installs missing ones; others are told the command.
# Takes the jobs: build, machine, intel, arm64, check, applies, plot, regress, fstests, objects, htmldocs, tool.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

declare -A packages=(
	[build]="gcc make libc6-dev bc flex bison libelf-dev libssl-dev cpio xz-utils perl kmod rsync git ccache uuid-dev"
	[machine]="gcc libc6-dev cpio qemu-system-x86 ndctl daxctl dmsetup perl e2fsprogs xfsprogs kmod"
	[intel]="gcc libc6-dev cpio bochs bochsbios vgabios grub-common grub-pc-bin xorriso mtools ndctl e2fsprogs xfsprogs kmod"
	[arm64]="gcc libc6-dev cpio qemu-system-arm qemu-efi-aarch64 dpkg"
	[check]="shellcheck quilt git perl gcc libc6-dev"
	[applies]="quilt git dpkg-dev xz-utils"
	[plot]="gnuplot-nox"
	[regress]="libcap-dev libcap-ng-dev libnuma-dev liburing-dev sudo"
	[fstests]="acl attr bc dmsetup e2fsprogs fio gawk quota xfsdump xfsprogs"
	[objects]="sparse gcc-aarch64-linux-gnu gcc-powerpc64le-linux-gnu gcc-s390x-linux-gnu"
	[htmldocs]="python3-sphinx python3-sphinx-rtd-theme python3-yaml"
	[tool]="gcc libc6-dev"
)
[ "$(uname -m)" = aarch64 ] || packages[arm64]+=" gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

wanted=()
for job in "$@"; do
	[ -n "${packages[$job]:-}" ] || die 2 "no such job: $job; deps.sh -h lists them"
	read -ra more <<<"${packages[$job]}"
	wanted+=("${more[@]}")
done

if ! command -v dpkg-query >/dev/null; then
	say "this is not Debian; what these Debian packages hold has to be there: ${wanted[*]}"
	exit
fi
missing=()
for package in $(printf '%s\n' "${wanted[@]}" | awk '!seen[$0]++'); do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" -eq 0 ] || die 2 "packages are missing; run: sudo apt-get install --no-install-recommends ${missing[*]}"

lock packages
say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$BUILD/packages.log
# apt-get update has no option to wait for another apt, of another checkout or of the system.
update() {
	local said
	until said=$(apt-get update 2>&1); do
		echo "$said"
		[[ $said == *"Could not get lock"* ]] || return 1
		sleep 5
	done
}
quietly "$log" "apt-get update" update
quietly "$log" "apt-get install" apt-get install -o DPkg::Lock::Timeout=600 -y --no-install-recommends "${missing[@]}"
