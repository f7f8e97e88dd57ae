#!/usr/bin/env bash
# Runs KVM-unit-tests in the machine, each in a QEMU whose guest memory is a file on XFS with DAX. Prints rows as rows.sh does.
# Takes the folder of a copy that make standalone has built, and a file with the names of the tests to run, as "fsdax-xfs <test>".
# Started by: make kvm-unit-tests
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

folder=$1 names=$2
# shellcheck source=lab/guest/rows.sh
. "$(dirname "$0")/rows.sh"

# The runner starts QEMU three times to find out what it is and whether it can start. Answer that here, because an emulated QEMU is slow.
export QEMU=/run/qemu-on-dax
cat >"$QEMU" <<'EOF'
#!/bin/bash
case " $* " in
*' --help '*) echo QEMU; exit ;;
*' -device ? '* | *' -device help '*) printf 'name "%s"\n' pc-testdev isa-debug-exit pci-testdev; exit ;;
*_NO_FILE_4Uhere_*) echo "qemu: could not open kernel file '_NO_FILE_4Uhere_'"; exit 1 ;;
esac
size=128M
for ((i = 1; i < $#; i++)); do
	next=$((i + 1))
	[ "${!i}" != -m ] || size=${!next}
done
[[ $size == *[KMGkmg] ]] || size+=M
exec qemu-system-x86_64 "$@" -object "memory-backend-file,id=dax,mem-path=/dax/fsdax-xfs/m,size=$size,share=on" -machine memory-backend=dax
EOF
chmod +x "$QEMU"
export ACCEL=kvm TIMEOUT=0	# rows.sh sets the time limit

cd /run
while read -r name; do
	run "$folder/tests/${name#* }"
	case $status in
	2 | 77) status=4 ;;
	esac
	row "$name" "$status"
	rm -f /dax/fsdax-xfs/m
done <"$names"
