#!/usr/bin/env bash
# Shows how KVM maps a real Linux guest's memory, by backing, on the stock kernel and with the series.
# Takes the base (default: BASE, or v6.12); leaves build/<base>/demo.tsv and prints it as a table.
# RECORD=1 keeps it in results/, with what it depends on, and what was shown when; make plot draws both.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export BASE=${1:-${BASE:-v6.12}}
unset MUTANT

# One kernel after the other, each in a process of its own: env.sh takes STOCK from the environment.
if [ -n "${DEMO_ROWS:-}" ]; then
	# shellcheck source=lab/env.sh
	. "$lab/env.sh"
	"$lab/kernel.sh"

	work=$OUT/demo-$CPU
	rm -rf "$work"
	mkdir -p "$work/kvm_leaves"
	cp "$lab"/kvm_leaves/{Kbuild,kvm_leaves.c} "$work/kvm_leaves"
	quietly "$work/kvm_leaves.log" "building kvm_leaves for $VARIANT" \
		make -C "$TREE" M="$work/kvm_leaves" modules

	case $CPU in
	amd)
		mkdir "$work/cpio"
		gcc -static -O2 -Wall -Wextra -Werror -o "$work/cpio/init" "$lab/guest/touch-memory.c"
		(cd "$work/cpio" && echo init | cpio --quiet -o -H newc) >"$work/initramfs"
		job=("$lab/guest/demo.sh" "$VARIANT" "$BZIMAGE" "$work/initramfs" "$work/kvm_leaves/kvm_leaves.ko")
		;;
	# Emulated VMX is too slow for a QEMU in it: the test guest of the selftests takes the place of Linux.
	intel)
		gcc -O2 -Wall -Wextra -Werror -o "$work/kvm_leaves/guest-leaves" "$lab/guest/guest-leaves.c"
		export CARRY="$work/kvm_leaves/kvm_leaves.ko $work/kvm_leaves/guest-leaves"
		job=("$lab/guest/demo-intel.sh" "$VARIANT" "$work/kvm_leaves")
		;;
	esac

	say "$BASE $VARIANT: booting the machine, then a guest on each backing"
	trap 'exit 130' INT TERM
	"$lab/machine.sh" run "${job[@]}" |
		tee "$work/output" | grep --line-buffered -v '^row' >&2 ||
		die 1 "the demonstration failed on the $VARIANT kernel; the reason is above and in ${work#"$TOP"/}/output"
	tr -d '\r' <"$work/output" | sed -n "s/^row\t/$BASE\t/p" >>"$DEMO_ROWS"
	exit
fi

# shellcheck source=lab/env.sh
. "$lab/env.sh"
[ "$CPU" != arm64 ] || die 2 "CPU=arm64: make demo has no Linux guests there yet; make kselftest CPU=arm64 runs a small one on each backing"
as_the_lab_builds_it
result=$TOP/results/$BASE-demo
[ "$CPU" = amd ] || result+=-$CPU
rows=$BUILD/$BASE/demo.tsv
mkdir -p "${rows%/*}" "${result%/*}"

[ -n "${DEMO_RECORDED:-}" ] || lock "$BASE-demo"

# A recording shows this script to itself: each line with the seconds since the start. make plot draws that of one base.
if [ -n "${RECORD:-}" ] && [ -z "${DEMO_RECORDED:-}" ] && [ "$BASE-$CPU" = v6.12-amd ]; then
	session=$BUILD/$BASE/demo-session.tsv
	LC_ALL=C start=${EPOCHREALTIME/./}
	printf '0.0\t$ make demo\n' >"$session"
	DEMO_RECORDED=1 "$lab/demo.sh" 2>&1 | while IFS= read -r line; do
		now=$((${EPOCHREALTIME/./} - start))
		printf '%d.%d\t%s\n' $((now / 1000000)) $((now / 100000 % 10)) "$line" >>"$session"
		printf '%s\n' "$line"
	done
	{ depends_on 'stock and series' kernel; cat "$session"; } >"$result-session.tsv"
	exit
fi

partial=$rows.partial
trap 'rm -f "$partial"' EXIT
printf 'base\tkernel\tbacking\tpages_4k\tpages_2m\tpages_1g\tfaults\tseconds\n' >"$partial"

for stock in 1 ''; do
	STOCK=$stock DEMO_ROWS=$partial "$lab/demo.sh" "$BASE"
done
mv "$partial" "$rows"
[ -z "${RECORD:-}" ] || { depends_on 'stock and series' kernel; cat "$rows"; } >"$result.tsv"

echo "How KVM maps the guest's memory on $BASE, after the guest has written to it (${rows#"$TOP"/}):"
"$LAB/table.sh" demo "$rows"
