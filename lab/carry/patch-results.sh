#!/usr/bin/env bash
# What was seen of each patch that changes the kernel, as results/<base>-patches.tsv has it: in which configurations what it touches
# compiles without a new warning, and how many objects that were, none if nothing of it is compiled there; and that the kernel with it
# and those before it boots.
# Takes: all, and prints what there is to be seen of the series as it is, as "<patch> <configuration, or boot>"; left, and prints
# what of that was not seen; or is sourced by what sees it.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -euo pipefail
	# shellcheck source=lab/lib/env.sh
	. "$(dirname "$0")/../lib/env.sh"
	[[ $* = all || $* = left ]] || die 2 "usage: patch-results.sh all | left"
fi

# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

recorded=$TOP/results/$BASE-patches.tsv

# places: every "<patch> <where>" of which there can be a result.
places() {
	local patch name where configs
	configs=$(compiled_configs)
	series_patches | while read -r patch; do
		changes_kernel "$patch" || continue
		name=$(basename "$patch" .patch)
		for where in $configs boot; do
			printf '%s\t%s\n' "$name" "$where"
		done
	done
}

# rows: the same, with what the result is of: the patch and those before it, as far as they are of the kernel.
rows() {
	local all name where of='' before=''
	all=$(places)
	[ -n "$all" ] || die 1 "no patch of series/$BASE changes the kernel, as it seems"
	while IFS=$'\t' read -r name where; do
		[ "$name" = "$before" ] || of=$(series_hash kernel "$((10#${name%%-*}))")
		before=$name
		printf '%s\t%s\t%s\n' "$name" "$where" "$of"
	done <<<"$all"
}

# seen NAME WHERE: whether it is recorded.
seen() {
	[ -n "${all_rows:-}" ] || all_rows=$(rows)
	grep -s "^$1	$2	" "$recorded" | cut -f 1-3 | grep -xFf - <(echo "$all_rows") >/dev/null
}

# keep_seen NAME WHERE [OBJECTS]: records it, and forgets what was seen of another state of the series.
keep_seen() {
	local head
	[ -n "${all_rows:-}" ] || all_rows=$(rows)
	head=$(depends_on "$recorded" "after each patch")
	sed -n "s/^$1	$2	.*/&\t${3:--}/p" <<<"$all_rows" |
		grow_result "$recorded" "$head" $'patch\twhere\tof\tobjects' "$(sort <<<"$all_rows")"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	case $1 in
	all) places ;;
	left)
		all_rows=$(rows)
		grep -vxFf <(cut -f 1-3 "$recorded" 2>/dev/null) <<<"$all_rows" | cut -f 1,2 || true
		;;
	esac
fi
