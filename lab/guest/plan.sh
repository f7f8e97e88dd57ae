# shellcheck shell=bash
# Reads lab/guest/plan, on the host and in the machine.
# Sourced; takes CPU and BASE; gives plan, plan_value and base_has.

# plan KIND: prints the lines of this kind for CPU and BASE, with a bar between two fields.
plan() {
	awk -F ' *[|] *' -v kind="$1" -v cpu="${CPU:-amd}" -v base="${BASE:-}" '
		function has(list, word) { return index(" " list " ", " " word " ") > 0 }
		$1 != kind || !($2 == "*" || has($2, cpu)) { next }
		$3 == "*" || has($3, base) || ($3 ~ /^-/ && !has($3, "-" base)) {
			said = $4
			for (i = 5; i <= NF; i++) said = said "|" $i
			print said
		}' "${BASH_SOURCE[0]%/*}/plan"
}

# plan_value NAME: prints the value for CPU and BASE, or nothing if the plan has none.
plan_value() { plan value | sed -n "s/^$1|//p"; }

# base_has NAME: succeeds if the plan says that BASE has this property.
base_has() { plan has | grep "^$1|" >/dev/null; }
