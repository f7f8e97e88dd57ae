#!/usr/bin/env bash
# Prints the accelerator for the machine: kvm when this host's KVM runs a guest that can run guests, else tcg.
# Takes ACCEL=kvm or tcg to skip the probe; the answer is kept in build/accel, with what it depends on: the host's kernel, and
# whether it has /dev/kvm. That a probe was not over in time is no answer, as the host may only have been busy: it is tcg this once.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

answer=$BUILD/accel
if [ -n "${ACCEL:-}" ]; then
	echo "$ACCEL"
	exit
fi
of="$(uname -r), $([ -w /dev/kvm ] && echo with || echo without) /dev/kvm"
if [ "$(sed 1d "$answer" 2>/dev/null)" != "$of" ] || [ "$LAB/machine/kvm-probe.c" -nt "$answer" ]; then
	mkdir -p "$BUILD"
	gcc -static -O2 -Wall -Wextra -Werror -o "$BUILD/kvm-probe" "$LAB/machine/kvm-probe.c"
	trap 'exit 130' INT TERM
	found=tcg status=0
	{ "$BUILD/kvm-probe" || status=$?; } 2>"$answer.log"
	if [ "$status" -eq 0 ]; then
		# Whether guests of its guests run is seen, and kept, once there is a kernel for them.
		[ -f "$BZIMAGE" ] || { echo tcg; exit; }
		# In the foreground, where Ctrl-C reaches the machine.
		ACCEL=kvm SECONDS_MAX=60 timeout --foreground 120 "$LAB/machine/run.sh" run "$BUILD/kvm-probe" >>"$answer.log" 2>&1 || status=$?
		[ "$status" -ne 0 ] || found=kvm
	fi
	case $status in
	130) exit 130 ;;
	# The emulator was killed, the probe or the machine had no more time (124, 126, and 142, by the probe's own clock), or was ended.
	123 | 124 | 126 | 137 | 142 | 143)
		say "whether this host's KVM runs guests that can run guests was not seen in time (status $status); the machine runs under tcg"
		echo tcg
		exit
		;;
	esac
	say "the machine runs under $found"
	printf '%s\n%s\n' "$found" "$of" >"$answer.part"
	mv "$answer.part" "$answer"
fi
head -n 1 "$answer"
