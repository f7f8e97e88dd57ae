#!/usr/bin/env bash
# Boots the kernel of BASE once per MMU mode, runs the KVM selftests on the DAX backings in it, and prints KTAP.
# Takes MODES=<list> and TESTS=<extended regular expression on the tests' names> to run a part; ends with the counts.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

for target in ${TARGETS:=kvm vfio}; do
	case $target in
	kvm | vfio) ;;
	*) die 2 "TARGETS=$target: the lab runs the targets kvm and vfio" ;;
	esac
done
export TARGETS
"$LAB/kernel.sh"
"$LAB/selftests.sh"
modes=${MODES:-$("$LAB/guest/kselftest.sh" -h | sed -nE 's/^  ([^ ]+) .*/\1/p')}

results=$OUT/kselftest.tap
mkdir -p "$OUT"
run_modes() {
	local mode status start
	for mode in $modes; do
		start=$SECONDS status=0
		echo "# $BASE $VARIANT $mode: starting the machine"
		"$LAB/machine.sh" run "$LAB/guest/kselftest.sh" "$mode" "$SELFTESTS" "$TARGETS" "${TESTS:-.}" 2>&1 || status=$?
		# The machine's own verdict: it came up, the kernel log is clean, the devices are free again.
		[ "$status" -eq 0 ] && echo "ok $mode machine seconds=$((SECONDS - start))" || echo "not ok $mode machine status=$status"
	done
}

# Numbers the results; the plan comes last, as their number is known only then.
number() {
	awk '
		BEGIN { print "KTAP version 1" }
		/^(not )?ok / {
			n++
			if (/# SKIP/) skipped++
			else if (/^not/) failed++
			else passed++
			sub(/^(not )?ok/, "& " n)
		}
		!/^(not )?ok / && !/^#/ { $0 = "# " $0 }
		{ print; fflush() }
		END {
			print "1.." n
			printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
			exit failed > 0 || n == 0
		}'
}
trap 'exit 130' INT TERM
run_modes | number | tee "$results" || exit 1
