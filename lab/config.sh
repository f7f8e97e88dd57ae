#!/usr/bin/env bash
# Configures the tree of BASE: tinyconfig and the fragments of lab/config, lab/config/<base>, lab/config/<CONFIG> and its <base>, and sees that every symbol asked for is there.
# Takes STOCK=1 or MUTANT=<name>, and CONFIG=debug, dump or bench; does nothing when neither tree nor fragments have changed.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

fragments=("$LAB"/config/*.config)
[ ! -d "$LAB/config/$BASE" ] || fragments+=("$LAB/config/$BASE"/*.config)
for folder in ${CONFIG:+"$LAB/config/$CONFIG" "$LAB/config/$CONFIG/$BASE"}; do
	[ ! -d "$folder" ] || fragments+=("$folder"/*.config)
done

stamp=$({ cat "${fragments[@]}"; git -C "$TREE" rev-parse HEAD; gcc -dumpfullversion; } | sha256sum)
if [ -f "$TREE/.config" ] && [ "$(cat "$OUT/config-stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi
rm -f "$OUT/config-stamp"
log=$OUT/config.log
cd "$TREE"
cp .config "$OUT/config-before" 2>/dev/null || true
{
	make tinyconfig
	scripts/kconfig/merge_config.sh -m -O . .config "${fragments[@]}"
	make olddefconfig
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; die 1 "configuring failed; the whole log is ${log#"$TOP"/}"; }

# Of a symbol that two fragments name, the last one counts, as it does for merge_config.sh.
lost=$(sed -nE 's/^(CONFIG_([^=]+)=.*)/\2 \1/p; s/^(# CONFIG_(.*) is not set)/\2 \1/p' "${fragments[@]}" |
	awk '{ asked[$1] = substr($0, length($1) + 2) } END { for (symbol in asked) print asked[symbol] }' | while read -r line; do
	case $line in
	CONFIG_*) grep -qxF "$line" .config || echo "  $line" ;;
	*) name=${line#\# }; ! grep -q "^${name%% *}=" .config || echo "  $line" ;;
	esac
done)
[ -z "$lost" ] || { echo "$lost" >&2; die 1 "Linux $(make -s kernelversion) does not grant these symbols of lab/config (misspelt, gone, or a dependency is missing)"; }

# An unchanged configuration keeps its time, so that make rebuilds nothing.
cmp -s .config "$OUT/config-before" && cp -p "$OUT/config-before" .config
echo "$stamp" >"$OUT/config-stamp"
