#!/usr/bin/env bash
# Boots the kernel of BASE in an emulated machine with DAX memory, and runs a job or a shell in it; or prints the emulator's command.
# Takes what boot.sh takes, which does it. With CPU=amd, first sets ACCEL to what accel.sh prints, whose probe needs boot.sh, too.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

if [ "$CPU" = amd ] && [ -z "${ICOUNT:-}" ]; then
	"$LAB/kernel/deps.sh" machine
	ACCEL=$("$LAB/machine/accel.sh")
	export ACCEL
fi
exec "$LAB/machine/boot.sh" "$@"
