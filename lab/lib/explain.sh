#!/usr/bin/env bash
# Explains a target of make and its variables, with the text of docs/lab.md. There, a table has the targets of a variable that has many;
# others have theirs in their own row.
# Takes the target: make help-<target>
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/help.sh"

cd "$(dirname "$0")/../.."
sed -nE 's/^([a-z-]+):.*##.*/\1/p' Makefile | grep -xF -e "${1:-}" >/dev/null || { echo "make help-${1:-}: make help lists the targets" >&2; exit 2; }
sed -nE "s/^$1:.*## [a-z]+: (.*)/make $1: \1/p" Makefile
awk -F ' *[|] *' -v target="$1" '
	function names(text, word) { return index(text, "`make " word "`") || index(text, "`make " word " ") || index(text, "`" word "`") }
	/^\| (command|variables?) / { kind = $2 }
	kind == "command" && names($2, target) { print "\n" $3 }
	kind == "variables" && /^\| `/ { for (n = split($2, one, /, /); n; n--) many[one[n]] = $3 }
	kind == "variable" && /^\| `/ && names($2 in many ? many[$2] : $3, target) { own = own "\n" $2 " " $3 "\n" }
	/^$/ { kind = "" }
	END { printf "%s", own ? "\nIts variables:\n" own : "\nIt takes no variables.\n" }' docs/lab.md |
	tr -d '`' | sed -E 's/\[([^]]*)\]\(#[^)]*\)/\1 (docs\/lab.md)/g; s/\[([^]]*)\]\([^)]*\)/\1/g' | fold -s -w 100 | sed 's/ *$//'
