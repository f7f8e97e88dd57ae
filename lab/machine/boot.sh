#!/usr/bin/env bash
# The part of run.sh that boots the machine, with the accelerator that ACCEL= names.
# Takes: run COMMAND [ARGUMENT...] | shell | cmdline; CPU=amd, intel or arm64; SECONDS_MAX=<seconds that the job may print nothing>, 1200
# if not given; and KERNEL_WORDS=<more words for the kernel's command line>.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# The statuses that this script sets. All others come from the machine.
machine_died=125
never_began=126	# the machine hung while it booted
emulator_killed=123	# not 127, which is also the status of a job that the shell does not find

limit=${SECONDS_MAX:-1200}
mode=${1:-}
[ $# -gt 0 ] && shift
case $mode in
run) [ $# -gt 0 ] || die 2 "run needs a command: make run JOB=<script or program>" ;;
shell | cmdline) ;;
*) die 2 "usage: run.sh run COMMAND [ARGUMENT...] | shell | cmdline" ;;
esac

# The file of CPU= sets packages, grace and normal_end, and has three functions:
#   compose  takes mode, run, initramfs and job_words, the last of the kernel's words. Sets emulator, the emulator's command.
#            The console is written to $run/console.log, the verdict to $run/verdict, and the job's output to descriptor 3.
#   prepare  takes the job's command, and makes what the emulator needs.
#   examine  makes a machine that hangs say what it does, on its console and in $run/emulator.log, as far as it can.
# shellcheck source=lab/machine/amd.sh
. "$LAB/machine/$CPU.sh"

"$LAB/kernel/deps.sh" "$packages"
initramfs=$("$LAB/machine/initramfs.sh")

# Each run has its own folder, so that two runs do not interfere.
mkdir -p "$OUT/runs"
run=$(mktemp -d "$OUT/runs/$(date +%H%M%S).XXXX")
# Remove old folders, but not those of machines that still run. In a nested machine there is no locking, and none runs that long.
exec 8<"$run"
[ -n "${NESTED:-}" ] || flock 8
find "$OUT/runs" -mindepth 1 -maxdepth 1 -mmin +600 -exec flock -n {} rm -rf {} \; 2>/dev/null || true

if [ "$mode" = shell ]; then
	limit=0
	set -- bash -i
fi
job_words="LAB_JOB=$run/job LAB_SECONDS=$limit${KERNEL_WORDS:+ $KERNEL_WORDS}"
compose

if [ "$mode" = cmdline ]; then
	printf '%q ' "${emulator[@]}"
	echo
	rm -r "$run"
	exit
fi
[ -f "$BZIMAGE" ] || die 2 "there is no kernel for $BASE $VARIANT yet; run:" \
	"make kernel BASE=$BASE CPU=$CPU${STOCK:+ STOCK=$STOCK}${MUTANT:+ MUTANT=$MUTANT}${CONFIG:+ CONFIG=$CONFIG}"

{
	printf 'cd %q\n' "$PWD"
	# A machine in this one runs the same kernel, with the same words.
	printf 'export BUILD=%q BASE=%q CPU=%q VARIANT=%q STOCK=%q MUTANT=%q UPTO=%q CONFIG=%q KERNEL_WORDS=%q\n' \
		"$BUILD" "$BASE" "$CPU" "$VARIANT" "${STOCK:-}" "${MUTANT:-}" "${UPTO:-}" "${CONFIG:-}" "${KERNEL_WORDS:-}"
	printf 'exec %q' "$LAB/guest/session.sh"
	printf ' %q' "$@"
	echo
} >"$run/job"
prepare "$@"

pid=
# shellcheck disable=SC2317
stop() {
	trap - INT TERM HUP
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	say "interrupted; the emulator is stopped"
	exit 130
}
if [ "$mode" = shell ]; then
	terminal=$(stty -g)
	stty raw -echo
	"${emulator[@]}" || true
	stty "$terminal"
	exit
fi
trap stop INT TERM HUP
# seen: prints how far the machine has come: the size of its job's output and verdict, and until the job begins, of its console.
seen() {
	grep -s rchar "/proc/$output/io" || true
	stat -c %s "$run/verdict" 2>/dev/null || true
	grep -qs begun "$run/verdict" || stat -c %s "$run/console.log" 2>/dev/null || true
}

# The machine itself ends a job that prints nothing for its time limit. If the machine is too broken for that, end the machine, but not
# one that is only slow. A machine that does not reach its job gets ten times as long, because its kernel may print messages forever.
# The emulator needs a descriptor that can only be written to, so use a pipe to cat. A terminal's descriptor can also be read.
exec 3> >(exec cat)
output=$!
"${emulator[@]}" >"$run/emulator.log" 2>&1 </dev/null 9>&- &
pid=$!
emulator_status=0 hung='' periods=0
while :; do
	was=$(seen) periods=$((periods + 1))
	timeout $((limit + grace)) tail --pid="$pid" -f /dev/null 3>&- 9>&- &
	! wait $! || break
	if [ "$(seen)" = "$was" ] || { [ "$periods" -ge 10 ] && ! grep -qs begun "$run/verdict"; }; then
		hung=1
		break
	fi
done
if [ -n "$hung" ]; then
	examine
	kill "$pid" 2>/dev/null || true
	timeout 5 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
fi
wait "$pid" || emulator_status=$?
exec 3>&-
wait "$output" || true
trap - INT TERM HUP

status=$(sed -n 's/^status //p' "$run/verdict" 2>/dev/null || true)
if [ -z "$status" ]; then
	cat "$run/emulator.log" >&2
	tail -n "${hung:+1}25" "$run/console.log" >&2 2>/dev/null || true
	if [ -n "$hung" ]; then
		if grep -qs begun "$run/verdict"; then
			say "the machine hung and was stopped, as its job said nothing for $((limit + grace)) s; its console is ${run#"$TOP"/}/console.log"
			exit $machine_died
		fi
		say "the machine hung before its job began, and was stopped after $((periods * (limit + grace))) s;" \
			"its console is ${run#"$TOP"/}/console.log"
		exit $never_began
	fi
	# QEMU exits with 0 when it is told to end.
	! grep -qs 'terminating on signal' "$run/emulator.log" || emulator_status=143
	case $emulator_status in
	"$normal_end") say "the machine died before it gave a verdict; its console is ${run#"$TOP"/}/console.log" ;;
	137 | 143)
		say "the emulator was killed; run this again"
		exit $emulator_killed
		;;
	*) say "the emulator ended with status $emulator_status; its words are in ${run#"$TOP"/}/emulator.log" ;;
	esac
	exit $machine_died
fi
grep -vE '^(status |begun$)' "$run/verdict" >&2 || true
case $status in
70) say "the job itself ended well, but the kernel complained (above); the console is ${run#"$TOP"/}/console.log" ;;
124)
	sed -n '/the job is still running/,$p' "$run/console.log" >&2
	say "the job has said nothing for $limit s; pass SECONDS_MAX= for more; the console is ${run#"$TOP"/}/console.log"
	;;
esac
exit "$status"
