#!/usr/bin/env bash
# Compares a figure of make bench in two cases: shows in which functions the instructions are spent, and by how much the cases differ.
# Takes FIGURE=<list> (guest-mapped if not given), and SIZE=<MiB> (8 if not given; 1G pages always take 1024). BACKINGS=<two> compares
# two kinds of memory, with the series or with STOCK=1 without it. BACKINGS=<one> compares the stock kernel and the series.
# Leaves build/<base>/<kernel>/profile-<cpu>-<backing>.tsv with all figures. A=<file> B=<file> compares two such files instead.
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
needs_source "make bench-profile"
leave_out "make bench-profile is for the stock kernel and the series" MUTANT MODES TESTS
leave_out "make bench-profile boots a machine with each kind of memory, and BACKINGS= chooses" FILES_1G
[ "${CONFIG:-bench}" = bench ] || leave_out "make bench-profile has a configuration of its own, bench" CONFIG
export CONFIG=bench
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

[ "$CPU" = amd ] || die 2 "make bench-profile is for CPU=amd, whose emulator counts instructions for it"

# measure BACKING: boots the machine, and writes the profiles of all figures of that memory to a file.
measure() {
	local backing=$1 program=$BUILD/kvm-bench-profile plugin=$BUILD/count-functions.so profile=$OUT/profile-$CPU-$1.tsv
	local counts=$OUT/profile-counts output=$OUT/profile-output clock
	"$LAB/kernel/build.sh"
	lock "$BASE-profile"
	# The program lies at addresses where no other program of the machine has code, so the plugin finds its clock by the address alone.
	gcc -static -O2 -Wall -Wextra -Werror -pthread -Wl,-Ttext-segment=0x10000000 -o "$program" "$LAB/guest/kvm-bench.c"
	gcc -shared -fPIC -O2 -Wall -Wextra -Werror -o "$plugin" "$LAB/prove/count-functions.c"
	clock=$(nm "$program" | sed -n 's/ t now$//p')
	trap 'exit 130' INT TERM
	PLUGIN=$plugin,clock=$clock,out=$counts KERNEL_WORDS="nokaslr${KERNEL_WORDS:+ $KERNEL_WORDS}" \
		"$LAB/prove/bench-machine.sh" "$output" profile.sh "$program" "$SIZE" 1 0 "$backing"

	# Sort functions and counts by address: a count belongs to the last function before it. The guest's code lies below everything else.
	{
		printf '%s\tat\t%s\n' 0000000000000000 "(the guest)"
		nm "$program" | awk -v OFS='\t' '$2 ~ /^[tTwWi]$/ { print $1, "at", "kvm-bench " $3 } $3 == "_end" { print $1, "at", "(other programs)" }'
		awk -F'\t' -v OFS='\t' '$1 == "symbol" { print $2, "at", $3 }' "$output"
		awk -F'\t' -v OFS='\t' '{ print $2, "counted", $1, $3 }' "$counts"
	} | LC_ALL=C sort | awk -F'\t' -v OFS='\t' -v head="$BASE $VARIANT $backing" '
		# A part that the compiler has split off a function counts as that function.
		$2 == "at" { name = $3; sub(/\.(constprop|isra|part|cold).*/, "", name); next }
		$2 == "counted" { if (!(name in number)) { number[name] = ++n; named[n] = name } count[$3, number[name]] += $4; next }
		$1 == "row" && $4 == 1 && !($5 in seen) {
			seen[$5]
			print "figure", $5, head, $3, $7, $8
			m = split($10, sections, " ")
			all = 0
			for (i = 1; i <= n; i++) {
				sum = 0
				for (j = 1; j <= m; j++)
					sum += sections[j] < 0 ? -count[-sections[j], i] : count[sections[j], i]
				if (sum) print "function", $5, named[i], sum
				all += sum
			}
			# An instruction is counted twice if it faults, or if a pass of the guest ends with it. Where an entry only becomes
			# writable again, KVM does not always count the fault.
			twice = $5 ~ /^(log-write|recover)$/ ? $3 * 256 : $7
			if (all < $8 || all > $8 + twice + 1) { print $5 ": " $8 " instructions by the clock, " all " by function" >"/dev/stderr"; bad = 1 }
		}
		END { exit bad || !n || !m }' - "$output" >"$profile.partial" || die 1 "the counts by function are not those of the figures"
	rm "$counts"
	mv "$profile.partial" "$profile"
}

if [ -n "${PROFILE_OF:-}" ]; then
	measure "$PROFILE_OF"
	exit
