#!/usr/bin/env bash
# Counts the instructions that it takes to give memory of each kind to a guest, on the stock kernel and with the series.
# Takes SIZE=<MiB>, 32 if not given, REPEAT=<how often each figure is taken>, 3 if not given, and BACKINGS=<list> for some.
# Leaves build/<base>/bench-<cpu>.tsv and prints it as a table, and which targets are missed; bench/README.md says what the rows are.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export BASE=${BASE:-v6.12}
unset MUTANT CONFIG

# One kernel after the other, each in a process of its own: env.sh takes STOCK from the environment.
if [ -n "${BENCH_ROWS:-}" ]; then
	# shellcheck source=lab/env.sh
	. "$lab/env.sh"
	"$lab/kernel.sh"
	output=$OUT/bench-$CPU
	say "$BASE $VARIANT: booting the machine"
	trap 'exit 130' INT TERM
	read -ra backings <<<"${BACKINGS:-}"
	status=0
	ICOUNT=1 KERNEL_WORDS="hugepagesz=1G hugepages=2 norandmaps${KERNEL_WORDS:+ $KERNEL_WORDS}" CARRY=$BENCH_PROGRAM \
		"$lab/machine.sh" run "$lab/guest/bench.sh" "$BENCH_PROGRAM" "$SIZE" "$REPEAT" "${backings[@]}" |
		tee "$output" | grep --line-buffered -v '^row' >&2 || status=$?
	# The stock kernel of v5.4 keeps device-dax memory that VFIO has mapped, and so its device is not free in the end: 72.
	case $BASE-$VARIANT-$status in
	*-0 | v5.4-stock-72) ;;
	*) die 1 "the measurement failed on the $VARIANT kernel; the reason is above and in ${output#"$TOP"/}" ;;
	esac
	tr -d '\r' <"$output" | awk -F'\t' -v OFS='\t' -v head="$BASE	$CPU	$VARIANT" '
		$1 == "row" { print head, $2, $3, $4, $5, $6, $7, $8, $7 ? sprintf("%.1f", $8 / $7) : "-", $9 }' >>"$BENCH_ROWS"
	exit
fi

# shellcheck source=lab/env.sh
. "$lab/env.sh"
[ "$CPU" = amd ] || die 2 "make bench has not been tried with CPU=$CPU yet"
export SIZE=${SIZE:-32} REPEAT=${REPEAT:-3} SECONDS_MAX=${SECONDS_MAX:-3000}
[[ $SIZE =~ ^[0-9]+$ && $((SIZE % 2)) -eq 0 && $SIZE -gt 0 && $SIZE -le 312 ]] ||
	die 2 "SIZE=$SIZE: an even number up to 312 is needed; four times as many MiB must fit into each of the machine's devices"
rows=$BUILD/$BASE/bench-$CPU.tsv
mkdir -p "${rows%/*}"
partial=$rows.partial
trap 'rm -f "$partial"' EXIT
program=$BUILD/kvm-bench
gcc -static -O2 -Wall -Wextra -Werror -pthread -o "$program" "$TOP/bench/kvm-bench.c"

printf 'base\tcpu\tkernel\tbacking\tsize_mib\tvcpus\trow\tpages\tfaults\tinstructions\tper_fault\tspread\n' >"$partial"
for stock in 1 ''; do
	STOCK=$stock BENCH_ROWS=$partial BENCH_PROGRAM=$program "$lab/bench.sh"
done
mv "$partial" "$rows"
"$lab/bench-table.sh" "$rows"
