#!/usr/bin/env bash
# Builds the kernel of BASE with the series in x86 configurations other than the machine's, and prints one TAP line each.
# Takes CONFIG=<configuration or file>, all of them if not given. A compiler warning is a failure, unless the base lists it as known.
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
leave_out "make configs builds the kernel with the whole series" STOCK MUTANT MODES TESTS PATCHES
export COMPILE_ONLY=1 STOCK='' MUTANT='' UPTO=''
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

trap 'exit 130' INT TERM
for config in ${CONFIG:-$(compiled_configs)}; do
	[ -n "${CONFIG:-}" ] || [ -z "$(cross_compiler "$config")" ] || continue
	if CONFIG=$config "$LAB/kernel/build.sh" >&2 && ! new_warnings "$BUILD/$BASE/series-$config/kernel.log"; then
		ok "$config"
	else
		not_ok "$config"
	fi
done
end_tap
