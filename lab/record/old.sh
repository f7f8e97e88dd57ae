#!/usr/bin/env bash
# Lists the results in results/ that are missing, incomplete, or recorded with an earlier state of series/BASE, and how to record them.
# Takes BASE and KSRC. Prints "results/<file>", the command and the reason, separated by tabs. The reason is "missing", or names what has
# changed: "kernel changed", "tests changed" or "kernel and tests changed"; on arm64, also "arm64-guest". It is "left" if a result that is
# recorded in portions is current, but incomplete.
# With FSTESTS= or KVM_UNIT_TESTS=, the result of that suite must be there, too. Without it, the command names the variable it needs.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

# The results that each base must have, unless it is a draft. Other results in results/ are optional.
wanted="amd.tap amd-stock.tap intel.tap intel-stock.tap demo.tsv demo-facts.tsv soak-debug.tap mutants.tsv selftests.tsv patches.tsv"
wanted+=" $(base_field also-recorded)${FSTESTS:+ fstests.tsv}${KVM_UNIT_TESTS:+ kvm-unit-tests.tsv}"

# complete FILE: whether a result that is recorded in portions has all of them.
complete() {
	local left mode
	case $1 in
	*-soak*) ;;
	*.tap)
		for mode in $(plan mode | cut -d '|' -f 1); do
			grep -E "^(not )?ok [0-9]+ $mode machine" "$TOP/results/$1" >/dev/null || return
		done
		;;
	*-mutants.tsv) left=$("$LAB/prove/mutants.sh" left) && [ -z "$left" ] ;;
	*-patches.tsv) left=$("$LAB/carry/patch-results.sh" left) && [ -z "$left" ] ;;
	*-selftests.tsv | *-fstests.tsv | *-kvm-unit-tests.tsv)
		awk -F'\t' '
			!/^#/ && $1 != "test" { n++ }
			$2 == "not run" || $3 == "not run" { left = 1 }
			END { exit left || !n }' "$TOP/results/$1"
		;;
	esac
}

# old_results: prints the list that the header describes.
old_results() {
	local file CPU command config mode why
	[ -z "$(base_field draft)" ] || wanted=
	# shellcheck disable=SC2086
	for file in $({ [ -z "$wanted" ] || printf "$BASE-%s\n" $wanted; cd "$TOP/results" && printf '%s\n' "$BASE"-*; } | sort -u); do
		[ "$file" != "$BASE-*" ] || continue
		CPU=amd
		[[ $file != *-intel* ]] || CPU=intel
		[[ $file != *-arm64* ]] || CPU=arm64
		why=$(why_old "$file")
		if [ -z "$why" ]; then
			! complete "$file" || continue
			why=left
		fi
		case $file in
		*-demo*.tsv) command="make demo" ;;
		*-selftests.tsv) command="make regress" ;;
		*-fstests.tsv) command="make fstests FSTESTS=${FSTESTS:-<folder>}" ;;
		*-kvm-unit-tests.tsv) command="make kvm-unit-tests KVM_UNIT_TESTS=${KVM_UNIT_TESTS:-<folder>}" ;;
		*-mutants.tsv) command="make mutants" ;;
		*-patches.tsv) command="make objects bisect" ;;
		*.tsv) command="make bench" ;;
		*-soak*.tap)
			config=${file#*-soak} config=${config%.tap} mode=
			[[ $config != *-files-1g ]] || mode=files-1g config=${config%-files-1g}
			command="make soak MINUTES=20${config:+ CONFIG=${config#-}}${mode:+ MODES=$mode}"
			;;
		*-stock.tap) command="make kselftest STOCK=1" ;;
		*) command="make kselftest" ;;
		esac
		printf '%s\t%s BASE=%s CPU=%s RECORD=1\t%s\n' "results/$file" "$command" "$BASE" "$CPU" "$why"
	done
}

[ $# -eq 0 ] || die 2 "old.sh takes no argument, but BASE="
old_results
