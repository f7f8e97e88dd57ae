#!/usr/bin/env bash
# Makes a folder with Debian's user space for arm64, and prints its path. The machine of CPU=arm64 lays it over the host's root.
# Takes nothing. Downloads the packages from the mirrors of this host's apt, and installs none of them on the host.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/kernel/apt.sh
. "$LAB/kernel/apt.sh"

# The packages that the jobs use. apt adds what these depend on, but no other essential packages of Debian.
packages=(bash coreutils diffutils e2fsprogs findutils gawk grep kmod mount ndctl procps qemu-system-arm sed util-linux xfsprogs)
root=$CACHE/arm64-root-$codename-$(sha256sum <"$LAB/machine/arm64-root.sh" | cut -c1-8)
if [ -d "$root" ]; then
	echo "$root"
	exit
fi
command -v apt-get >/dev/null || die "$NO_SOURCE" "there is no apt, and so no arm64 packages of Debian;" \
	"run this on Debian, or make $root, a folder with: ${packages[*]}"
lock arm64-root
mkdir -p "$CACHE" || die 2 "cannot write to $CACHE; pass CACHE=<directory>"
work=$(mktemp -d "$CACHE/arm64-root.XXXXXX")
trap 'rm -rf "$work"' EXIT

apt_configuration "$work"
cat >>"$work/apt.conf" <<-END
	APT::Architecture "arm64";
	#clear APT::Architectures;
	APT::Architectures { "arm64"; };
END
apt_targets | sed -nE "s,^(${codename:-stable}[^ ]*) main ([^ ]+)\$,deb [arch=arm64 signed-by=$keyring] \2 \1 main,p" |
	sort -u >"$work/sources.list"
export DEBIAN_FRONTEND=noninteractive
say "downloading Debian's packages for arm64, once; that takes a minute or more"
{
	apt-get -c "$work/apt.conf" -q update &&
		apt-get -c "$work/apt.conf" -q -y --download-only --no-install-recommends install "${packages[@]}"
} >"$work/log" 2>&1 || {
	die_if_full
	tail -n 3 "$work/log" >&2
	die "$NO_SOURCE" "the mirrors of this machine's apt do not give the arm64 packages now; their words are above"
}
# Make /bin and the like links, as on the host. Otherwise the host's /usr/bin/bash would be found before this /bin/bash.
for folder in bin sbin lib; do
	mkdir -p "$work/root/usr/$folder"
	ln -s "usr/$folder" "$work/root/$folder"
done
for package in "$work"/cache/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$package" | tar -C "$work/root" -x --keep-directory-symlink ||
		{ die_if_full; die 1 "${package##*/} does not unpack"; }
done
# Make the links that scripts of the packages would make.
for pair in "awk gawk" "sh bash"; do
	read -r name program <<<"$pair"
	[ -e "$work/root/bin/$name" ] || ln -s "$program" "$work/root/bin/$name"
done
rm -rf "$work/root"/usr/share/{doc,man,locale,info,lintian}
mv -T "$work/root" "$root" 2>/dev/null || [ -d "$root" ]
echo "$root"