fi

export SIZE=${SIZE:-8} SECONDS_MAX=${SECONDS_MAX:-3000}
[[ $SIZE =~ ^[0-9]+$ && $((SIZE % 2)) -eq 0 && $SIZE -gt 0 && $SIZE -le 4096 ]] ||
	die 2 "SIZE=$SIZE: an even number of MiB up to 4096 is needed"
files=()
if [ -n "${A:-}${B:-}" ]; then
	files=("${A:-}" "${B:-}")
	for file in "${files[@]}"; do
		[ -z "$file" ] || [ ! -f "$file" ] || grep -q '^figure	' "$file" ||
			die 2 "$file is no file of make bench-profile, as build/$BASE/series-bench/profile-amd-<backing>.tsv is"
	done
else
	# All figures that the program can count. Some kinds of memory lack some of them.
	known=$(sed -nE 's/.*(record|measure_touch)\("([a-z0-9-]+)".*/\2/p' "$LAB/guest/kvm-bench.c" | sort -u)
	for figure in ${FIGURE:-}; do
		grep -qxF -- "$figure" <<<"$known" || die 2 "FIGURE=$figure: there is no such figure; it can be some of $(xargs <<<"$known")"
	done
	all=$(plan_value memory)
	read -ra backings <<<"${BACKINGS:-devdax-2m hugetlbfs-2m}"
	for backing in "${backings[@]}"; do
		[[ " $all " == *" $backing "* ]] || die 2 "BACKINGS=$backing: there is no such memory; it can be one or two of $all"
	done
	case ${#backings[@]} in
	1) cases=("1 ${backings[0]}" " ${backings[0]}") ;;
	2) cases=("${STOCK:-} ${backings[0]}" "${STOCK:-} ${backings[1]}") ;;
	*) die 2 "BACKINGS=${BACKINGS:-}: one or two are compared" ;;
	esac
	for of in "${cases[@]}"; do
		STOCK=${of% *} PROFILE_OF=${of#* } "$0"
		files+=("$BUILD/$BASE/$([ -n "${of% *}" ] && echo stock || echo series)-$CONFIG/profile-$CPU-${of#* }.tsv")
	done
fi
for file in "${files[@]}"; do
	[ -n "$file" ] || die 2 "two files of make bench-profile are needed: make bench-profile A=<file> B=<file>"
	[ -r "$file" ] || die 2 "$file: there is no such file that can be read; A= and B= are two files of make bench-profile"
done

read -ra figures <<<"${FIGURE:-guest-mapped}"
for figure in "${figures[@]}"; do
	for file in "${files[@]}"; do
		grep -q "^figure	$figure	" "$file" ||
			die 2 "${file#"$TOP"/} has no figure $figure; FIGURE can be: $(sed -n 's/^figure	\([^	]*\)	.*/\1/p' "$file" | xargs)"
	done
	awk -F'\t' -v figure="$figure" '
		function signed(n) { return n > -0.05 && n < 0.05 ? "0.0" : sprintf("%+.1f", n) }
		FNR == 1 { file++ }
		$2 != figure { next }
		$1 == "figure" { title[file] = $3; mib[file] = $4; faults[file] = $5; total[file] = $6 }
		$1 == "function" { count[file, $3] = $4; functions[$3] }
		END {
			by_fault = faults[1] && faults[2]
			for (i = 1; i <= 2; i++) units[i] = by_fault ? faults[i] : mib[i] * 256
			printf "%s, instructions of %s\n", figure, by_fault ? "a fault" : "4K of memory"
			form = "%-36s %22s %22s %10s\n"
			printf form, "function", title[1], title[2], "difference"
			sort = "LC_ALL=C sort -t \047\t\047 -k1,1gr -k2,2 | cut -f3"
			for (f in functions) {
				a = count[1, f] / units[1]; b = count[2, f] / units[2]; d = a > b ? a - b : b - a
				if (d >= 0.05) printf "%.6f\t%s\t" form, d, f, f, sprintf("%.1f", a), sprintf("%.1f", b), signed(b - a) | sort
				else { n++; same[1] += a; same[2] += b }
			}
			close(sort)
			printf form, n + 0 " with less than 0.05 between them", sprintf("%.1f", same[1]), sprintf("%.1f", same[2]), signed(same[2] - same[1])
			a = total[1] / units[1]; b = total[2] / units[2]
			printf form, "the figure", sprintf("%.1f", a), sprintf("%.1f", b), signed(b - a)
		}' "${files[@]}"
done
