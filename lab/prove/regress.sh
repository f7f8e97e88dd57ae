#!/usr/bin/env bash
# Runs a suite of tests from elsewhere on the stock kernel and with the series, and compares the results. The suite selftests is all
# kernel selftests in kvm, vfio, dax and mm (vm on v5.4). fstests runs on the DAX file systems; FSTESTS= is the folder of a built copy.
# kvm-unit-tests uses a file on XFS with DAX as guest memory; KVM_UNIT_TESTS= is a copy built by make standalone. With FILES_1G=1,
# fstests runs on XFS that can map files by 1G, and on nothing else.
# Takes the suite (selftests if not given), TESTS=<extended regular expression on names>, and CONFIG (regress if not given). Ends with
# an error if a test passes only on the stock kernel, or makes only the kernel with the series log a warning.
# Or takes: worse FILE, and prints such tests of recorded results. Leaves build/<base>/<suite>.tsv; tests that TESTS= excludes keep
# their results there. RECORD=1 keeps results in results/<base>-<suite>.tsv instead, and runs only tests without a result there, because
# all take hours. It repeats tests that were worse with the series, because some tests measure time; their stock results stay.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

if [ "${1:-}" = worse ]; then
	awk -F'\t' '
		/^#/ || $1 == "test" || $2 == "not run" || $3 == "not run" { next }
		($2 ~ /^pass/ && $3 !~ /^pass/) || ($2 !~ /warning/ && $3 ~ /warning/)' "$2"
	exit
fi

# Each kernel runs in a process of its own, because env.sh takes STOCK from the environment.
if [ -n "${REGRESS_ROWS:-}" ]; then
	"$LAB/kernel/build.sh"
	say "$BASE $VARIANT: booting the machine for $(wc -l <"$REGRESS_NAMES") tests"
	trap 'exit 130' INT TERM
	"$LAB/machine/run.sh" run "$REGRESS_GUEST" "$REGRESS_TESTS" "$REGRESS_NAMES" | tee "$REGRESS_ROWS" >&2 ||
		say "$BASE $VARIANT: the machine's own verdict is status $?, as some tests make the kernel complain; each test has its own"
	exit
fi

suite=${1:-selftests}
[ $# -le 1 ] || die 2 "usage: regress.sh [selftests | fstests | kvm-unit-tests | worse FILE]"
[ "$CPU" = amd ] || die 2 "CPU=$CPU: the suites run with CPU=amd, as the other machines do not share our files"
as_the_lab_builds_it
leave_out "the suites run on the stock kernel and with the series" STOCK MUTANT MODES
leave_out "the suite $suite runs all of its targets, and TESTS= chooses" TARGETS
recorded=$TOP/results/$BASE-$suite.tsv
if [ -n "${FILES_1G:-}" ]; then
	[ "$suite" = fstests ] || leave_out "the suite $suite runs in the machine that has all backings" FILES_1G
	[ -n "$(plan_value 'backings files-1g')" ] || leave_out "BASE=$BASE maps no file by 1G" FILES_1G
	[ -z "${RECORD:-}" ] || die 2 "RECORD=1 keeps the results of the machine that has all backings; leave FILES_1G out"
	export SCRATCH_1G=1	# a machine with a file system to test, and one as scratch
fi

# built VARIABLE URL FILE BUILD: sets folder to the value of the variable, after checking that FILE in it shows a completed build.
built() {
	[ -n "${!1:-}" ] || die 2 "make $suite needs a built copy: git clone $2, build it there by: $4; and then make $suite $1=<its folder>"
	[ -e "${!1}/$3" ] || die 2 "$1=${!1}: no $3 is there; a copy of $2 has it when built by: $4"
	folder=$(realpath "${!1}")
}
# guest: the script that runs in the machine; folder: where the tests are; packages: what to install.
packages=(build)
case $suite in
selftests) guest=run-upstream packages+=(regress) folder=$BUILD/$BASE/series/installed ;;
fstests) guest=fstests packages+=(fstests); built FSTESTS https://git.kernel.org/pub/scm/fs/xfs/xfstests-dev.git src/feature make ;;
kvm-unit-tests)
	guest=kvm-unit-tests
	built KVM_UNIT_TESTS https://gitlab.com/kvm-unit-tests/kvm-unit-tests.git tests/access './configure && make standalone'
	;;
