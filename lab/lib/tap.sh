# shellcheck shell=bash
# Prints, counts and numbers test results as TAP.
# Sourced; gives ok, not_ok, skip and end_tap, which use the counters passed, failed and skipped, and number_tap.

passed=0 failed=0 skipped=0

ok() {
	echo "ok $*"
	passed=$((passed + 1))
}

not_ok() {
	echo "not ok $*"
	failed=$((failed + 1))
}

# skip NAME REASON: prints and counts a skipped test.
skip() {
	echo "ok $1 # SKIP $2"
	skipped=$((skipped + 1))
}

# end_tap: prints the counters. Fails if a test has failed.
end_tap() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# number_tap: prints the results on stdin with numbers, and all other lines as comments. The plan comes last, because the number of
# results is known only then. Fails if a test has failed, or if there is no result.
number_tap() {
	local line n=0 passed=0 failed=0 skipped=0
	echo "KTAP version 1"
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			n=$((n + 1))
			case $line in
			*'# SKIP'*) skipped=$((skipped + 1)) ;;
			not*) failed=$((failed + 1)) ;;
			*) passed=$((passed + 1)) ;;
			esac
			echo "${line%%ok *}ok $n ${line#*ok }"
			;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done
	echo "1..$n"
	end_tap && [ "$n" -gt 0 ]
}
