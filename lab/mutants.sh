#!/usr/bin/env bash
# Runs tests on kernels with one protection removed each, and sees that exactly the listed ones fail.
# Takes MUTANTS=<names>, all of lab/mutants/<base>/ if not given; each patch lists its tests as "Caught-by: <backing> <case>",
# those to run as "Tests: <extended regular expression>", dax_huge_page_test if not given, in "Modes: <list>", npt=1 if not given,
# how long the race test runs on each backing as "Seconds: <n>", and what machine they need as "Machine: <variables>".
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

mutants=${MUTANTS:-$(cd "$LAB/mutants/$BASE" && printf '%s\n' *.patch | sed 's/\.patch$//')}
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-mutants.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0

mkdir -p "$BUILD/$BASE/mutants"
for mutant in $mutants; do
	patch=$LAB/mutants/$BASE/$mutant.patch
	[ -f "$patch" ] || die 2 "there is no lab/mutants/$BASE/$mutant.patch"
	tap=$BUILD/$BASE/mutants/$mutant.tap
	export STOCK='' MUTANT=$mutant
	tests=$(sed -nE 's/^Tests: //p' "$patch")
	modes=$(sed -nE 's/^Modes: //p' "$patch")
	RACE_SECONDS=$(sed -nE 's/^Seconds: //p' "$patch")
	export RACE_SECONDS
	read -ra machine < <(sed -nE 's/^Machine: //p' "$patch") || true
	env "${machine[@]}" MODES="${modes:-npt=1}" TESTS="${tests:-dax_huge_page_test}" "$LAB/kselftest.sh" >"$tap" || true
	sed -nE 's/^not ok [0-9]+ [^ ]+ ([^ ]+( [^ =:]+)?):?( .*)?$/\1/p' "$tap" | sort >"$work/failed"
	sed -nE 's/^Caught-by: //p' "$patch" | sort >"$work/listed"
	diff "$work/listed" "$work/failed" >"$work/diff" || true
	if ! grep -qE '^[0-9]+ passed, ' "$tap"; then
		echo "not ok $mutant its tests have not run; the reason is above"
		failed=$((failed + 1))
	elif [ -s "$work/failed" ] && [ ! -s "$work/diff" ]; then
		echo "ok $mutant caught_by=$(wc -l <"$work/failed")"
		passed=$((passed + 1))
	else
		[ -s "$work/failed" ] || echo "# no test fails: a test is still to be written"
		sed -n 's/^</# listed, but passes:/p; s/^>/# fails, but is not listed:/p' "$work/diff"
		echo "not ok $mutant the tests that fail are not those listed; $(basename "$tap") in build/$BASE/mutants has them"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] || exit 1
