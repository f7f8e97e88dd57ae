#!/usr/bin/env bash
# Draws three pictures, stock against series. docs/levels.svg: by which page sizes KVM maps a guest's memory, a panel for each base where
# that differs. docs/charged.svg: how much memory of an assigned device is charged. docs/references.svg: how many pages it leaves referenced.
# Takes nothing. Draws the results of make demo RECORD=1 in results/.
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

# finish NAME RESULT...: moves the picture from $work to docs/NAME.svg, and adds a hash of what it shows.
finish() {
	local picture=$TOP/docs/$1.svg
	shift
	{ cat "$work/picture"; echo "<!-- of: $(drawn_hash "$@") -->"; } >"$picture.part"
	mv "$picture.part" "$picture"
	echo "${picture#"$TOP"/}: $*"
}

# bars FILE: prints a line for each bar: its label, and the percentages of the memory that 4K, 2M and 1G entries map. It prints only
# backings that the series maps mostly by another size. The stock bar and the series bar of a backing are neighbours.
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
		function place(backing) { return backing ~ /^fsdax-xfs/ ? "file on XFS" : backing ~ /^fsdax-ext4/ ? "file on ext4" : backing }
		function line(backing, kernel) {
			printf "\"%s\\n%s\\n%d\\nentries\"\t%s\n", place(backing), kernel, entries[backing, kernel], bar[backing, kernel]
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
		printf 'set title "Pages by which KVM maps a Linux guest in a DAX file\\n%s, without the series (stock) and with it"\n' "$kernel"
		echo "plot '$work/$result' using 2:xtic(1) title '4K' lc rgb '#d95f02'," \
			"'' using 3 title '2M' lc rgb '#7fb2d9', '' using 4 title '1G' lc rgb '#1b5e8c'"
	done
} >"$work/script"
gnuplot "$work/script"
finish levels "${results[@]}"

# counts FACT: prints a line for each base with a recorded demo: its kernel, and the first number of FACT, stock and with the series.
counts() {
	local result kernel
	for result in "${facts[@]}"; do
		kernel=$(sed -n 's/^# kernel: \(Linux [^,]*\),.*/\1/p' "$TOP/results/$result")
		awk -F'\t' -v fact="$1" -v kernel="$kernel" '
			$3 == fact { is[$2] = $4 + 0; n++ }
			END { if (n == 2) printf "\"%s\"\t%d\t%d\n", kernel, is["stock"], is["series"] }' "$TOP/results/$result"
	done
}

# picture NAME FACT TITLE UNIT: draws bars, stock beside series, for each base.
picture() {
	counts "$2" >"$work/$1"
	[ -s "$work/$1" ] || die 1 "no results/*-demo-facts.tsv has the fact \"$2\"; lab/guest/demo-facts.sh names them"
	cat >"$work/script" <<-END
		set terminal svg size 560,400 noenhanced font 'sans-serif,13' background 'white'
		set output '$work/picture'
		set title "$3"
		set ylabel "$4"
		set style data histograms
		set style histogram clustered gap 1
		set style fill solid border lc rgb 'white'
		set boxwidth 0.9
		set xtics scale 0
		set yrange [0:*]
		set format y '%.0f'
		set grid ytics lc rgb '#dddddd'
		set key outside bottom center horizontal
		plot '$work/$1' using 2:xtic(1) title 'without the series (stock)' lc rgb '#d95f02', '' using 3 title 'with it' lc rgb '#1b5e8c', \
			'' using (column(0) - 0.17):2:2 with labels offset 0,0.7 notitle, '' using (column(0) + 0.17):3:3 with labels offset 0,0.7 notitle
	END
	gnuplot "$work/script"
	finish "$1" "${facts[@]}"
}

mapfile -t facts < <(cd "$TOP/results" && printf '%s\n' *-demo-facts.tsv | grep -v '\*' | sort -V)
[ ${#facts[@]} -gt 0 ] || exit 0
picture charged 'Device assigned: memory charged (VmLck)' \
	'A device is assigned to a guest on device-dax:\nmemory charged to the user, of 16384 kB' 'kB (VmLck)'
picture references '  pages still referenced after its end' 'The same guest has ended:\npages of its memory still referenced, of 4096' pages
