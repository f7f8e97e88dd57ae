#!/usr/bin/env bash
# Draws docs/levels.svg: by which pages KVM maps a guest's memory, stock against series, where that differs, a panel a base; and
# docs/bench.svg: instructions, by backing, stock against series, a column a base and machine. Takes nothing; draws what
# make demo RECORD=1 and make bench RECORD=1 have left in results/.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

mapfile -t results < <(cd "$TOP/results" && printf '%s\n' *-demo.tsv | sort -V)
[ -e "$TOP/results/${results[0]}" ] || die 2 "there is nothing to draw in results/; run: make demo RECORD=1"
"$LAB/kernel/deps.sh" plot
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-plot.XXXXXX")
trap 'rm -rf "$work"' EXIT

# finish NAME RESULT...: the picture in work becomes docs/NAME.svg, and says of which results it is.
finish() {
	local picture=$TOP/docs/$1.svg
	shift
	{ cat "$work/picture"; echo "<!-- of: $(cd "$TOP/results" && sha256sum "$@" | sha256sum | cut -c1-16) -->"; } >"$picture.part"
	mv "$picture.part" "$picture"
	echo "${picture#"$TOP"/}: $*"
}

# A line for each bar: its label, and how much of the memory is mapped by 4K, 2M and 1G, in percent; of the backings where the series
# has another size map most of it. The stock and the series bar of a backing stand together.
bars() {
	grep -v '^#' "$1" | awk -F'\t' '
		NR == 1 { next }
		!($3 in seen) { order[++n] = $3; seen[$3] }
		{
			all = $4 * 4 + $5 * 2048 + $6 * 1048576
			bar[$3, $2] = sprintf("%.4f\t%.4f\t%.4f", $4 * 400 / all, $5 * 204800 / all, $6 * 104857600 / all)
			is[$3, $2] = $6 ? 3 : $5 * 512 > $4 ? 2 : 1
			entries[$3, $2] = $4 + $5 + $6
		}
		function line(backing, kernel) {
			printf "\"%s\\n%s\\n%d\\nentries\"\t%s\n", backing, kernel, entries[backing, kernel], bar[backing, kernel]
		}
		END {
			for (i = 1; i <= n; i++) {
				if (is[order[i], "stock"] == is[order[i], "series"]) continue
				if (some++) print "\"\"\t0\t0\t0"
				line(order[i], "stock")
				line(order[i], "series")
			}
		}'
}

drawn=()
for result in "${results[@]}"; do
	bars "$TOP/results/$result" >"$work/$result"
	[ ! -s "$work/$result" ] || drawn+=("$result")
done
[ ${#drawn[@]} -gt 0 ] || die 1 "no base in results/ has a kind of memory that the series maps by another size"
{
	echo "set terminal svg size $((180 + 620 * ${#drawn[@]})),400 noenhanced font 'sans-serif,13' background 'white'"
	echo "set output '$work/picture'"
	echo "set multiplot layout 1,${#drawn[@]}"
	cat <<-'END'
		set style data histograms
		set style histogram rowstacked
		set style fill solid border lc rgb 'white'
		set boxwidth 0.8
		set xtics scale 0
		set yrange [0:100]
		set ylabel "% of a guest's memory"
		set grid ytics lc rgb '#dddddd'
		set key outside right
		set bmargin 6
	END
	for result in "${drawn[@]}"; do
		kernel=$(sed -n 's/^# kernel: \(Linux [^,]*\),.*/\1/p' "$TOP/results/$result")
		printf 'set title "Pages by which KVM maps a Linux guest of 1 GiB in a DAX file\\n%s, without the series (stock) and with it"\n' "$kernel"
		echo "plot '$work/$result' using 2:xtic(1) title '4K' lc rgb '#d95f02'," \
			"'' using 3 title '2M' lc rgb '#7fb2d9', '' using 4 title '1G' lc rgb '#1b5e8c'"
	done
} >"$work/script"
gnuplot "$work/script"
finish levels "${results[@]}"

# instructions FILE FIGURE: a line for each backing: its name, and instructions of that figure for each MiB on the stock kernel and
# with the series.
instructions() {
	awk -F'\t' -v figures="$2" '
		BEGIN { n = split(figures, part, " "); for (i = 1; i <= n; i++) wanted[part[i]] }
		/^#/ || $1 == "base" || $6 != 1 || !($7 in wanted) { next }
		!($4 in size) { size[$4] = $5; order[++m] = $4 }
		$5 == size[$4] { cost[$4, $3] += $10 / $5 }
		END { for (i = 1; i <= m; i++) printf "\"%s\"\t%.3f\t%.3f\n", order[i], cost[order[i], "stock"], cost[order[i], "series"] }' "$1"
}

# growth FILE BACKING: a line for each size: MiB, and instructions of a fault with the series.
growth() {
	awk -F'\t' -v backing="$2" '
		$3 == "series" && $4 == backing && $6 == 1 && $7 == "guest-mapped" { print $5, $11 }' "$1"
}

mapfile -t results < <(bench_results)
[ "${#results[@]}" -gt 0 ] || exit 0
{
	echo "set terminal svg size $((480 * ${#results[@]})),1230 noenhanced font 'sans-serif,13' background 'white'"
	echo "set output '$work/picture'"
	echo "set multiplot layout 3,${#results[@]} columnsfirst"
	for result in "${results[@]}"; do
		name=${result%.tsv}
		kernel=$(sed -n 's/^# kernel: Linux \([^,]*\),.*/\1/p' "$TOP/results/$result")
		cat <<-END
			set key outside bottom center horizontal
			set grid ytics lc rgb '#dddddd'
			set style data histograms
			set style histogram clustered gap 1
			set style fill solid border lc rgb 'white'
			set boxwidth 0.9
			set xtics rotate by 90 right scale 0
			set xrange [*:*]
			set logscale y
			set yrange [1:*]
			set format y '%.0s %c'
		END
		for row in "guest-mapped:to map 1 MiB that the host has mapped" \
			"log-on log-write log-harvest log-off recover:to log the writes to 1 MiB, and end it"; do
			instructions "$TOP/results/$result" "${row%%:*}" >"$work/$name-${row%% *}"
			printf 'set title "%s (%s): instructions\\n%s"\n' "$name" "$kernel" "${row#*:}"
			echo "plot '$work/$name-${row%% *}' using 2:xtic(1) title 'stock' lc rgb '#d95f02', '' using 3 title 'series' lc rgb '#1b5e8c'"
		done
		cat <<-END
			set title "$name ($kernel): instructions of a fault,\nseries, by MiB that the host has mapped"
			set style data linespoints
			unset logscale y
			set logscale x 2
			set xtics norotate center scale 1 autofreq
			set xlabel 'MiB'
			set yrange [0:*]
			set format y '%g'
		END
		separator=plot
		while read -r backing; do
			growth "$TOP/results/$result" "$backing" >"$work/$name-$backing"
			printf "%s '%s' using 1:2 title '%s'" "$separator" "$work/$name-$backing" "$backing"
			separator=,
		done < <(awk -F'\t' '/^#/ || $1 == "base" { next } !seen[$4]++ { print $4 }' "$TOP/results/$result")
		echo
		echo "unset logscale x; unset xlabel"
	done
} >"$work/script"
gnuplot "$work/script"
finish bench "${results[@]}"
