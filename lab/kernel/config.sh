#!/usr/bin/env bash
# Configures the kernel of BASE from tinyconfig and the fragments in lab/kernel/config, its <base>/, <CONFIG>/ and <CONFIG>/<base>/. For
# CPU=arm64, machine-arm64/ replaces the first two. Checks that every symbol gets the value they ask for. Does nothing if neither the
# tree, nor the fragments, nor the compiler have changed.
# Takes STOCK=1 or MUTANT=<name>; CONFIG=<folder of lab/kernel/config>, which for another architecture is added to that one's defconfig,
# or CONFIG=<file>, which is used unchanged; and OBJECTS=1, to configure a folder outside the tree for make objects.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# The folders of the fragments. A later one overrides an earlier one.
folders=("$LAB/kernel/config" "$LAB/kernel/config/$BASE") start=tinyconfig
if [ -n "$MACHINE_CONFIG" ]; then
	folders=("$LAB/kernel/config/$MACHINE_CONFIG" "$LAB/kernel/config/$MACHINE_CONFIG/$BASE")
elif [ -n "${CROSS_COMPILE:-}" ]; then
	folders=() start=defconfig
fi
folders+=(${CONFIG:+"$LAB/kernel/config/$CONFIG" "$LAB/kernel/config/$CONFIG/$BASE"})
mapfile -t fragments < <(for folder in "${folders[@]}"; do find "$folder" -maxdepth 1 -name '*.config' 2>/dev/null | LC_ALL=C sort; done)
[ "${CONFIG:-}" != own ] || fragments=("$OWN_CONFIG")	# used unchanged

stamp=$({ cat "${fragments[@]}"; git -C "$TREE" rev-parse HEAD; "${CROSS_COMPILE:-}gcc" -dumpfullversion; } | sha256sum)
folder=${OBJECTS:+$OUT/objects}
folder=${folder:-$TREE}
if [ -f "$folder/.config" ] && [ "$(cat "$OUT/config-stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi
mkdir -p "$OUT" "$folder"
rm -f "$OUT/config-stamp"
log=$OUT/config.log
cp "$folder/.config" "$OUT/config-before" 2>/dev/null || true
cd "$folder"
{
	if [ "${CONFIG:-}" = own ]; then
		cp "$OWN_CONFIG" .config
	else
		make -C "$TREE" ${OBJECTS:+O="$folder"} "$start"
		"$TREE/scripts/kconfig/merge_config.sh" -m -O . .config "${fragments[@]}"
	fi
	make -C "$TREE" ${OBJECTS:+O="$folder"} olddefconfig
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; die 1 "configuring failed; the whole log is ${log#"$TOP"/}"; }

# Do not check the user's own file: it may have symbols of another version, or of a compiler with other features.
[ "${CONFIG:-}" != own ] || fragments=()
# to_come SYMBOL: succeeds if a patch of the series adds the symbol, and this tree lacks that patch.
to_come() {
	grep -qxF "+config $1" "$SERIES"/*/*.patch && ! git -C "$TREE" grep -q "^config $1\$" -- '*Kconfig*'
}
# If two fragments name a symbol, the last one counts, as in merge_config.sh.
lost=$(sed -nE 's/^(CONFIG_([^=]+)=.*)/\2 \1/p; s/^(# CONFIG_(.*) is not set)/\2 \1/p' /dev/null "${fragments[@]}" |
	awk '{ asked[$1] = substr($0, length($1) + 2) } END { for (symbol in asked) print asked[symbol] }' | while read -r line; do
	case $line in
	CONFIG_*) name=${line#CONFIG_}; grep -qxF "$line" .config || to_come "${name%%=*}" || echo "  $line" ;;
	*) name=${line#\# }; ! grep -q "^${name%% *}=" .config || echo "  $line" ;;
	esac
done)
[ -z "$lost" ] || {
	echo "$lost" >&2
	die 1 "Linux $(make -s -C "$TREE" kernelversion) does not grant these symbols of lab/kernel/config" \
		"(misspelt, gone, or a dependency is missing)"
}

# Keep the time of an unchanged configuration, so that make rebuilds nothing.
cmp -s .config "$OUT/config-before" && cp -p "$OUT/config-before" .config
echo "$stamp" >"$OUT/config-stamp"
