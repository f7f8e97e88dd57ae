#!/usr/bin/env bash
# Counts the instructions that it takes to give memory of each kind to a guest, on the stock kernel and with the series.
# Takes SIZE=<MiB> (32 if not given), REPEAT=<times that each figure is measured> (3 if not given) and BACKINGS=<list> (all if not given).
# GROWTH=<more MiB> are sizes at which only KVM's faults are counted. RECORD=1 keeps the rows in results/, and excludes the others. It
# does not repeat what an interrupted recording has measured.
# Leaves build/<base>/bench-<cpu>.tsv, and prints it as a table with the missed targets. docs/bench.md explains the rows.
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
[ -n "${BENCH_ROWS:-}" ] || leave_out "make bench compares the stock kernel and the series" STOCK MUTANT MODES TESTS
leave_out "make bench boots a machine with each kind of memory, and BACKINGS= chooses" FILES_1G
[ "${CONFIG:-bench}" = bench ] || leave_out "make bench has a configuration of its own, bench" CONFIG
[ "${CPU:-amd}" != arm64 ] || die 2 "CPU=arm64: make bench is for CPU=amd and CPU=intel, whose emulators count instructions for it"
# This configuration is like that of a distribution's kernel.
export CONFIG=bench
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

# Each kernel is measured in a process of its own, because env.sh takes STOCK from the environment.
if [ -n "${BENCH_ROWS:-}" ]; then
	"$LAB/kernel/build.sh"
	output=$OUT/bench-$CPU
	# measured_with: prints what the rows of a machine depend on, so that a recording that was interrupted goes on where it stopped.
	measured_with() {
		cat "$OUT/built" "$BENCH_PROGRAM" "$LAB/guest/measure.sh" "$LAB/prove/bench-machine.sh" "$LAB/machine/$CPU.sh" |
			sha256sum | sed "s|-|$SIZE $REPEAT $GROWTH $(machine_version)|"
	}
	trap 'exit 130' INT TERM
	# Each kind of memory gets a fresh machine, so that earlier measurements have no effect. Intel's machine boots too slowly for that.
	case $CPU in
	amd) read -ra machines <<<"$BACKINGS" ;;
	intel) machines=("$BACKINGS") ;;
	esac
	for machine in "${machines[@]}"; do
		read -ra backings <<<"$machine"
		kept=$output-${machine// /+}
		if [ -n "${RECORD:-}" ] && [ "$(head -n 1 "$kept" 2>/dev/null)" = "$(measured_with)" ]; then
			say "$BASE $VARIANT: $machine was measured before, in the same way"
		else
			own=''
			[ "$machine" != "$(plan_value 'backings files-1g')" ] || own=1
			FILES_1G=$own "$LAB/prove/bench-machine.sh" "$output" measure.sh "$BENCH_PROGRAM" "$SIZE" "$REPEAT" "$GROWTH" "${backings[@]}"
			{ measured_with; sed -n 's/^row\t//p' "$output"; } >"$kept.new"
			mv "$kept.new" "$kept"
		fi
		awk -F'\t' -v OFS='\t' -v head="$BASE	$CPU	$VARIANT" '
			NR > 1 { print head, $1, $2, $3, $4, $5, $6, $7, $6 ? sprintf("%.1f", $7 / $6) : "-", $8 }' "$kept" >>"$BENCH_ROWS"
	done
	exit
fi

[ -z "${RECORD:-}" ] || [ -z "${SIZE:-}${REPEAT:-}${GROWTH:-}${BACKINGS:-}${KERNEL_WORDS:-}" ] ||
	die 2 "RECORD=1 keeps the rows of all kinds of memory, as they are counted without SIZE, REPEAT, GROWTH, BACKINGS and KERNEL_WORDS;" \
		"leave these out"
all=$(plan_value memory)
growth='1024 2048 4096 8192' largest=4096
# Intel's machine has 128 MiB of device-dax with 4K pages.
[ "$CPU" != intel ] || growth='64 112' largest=112
export SIZE=${SIZE:-32} REPEAT=${REPEAT:-3} GROWTH=${GROWTH:-$growth} BACKINGS=${BACKINGS:-$all} SECONDS_MAX=${SECONDS_MAX:-3000}
[[ $SIZE =~ ^[0-9]+$ && $((SIZE % 2)) -eq 0 && $SIZE -gt 0 && $SIZE -le $largest ]] ||
	die 2 "SIZE=$SIZE: an even number of MiB up to $largest is needed, as much as the machine of CPU=$CPU has of each kind of memory"
[[ $REPEAT =~ ^[1-9][0-9]*$ ]] || die 2 "REPEAT=$REPEAT is no number of runs"
for more in $GROWTH; do
	[[ $more =~ ^[1-9][0-9]*$ ]] || die 2 "GROWTH=$more is no number of MiB"
done
for backing in $BACKINGS; do
	[[ " $all " == *" $backing "* ]] || die 2 "BACKINGS=$backing: there is no such memory; it can be some of $all"
done
rows=$BUILD/$BASE/bench-$CPU.tsv
mkdir -p "${rows%/*}"
lock "$BASE-bench-$CPU"
partial=$rows.partial
trap 'rm -f "$partial"' EXIT
program=$BUILD/kvm-bench
gcc -static -O2 -Wall -Wextra -Werror -pthread -o "$program" "$LAB/guest/kvm-bench.c"

printf 'base\tcpu\tkernel\tbacking\tsize_mib\tvcpus\trow\tpages\tfaults\tinstructions\tper_fault\tspread\n' >"$partial"
for stock in 1 ''; do
	STOCK=$stock BENCH_ROWS=$partial BENCH_PROGRAM=$program "$LAB/prove/bench.sh"
done
mv "$partial" "$rows"
"$LAB/prove/bench-table.sh" "$rows"
if [ -n "${RECORD:-}" ]; then
	recorded=$TOP/results/$BASE-$CPU.tsv
	head=$(depends_on "$recorded" "stock and series")
	write_result "$recorded" "$head" "$rows"
fi
