#!/usr/bin/env bash
# Builds the kernel of BASE with the series in other configurations of x86 than the machine's, and prints one TAP line each.
# Takes CONFIG=<one of them> or <file>, all of them if not given; a compiler's warning is a failure, but for those that the base knows.
set -euo pipefail
export STOCK='' MUTANT='' UPTO=''
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

passed=0 failed=0
trap 'exit 130' INT TERM
for config in ${CONFIG:-$(compiled_configs)}; do
	[ -n "${CONFIG:-}" ] || [ -z "$(cross_compiler "$config")" ] || continue
	verdict=''
	CONFIG=$config "$LAB/kernel/build.sh" >&2 && ! new_warnings "$BUILD/$BASE/series-$config/kernel.log" || verdict='not '
	echo "${verdict}ok $config"
	[ -n "$verdict" ] && failed=$((failed + 1)) || passed=$((passed + 1))
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
