#!/usr/bin/env bash
# Builds and boots the kernel of BASE after each patch of the series, with its DAX devices, and prints one TAP line per patch.
# Takes PATCHES=<extended regular expression on their names>; skips patches that change only tools/ or Documentation/.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

export STOCK='' MUTANT='' UPTO=0
out=$BUILD/$BASE/upto
known=$(base_field warnings)
passed=0 failed=0 skipped=0
trap 'exit 130' INT TERM

# changes_kernel PATCH: whether it touches a file that the kernel is made of.
changes_kernel() { git apply --numstat "$1" | cut -f3 | grep -qvE '^(tools|Documentation)/|^MAINTAINERS$'; }

# builds_and_boots: the first UPTO patches; a compiler's warning is a failure, but for those of the pristine source that the base knows.
builds_and_boots() {
	"$LAB/kernel.sh" || return 1
	! grep -n 'warning:' "$out/kernel.log" | grep -vE "${known:-^$}" || return 1
	"$LAB/machine.sh" run true
}

for patch in $(series_patches); do
	UPTO=$((UPTO + 1))
	name=$(basename "$patch" .patch)
	grep -qE "${PATCHES:-.}" <<<"$name" || continue
	start=$SECONDS
	if ! changes_kernel "$patch"; then
		echo "ok $name # SKIP changes no file of the kernel"
		skipped=$((skipped + 1))
	elif builds_and_boots >&2; then
		echo "ok $name seconds=$((SECONDS - start))"
		passed=$((passed + 1))
	else
		echo "not ok $name"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
