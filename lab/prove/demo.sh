#!/usr/bin/env bash
# Shows what a guest on DAX memory meets, on the stock kernel and with the series: how KVM maps a real Linux guest, by backing, and
# with CPU=amd also a device that is assigned, a full file system, memory that fails, and the like.
# Takes the base (default: BASE, or v6.12); leaves build/<base>/demo.tsv and demo-facts.tsv, and prints what differs.
# RECORD=1 keeps both in results/, with what they depend on, and what was shown when; make plot draws it.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BASE=${1:-${BASE:-v6.12}}
unset MUTANT

# One kernel after the other, each in a process of its own: env.sh takes STOCK from the environment.
if [ -n "${DEMO_ROWS:-}" ]; then
	# shellcheck source=lab/lib/env.sh
	. "$lab/lib/env.sh"
	"$lab/kernel/build.sh"

	work=$OUT/demo-$CPU
	rm -rf "$work"
	mkdir -p "$work/kvm_leaves"
	cp "$lab"/guest/modules/kvm_leaves/{Kbuild,kvm_leaves.c} "$work/kvm_leaves"
	quietly "$work/kvm_leaves.log" "building kvm_leaves for $VARIANT" \
		make -C "$TREE" M="$work/kvm_leaves" modules

	case $CPU in
	amd)
		mkdir "$work/cpio"
		gcc -static -O2 -Wall -Wextra -Werror -o "$work/cpio/init" "$lab/guest/touch-memory.c"
		(cd "$work/cpio" && echo init | cpio --quiet -o -H newc) >"$work/initramfs"
		mkdir "$work/facts"
		cp "$lab"/guest/modules/page_flags/{Kbuild,page_flags.c} "$work/facts"
		quietly "$work/page_flags.log" "building page_flags for $VARIANT" \
			make -C "$TREE" M="$work/facts" modules
		for program in demo-facts punch-waits shared-failure; do
			gcc -O2 -Wall -Wextra -Werror -pthread -o "$work/facts/$program" "$lab/guest/$program.c"
		done
		# shellcheck disable=SC2016
		job=(bash -c '"$1/boot-guests.sh" "$2" "${@:4}" && exec "$1/demo-facts.sh" "$2" "$3"' demo "$lab/guest" "$VARIANT" "$work/facts"
			"$BZIMAGE" "$work/initramfs" "$work/kvm_leaves/kvm_leaves.ko")
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
	status=0
	"$lab/machine/run.sh" run "${job[@]}" 2>"$work/machine" |
		tee "$work/output" | grep --line-buffered -vE '^(row|fact)' >&2 || status=$?
	tr -d '\r' <"$work/output" >"$work/lines"
	# The stock kernel does not survive all of it; what it was doing then is the last fact.
	if [ "$status" -ne 0 ] && { [ "$VARIANT" != stock ] || ! tail -n 1 <(grep '^fact' "$work/lines") | grep -qE 'the kernel dies$|all told.yes$'; }; then
		cat "$work/machine" >&2
		[ "$status" -ne 130 ] || exit 130
		die 1 "the demonstration failed on the $VARIANT kernel; the reason is above and in ${work#"$TOP"/}/output"
	fi
	sed -n "s/^row\t/$BASE\t/p" "$work/lines" >>"$DEMO_ROWS"
	sed -n "s/^fact\t/$BASE\t/p" "$work/lines" >>"$DEMO_FACTS"
	exit
fi

# shellcheck source=lab/lib/env.sh
. "$lab/lib/env.sh"
# shellcheck source=lab/record/results.sh
. "$LAB/record/results.sh"
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
	DEMO_RECORDED=1 "$lab/prove/demo.sh" 2>&1 | while IFS= read -r line; do
		now=$((${EPOCHREALTIME/./} - start))
		printf '%d.%d\t%s\n' $((now / 1000000)) $((now / 100000 % 10)) "$line" >>"$session"
		printf '%s\n' "$line"
	done
	{ depends_on 'stock and series' kernel; cat "$session"; } >"$result-session.tsv"
	exit
fi

facts=${rows%.tsv}-facts.tsv
partial=$rows.partial partial_facts=$facts.partial
trap 'rm -f "$partial" "$partial_facts"' EXIT
printf 'base\tkernel\tbacking\tpages_4k\tpages_2m\tpages_1g\tfaults\n' >"$partial"
printf 'base\tkernel\tfact\tis\n' >"$partial_facts"

for stock in 1 ''; do
	STOCK=$stock DEMO_ROWS=$partial DEMO_FACTS=$partial_facts "$lab/prove/demo.sh" "$BASE"
done
mv "$partial" "$rows"
mv "$partial_facts" "$facts"
[ -z "${RECORD:-}" ] || { depends_on 'stock and series' kernel; cat "$rows"; } >"$result.tsv"
[ -z "${RECORD:-}" ] || { depends_on 'stock and series' kernel; cat "$facts"; } >"$result-facts.tsv"

echo "What a guest on DAX memory meets on $BASE (the numbers are counts; all of them: ${rows#"$TOP"/}):"
echo
"$LAB/prove/demo-screen.sh" "$rows" "$facts"
echo
printf 'it took %d:%02d minutes\n' $((SECONDS / 60)) $((SECONDS % 60))
