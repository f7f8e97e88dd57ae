#!/usr/bin/env bash
# Lists the names that TESTS= of make kselftest can match: those of the programs in each MMU mode, and those of their output lines.
# Takes MODES=<list> (all if not given) and TESTS=<extended regular expression>. Or takes: run, and prints the programs that run only
# because TESTS matches one of their lines. Ends with an error if TESTS matches no name.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

known=$(plan mode | cut -d '|' -f 1)
modes=${MODES:-$known}
for mode in $modes; do
	grep -qxF -- "$mode" <<<"$known" || die 2 "MODES=$mode: there is no such mode; those of $BASE with CPU=$CPU are ${known//$'\n'/, }"
done

# cases PROGRAM: prints its cases, as the series' patches have them: a name alone in quotes, or the last word of a line without a value.
known_cases=$(series_patches | xargs -d '\n' cat |
	awk '/^\+\+\+ /{ file = $2; gsub(/.*\/|[.]c$/, "", file) } /^\+/ && file ~ /^(dax|vfio)_/ { print file "\t" $0 }' |
	sed -nE 's/^([^\t]+\t)(\+[^"]*\{ *|.*(report|result|test_[a-z_]+)\(([&a-z0-9_]+, )?)"([a-z0-9]+(-[a-z0-9]+)*)".*/\1\5/p
		s/^([^\t]+\t)\+.*test_result_pass\("[a-z]+ %s ([a-z-]+)[ \\].*/\1\2/p' | sort -u)
cases() { sed -n "s/^$1\t//p" <<<"$known_cases"; }

# unit NAME PREFIX...: reads cases from standard input; prints NAME, a tab and a line's name: NAME itself, then each prefix with each case.
unit() {
	local name=$1 prefix case
	shift
	printf '%s\t%s\n' "$name" "$name"
	while read -r case; do
		for prefix; do
			printf '%s\t%s%s\n' "$name" "$prefix" "$case"
		done
	done
}

# names PART: prints for each line of that part: what the part runs, a tab, and the name of the line.
names() {
	local backing part test arguments cycles kinds cases
	case $1 in
	levels | leaves | race | soak | failure | others)
		for backing in "${backings[@]}"; do
			case $1 in
			levels) unit "$backing dax_huge_page_test" "$backing " < <(cases dax_huge_page_test) ;;
			failure) unit "failure $backing" "failure $backing " < <(cases dax_failure_test) ;;
			leaves) unit "$backing leaves" </dev/null ;;
			race) unit "race $backing" </dev/null ;;
			soak)
				unit "race-pairs $backing" </dev/null
				unit "race $backing" </dev/null
				[ "$backing" != fsdax-xfs-1g ] || { unit '1g race' </dev/null; unit 'guest-race fsdax-xfs-1g' </dev/null; }
				;;
			others)
				plan test | while IFS='|' read -r part test arguments; do
					arguments=${arguments%-? dax:*}
					[ "$part" != others ] || unit "$backing ${test##*/}${arguments:+ ${arguments% }}" </dev/null
				done
				;;
			esac
		done
		;;
	# Each call of test() in main() is a case. punch and truncate need files; alignments needs a device; memory-failure and 1g need DAX memory.
	stage2)
		cases=$(sed -nE 's/^\t+test\("([^"]+)".*/\1/p' "$LAB/guest/arm64-guest.c")
		for backing in anon "${backings[@]}"; do
			case $backing in
			anon) unit "$backing" "$backing " < <(grep -vxE 'punch|truncate|alignments|memory-failure|1g' <<<"$cases") ;;
			devdax-*) unit "$backing" "$backing " < <(grep -vxE 'punch|truncate' <<<"$cases") ;;
			*) unit "$backing" "$backing " < <(grep -vx alignments <<<"$cases") ;;
			esac
		done
		;;
	async) unit async_pf_fault_test </dev/null ;;
	existing) plan test | sed -n 's/^existing|//p' | while read -r test; do unit "${test##*/}" </dev/null; done ;;
	hugetlb)
		for backing in hugetlb-2m hugetlb-1g; do
			unit "$backing dax_huge_page_test" "$backing " < <(cases dax_huge_page_test)
		done
		;;
	nested) unit "devdax-2m dax_huge_page_test" "devdax-2m " < <(cases dax_huge_page_test) ;;
	vfio)
		kinds=(mmio p2pdma anon hugetlbfs "${backings[@]}")
		unit vfio_dax_test "${kinds[@]/%/ }" < <(cases vfio_dax_test) | sed 's/\t/\tvfio /; s/\tvfio vfio_dax_test$/\tvfio_dax_test/'
		cycles=$(plan_value vfio-cycles)
		unit 'vfio_dax_test many' "${kinds[@]/%/ }" < <(cases vfio_dax_test) |
			sed "s/\t/\tvfio cycles=$cycles /; s/\tvfio cycles=$cycles vfio_dax_test many$/\tvfio_dax_test many/"
		! base_has vfio-iommufd ||
			unit 'vfio_dax_test iommufd' "${kinds[@]/%/ }" < <(cases vfio_dax_test) | sed 's/\t/&iommufd /; s/\tiommufd vfio_dax_test/\tvfio_dax_test/'
		;;
	references)
		mapfile -t kinds < <(printf 'references %s \n' "${backings[@]}")
		unit references "${kinds[@]}" < <(cases dax_references_test)
		;;
	# Each change of the file is made near the page and far from it.
	writeback)
		mapfile -t kinds < <(printf 'writeback %s \n' "${files[@]}")
		unit writeback "${kinds[@]}" < <(cases dax_writeback_test | sed 's/.*/&-near\n&-far/')
		;;
	splice | shared)
		mapfile -t kinds < <(printf "$1 %s \n" "${files[@]}")
		unit "$1" "${kinds[@]}" < <(cases "dax_$1_test")
		;;
	reserved)
		unit reserved 'reserved ' < <(cases dax_reserved_test; printf '%s\n' p2pdma "${backings[@]}")
		;;
	files)
		for other in '' $(plan_value 'guest files-1g'); do
			unit "guest fsdax-xfs-1g${other:+ $other}" </dev/null
		done
		unit 'guest-race fsdax-xfs-1g' </dev/null
		cases dax_1g_test | while read -r case; do unit "1g $case" </dev/null; done
		;;
	mm) sed -nE 's/^.*step "([^"]+)".*/mm \1/p' "$LAB/guest/mm.sh" | while read -r test; do unit "$test" </dev/null; done ;;
	elsewhere) plan skip | sed -n 's/^elsewhere|\(.*\)|.*/\1/p' | while read -r test; do unit "$test" </dev/null; done ;;
	hibernation) for test in hibernation $(plan_value hibernation); do unit "hibernation${test#hibernation}" </dev/null; done ;;
	esac
}

