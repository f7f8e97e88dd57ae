#!/usr/bin/env bash
# Draws docs/levels.svg: by which pages KVM maps a guest's memory, by base and backing, stock against series; docs/demo.svg: make demo
# as it ran; and docs/bench.svg: instructions, by backing, stock against series. Takes nothing; draws what make demo RECORD=1 and
# make bench RECORD=1 have left in results/, a panel of levels.svg a base, a column of bench.svg a base and machine.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/record/results.sh
. "$LAB/record/results.sh"

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
finish levels "${results[@]}"

# An animation that begins with the first line and ends with the last; what does not animate shows the end.
# A wait of more than a second is shown as one second.
screen() {
	awk -v rows=26 '
		function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); return text }
		/^# kernel: /{ kernel = $3 " " $4; sub(/,$/, "", kernel) }
		/^#/ { next }
		{
			at = index($0, "\t")
			seconds = substr($0, 1, at - 1)
			line[++n] = substr($0, at + 1)
			wait = seconds - last
			shown[n] = shown[n - 1] + (wait > 1 ? 1 : wait)
			last = seconds
			if (length(line[n]) > columns) columns = length(line[n])
		}
		END {
			width = columns * 7.9 + 24
			height = rows * 17 + 46
			length_shown = shown[n] + 1
			printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"monospace\" font-size=\"13\">\n", width, height, width, height
			printf "<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#1e2227\"/>\n"
			printf "<clipPath id=\"screen\"><rect y=\"9\" width=\"100%%\" height=\"%d\"/></clipPath>\n", rows * 17
			printf "<g clip-path=\"url(#screen)\"><g transform=\"translate(0 %d)\">\n", (n > rows ? 17 * (rows - n) : 0)
			if (n > rows) {
				for (i = rows + 1; i <= n; i++) {
					values = values sprintf(";0 %d", -17 * (i - rows))
					times = times sprintf(";%.4f", shown[i] / length_shown)
				}
				printf "<animateTransform attributeName=\"transform\" type=\"translate\" calcMode=\"discrete\" dur=\"%.1fs\" fill=\"freeze\" values=\"0 0%s\" keyTimes=\"0%s\"/>\n", length_shown, values, times
			}
			for (i = 1; i <= n; i++) {
				colour = line[i] ~ /^\$ / ? "#7ee787" : line[i] ~ /^[a-z0-9.-]+: / ? "#9aa4af" : "#e6edf3"
				printf "<text x=\"12\" y=\"%d\" fill=\"%s\" xml:space=\"preserve\">%s", 17 * i + 4, colour, escaped(line[i])
				if (shown[i] > 0) printf "<set attributeName=\"visibility\" to=\"hidden\" begin=\"0s\" dur=\"%.1fs\"/>", shown[i]
				print "</text>"
			}
			print "</g></g>"
			printf "<text x=\"12\" y=\"%d\" fill=\"#9aa4af\">%s; it took %d s, and a wait is shown as 1 s at most</text>\n</svg>\n", height - 12, escaped(kernel), last
		}' "$1"
}

session=v6.12-demo-session.tsv
[ ! -e "$TOP/results/$session" ] || { screen "$TOP/results/$session" >"$work/picture"; finish demo "$session"; }

# instructions FILE FIGURE: a line for each backing: its name, and instructions of that figure for each MiB on the stock kernel and with the series.
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
