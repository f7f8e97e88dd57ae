#!/usr/bin/env bash
# Explains a target of make and its variables, with the text of docs/lab.md. A variable whose row names no target applies to most targets.
# Takes the target: make help-<target>
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/help.sh"

cd "$(dirname "$0")/../.."
targets=$(sed -nE 's/^([a-z-]+):.*##.*/\1/p' Makefile)
grep -qxF -e "${1:-}" <<<"$targets" || { echo "make help-${1:-}: make help lists the targets" >&2; exit 2; }
sed -nE "s/^$1:.*## [a-z]+: (.*)/make $1: \1/p" Makefile
awk -F ' *[|] *' -v target="$1" -v targets="${targets//$'\n'/ }" '
	function names(text, word) { return index(text, "`make " word "`") || index(text, "`make " word " ") || index(text, "`" word "`") }
	/^\| (command|variable) / { kind = $2 }
	kind == "command" && names($2, target) { print "\n" $3 }
	kind == "variable" && /^\| `/ {
		n = split(targets, one, " ")
		for (some = 0; n; n--) some = some || names($3, one[n])
		if (names($3, target)) own = own "\n" $2 " " $3 "\n"
		else if (!some) all = all "\n" $2 " " $3 "\n"
	}
	/^$/ { kind = "" }
	END { printf "%s", (own ? "\nIts variables:\n" own : "") "\nVariables of most targets:\n" all }' docs/lab.md |
	tr -d '`' | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' | fold -s -w 100 | sed 's/ *$//'