*) die 2 "there is no suite $suite; selftests, fstests and kvm-unit-tests are known" ;;
esac
# These names are known before the selftests are built: tests with a recorded result, and tests that the series adds.
if [ -n "${TESTS:-}" ] && [ "$suite" = selftests ] && [ -e "$recorded" ]; then
	{
		sed -nE 's/^([a-z]+ [^:\t]+).*/\1/p' "$recorded"
		series_patches | xargs -d '\n' cat | sed -nE 's,^\+\+\+ b/tools/testing/selftests/([a-z]+)/(.*/)?([^/]*)\.(c|sh)$,\1 \3,p'
	} | grep -E -- "$TESTS" >/dev/null || die 2 "TESTS=$TESTS: no test has such a name, \"<target> <test>\"; ${recorded#"$TOP"/} lists them"
fi
export SECONDS_MAX=${SECONDS_MAX:-10800}
lock "$BASE-$suite"
export REGRESS_GUEST=$LAB/guest/$guest.sh REGRESS_TESTS=$folder

# names: prints every test as "<target> <test>". The groups of mm replace its script and (v7.3) the tests that run one group of it.
# For fstests it prints "<file system> <test>" for each test of three groups; dax comes first, because quick takes hours.
names() {
	local target test group
	case $suite in
	selftests)
		while IFS=: read -r target test; do
			case "$target $test" in
			'mm run_vmtests.sh') continue ;;
			'mm '*) ! grep -qs '^\./run_vmtests\.sh -t ' "$folder/mm/$test" || continue ;;
			esac
			echo "$target $test"
		done <"$folder/kselftest-list.txt"
		[ ! -d "$folder/mm" ] || "$folder/mm/run_vmtests.sh" -h | sed -n 's/^- /mm /p'
		;;
	fstests)
		for group in dax clone quick; do
			# Not every copy has the folder shared.
			{ grep -slwE "^_begin_fstest\>.*\<$group" "$folder"/tests/{generic,shared,xfs,ext4}/[0-9][0-9][0-9] || true; } |
				sed -nE 's,.*/tests/(xfs/[0-9]+)$,xfs \1\nxfs-plain \1,; s,.*/tests/(ext4/[0-9]+)$,ext4 \1,
					s,.*/tests/((generic|shared)/[0-9]+)$,xfs \1\nxfs-plain \1\next4 \1,; p'
		done | awk '!seen[$0]++' | if [ -n "${FILES_1G:-}" ]; then sed -n 's/^xfs /xfs-1g /p'; else cat; fi
		;;
	kvm-unit-tests) (cd "$folder/tests" && printf 'fsdax-xfs %s\n' *) ;;
	esac
}

# choose: writes all names to $rows-known, and those that TESTS matches to $rows-wanted.
choose() {
	names >"$rows-known"
	grep -E -- "${TESTS:-.}" "$rows-known" >"$rows-wanted" ||
		die 2 "TESTS=$TESTS: no test of $suite has such a name, as \"$(sed -n 1p "$rows-known")\""
}

# Selftests have names only after the build, the other suites already before it.
rows=$BUILD/$BASE/$suite${FILES_1G:+-1g}
mkdir -p "${rows%/*}"
[ "$suite" = selftests ] || choose
"$LAB/kernel/deps.sh" "${packages[@]}"
if [ "$suite" = selftests ]; then
	TARGETS="kvm vfio dax mm vm" INSTALL=$folder "$LAB/kernel/selftests.sh"
	choose
else
	STOCK='' "$LAB/kernel/tree.sh"
fi

