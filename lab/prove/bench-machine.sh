#!/usr/bin/env bash
# Boots the machine that counts instructions, and runs kvm-bench in it.
# Takes: a file for all output of the job, the name of the job in lab/guest, the program, and what lab/guest/measure.sh takes after the
# program. PLUGIN=<plugin for the emulator>. Output lines other than rows and symbols also go to stderr.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

output=$1 job=$2 program=$3 status=0 gigantic=0
shift 3
[[ " ${*:4} " != *' hugetlbfs-1g '* ]] || gigantic=8
say "$BASE $VARIANT: booting the machine for ${*:4}"
trap 'exit 130' INT TERM
ICOUNT=$4 KERNEL_WORDS="hugepagesz=1G hugepages=$gigantic norandmaps${KERNEL_WORDS:+ $KERNEL_WORDS}" CARRY=$program \
	"$LAB/machine/run.sh" run "$LAB/guest/$job" "$program" "$@" |
	sed -u 's/\r//g' | tee "$output" | grep --line-buffered -vE '^(row|symbol)	' >&2 || status=$?
# On a stock kernel, VFIO may keep device-dax memory that it has mapped. Its device then stays in use, and the machine ends with 72.
[ "$VARIANT-$status" != stock-72 ] || base_has vfio-release || status=0
[ "$status" -eq 0 ] ||
	die 1 "the measurement of ${*:4} failed on the $VARIANT kernel; the reason is above and in ${output#"$TOP"/}"
