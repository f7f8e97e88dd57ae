#!/usr/bin/env bash
# The results of each patch that changes the kernel, as results/<base>-patches.tsv has them. They say in which configurations the files
# that the patch touches compile without a new warning, and how many objects these are (0 if none). They also say whether the kernel
# with this patch and those before it boots.
# Takes: all, and prints every result that the current series can have, as "<patch> <configuration, or boot>". Or takes: left, and prints
# the results that are missing. Other scripts source it to use the functions below.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -euo pipefail
	# shellcheck source=lab/lib/env.sh
	. "$(dirname "$0")/../lib/env.sh"
	[[ $* = all || $* = left ]] || die 2 "usage: patch-results.sh all | left"
fi

# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

recorded=$TOP/results/$BASE-patches.tsv

# places: prints every "<patch> <where>" that can have a result.
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

# rows: prints the same, with a hash of what the result depends on: the changes to the kernel by the patch and those before it.
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

# seen NAME WHERE: whether the current result is recorded.
seen() {
	local row
	[ -n "${all_rows:-}" ] || all_rows=$(rows)
	row=$(grep "^$1	$2	" <<<"$all_rows") && is_current "$recorded" <<<"$row"
}

# keep_seen NAME WHERE [OBJECTS]: records a result, and drops the results of earlier states of the series.
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
		lacking "$recorded" <<<"$all_rows" | cut -f 1,2
		;;
	esac
fi
