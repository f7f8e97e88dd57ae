#!/usr/bin/env bash
# Unpacks the kernel that the distribution built from the source of BASE, so that the machine can run it as the stock kernel.
# Takes STOCK=package. Leaves what build.sh does: BZIMAGE, MODULES, and TREE, with which other modules are built.
# Fails with NO_SOURCE if there is no such package that can be used here.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ -z "${KSRC:-}" ] || die "$NO_SOURCE" "STOCK=package: the distribution has no kernel built from KSRC=$KSRC; use STOCK=1, or leave KSRC out"
"$LAB/kernel/deps.sh" build machine
source=$(basename "$("$LAB/kernel/source.sh")" .git)
version=${source#*_}
packages=
[ "$version" = "$source" ] || packages=$("$LAB/kernel/source.sh" kernel "$version") || true
[ -n "$packages" ] || die "$NO_SOURCE" "STOCK=package: there is no package of the kernel built from $source that can be used here; use STOCK=1"

lock "$BASE-package"
[ "$(cat "$OUT/built" 2>/dev/null)" != "$version" ] || exit 0
rm -rf "$OUT"
mkdir -p "$OUT/root"
say "unpacking the distribution's kernel $version"
for package in "$packages"/*.deb; do
	dpkg-deb -x "$package" "$OUT/root" || { die_if_full; die 1 "$package is damaged; remove $packages and run this again"; }
done
headers=$(echo "$OUT"/root/usr/src/linux-headers-*-amd64)
# The headers name each other by the places where they get installed.
sed -i "s| /usr/src/| $OUT/root/usr/src/|" "$headers/Makefile"
rm "$headers/vmlinux"	# nothing here reads BTF, and without this file none is made
ln -s "${headers#"$OUT/"}" "$OUT/headers"
mv "$OUT"/root/boot/vmlinuz-* "$OUT/vmlinuz"
mkdir -p "$OUT/modules/lib"
mv "$OUT/root/lib/modules" "$OUT/modules/lib/"
depmod -b "$OUT/modules" "$(ls "$OUT/modules/lib/modules")"
echo "$version" >"$OUT/built"
