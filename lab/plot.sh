#!/usr/bin/env bash
# Draws docs/levels.svg: by which pages KVM maps a guest's memory, by base and backing, stock against series.
# Takes nothing; draws what make demo RECORD=1 has left in results/<base>-demo.tsv, one panel a base.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

picture=$TOP/docs/levels.svg
mapfile -t results < <(cd "$TOP/results" && printf '%s\n' *-demo.tsv | sort -V)
[ -e "$TOP/results/${results[0]}" ] || die 2 "there is nothing to draw in results/; run: make demo RECORD=1"
"$LAB/deps.sh" plot
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-plot.XXXXXX")
trap 'rm -rf "$work"' EXIT

# A line for each bar: its label, and how much of the memory is mapped by 4K, 2M and 1G, in percent.
# The stock and the series bar of a backing stand together.
bars() {
	grep -v '^#' "$1" | awk -F'\t' '
		NR == 1 { next }
		!($3 in seen) { order[++n] = $3; seen[$3] }
		{
			all = $4 * 4 + $5 * 2048 + $6 * 1048576
			bar[$3, $2] = sprintf("%.4f\t%.4f\t%.4f", $4 * 400 / all, $5 * 204800 / all, $6 * 104857600 / all)
		}
		END {
			for (i = 1; i <= n; i++) {
				printf "\"%s  stock\"\t%s\n\"series\"\t%s\n", order[i], bar[order[i], "stock"], bar[order[i], "series"]
				if (i < n) print "\"\"\t0\t0\t0"
			}
		}'
}

{
	echo "set terminal svg size $((120 + 360 * ${#results[@]})),600 noenhanced font 'sans-serif,13' background 'white'"
	echo "set output '$work/picture'"
	echo "set multiplot layout 1,${#results[@]}"
	cat <<-'END'
		set style data histograms
		set style histogram rowstacked
		set style fill solid border lc rgb 'white'
		set boxwidth 0.9
		set xtics rotate by 90 right scale 0
		set yrange [0:100]
		set ylabel "% of the guest's memory"
		set grid ytics lc rgb '#dddddd'
		set key outside bottom center horizontal
	END
	for result in "${results[@]}"; do
		bars "$TOP/results/$result" >"$work/$result"
		base=${result%-demo.tsv}
		echo "set title '$base ($(sed -n 's/^# kernel: //p' "$TOP/results/$result"))'"
		echo "plot '$work/$result' using 2:xtic(1) title '4K' lc rgb '#d95f02', '' using 3 title '2M' lc rgb '#7fb2d9', '' using 4 title '1G' lc rgb '#1b5e8c'"
	done
} >"$work/script"
gnuplot "$work/script"
{ cat "$work/picture"; echo "<!-- of: $(cd "$TOP/results" && sha256sum "${results[@]}" | sha256sum | cut -c1-16) -->"; } >"$picture.part"
mv "$picture.part" "$picture"
echo "${picture#"$TOP"/}: ${results[*]}"