all() {
	local mode parts part backings files
	for mode in $modes; do
		read -ra backings <<<"$(plan_value "backings $mode" | grep . || plan_value backings)"
		mapfile -t files < <(printf '%s\n' "${backings[@]}" | grep '^fsdax-')
		parts=${PARTS:-}
		[ -n "$parts" ] || parts=$(plan parts | sed -n "s/^$mode|//p")
		for part in $parts; do
			# Modes with the same backings share the names of a part, which are computed once.
			[ -n "${listed[$part ${backings[*]}]:-}" ] || listed[$part ${backings[*]}]=$(names "$part")
			sed "s/^/$mode /; s/\t/&$mode /" <<<"${listed[$part ${backings[*]}]}"
		done
		printf '%s machine\t%s machine\n' "$mode" "$mode"
	done
}

declare -A listed
all=$(all)
matching=$(cut -f 2 <<<"$all" | grep -nE -- "${TESTS:-.}" | cut -d : -f 1) || {
	[ "$(grep -qE -- "${TESTS:-.}" </dev/null; echo $?)" -ne 2 ] || die 2 "TESTS=$TESTS is no extended regular expression; grep -E says why"
	die 2 "TESTS=$TESTS: nothing that runs in MODES=$(xargs <<<"$modes") has such a name, nor a line of its output;" \
		"lab/prove/test-names.sh lists all of them (with BASE=, CPU= and MODES=)"
}
case ${1:-} in
'') cut -f 2 <<<"$all" | awk 'NR == FNR { wanted[$0]; next } FNR in wanted && !seen[$0]++' <(echo "$matching") - ;;
run)
	awk -F'\t' 'NR == FNR { wanted[$0]; next } FNR in wanted && !seen[$1]++ { print $1 }' <(echo "$matching") <(echo "$all") |
		grep -vE -- "${TESTS:-.}" || true
	;;
*) die 2 "usage: test-names.sh [run]" ;;
esac
