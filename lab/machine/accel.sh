#!/usr/bin/env bash
# Prints the accelerator for the machine: kvm when this host's KVM runs a guest that can run guests, else tcg.
# Takes ACCEL=kvm or tcg to skip the probe; the answer is kept in build/accel, with what it depends on: the host's kernel, and
# whether it has /dev/kvm.
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
	found=tcg
	if "$BUILD/kvm-probe" 2>"$answer.log"; then
		# Whether guests of its guests run is seen, and kept, once there is a kernel for them.
		[ -f "$BZIMAGE" ] || { echo tcg; exit; }
		ACCEL=kvm SECONDS_MAX=60 timeout 120 "$LAB/machine/run.sh" run "$BUILD/kvm-probe" >>"$answer.log" 2>&1 &&
			found=kvm
	fi
	say "the machine runs under $found"
	printf '%s\n%s\n' "$found" "$of" >"$answer.part"
	mv "$answer.part" "$answer"
fi
head -n 1 "$answer"