# Earlier results are kept for each of the two kernels that has not changed.
kept=$rows.tsv
[ -z "${RECORD:-}" ] || kept=$recorded
head=$(depends_on "$recorded" "stock and series")
was=
if [ -n "${TESTS:-}${RECORD:-}" ] && grep -v '^# series, its kernel: ' <<<"$head" | is_current "$kept"; then
	was=$(<"$kept")
	is_current "$kept" <<<"$head" ||
		was=$(awk -F'\t' -v OFS='\t' '/^#/ { next } $1 != "test" { $3 = "not run" } { print }' <<<"$was")
fi
echo "$was" >"$rows-was.tsv"
awk -F'\t' -v OFS='\t' -v stock="$rows-stock.log" -v series="$rows-series.log" -v only="${TESTS:-.}" '
	BEGIN { printf "" >stock; printf "" >series }
	/^#/ || /^$/ || $1 == "test" { next }
	{ group = $1; sub(/: .*/, "", group) }
	FILENAME == ARGV[1] { if (group ~ only) again[group]; next }
	$2 != "not run" && $2 != "missing" { print "row", $1, $2 >stock }
	$3 != "not run" && $3 != "missing" && !(group in again) { print "row", $1, $3 >series }
	' <([ -z "${RECORD:-}" ] || "$LAB/prove/regress.sh" worse "$rows-was.tsv") "$rows-was.tsv"

# rows_of VARIANT: runs the tests on that kernel; the new row of a test replaces its earlier row.
rows_of() {
	if [ -n "${RECORD:-}" ]; then cut -f 2 "$rows-$1.log"; fi >"$rows-done"
	grep -vxFf "$rows-done" "$rows-wanted" >"$rows-names" || return 0
	CONFIG=${CONFIG:-regress} REGRESS_NAMES=$rows-names REGRESS_ROWS=$rows-new.log "$LAB/prove/regress.sh"
	grep -q '^row' "$rows-new.log" || die 1 "no test has run on the $1 kernel; the reason is above"
	sed -n 's/\r$//; /^row\t/p' "$rows-new.log" |
		awk -F'\t' 'NR == FNR { row[$2] = $0; next } $2 in row { print row[$2]; delete row[$2]; next } { print }
			END { for (test in row) print row[test] }' - "$rows-$1.log" >"$rows-all.log"
	mv "$rows-all.log" "$rows-$1.log"
}

# compare: writes the results of both kernels side by side. A test within a group of mm has a colon in its name. Its result is "missing"
# if the group ended before this test, or was stopped because it took too long.
compare() {
	{
		printf 'test\tstock\tseries\n'
		sed 's/^/name\t/' "$rows-known" | awk -F'\t' -v OFS='\t' '
			{ tests[$2] }
			FILENAME == ARGV[1] { stock[$2] = $3 }
			FILENAME == ARGV[2] { series[$2] = $3 }
			function result(rows, test, group) {
				group = test
				sub(/: .*/, "", group)
				return test in rows ? rows[test] : group in rows ? "missing" : "not run"
			}
			END { for (test in tests) print test, result(stock, test), result(series, test) }
			' "$rows-stock.log" "$rows-series.log" - | sort
	} >"$rows-both"
	write_result "$kept" "$head" "$rows-both"
}
STOCK=1 rows_of stock
compare
STOCK='' rows_of series
compare

"$LAB/prove/regress.sh" worse "$kept" | awk -F'\t' -v only="${TESTS:-.}" '
	$1 !~ only || /^#/ { next }
	worst { worse++; print "worse: " $1 ": " $2 " on the stock kernel, " $3 " with the series"; next }
	$1 == "test" { next }
	{ n++; counts[$2 " stock, " $3 " with the series"]++ }
	$2 == "not run" || $3 == "not run" { if ($1 !~ /:/) left = left ", " $1 }
	END {
		for (what in counts) print counts[what] " tests: " what
		if (left) print "left, as the machine ended before or had no more time: " substr(left, 3)
		print n " tests, " worse + 0 " are worse"
		exit worse > 0 || left
	}' worst=1 - worst='' "$kept" || exit 1
