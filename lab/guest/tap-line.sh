# shellcheck shell=bash
# The TAP result of a test whose last line of output says what it has measured, or why it has failed.
# Sourced; gives tap_line.

# tap_line NAME STATUS SECONDS LOG: the name begins with the mode.
tap_line() {
	if [ "$2" -eq 0 ]; then
		echo "ok $1 $(tail -n 1 "$4") seconds=$3"
	else
		sed 's/^/# /' "$4"
		echo "not ok $1 status=$2: $(tail -n 1 "$4")"
	fi
}
