# shellcheck shell=bash
# Results as TAP: their lines, their counts, and their numbers.
# Sourced; gives ok, not_ok, skip and end_tap, which count in passed, failed and skipped, and number_tap.

passed=0 failed=0 skipped=0

ok() {
	echo "ok $*"
	passed=$((passed + 1))
}

not_ok() {
	echo "not ok $*"
	failed=$((failed + 1))
}

# skip NAME REASON
skip() {
	echo "ok $1 # SKIP $2"
	skipped=$((skipped + 1))
}

# end_tap: prints the counts; fails if a test has.
end_tap() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# number_tap: the results on standard input, numbered, and what is none as a comment; the plan comes last, as their number is known
# only then. Fails if a test has, or if there is none.
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
