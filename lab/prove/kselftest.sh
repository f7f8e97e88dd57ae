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
if [ -n "${RACE_OPERATION:-}" ]; then
	operations=$(series_patches | xargs -d '\n' sed -nE 's/^\+.*\{ *"([a-z0-9_-]+)", op_.*/\1/p')
	grep -qxF -- "$RACE_OPERATION" <<<"$operations" ||
		die 2 "RACE_OPERATION=$RACE_OPERATION: the race test has no such operation; it has ${operations//$'\n'/, }"
fi
needs_source "make kselftest"
leave_out "make kselftest runs on each backing, and TESTS= chooses" BACKINGS
leave_out "make kselftest boots the machine that each mode needs" FILES_1G
as_the_lab_builds_it
recorded=
[ -z "${RECORD:-}" ] || [ -n "$part${MUTANT:-}" ] || recorded=$TOP/results/$BASE-$CPU${STOCK:+-stock}.tap
if [ -n "$recorded" ] && [ -n "${TESTS:-}" ]; then
	old=$(why_old "${recorded##*/}")
	for mode in $modes; do
		[ -n "$old" ] || ! grep -q "ok [0-9]* $mode machine" "$recorded" || continue
		die 2 "TESTS=$TESTS: results/${recorded##*/} has no lines of $mode that these tests could replace${old:+ ($old)}; leave TESTS out"
	done
fi
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
[ -z "$recorded" ] || head=$(depends_on "$recorded" "$VARIANT")

# unnumbered FILE: prints the result lines of a TAP file without their numbers.
# shellcheck disable=SC2317
unnumbered() { sed -nE 's/^((not )?ok) [0-9]+ /\1 /p' "$1"; }

# record MODE LOG: keeps the lines of LOG without values that change from run to run, in place of those of the mode. With TESTS=, in place of
# those that it matches; a new test is added. Lines of other modes stay, if they are of what runs now.
# shellcheck disable=SC2317
record() {
	local mode=$1 kept=/dev/null
	if is_current "$recorded" <<<"$head"; then
		kept=$recorded
	elif [ -n "${TESTS:-}" ]; then
		not_ok "$mode: results/${recorded##*/} keeps its lines, which do not have: $(lacking "$recorded" <<<"$head" | head -n 1); leave TESTS out"
		return
	fi
	sed -nE 's/ [a-z]+_us=[0-9]+//g; s/^((not )?ok .*[^ ])( +seconds=[0-9]+)$/\1/; /^(not )?ok /p' "$2" >"$results.new"
	if [ -z "${TESTS:-}" ]; then
		unnumbered "$kept" | awk -v mode="$mode" '
			NR == FNR { new = new $0 "\n"; next }
			($1 == "ok" ? $2 : $3) != mode { print; next }
			{ printf "%s", new; new = "" }
			END { printf "%s", new }' "$results.new" - >"$results.all"
	else
		# The last line is that of the machine.
		if grep -q '^not ok [^ ]* machine' "$results.new"; then
			not_ok "$mode: results/${recorded##*/} keeps its lines, as the machine failed"
			return
		fi
		sed -i '$d' "$results.new"
		# The name of a line is the longest one of test-names.sh that it begins with.
		unnumbered "$kept" | awk '
			FILENAME == ARGV[1] { known[$0]; next }
			FILENAME == ARGV[2] { chosen[$0]; next }
			FILENAME == ARGV[3] { new[++n] = $0; mode = $1 == "ok" ? $2 : $3; next }
			{ text = $0; sub(/^(not )?ok /, "", text); name = "" }
			text == mode " machine" { while (used < n) print new[++used] }
			{ for (one in known) if (length(one) > length(name) && index(text " ", one) == 1 && substr(text " ", length(one) + 1, 1) ~ /[ :]/) name = one }
			# A test that has passed, and no longer exists.
			name == "" && $1 == "ok" && index(text, mode " ") == 1 && text != mode " machine" { next }
			!(name in chosen) || name ~ / machine$/ { print; next }
			++used <= n { print new[used] }
			END { exit used > n }' <(MODES=$mode TESTS='' "$LAB/prove/test-names.sh") <(MODES=$mode "$LAB/prove/test-names.sh") \
			"$results.new" - >"$results.all" || {
			not_ok "$mode: results/${recorded##*/} keeps its lines, as TESTS=$TESTS matches more of them than have run; leave TESTS out"
			return
		}
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
		[ -z "$recorded" ] || record "$mode" "$log"
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
