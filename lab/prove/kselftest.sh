#!/usr/bin/env bash
# Boots the kernel of BASE once per MMU mode, runs the KVM selftests on the DAX backings, and prints KTAP, which ends with the counts.
# Takes MODES=<list> and TESTS=<extended regular expression on test names> to run only some. REPEAT=<n> runs each of the base's own
# selftests n times, or until it fails. RACE_SECONDS=<n> is how long the race test runs on each backing (5 if not given).
# RACE_OPERATION=<name> restricts it to one operation, and RACE_SEED=<n> sets its seed. RECORD=1 keeps the results in results/, with
# what they depend on, but not together with TARGETS=, RACE_OPERATION= or RACE_SEED=. With TESTS=, the others must be there already.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

part=${TARGETS:-}${RACE_OPERATION:-}${RACE_SEED:-}
for target in ${TARGETS:=kvm vfio dax}; do
	case $target in
	kvm | vfio | dax) ;;
	*) die 2 "TARGETS=$target: the lab runs the targets kvm, vfio and dax" ;;
	esac
done
export TARGETS
modes=${MODES:-$(plan mode | cut -d '|' -f 1)}
[[ ${REPEAT:-1} =~ ^[1-9][0-9]*$ ]] || die 2 "REPEAT=$REPEAT is no number of runs"
[[ ${RACE_SECONDS:-1} =~ ^[1-9][0-9]*$ ]] || die 2 "RACE_SECONDS=$RACE_SECONDS is no number of seconds"
[[ ${RACE_SEED:-1} =~ ^[0-9]+$ ]] || die 2 "RACE_SEED=$RACE_SEED is no number; an earlier run has printed one as seed="
leave_out "make kselftest runs on each backing, and TESTS= chooses" BACKINGS
leave_out "make kselftest boots the machine that each mode needs" FILES_1G
as_the_lab_builds_it
# This also checks that the given modes and tests exist.
also=$(MODES=$modes "$LAB/prove/test-names.sh" run)
lock "$BASE-${OUT##*/}-kselftest"
"$LAB/kernel/build.sh"
export MADE=$BASE-$VARIANT
source=$(git -C "$TREE" rev-parse pristine)
PROGRAMS=$(plan test | cut -d '|' -f 2 | sort -u | paste -sd ' ') "$LAB/kernel/selftests.sh"

# Besides the selftests, the tests need a kernel module and programs, which depend on CPU.
built=$OUT/$CPU
case $CPU in
amd) module=page_flags programs='dax-memory unreferenced failure-waits vfio-mediated files-1g-guest files-1g-race' ;;
intel) module=kvm_leaves programs='guest-leaves memory-image' ;;
arm64) module='' programs=arm64-guest ;;
esac
mkdir -p "$built"
if [ -n "$module" ]; then
	cp "$LAB/guest/modules/$module"/{Kbuild,*.c} "$built"
	quietly "$OUT/$module.log" "building $module for $VARIANT" make -C "$TREE" M="$built" modules
fi

# Intel's machine cannot read the host's files, so these files are copied into it. The series may lack the test.
files=(${module:+"$built/$module.ko"})
[ "$CPU" = arm64 ] || for program in "$SELFTESTS"/kvm/x86*/dax_huge_page_test; do
	[ ! -e "$program" ] || files+=("$program")
done
for program in $programs; do
	"${CROSS_COMPILE:-}gcc" ${MACHINE_CONFIG:+-static} -O2 -Wall -Wextra -Werror -pthread -o "$built/$program" "$LAB/guest/$program.c"
	files+=("$built/$program")
done

results=$OUT/kselftest.tap
mkdir -p "$OUT"
recorded=
if [ -n "${RECORD:-}" ] && [ -z "$part${MUTANT:-}" ]; then
	recorded=$TOP/results/$BASE-$CPU${STOCK:+-stock}.tap
	head=$(depends_on "$recorded" "$VARIANT")
