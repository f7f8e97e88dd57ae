#!/usr/bin/env bash
# Runs every selftest of the kernel's own in kvm, vfio, dax and mm (vm on v5.4), on the stock kernel and with the series, and compares the verdicts.
# Takes TESTS=<extended regular expression on the names>; ends with an error when a test passed stock and does not pass with the series.
# Leaves build/<base>/selftests.tsv; what TESTS= leaves out stays there as it was, so that the whole can be run in portions.
# RECORD=1 keeps it as results/<base>-selftests.tsv, with what it depends on, when all tests have run.
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
TARGETS="kvm vfio dax mm vm" INSTALL=$REGRESS_TESTS "$LAB/selftests.sh"

# Rows are kept as long as they are of the same kernels.
rows=$BUILD/$BASE/selftests
head=$(depends_on "stock and series" kernel tests)
if [ -z "${TESTS:-}" ] || [ "$(cat "$rows.head" 2>/dev/null)" != "$head" ]; then
	rm -f "$rows-stock.log" "$rows-series.log"
	echo "$head" >"$rows.head"
fi

# rows_of VARIANT: runs the tests on its kernel; a test's new row takes the place of the one that was kept.
rows_of() {
	REGRESS_ROWS=$rows-new.log "$lab/regress.sh"
	grep -q '^row' "$rows-new.log" || die 1 "no test has run on the $1 kernel; is there one that TESTS=${TESTS:-.} matches?"
	touch "$rows-$1.log"
	sed -n 's/\r$//; /^row\t/p' "$rows-new.log" |
		awk -F'\t' 'NR == FNR { row[$2] = $0; next } $2 in row { print row[$2]; delete row[$2]; next } { print }
			END { for (test in row) print row[test] }' - "$rows-$1.log" >"$rows-all.log"
	mv "$rows-all.log" "$rows-$1.log"
}
STOCK=1 rows_of stock
STOCK='' rows_of series

# A test that is in one list only did not get its turn there.
{
	printf 'test\tstock\tseries\n'
	awk -F'\t' -v OFS='\t' '
		FILENAME == ARGV[1] { stock[$2] = $3; next }
		{ print $2, ($2 in stock ? stock[$2] : "not run"), $3; delete stock[$2] }
		END { for (test in stock) print test, stock[test], "not run" }' "$rows-stock.log" "$rows-series.log" | sort
} >"$rows.tsv"
if [ -n "${RECORD:-}" ]; then
	# All that were installed, and the groups of mm.
	left=$({
		sed 's/:/ /; /^mm run_vmtests.sh$/d' "$REGRESS_TESTS/kselftest-list.txt"
		[ ! -d "$REGRESS_TESTS/mm" ] || "$REGRESS_TESTS/mm/run_vmtests.sh" -h | sed -n 's/^- /mm /p'
	} | grep -vxFf <(awk -F'\t' '$2 != "not run" && $3 != "not run" { print $1 }' "$rows.tsv") | paste -sd ,) || true
	[ -z "$left" ] || die 1 "nothing is recorded, as some tests have not been run with these kernels yet: $left"
	cat "$rows.head" "$rows.tsv" >"$TOP/results/$BASE-selftests.tsv"
fi

awk -F'\t' '
	NR == 1 { next }
	{ counts[$2 " stock, " $3 " with the series"]++ }
	$2 == "pass" && $3 != "pass" { worse++; print "worse: " $1 ": passed on the stock kernel, " $3 " with the series" }
	END {
		for (what in counts) print counts[what] " tests: " what
		print NR - 1 " tests, " worse + 0 " are worse"
		exit worse > 0
	}' "$rows.tsv" || exit 1
