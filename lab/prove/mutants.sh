#!/usr/bin/env bash
# Runs tests on mutants, which are kernels with one protection removed each, and checks that exactly the listed tests fail.
# Takes MUTANTS=<names>, all of lab/kernel/mutants/<base>/ if not given. Or takes: left, and prints the mutants without a result in
# results/. The patch of a mutant says which tests must fail: "Caught-by: <backing> <case>", or "<one> or <the other>" if either may
# fail. "Tests: <extended regular expression>" says which tests run (dax_huge_page_test if not given), and "Modes: <list>" in which modes
# (npt=1 if not given). "Seconds: <n>" is for the race test on each backing, "Machine: <variables>" for the tests or their machine.
# RECORD=1 keeps in results/ which mutants were caught. It skips a mutant that was caught before, if series, tests and mutant are the same.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
[ "${1:-}" = left ] || leave_out "each mutant names its own; make mutants takes MUTANTS=" STOCK MUTANT MODES TESTS FILES_1G
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

all=$(cd "$LAB/kernel/mutants/$BASE" && printf '%s\n' *.patch | sed 's/\.patch$//')
kept=$BUILD/$BASE/mutants	# for each mutant: its test output and, if it was caught, its row of the record
record=$TOP/results/$BASE-mutants.tsv

# row MUTANT: prints its name, and what its result depends on.
row() {
	local patch=$LAB/kernel/mutants/$BASE/$1.patch
	[ -f "$patch" ] || die 2 "MUTANTS=$1: there is no lab/kernel/mutants/$BASE/$1.patch; MUTANTS can be: ${all//$'\n'/ }"
	printf '%s\t%s\n' "$1" "$series $(sed -nE '/^(Tests|Modes|Seconds|Machine|Caught-by): /p; /^diff /,$p' "$patch" | sha256sum | cut -c1-16)"
}

# rows: prints that of all mutants.
rows() { local mutant; for mutant in $all; do row "$mutant"; done; }

# keep: records the mutants that were caught.
keep() {
	local head
	head=$(depends_on "$record" "series with one protection removed")
	{ cat "$kept"/*.caught 2>/dev/null || true; } | grow_result "$record" "$head" $'mutant\tof\tcaught_by' "$(rows)"
}

series="$(series_hash kernel) $(series_hash tests)"
case ${1:-} in
left)
	rows | lacking "$record" "$kept"/*.caught | cut -f 1
	exit
	;;
'') ;;
*) die 2 "usage: mutants.sh [left]" ;;
esac

as_the_lab_builds_it
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-mutants.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for mutant in ${MUTANTS:-}; do
	row "$mutant" >/dev/null || exit
done
mkdir -p "$kept"
[ -z "${RECORD:-}" ] || STOCK='' MUTANT='' "$LAB/kernel/tree.sh" >&2

for mutant in ${MUTANTS:-$all}; do
	is=$(row "$mutant") || exit
	if [ -n "${RECORD:-}" ] && is_current "$record" "$kept"/*.caught <<<"$is"; then
		ok "$mutant as before"
		continue
	fi
	patch=$LAB/kernel/mutants/$BASE/$mutant.patch
	tap=$kept/$mutant.tap
	rm -f "$kept/$mutant.caught"
	tests=$(sed -nE 's/^Tests: //p' "$patch")
	modes=$(sed -nE 's/^Modes: //p' "$patch")
	RACE_SECONDS=$(sed -nE 's/^Seconds: //p' "$patch")
	export RACE_SECONDS
	read -ra machine < <(sed -nE 's/^Machine: //p' "$patch") || true
	env "${machine[@]}" RECORD='' STOCK='' MUTANT="$mutant" \
		MODES="${modes:-npt=1}" TESTS="${tests:-dax_huge_page_test}" "$LAB/prove/kselftest.sh" >"$tap" || true
	sed -nE 's/^not ok [0-9]+ [^ ]+ ([^ ]+( [^ =:]+)?):?( .*)?$/\1/p' "$tap" | sort >"$work/failed"
	sed -nE 's/^Caught-by: //p' "$patch" | awk -F ' or ' -v file="$work/failed" '
		BEGIN { while ((getline name <file) > 0) failed[name] }
		{ one = 0; for (i = 1; i <= NF; i++) if ($i in failed) { print $i; one++ } if (!one) print }' | sort >"$work/listed"
	diff "$work/listed" "$work/failed" >"$work/diff" || true
	# A machine that was stopped, hung at boot, had no devices or ran out of time has caught nothing. One that died may have.
	not_run='12[36]'
	[ "$(cat "$work/failed")" != machine ] || not_run='71|12[346]'
	if ! grep -qE '^[0-9]+ passed, ' "$tap" || grep -qE "^not ok [0-9]+ [^ ]+ machine status=($not_run)\$" "$tap"; then
		not_ok "$mutant its tests have not run; the reason is above"
	elif [ -s "$work/failed" ] && [ ! -s "$work/diff" ]; then
		number=$(wc -l <"$work/failed")
		printf '%s\t%s\n' "$is" "$number" >"$kept/$mutant.caught"
		[ -z "${RECORD:-}" ] || keep
		ok "$mutant caught_by=$number"
		sed 's/^/# fails: /' "$work/failed"
	else
		[ -s "$work/failed" ] || echo "# no test fails: a test is still to be written"
		sed -n 's/^</# listed, but passes:/p; s/^>/# fails, but is not listed:/p' "$work/diff"
		not_ok "$mutant the tests that fail are not those listed; $(basename "$tap") in build/$BASE/mutants has them"
	fi
done
[ -z "${RECORD:-}" ] || keep
end_tap || exit 1
