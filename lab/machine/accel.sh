#!/usr/bin/env bash
# Prints the accelerator for the machine: kvm if this host's KVM runs guests that can run guests, otherwise tcg.
# Takes ACCEL=kvm or tcg, to skip the probe. Keeps the answer in build/accel, with what it depends on: the host's kernel, and whether it
# has /dev/kvm. If the probe exceeds its time, the answer is tcg until the host boots again, because it may only have been busy.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

answer=$BUILD/accel
if [ -n "${ACCEL:-}" ]; then
	echo "$ACCEL"
	exit
fi
of="$(uname -r), $([ -w /dev/kvm ] && echo with || echo without) /dev/kvm"
of_boot="$of, boot $(</proc/sys/kernel/random/boot_id)"
if ! sed 1d "$answer" 2>/dev/null | grep -qxF -e "$of" -e "$of_boot" || [ "$LAB/machine/kvm-probe.c" -nt "$answer" ]; then
	mkdir -p "$BUILD"
	gcc -static -O2 -Wall -Wextra -Werror -o "$BUILD/kvm-probe" "$LAB/machine/kvm-probe.c"
	trap 'exit 130' INT TERM
	found=tcg status=0
	{ "$BUILD/kvm-probe" || status=$?; } 2>"$answer.log"
	if [ "$status" -eq 0 ]; then
		# Nested guests can be probed only with a kernel. Until one is built, print tcg and keep no answer.
		[ -f "$BZIMAGE" ] || { echo tcg; exit; }
		# Run in the foreground, where Ctrl-C reaches the machine.
		ACCEL=kvm SECONDS_MAX=60 timeout --foreground 120 "$LAB/machine/boot.sh" run "$BUILD/kvm-probe" >>"$answer.log" 2>&1 || status=$?
		[ "$status" -ne 0 ] || found=kvm
	fi
	case $status in
	130) exit 130 ;;
	# The emulator was killed (123), or ended.
	123 | 137 | 143)
		say "whether this host's KVM runs guests that can run guests was not seen (status $status); the machine runs under tcg"
		echo tcg
		exit
		;;
	# The probe or the machine took too long (142 by the probe's clock).
	124 | 126 | 142)
		say "whether this host's KVM runs guests that can run guests was not seen in time (status $status);" \
			"machines run under tcg until this host boots again; to ask it again, remove ${answer#"$TOP"/}"
		of=$of_boot
		;;
	*) say "the machine runs under $found" ;;
	esac
	printf '%s\n%s\n' "$found" "$of" >"$answer.part"
	mv "$answer.part" "$answer"
fi
head -n 1 "$answer"
