#!/usr/bin/env bash
# Checks what can be checked without booting: the patches of each base, the shell scripts, the C files, and the documents.
# Takes BASES=<list> (all of series/ if not given) and CHECKS=<extended regular expression>. A check runs if CHECKS matches its line, or
# the name of its function in lab/check/{patches,code,docs}.sh. Prints one line per check, and then the counts.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/check/patches.sh
. "$LAB/check/patches.sh"
# shellcheck source=lab/check/code.sh
. "$LAB/check/code.sh"
# shellcheck source=lab/check/docs.sh
. "$LAB/check/docs.sh"

[ "$(grep -qE -- "${CHECKS:-.}" </dev/null; echo $?)" -ne 2 ] || die 2 "CHECKS=$CHECKS is no extended regular expression; grep -E says why"
# The commands in the documents need the last three.
"$LAB/kernel/deps.sh" build check machine applies plot htmldocs
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-check.XXXXXX")
trap 'rm -rf "$work"' EXIT

# chosen NAME FUNCTION: whether CHECKS matches the name or the function.
declare -A functions
chosen() {
	functions[$2]=1
	[[ $1 =~ ${CHECKS:-.} || $2 =~ ${CHECKS:-.} ]]
}

# check NAME FUNCTION [ARGUMENT...]: runs the function, and prints one line for the result, after the function's output if it fails.
check() {
	local name=$1
	chosen "$1" "$2" || return 0
	shift
	if "$@" >"$work/log" 2>&1; then
		ok "$name"
	else
		sed 's/^/# /' "$work/log"
		not_ok "$name"
	fi
}

bases=${BASES:-$all_bases}
export BASE
for BASE in $bases; do
	check_series
done
check_code
check_docs
[ $((passed + failed + skipped)) -gt 0 ] || {
	printf '%s\n' "${!functions[@]}" | sort | sed 's/^/  /' >&2
	die 2 "CHECKS=$CHECKS matches no check's line, nor the name of a function above"
}
end_tap
