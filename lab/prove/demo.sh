#!/usr/bin/env bash
# Shows what happens to a guest on DAX memory, on the stock kernel and with the series. It shows by which entries KVM maps a guest on
# each backing. CPU=intel adds the memory type of these entries, CPU=arm64 whether the guest boots, and CPU=amd device assignment, a full
# file system, memory failures and more.
# With CPU=amd, the stock kernel is the distribution's own, if it has a package built from this source, which saves building one.
# Takes BASE. Leaves build/<base>/demo.tsv and demo-facts.tsv, and prints what differs.
# RECORD=1 keeps both in results/, with what they depend on. make table puts the screen into the README, and make plot draws it.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"
# shellcheck source=lab/guest/plan.sh
. "$LAB/guest/plan.sh"

# Each kernel runs in a process of its own, because env.sh takes STOCK from the environment.
if [ -n "${DEMO_ROWS:-}" ]; then
	"$LAB/kernel/build.sh"

	# The distribution's kernel takes longer to boot, so its guests run that of the series.
	guest_kernel=$BZIMAGE
	[ "${STOCK:-}" != package ] || guest_kernel=$BUILD/$BASE/series/tree/arch/x86/boot/bzImage
	work=$OUT/demo-$CPU
	rm -rf "$work"
	mkdir -p "$work/kvm_leaves" "$work/cpio"
	"${CROSS_COMPILE:-}gcc" -static -O2 -Wall -Wextra -Werror -o "$work/cpio/init" "$LAB/guest/touch-memory.c"
	(cd "$work/cpio" && echo init | cpio --quiet -o -H newc) >"$work/initramfs"
	if [ "$CPU" != arm64 ]; then
		cp "$LAB"/guest/modules/kvm_leaves/{Kbuild,kvm_leaves.c} "$work/kvm_leaves"
		quietly "$work/kvm_leaves.log" "building kvm_leaves for $VARIANT" \
			make -C "$TREE" M="$work/kvm_leaves" modules
	fi

	case $CPU in
	amd)
		mkdir "$work/facts"
		cp "$LAB"/guest/modules/page_flags/{Kbuild,*.c} "$work/facts"
		quietly "$work/page_flags.log" "building page_flags for $VARIANT" \
			make -C "$TREE" M="$work/facts" modules
		for program in demo-facts punch-waits shared-failure; do
			gcc -O2 -Wall -Wextra -Werror -pthread -o "$work/facts/$program" "$LAB/guest/$program.c"
		done
		# shellcheck disable=SC2016
		guests=(bash -c '"$1/boot-guests.sh" "$2" "${@:4:3}" && exec "$1/demo-facts.sh" "$2" "$3" "${@:7}"' demo "$LAB/guest"
			"$VARIANT" "$work/facts" "$guest_kernel" "$work/initramfs" "$work/kvm_leaves/kvm_leaves.ko")
		looks=(assigned full written punched reserved shared cloned)
		;;
	# Emulated VMX is too slow to run QEMU, so the tiny guest of guest-leaves takes the place of Linux.
	intel)
		gcc -O2 -Wall -Wextra -Werror -o "$work/kvm_leaves/guest-leaves" "$LAB/guest/guest-leaves.c"
		export CARRY="$work/kvm_leaves/kvm_leaves.ko $work/kvm_leaves/guest-leaves"
		guests=("$LAB/guest/demo-intel.sh" "$VARIANT" "$work/kvm_leaves")
		looks=()
		;;
	arm64)
		guests=("$LAB/guest/demo-arm64.sh" "$VARIANT" "$BZIMAGE" "$work/initramfs")
		looks=()
		;;
	esac

	trap 'exit 130' INT TERM
	# machine COMMAND...: runs the command in the machine; sets status, and last to the last look that has begun, or to end.
	machine() {
		status=0
		"$LAB/machine/run.sh" run "$@" 2>"$work/machine" |
			tee "$work/output" | sed -uE '/^(row|fact|look)\t/d' >&2 || status=$?
		tr -d '\r' <"$work/output" >"$work/lines"
		sed -n "s/^row\t/$BASE\t/p" "$work/lines" >>"$DEMO_ROWS"
		sed -n "s/^fact\t/$BASE\t/p" "$work/lines" >>"$DEMO_FACTS"
		last=$(sed -n 's/^look\t.*\t//p' "$work/lines" | tail -n 1)
	}
	# ended_by_kernel: succeeds if the kernel ended its machine in the last look: it died, as the fact says that was printed last, or hangs, as
	# its log says. An emulator that was killed, or a job without output, tells nothing of the kernel. Sets console.
	ended_by_kernel() {
		local fact hangs=''
		fact=$(grep -E '^(look|fact)' "$work/lines" | tail -n 1 | grep -E '^fact.*(dies|hangs|shuts down)') || return 1
		console=$(sed -nE 's/.*(its|the) console is //p' "$work/machine")
		[[ $console = /* ]] || console=$TOP/$console
		case $status in
		125)
			! grep -q 'the emulator ended with status' "$work/machine" || return 1
			! grep -q 'the machine hung' "$work/machine" || hangs=1
			;;
		# Only programs of the looks count. If ndctl hangs, its own look has said so.
		124)
			grep -aqsE 'INFO: task (demo-facts|punch-waits|shared-failure):[0-9]+ blocked for more than' "$console" || return 1
			hangs=1
			;;
		*) return 1 ;;
		esac
		[ -z "$hangs" ] || sed -n "s/^fact\t/$BASE\t/; s/the kernel dies$/the kernel hangs/p" <<<"$fact" >>"$DEMO_FACTS"
	}
	# give_up: ends the script, because the machine has not shown what it was booted for.
	give_up() {
		cat "$work/machine" >&2
		case $status in
		130) exit 130 ;;
		123 | 124 | 126) die 1 "the demonstration on the $VARIANT kernel was ended, and the reason is above; run this again" ;;
		esac
		die 1 "the demonstration failed on the $VARIANT kernel; the reason is above and in ${work#"$TOP"/}/output"
	}
	files_1g=$(plan_value 'backings files-1g')
	if [ -n "$files_1g" ]; then
		say "$BASE $VARIANT: booting the machine that has files to map by 1G, then a guest on one"
		FILES_1G=1 machine "$LAB/guest/boot-guests.sh" "$VARIANT" "$guest_kernel" "$work/initramfs" "$work/kvm_leaves/kvm_leaves.ko" "$files_1g"
		[ "$status" -eq 0 ] || give_up
	fi
	say "$BASE $VARIANT: booting the machine, then a guest on each backing"
	machine "${guests[@]}" "${looks[@]}"
	# The stock kernel dies in some looks. Boot another machine for the remaining looks.
	while [ "$status" -ne 0 ] && [ "$VARIANT" = stock ]; do
		[ "$last" != end ] || { status=0; break; }
		ended_by_kernel || break
		say "$BASE $VARIANT: $(tail -n 1 "$DEMO_FACTS" | cut -f 3,4 | sed 's/\t/: /')"
		grep -aohE '(BUG|Oops): .*|kernel BUG at .*' "$console" 2>/dev/null | head -n 1 >&2 || true
		while [ "${looks[0]}" != "$last" ]; do looks=("${looks[@]:1}"); done
		looks=("${looks[@]:1}")
		[ ${#looks[@]} -gt 0 ] || { status=0; break; }
		say "$BASE $VARIANT: booting the machine again for what is left: ${looks[*]}"
		machine "$LAB/guest/demo-facts.sh" "$VARIANT" "$work/facts" "${looks[@]}"
	done
	[ "$status" -eq 0 ] || give_up
	exit
fi

as_the_lab_builds_it
leave_out "make demo shows all it has, on the stock kernel and with the series" STOCK MUTANT MODES TESTS BACKINGS FILES_1G
result=$TOP/results/$BASE-demo
[ "$CPU" = amd ] || result+=-$CPU
rows=$BUILD/$BASE/demo.tsv
mkdir -p "${rows%/*}"

lock "$BASE-demo"

facts=${rows%.tsv}-facts.tsv
partial=$rows.partial partial_facts=$facts.partial
trap 'rm -f "$partial" "$partial_facts"' EXIT
printf 'base\tkernel\tbacking\tpages_4k\tpages_2m\tpages_1g\tfaults\n' >"$partial"
printf 'base\tkernel\tfact\tis\n' >"$partial_facts"

# The kernel that the other one is compared with: the distribution's own, if it can be had.
stock=1 words='stock and series'
if [ "$CPU" = amd ] && [ -z "${CONFIG:-}${KSRC:-}" ]; then
	status=0
	STOCK=package "$LAB/kernel/build.sh" || status=$?
	case $status in
	0)
		stock=package words='series, and stock as the distribution built it'
		"$LAB/kernel/build.sh"
		;;
	"$NO_SOURCE") say "so the stock kernel is built here" ;;
	*) exit "$status" ;;
	esac
fi
for kernel in "$stock" ''; do
	STOCK=$kernel DEMO_ROWS=$partial DEMO_FACTS=$partial_facts "$LAB/prove/demo.sh"
done
mv "$partial" "$rows"
# Keep the last row of each fact.
awk -F'\t' '!(($2, $3) in line) { order[++n] = $2 SUBSEP $3 } { line[$2, $3] = $0 } END { for (i = 1; i <= n; i++) print line[order[i]] }' \
	"$partial_facts" >"$facts"
if [ -n "${RECORD:-}" ]; then
	head=$(depends_on "$result.tsv" "$words")
	write_result "$result.tsv" "$head" "$rows"
	write_result "$result-facts.tsv" "$head" "$facts"
	say "${result#"$TOP"/}*.tsv are recorded; make table plot shows them in the documents"
fi

echo
echo "What guests on DAX memory meet on $BASE, without the series (stock) and with it:"
echo
"$LAB/prove/demo-screen.sh" "$rows" "$facts"
echo
[ "$stock" != package ] || echo "Stock is the distribution's own kernel, $(ls "$BUILD/$BASE/package/modules/lib/modules")."
echo "The figures are counts; all of them: ${rows#"$TOP"/}, ${facts#"$TOP"/}. docs/patches.md says which patch does what."
printf 'it took %d:%02d minutes\n' $((SECONDS / 60)) $((SECONDS % 60))
