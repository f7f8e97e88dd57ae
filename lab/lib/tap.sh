# shellcheck shell=bash
# Prints, counts and numbers test results as TAP, on the host and in the machine.
# Sourced; gives ok, not_ok, skip, add_counts and end_tap, which use the counters passed, failed and skipped, and tap_line and number_tap.

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

# tap_line NAME STATUS SECONDS LOG: prints the result of a test whose last line in LOG is what it measured, or why it failed.
tap_line() {
	if [ "$2" -eq 0 ]; then
		ok "$1 $(tail -n 1 "$4") seconds=$3"
	else
		sed 's/^/# /' "$4"
		not_ok "$1 status=$2: $(tail -n 1 "$4")"
	fi
}

# add_counts LOG: adds the last counts in LOG, the output of another command, which may print more after them. Fails if there are none.
add_counts() {
	local counts p f s
	counts=$(grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$1" | tail -n 1) || return
	read -r p _ f _ s _ <<<"$counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
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
		[[ $line != 'ok '* && $line != 'not ok '* ]] || n=$((n + 1))
		case $line in
		'ok '*'# SKIP'* | 'not ok '*'# SKIP'*) echo "${line%%ok *}ok $n ${line#*ok }"; skipped=$((skipped + 1)) ;;
		'ok '*) ok "$n ${line#ok }" ;;
		'not ok '*) not_ok "$n ${line#not ok }" ;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done
	echo "1..$n"
	end_tap && [ "$n" -gt 0 ]
}
