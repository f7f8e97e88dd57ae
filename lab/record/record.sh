#!/usr/bin/env bash
# Records again each result that old.sh lists, because it is missing or of an earlier state of series/BASE. Then runs make table and
# make plot.
# Takes BASE and KSRC. With FSTESTS= or KVM_UNIT_TESTS=, the folder of a built copy of that suite, also records it. Otherwise leaves it out.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

[ $# -eq 0 ] || die 2 "record.sh takes no argument; lab/record/old.sh lists what it would run"

leave_out "make record runs all that results/ lacks" STOCK MUTANT CONFIG MODES TESTS TARGETS PATCHES MUTANTS FILES_1G \
	REPEAT SIZE GROWTH BACKINGS KERNEL_WORDS SECONDS_MAX RACE_SECONDS RACE_OPERATION RACE_SEED MINUTES
[ "$CPU" = amd ] || leave_out "make record runs what results/ lacks of each machine" CPU
leave_out "make record takes one base, by BASE=" BASES
for suite in FSTESTS KVM_UNIT_TESTS; do
	[ -z "${!suite:-}" ] || [ -d "${!suite}" ] || die 2 "$suite=${!suite}: there is no such folder; give that of a built copy"
done
trap 'exit 130' INT TERM
old=$("$LAB/record/old.sh" | sort -u -t $'\t' -k 2,2)
while IFS=$'\t' read -r file what _; do
	[ -n "$file" ] || continue
	if [[ $what = *'=<folder>'* ]]; then
		say "$file: left out, because it needs: $what"
		continue
	fi
	say "$file: $what"
	read -ra command <<<"$what"
	# Their status does not matter, because the result has the failed tests.
	env -u MAKEFLAGS -u MFLAGS "${command[0]}" -C "$TOP" "${command[@]:1}" </dev/null || true
	if "$LAB/record/old.sh" | grep "^$file	" >/dev/null; then die 1 "$what has recorded nothing; the reason is above"; fi
done <<<"$old"
cd "$TOP"
"$LAB/record/table.sh"
"$LAB/record/plot.sh"
for file in results/"$BASE"-{amd,intel,arm64,soak*}.tap; do
	if [ -e "$file" ] && grep -H '^not ok' "$file"; then die 1 "tests that fail are recorded (above); mend them, or what fails them"; fi
done
