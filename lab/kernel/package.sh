#!/usr/bin/env bash
# Unpacks the kernel that the distribution built from the source of BASE, so that the machine can run it as the stock kernel.
# Takes STOCK=package. Leaves what build.sh does: BZIMAGE, MODULES, and TREE, with which other modules are built.
# Fails with NO_SOURCE if there is no such package that can be used here.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ -z "${KSRC:-}" ] || die "$NO_SOURCE" "STOCK=package: the distribution has no kernel built from KSRC=$KSRC; use STOCK=1, or leave KSRC out"
"$LAB/kernel/deps.sh" build machine
repository=$("$LAB/kernel/source.sh")
source=$(basename "$repository" .git)
version=${source#*_} none="STOCK=package: there is no package of the kernel built from $source that can be used here; use STOCK=1"
[ "$version" != "$source" ] || die "$NO_SOURCE" "$none"
status=0
packages=$("$LAB/kernel/source.sh" kernel "$version") || status=$?
[ "$status" -ne "$NO_SOURCE" ] || die "$NO_SOURCE" "$none"
[ "$status" -eq 0 ] || exit "$status"

lock "$BASE-package"
built="$version $(git hash-object "$0")"
[ "$(cat "$OUT/built" 2>/dev/null)" != "$built" ] || exit 0
# Do not touch what runs of the machine have left, or still write.
rm -rf "$OUT/built" "$OUT/initramfs.gz" "$OUT/root"
mkdir -p "$OUT/root"
say "unpacking the distribution's kernel $version"
for package in "$packages"/*.deb; do
	dpkg-deb -x "$package" "$OUT/root" || { die_if_full; die 1 "$package is damaged; remove $packages and run this again"; }
done
headers=("$OUT"/root/usr/src/linux-headers-*-amd64) common=("$OUT"/root/usr/src/linux-headers-*-common) image=("$OUT"/root/boot/vmlinuz-*)
# Debian 13 has no /lib.
modules=("$OUT"/root/{,usr/}lib/modules/*/kernel)
for path in "${headers[0]}/Makefile" "${common[0]}" "${image[0]}" "${modules[0]}"; do
	[ -e "$path" ] || die "$NO_SOURCE" "STOCK=package: the package has no ${path#"$OUT/root"}, which the lab needs; use STOCK=1"
done
# The common headers are named by the place where they get installed.
echo "include \$(dir \$(lastword \$(MAKEFILE_LIST)))../$(basename "${common[0]}")/Makefile" >"${headers[0]}/Makefile"
rm -f "${headers[0]}/vmlinux"	# nothing here reads BTF, and without this file none is made
release=$(basename "${modules[0]%/kernel}")
rm -rf "$OUT/modules.new" "$OUT/modules.old"
mkdir -p "$OUT/modules.new/lib/modules"
mv "${modules[0]%/kernel}" "$OUT/modules.new/lib/modules/$release"
depmod -b "$OUT/modules.new" "$release"
# Replace the modules in one step, because a machine that runs meanwhile may use them.
[ ! -d "$MODULES" ] || mv "$MODULES" "$OUT/modules.old"
mv "$OUT/modules.new" "$MODULES"
mv "${image[0]}" "$BZIMAGE"
ln -sfn "${headers[0]#"$OUT/"}" "$TREE"
echo "$built" >"$OUT/built"
