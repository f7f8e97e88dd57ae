# shellcheck shell=bash
# Prints the TAP result of a test whose last line of output is what it measured, or why it failed.
# Sourced; gives tap_line.

# tap_line NAME STATUS SECONDS LOG: prints the result of a test with its output in LOG. NAME begins with the mode.
tap_line() {
	if [ "$2" -eq 0 ]; then
		echo "ok $1 $(tail -n 1 "$4") seconds=$3"
	else
		sed 's/^/# /' "$4"
		echo "not ok $1 status=$2: $(tail -n 1 "$4")"
	fi
}
