#!/usr/bin/env bash
# Runs the race test on each DAX backing in turn, first all pairs of operations, then at random with a fresh seed each time, in one machine, and prints the results as TAP.
# Takes MINUTES=<how long>, 60 if not given, a minute for each backing in turn, TESTS=, STOCK=1, MUTANT=<name> and CONFIG=debug; a line's seed repeats its choices.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

minutes=${MINUTES:-60}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || die 2 "MINUTES=$minutes is not a number of minutes"
"$LAB/kernel.sh"
TARGETS=kvm "$LAB/selftests.sh"
# All pairs on one of the five backings may take as long.
pairs=1200
[ "${CONFIG:-}" != debug ] || pairs=4800
export SECONDS_MAX=${SECONDS_MAX:-$((minutes * 60 + 5 * pairs + 1800))}
exec "$LAB/machine.sh" run env PARTS=soak SOAK_SECONDS=$((minutes * 60)) PAIRS_LIMIT=$pairs RACE_SECONDS=60 \
	"$LAB/guest/kselftest.sh" npt=1 "$SELFTESTS" kvm "${TESTS:-.}"
