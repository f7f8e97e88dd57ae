#!/usr/bin/env bash
# Configures the tree of BASE: tinyconfig and the fragments of lab/kernel/config, lab/kernel/config/<base>, lab/kernel/config/<CONFIG> and
# its <base>, and sees that every symbol asked for is there.
# Takes STOCK=1 or MUTANT=<name>, and CONFIG=<folder of lab/kernel/config>, which for another architecture comes on top of its defconfig,
# or CONFIG=<file>, which is taken as it is; OBJECTS=1 for that of make objects, outside of the tree. Does nothing when neither
# tree nor fragments have changed.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# Where its symbols come from, the first that is named first.
folders=("$LAB/kernel/config" "$LAB/kernel/config/$BASE") start=tinyconfig
if [ -n "$MACHINE_CONFIG" ]; then
	folders=("$LAB/kernel/config/$MACHINE_CONFIG" "$LAB/kernel/config/$MACHINE_CONFIG/$BASE")
elif [ -n "${CROSS_COMPILE:-}" ]; then
	folders=() start=defconfig
fi
folders+=(${CONFIG:+"$LAB/kernel/config/$CONFIG" "$LAB/kernel/config/$CONFIG/$BASE"})
mapfile -t fragments < <(for folder in "${folders[@]}"; do find "$folder" -maxdepth 1 -name '*.config' 2>/dev/null | LC_ALL=C sort; done)
[ "${CONFIG:-}" != own ] || fragments=("$OWN_CONFIG")	# as it is

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

# What a file of the reader's own asks for may be of another version, or of a compiler with other features.
[ "${CONFIG:-}" != own ] || fragments=()
# to_come SYMBOL: succeeds if a patch of the series adds it, and this tree does not have that patch.
to_come() {
	grep -qxF "+config $1" "$SERIES"/*/*.patch && ! git -C "$TREE" grep -q "^config $1\$" -- '*Kconfig*'
}
# Of a symbol that two fragments name, the last one counts, as it does for merge_config.sh.
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

# An unchanged configuration keeps its time, so that make rebuilds nothing.
cmp -s .config "$OUT/config-before" && cp -p "$OUT/config-before" .config
echo "$stamp" >"$OUT/config-stamp"
