#!/usr/bin/env bash
# Runs every selftest of the kernel's own in kvm, vfio, dax and mm, on the stock kernel and with the series, and compares the verdicts.
# Takes TESTS=<extended regular expression on the names>; ends with an error when a test passed stock and does not pass with the series.
# Leaves build/<base>/selftests.tsv; RECORD=1 keeps it as results/<base>-selftests.tsv, with what it depends on.
set -euo pipefail

# One kernel after the other, each in a process of its own: env.sh takes STOCK from the environment.
lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -n "${REGRESS_ROWS:-}" ]; then
	# shellcheck source=lab/env.sh
	. "$lab/env.sh"
	"$lab/kernel.sh"
	say "$BASE $VARIANT: booting the machine"
	trap 'exit 130' INT TERM
	"$lab/machine.sh" run "$lab/guest/regress.sh" "$REGRESS_TESTS" "${TESTS:-.}" | tee "$REGRESS_ROWS" >&2 ||
		say "$BASE $VARIANT: the machine's own verdict is status $?, as some tests make the kernel complain; each test has its own"
	exit
fi

# shellcheck source=lab/env.sh
. "$lab/env.sh"
[ "$CPU" = amd ] || die 2 "make regress takes CPU=amd, as the machine of CPU=$CPU does not share our files"
unset MUTANT
export SECONDS_MAX=${SECONDS_MAX:-3400}
lock "$BASE-regress"
"$LAB/deps.sh" build regress
export REGRESS_TESTS=$BUILD/$BASE/series/installed
TARGETS="kvm vfio dax mm" INSTALL=$REGRESS_TESTS "$LAB/selftests.sh"

STOCK=1 REGRESS_ROWS=$BUILD/$BASE/selftests-stock.log "$lab/regress.sh"
STOCK='' REGRESS_ROWS=$BUILD/$BASE/selftests-series.log "$lab/regress.sh"

# A test that is in one list only did not get its turn there.
rows=$BUILD/$BASE/selftests.tsv
{
	printf 'test\tstock\tseries\n'
	awk -v OFS='\t' '
		{ sub(/\r$/, "") }
		!/^row\t/ { next }
		FNR == NR { split($0, part, "\t"); stock[part[2]] = part[3]; next }
		{ split($0, part, "\t"); series[part[2]] = part[3]; order[++n] = part[2] }
		END {
			for (i = 1; i <= n; i++) print order[i], (order[i] in stock ? stock[order[i]] : "not run"), series[order[i]]
			for (test in stock) if (!(test in series)) print test, stock[test], "not run"
		}' "$BUILD/$BASE/selftests-stock.log" "$BUILD/$BASE/selftests-series.log"
} >"$rows"
[ "$(wc -l <"$rows")" -gt 1 ] || die 1 "no test has run; is there one that TESTS=${TESTS:-.} matches?"
[ -z "${RECORD:-}" ] || [ -n "${TESTS:-}" ] || { depends_on "stock and series"; cat "$rows"; } >"$TOP/results/$BASE-selftests.tsv"

awk -F'\t' '
	NR == 1 { next }
	{ counts[$2 " stock, " $3 " with the series"]++ }
	$2 == "pass" && $3 != "pass" { worse++; print "worse: " $1 ": passed on the stock kernel, " $3 " with the series" }
	END {
		for (what in counts) print counts[what] " tests: " what
		print NR - 1 " tests, " worse + 0 " are worse"
		exit worse > 0
	}' "$rows" || exit 1
