#!/usr/bin/env bash
# Runs the race test on each DAX backing, in one machine, and prints the results as TAP. It first runs all pairs of operations on each
# backing. Then it runs random operations, with a new seed each time, for a minute on each backing in turn.
# Takes MINUTES=<length of the random part> (60 if not given), MODES=<one MMU mode> (npt=1 if not given), TESTS=, STOCK=1, MUTANT=<name>
# and CONFIG=debug. The seed in a line repeats its choices. With MODES=files-1g, also races a guest whose file is mapped by 1G.
# RECORD=1 keeps the results in results/, with what they depend on. It excludes TESTS, STOCK, MUTANT and KERNEL_WORDS, and other MODES.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

needs_source "make soak"
leave_out "make soak runs on each backing, and TESTS= chooses" BACKINGS
leave_out "make soak boots the machine that the mode needs" FILES_1G
[ "$CPU" = amd ] || die 2 "make soak takes CPU=amd, as the machine of CPU=$CPU is too slow for races"
minutes=${MINUTES:-60}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || die 2 "MINUTES=$minutes is not a number of minutes"
mode=${MODES:-npt=1}
known=$(plan mode | cut -d '|' -f 1 | grep -vx nested)
grep -qxF -- "$mode" <<<"$known" || die 2 "MODES=$mode: make soak takes one of ${known//$'\n'/, }"
[ -z "${RECORD:-}" ] || [ -z "${MODES#files-1g}${TESTS:-}${STOCK:-}${MUTANT:-}${KERNEL_WORDS:-}" ] ||
	die 2 "RECORD=1 keeps the whole soak of the series; leave TESTS, STOCK, MUTANT and KERNEL_WORDS out, and MODES unless it is files-1g"
PARTS=soak MODES=$mode "$LAB/prove/test-names.sh" >/dev/null
lock "$BASE-${OUT##*/}-soak"
"$LAB/kernel/build.sh"
export MADE=$BASE-$VARIANT
targets=kvm built=$OUT/$CPU
# Files that are mapped by 1G need a machine and tests of their own.
if [ "$mode" = files-1g ]; then
	export FILES_1G=1
	targets="kvm dax"
	mkdir -p "$built"
	gcc -O2 -Wall -Wextra -Werror -pthread -o "$built/files-1g-race" "$LAB/guest/files-1g-race.c"
fi
TARGETS=$targets "$LAB/kernel/selftests.sh"
# The random part, plus the pairs on each of the five backings, which may take 80 minutes each on a debug kernel.
export SECONDS_MAX=${SECONDS_MAX:-$((minutes * 60 + 5 * 4800 + 1800))}
results=$OUT/soak.tap
trap 'exit 130' INT TERM
status=0
"$LAB/machine/run.sh" run env PARTS=soak SOAK_SECONDS=$((minutes * 60)) RACE_SECONDS=60 \
	"$LAB/guest/run-tests.sh" "$mode" "$SELFTESTS" "$targets" "${TESTS:-.}" "$built" | tee "$results" || status=$?
if [ -n "${RECORD:-}" ]; then
	{
		sed -nE 's/\r$//; /^(not )?ok /p' "$results"
		if [ "$status" -eq 0 ]; then ok "$mode machine"; else not_ok "$mode machine status=$status"; fi
	} >"$results.lasting"
	recorded=$TOP/results/$BASE-soak${CONFIG:+-$CONFIG}${MODES:+-$MODES}.tap
	head=$(depends_on "$recorded" "$VARIANT${CONFIG:+, CONFIG=$CONFIG}")
	write_result "$recorded" "$head" "$results.lasting"
fi
exit "$status"
