#!/usr/bin/env bash
# Prints the results of make bench: each figure on the stock kernel and with the series, and which targets are missed.
# Takes the file of rows, build/<base>/bench-<cpu>.tsv if not given. A missed target is printed, but is not a failure.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

rows=${1:-$BUILD/$BASE/bench-$CPU.tsv}
[ -e "$rows" ] || die 2 "there is no ${rows#"$TOP"/}; run: make bench BASE=$BASE CPU=$CPU"

# The rows say of which base they are.
BASE=$(awk -F'\t' '!/^#/ && $1 != "base" { print $1; exit }' "$rows")
in_place=
! base_has recovers-in-place || in_place=1

awk -F'\t' -v in_place="$in_place" '
	# page: the largest page size, in bytes, by which a backing can be mapped.
	function page(backing) { return backing ~ /-4k$|^anon/ ? 4096 : backing ~ /-1g$/ ? 1073741824 : 2097152 }
	function key(kernel, backing, row) { return kernel SUBSEP backing SUBSEP size_of[backing] SUBSEP 1 SUBSEP row }
	function each(k) { return faults[k] ? cost[k] / faults[k] : cost[k] }
	# target: a must be at most limit times b.
	function target(what, a, b, limit) {
		if (b == 0) return
		checked++
		if (a <= b * limit) return
		missed = missed sprintf("missed: %s: %.0f is %.2f %% more than %.0f\n", what, a, 100 * (a / b - 1), b)
	}
	function exactly(what, a, b) {
		checked++
		if (a != b) missed = missed sprintf("missed: %s: %d, not %d\n", what, a, b)
	}
	/^#/ || /^base\t/ { next }
	{
		line = $4 SUBSEP $5 SUBSEP $6 SUBSEP $7
		k = $3 SUBSEP line
		cpu = $2
		pages[k] = $8; faults[k] = $9; cost[k] = $10
		if (!($7 in widest)) figures[++f] = $7
		if (!($7 in widest) || $12 > spread[$7]) { spread[$7] = $12 + 0; widest[$7] = $3 " " $4 ", " $5 " MiB" }
		if ($12 > 0.5) unsteady = unsteady sprintf("unsteady: %s %s %s: its repetitions differ by %.2f %%\n", $3, $4, $7, $12)
		if (!(line in seen)) { order[++n] = line; seen[line] }
		if (!($4 in size_of)) { size_of[$4] = $5; backing[++m] = $4 }
	}
	END {
		printf "%-13s %5s %5s %-13s %8s %8s %13s %13s %9s\n", "backing", "MiB", "vCPUs", "figure", "pages", "faults", "stock", "series", "ratio"
		for (i = 1; i <= n; i++) {
			split(order[i], part, SUBSEP)
			a = "stock" SUBSEP order[i]; b = "series" SUBSEP order[i]
			printf "%-13s %5d %5d %-13s %8d %8d %13.0f %13.0f %9s\n", part[1], part[2], part[3], part[4], pages[b], faults[b],
				each(a), each(b), (each(a) ? sprintf("%.4f", each(b) / each(a)) : "-")
		}
		print "Instructions of a fault, where there are faults, else of the whole."
		print ""
		print "By how much the repetitions of a figure differ at most, and where; level is a difference, which may be nothing:"
		for (i = 1; i <= f; i++) printf "%-13s %8.2f %%  %s\n", figures[i], spread[figures[i]], widest[figures[i]]
		print ""
		for (i = 1; i <= m; i++) {
			of = backing[i]; same = page(of) == 4096 ? "anon" : page(of) == 2097152 ? "hugetlbfs-2m" : "hugetlbfs-1g"
			for (j = 1; j <= 2; j++) {
				row = j == 1 ? "guest-mapped" : "guest-absent"
				k = key("series", of, row)
				exactly(of " " row ", faults", faults[k], size_of[of] * 1048576 / page(of))
			}
			if (key("series", of, "recover") in pages)
				exactly(of " recover, pages", pages[key("series", of, "recover")], pages[key("series", of, "guest-mapped")])
			# The page sizes come back without a fault. On AMD, the next write needs one, because the log has taken the right to write.
			k = key("series", of, "log-off")
			if (in_place && k in pages) {
				exactly(of " log-off, pages without a fault", pages[k], pages[key("series", of, "guest-mapped")])
				if (cpu == "intel") exactly(of " recover, faults", faults[key("series", of, "recover")], 0)
			}
			if (of ~ /dax/) {
				k = key("series", of, "guest-mapped"); l = key("series", same, "guest-mapped")
				target(of " guest-mapped, instructions of a fault, against " same, each(k), each(l), 1)
				a = cost[key("series", of, "vfio-map")] + cost[key("series", of, "vfio-unmap")]
				b = cost[key("series", same, "vfio-map")] + cost[key("series", same, "vfio-unmap")]
				if (a) target(of " VFIO map and unmap, against " same, a, b, 1)
				target(of " guest-mapped, instructions of a fault, against the stock kernel", each(k), each(key("stock", of, "guest-mapped")), 1.005)
			} else for (j = 1; j <= n; j++) {
				split(order[j], part, SUBSEP)
				# A level is a difference, which may be near 0.
				if (part[1] == of && part[2] == size_of[of] && part[3] == 1 && part[4] != "level")
					target(of " " part[4] ", against the stock kernel", cost["series" SUBSEP order[j]], cost["stock" SUBSEP order[j]], 1.005)
			}
		}
		printf "%s%d targets\n", unsteady missed, checked
	}' "$rows"
