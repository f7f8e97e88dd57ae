#!/usr/bin/env bash
# Prints the results of make demo as one screen. First, side by side, comes what differs between the stock kernel and the series, and
# then in a few lines what is the same. If the series lets KVM use larger entries on this base, these come first.
# Takes the file of rows, and the file of facts, which may be missing.
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

rows=$1 facts=${2:-/dev/null}
[ -r "$facts" ] || facts=/dev/null
awk -F'\t' -v OFS='\t' '
	# kind: the size of the entries that map most of the memory. counts: how many entries there are.
	function kind() { return $6 ? "1G" : $5 * 512 > $4 ? "2M" : "4K" }
	function counts() { return ($6 ? $6 " of 1G, " $5 " of 2M" : kind() == "2M" ? $5 " of 2M" : $4 " of 4K") }
	function add(name) { if (!(name in known)) { known[name]; order[++n] = name } }
	/^#/ || $1 == "base" { next }
	FILENAME == ARGV[1] {
		name = "Entries that map a guest on " $3
		add(name)
		said[name, $2] = counts()
		faults[name, $2] = $7
		is[name, $2] = kind()
		backing[name] = $3
		next
	}
	{ add($3); said[$3, $2] = is[$3, $2] = $4 }
	END {
		for (i = 1; i <= n; i++) {
			name = order[i]
			split("stock series", kernels, " ")
			for (k in kernels) if (!((name, kernels[k]) in is)) said[name, kernels[k]] = is[name, kernels[k]] = "not seen"
			if (is[name, "stock"] != is[name, "series"]) {
				print "differs", name, said[name, "stock"], said[name, "series"]
				if ((name, "stock") in faults && (name, "series") in faults)
					print "differs", "  page faults of that guest", faults[name, "stock"], faults[name, "series"]
			} else if (name in backing) { by = is[name, "series"]; mapped[by] = mapped[by] (mapped[by] ? ", " : "") backing[name] }
			else {
				plain = name
				sub(/^ +/, "", plain)
				same = same (same ? "; " : "") plain ": " said[name, "series"]
			}
		}
		for (i = split("1G 2M 4K", sizes, " "); i; i--)
			if (sizes[i] in mapped) entries = sizes[i] " (" mapped[sizes[i]] ")" (entries ? ", " : "") entries
		if (entries) same = "KVM maps most of the memory of a guest by " entries (same ? "; " : "") same
		if (same) print "same", same
	}' "$rows" "$facts" | awk -F'\t' '
	$1 == "differs" {
		line[++n] = $0
		for (i = 2; i <= 4; i++) if (length($i) > width[i]) width[i] = length($i)
		next
	}
	{ same = $2 }
	END {
		if (n) {
			if (width[3] < 5) width[3] = 5
			printf "%-*s  %-*s  %s\n", width[2], "", width[3], "stock", "series"
			for (j = 1; j <= n; j++) {
				split(line[j], part, "\t")
				printf "%-*s  %-*s  %s\n", width[2], part[2], width[3], part[3], part[4]
			}
		}
		# The rows stay whole.
		fflush()
		if (same) print (n ? "\n" : "") "Same on both kernels: " same "." | "fold -s -w 100"
	}' | sed 's/ *$//'
