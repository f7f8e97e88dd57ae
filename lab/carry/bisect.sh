#!/usr/bin/env bash
# Builds and boots the kernel of BASE after each patch of the series, with its DAX devices, and prints one TAP line per patch.
# Takes PATCHES=<extended regular expression on patch names>. It skips patches that do not change the kernel, such as those of tools/.
# MODES=<list> also runs the selftests of the whole series, on the stock kernel and after each patch. A test that passed after the
# patch before, and does not pass now, is a failure. RECORD=1 keeps in results/ which patches boot. A patch is not run again if it has
# a recorded result or, with MODES, a result of an interrupted run. It is run again if the patch, an earlier patch, the tests, MODES or
# TESTS have changed.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/carry/patch-results.sh
. "$LAB/carry/patch-results.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

as_the_lab_builds_it
leave_out "make bisect builds the series, patch by patch" STOCK MUTANT
leave_out "make bisect boots the machine that each mode needs" FILES_1G
[ -n "${MODES:-}" ] || leave_out "make bisect runs selftests only with MODES=" TESTS TARGETS
export STOCK='' MUTANT='' UPTO=0
out=$BUILD/$BASE/upto${CONFIG:+-$CONFIG}
TREE=$out/tree
steps=$BUILD/$BASE/steps	# for each patch, the tests that pass
trap 'exit 130' INT TERM
patches=$(chosen_patches) || exit
[ -z "${MODES:-}" ] || "$LAB/prove/test-names.sh" >/dev/null

# builds: builds the kernel with the first UPTO patches; fails on a new compiler warning.
builds() {
	"$LAB/kernel/build.sh" || return 1
	! new_warnings "$out/kernel.log" || return 1
}

# step: prints what the result of a step depends on: the kernel, the patches, the tests, and which tests run.
step() { echo "$version $(series_hash kernel "$UPTO") $tests $MODES${TARGETS:+ TARGETS=$TARGETS}${TESTS:+ TESTS=$TESTS}"; }

# has_run NAME: whether an earlier run has left the result of this step.
has_run() { [ -n "${MODES:-}" ] && [ "$(cat "$steps/$1.of" 2>/dev/null)" = "$(step)" ]; }

# tests NAME: runs the selftests; writes the names of those that pass, without measured values, to $steps/NAME.
tests() {
	rm -f "$steps/$1.of"
	RECORD='' "$LAB/prove/kselftest.sh" >"$steps/$1.tap" || true
	# A machine that did not boot, had no devices or whose emulator was killed has no result.
	grep -qE '^[1-9][0-9]* passed, ' "$steps/$1.tap" || return 1
	! grep -qE '^not ok .* machine status=(71|12[36])$' "$steps/$1.tap" || return 1
	awk '/^ok / && !/# SKIP/ {
		# The name ends before the first figure. cycles= is part of the name.
		name = $3
		for (i = 4; i <= NF && ($i !~ /=/ || $i ~ /^cycles=/); i++) name = name " " $i
		print name
	}' "$steps/$1.tap" | sort >"$steps/$1"
	step >"$steps/$1.of"
}

before=
if [ -n "${MODES:-}" ]; then
	mkdir -p "$steps"
	"$LAB/kernel/tree.sh" >&2
	version=$(make -s -C "$TREE" kernelversion) tests=$(series_hash tests)
	before=0000-stock
	has_run "$before" || tests "$before" || die 1 "the selftests have not run on the stock kernel; the reason is above"
	echo "# $before tests=$(wc -l <"$steps/$before")"
fi
for patch in $patches; do
	name=$(basename "$patch" .patch)
	UPTO=$((10#${name%%-*}))
	start=$SECONDS said='' again=''
	if ! changes_kernel "$patch"; then
		skip "$name" "changes no file of the kernel"
		continue
	fi
	if [ -n "${RECORD:-}" ] && [ -z "${MODES:-}" ] && seen "$name" boot; then
		ok "$name as before"
		continue
	fi
	not=
	has_run "$name" && again=1 || builds >&2 || not='not '
	if [ -z "$not" ] && [ -z "${MODES:-}" ]; then
		"$LAB/machine/run.sh" run true >&2 || not='not '
	elif [ -z "$not" ]; then
		if [ -n "$again" ] || tests "$name"; then
			comm -23 "$steps/$before" "$steps/$name" >"$steps/lost"
			comm -13 "$steps/$before" "$steps/$name" >"$steps/more"
			sed 's/^/# no longer passes: /' "$steps/lost"
			[ ! -s "$steps/lost" ] || not='not '
			said=" tests=$(wc -l <"$steps/$name") more=$(wc -l <"$steps/more")${again:+ as before}"
			before=$name
		else
			not='not '
		fi
	fi
	# With MODES, the machine's own result among the tests says whether the kernel boots.
	if [ -z "$not" ] && [ -n "${RECORD:-}" ] &&
		{ [ -z "${MODES:-}" ] || grep -qsE '^ok [0-9]+ [^ ]+ machine ' "$steps/$name.tap"; }; then
		keep_seen "$name" boot
	fi
	"${not:+not_}ok" "$name$said seconds=$((SECONDS - start))"
done
end_tap