fi

# record LOG: keeps the results of the mode that LOG has, without values that change from run to run. Those of other modes stay, if they are
# of what runs now. With TESTS=, replaces the lines that it matches, and keeps the rest.
# shellcheck disable=SC2317
record() {
	local kept=/dev/null
	! is_current "$recorded" <<<"$head" || kept=$recorded
	sed -nE 's/ [a-z]+_us=[0-9]+//g; s/^((not )?ok .*[^ ])( +seconds=[0-9]+)$/\1/; /^(not )?ok /p' "$1" >"$results.new"
	if ! sed -nE 's/^((not )?ok) [0-9]+ /\1 /p' "$kept" | awk -v tests="${TESTS:-}" '
		{ mode = $1 == "ok" ? $2 : $3; text = $0; sub(/^(not )?ok /, "", text); machine = text ~ /^[^ ]+ machine/ }
		NR == FNR && tests != "" && machine { known = mode; failed = $1 == "not"; next }
		NR == FNR { new[++n] = $0; known = mode; next }
		mode != known { print; next }
		tests != "" && (machine || text !~ tests) { print; next }
		tests != "" { print new[++used]; next }
		!used { while (used < n) print new[++used] }
		END {
			if (tests != "") exit failed || used != n
			while (used < n) print new[++used]
		}' "$results.new" - >"$results.all"; then
		not_ok "results/${recorded##*/}: not kept, as TESTS=$TESTS matches other lines there than have run, or the machine failed;" \
			"leave it out"
		return
	fi
	{ number_tap <"$results.all" || true; } | sed -nE '/^(not )?ok |^[0-9]+ passed/p' >"$results.lasting"
	write_result "$recorded" "$head" "$results.lasting"
	rm "$results.new" "$results.all" "$results.lasting"
}

# shellcheck disable=SC2317
run_modes() {
	local mode status start log ran=''
	log=$(mktemp)
	for mode in $modes; do
		[ "$(git -C "$TREE" rev-parse pristine)" = "$source" ] ||
			die 1 "another run has given ${TREE#"$TOP"/} another source meanwhile; run this again"
		start=$SECONDS status=0
		echo "# $BASE $VARIANT $mode: starting the machine"
		(
			export SECONDS_MAX=${SECONDS_MAX:-$(plan_value silence)}
			[ "$mode" != files-1g ] || export FILES_1G=1
			CARRY="${files[*]}" "$LAB/machine/run.sh" run env ALSO="$also" REPEAT="${REPEAT:-1}" RACE_SECONDS="${RACE_SECONDS:-}" \
				RACE_OPERATION="${RACE_OPERATION:-}" RACE_SEED="${RACE_SEED:-}" \
				"$LAB/guest/run-tests.sh" "$mode" "$SELFTESTS" "$TARGETS" "${TESTS:-.}" "$built" 2>&1
		) | tee "$log" || status=$?
		# After an interrupt, start no further machine.
		[ "$status" -ne 130 ] || exit 130
		[ "$status" -eq 0 ] && ! grep -qE '^(not )?ok ' "$log" || ran=1
		# The result of the machine itself: it booted, the kernel log is clean, and the devices are free again.
		if [ "$status" -eq 0 ]; then ok "$mode machine seconds=$((SECONDS - start))"; else not_ok "$mode machine status=$status"; fi | tee -a "$log"
		[ -z "$recorded" ] || record "$log"
	done
	rm "$log"
	[ -n "$ran" ] || not_ok "no test has run: TESTS=${TESTS:-} leaves none of those of TARGETS=$TARGETS in MODES=${modes//$'\n'/ }"
}

# all_modes: numbers the result lines of all modes, and keeps them. Fails if a test has failed, or if not all modes have run.
# shellcheck disable=SC2317
all_modes() { run_modes | number_tap | tee "$results"; }

status=0
as_group all_modes || status=$?
exit $((status > 0))
