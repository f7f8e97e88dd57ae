#!/usr/bin/env bash
# Runs again what results/ has of another series of BASE than the one that is there now, and keeps it; then come make table and make plot.
# Takes BASE; or: list, and prints of each such file its name and the command that makes it anew, and runs none.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

# old_results: the files that are not of the series as it is now, of its kernel and its tests, as far as they have run either, each with its command.
old_results() {
	local file parts CPU command
	for file in "$TOP/results/$BASE"-*; do
		[ -e "$file" ] || continue
		case $file in
		*-stock.tap) parts=tests ;;
		*.tap | *-selftests.tsv) parts="kernel tests" ;;
		*) parts=kernel ;;
		esac
		CPU=amd
		[[ $file != *-intel* ]] || CPU=intel
		# shellcheck disable=SC2086
		[ "$(grep '^# series' "$file")" != "$(of_series $parts)" ] || continue
		case $file in
		*-demo-session.tsv) continue ;;	# comes with demo.tsv
		*-demo.tsv) command="make demo" ;;
		*-selftests.tsv) command="make regress" ;;
		*-steps.tsv) command="make bisect MODES=npt=1" ;;
		*.tsv) command="make bench" ;;
		*-stock.tap) command="make kselftest STOCK=1" ;;
		*) command="make kselftest" ;;
		esac
		[ "$CPU" = amd ] || command+=" CPU=$CPU"
		printf '%s\t%s BASE=%s RECORD=1\n' "${file#"$TOP"/}" "$command" "$BASE"
	done
}

case ${1:-} in
list) old_results; exit ;;
'') ;;
*) die 2 "usage: record.sh [list]" ;;
esac

trap 'exit 130' INT TERM
mapfile -t old < <(old_results)
[ "${#old[@]}" -gt 0 ] || { say "all of results/$BASE-* is of the series as it is now"; exit; }
for line in "${old[@]}"; do
	say "${line%%	*}: ${line#*	}"
	status=0
	read -ra command <<<"${line#*	}"
	"${command[@]}" || status=$?
	# On the stock kernel tests fail, and are recorded so.
	case $line-$status in
	*-0 | *-stock.tap*) ;;
	*) die 1 "${line#*	} ended with status $status; what is left is kept for the next run" ;;
	esac
done
"$LAB/table.sh"
"$LAB/plot.sh"
