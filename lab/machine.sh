#!/usr/bin/env bash
# Boots the kernel of BASE in an emulated machine with NVDIMMs, and runs a job or a shell in it.
# Takes: run COMMAND [ARGUMENT...] | shell | cmdline; SECONDS_MAX=<the job's time limit>, 1200 if not given; and
# KERNEL_WORDS=<more words for the kernel's command line>.
set -euo pipefail
# shellcheck source=lab/env.sh
. "$(dirname "$0")/env.sh"

# Job status of our own; any other comes from the job.
machine_died=125

limit=${SECONDS_MAX:-1200}
mode=${1:-}
[ $# -gt 0 ] && shift
case $mode in
run) [ $# -gt 0 ] || die 2 "run needs a command: make run JOB=<script or program>" ;;
shell | cmdline) ;;
*) die 2 "usage: machine.sh run COMMAND [ARGUMENT...] | shell | cmdline" ;;
esac

# What each NVDIMM becomes, and its size in MiB: data, the kernel's struct pages for it, 2 for labels.
# NESTED=1 is for a machine within the machine: its NVDIMM lies on a DAX device of the outer one.
if [ -z "${NESTED:-}" ]; then
	memory=6G
	nvdimms=("devdax-4k 1282" "devdax-2m 1282" "devdax-1g 4098" "fsdax-ext4 1794" "fsdax-xfs 2946")
	# The first one starts at a multiple of 1G, as newer kernels need it to map pages of 1G; the base says which it is to be.
	first=$(base_field first-nvdimm)
	mapfile -t nvdimms < <(printf '%s\n' "${nvdimms[@]}" | awk -v first="$first" '$1 == first; $1 != first { rest = rest $0 "\n" } END { printf "%s", rest }')
else
	memory=1G
	nvdimms=("devdax-2m 1154 /dax/devdax-2m")
fi

"$LAB/deps.sh" machine
initramfs=$("$LAB/initramfs.sh")

# A folder for this run alone, so that two runs do not meet.
mkdir -p "$OUT/runs"
run=$(mktemp -d "$OUT/runs/$(date +%H%M%S).XXXX")
find "$OUT/runs" -mindepth 1 -maxdepth 1 -mmin +600 -exec rm -rf {} + 2>/dev/null || true

# What the base cannot do with the emulator's CPU: its selftests five levels of page tables, its KVM the guests' AVX state.
without=$(base_field cpu)
qemu=(qemu-system-x86_64 -name "kvm-dax-$BASE-$VARIANT" -nodefaults -no-user-config -display none -no-reboot)
case $("$LAB/accel.sh") in
# Without XSAVE in a machine within the machine: the emulator gives it a wrong size of the area, and its kernel is overwritten.
kvm) qemu+=(-accel kvm -cpu "host$without${NESTED:+,xsave=off}") ;;
tcg) qemu+=(-accel "tcg,thread=multi" -cpu "max$without") ;;
esac
qemu+=(-M "q35,nvdimm=on" -smp 2 -m "$memory,slots=8,maxmem=64G")
backings=
for nvdimm in "${nvdimms[@]}"; do
	read -r backing size file <<<"$nvdimm"
	if [ -n "$file" ]; then
		object=memory-backend-file,mem-path=$file,share=on,align=2M
	else
		object="memory-backend-ram"
	fi
	qemu+=(-object "$object,id=$backing,size=${size}M" -device "nvdimm,memdev=$backing,id=nvdimm-$backing,label-size=2M")
	backings+=${backings:+,}$backing
done
qemu+=(-virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap")
words="console=ttyS0 panic=-1 log_buf_len=8M LAB_MODULES=$MODULES LAB_BACKINGS=$backings"
if [ -z "${NESTED:-}" ]; then
	# A device to assign, behind an IOMMU without interrupt remapping, which VFIO has to be told to accept.
	qemu+=(-device "intel-iommu,intremap=off,caching-mode=on" -device edu)
	# A controller whose BAR has struct pages.
	qemu+=(-drive "if=none,id=cmb,driver=null-co,size=16M" -device "nvme,drive=cmb,serial=cmb,cmb_size_mb=16")
	words+=" intel_iommu=on vfio_iommu_type1.allow_unsafe_interrupts=1 $(base_field words)"
fi
qemu+=(-device virtio-rng-pci)
qemu+=(-serial "file:$run/console.log")
qemu+=(-device virtio-serial-pci)
qemu+=(-chardev "file,id=verdict,path=$run/verdict" -device "virtserialport,chardev=verdict,name=verdict")
if [ "$mode" = shell ]; then
	limit=0
	set -- bash -i
	words+=" LAB_TERMINAL=1"
	qemu+=(-chardev "stdio,id=terminal,signal=off" -device "virtconsole,chardev=terminal")
else
	# The job's output goes straight to our standard output, which is descriptor 3 here.
	qemu+=(-add-fd "fd=3,set=1" -chardev "file,id=output,path=/dev/fdset/1,append=on" -device "virtserialport,chardev=output,name=output")
fi
words+=" LAB_JOB=$run/job LAB_SECONDS=$limit${KERNEL_WORDS:+ $KERNEL_WORDS}"
qemu+=(-kernel "$BZIMAGE" -initrd "$initramfs" -append "$words")

if [ "$mode" = cmdline ]; then
	printf '%q ' "${qemu[@]}"
	echo
	rm -r "$run"
	exit
fi
[ -f "$BZIMAGE" ] || die 2 "there is no kernel for $BASE $VARIANT yet; run: make kernel BASE=$BASE"

{
	printf 'cd %q\n' "$PWD"
	printf 'export BASE=%q VARIANT=%q\n' "$BASE" "$VARIANT"
	printf 'exec %q' "$LAB/guest/session.sh"
	printf ' %q' "$@"
	echo
} >"$run/job"

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
	"${qemu[@]}" || true
	stty "$terminal"
	exit
fi
trap stop INT TERM HUP
# The machine ends the job at its limit; when it is too sick for that, we end the machine.
# The pipe to cat is there because the emulator wants a descriptor that can only be written to; a terminal's can be read.
exec 3> >(exec cat)
output=$!
timeout --kill-after=5 $((limit + 90)) "${qemu[@]}" >"$run/qemu.log" 2>&1 </dev/null 9>&- &
pid=$!
qemu_status=0
wait "$pid" || qemu_status=$?
exec 3>&-
wait "$output" || true
trap - INT TERM HUP

status=$(sed -n 's/^status //p' "$run/verdict" 2>/dev/null || true)
if [ -z "$status" ]; then
	cat "$run/qemu.log" >&2
	tail -n 25 "$run/console.log" >&2 2>/dev/null || true
	case $qemu_status in
	124) say "the machine hung and was stopped after $((limit + 90)) s; its console is ${run#"$TOP"/}/console.log" ;;
	0) say "the machine died before it gave a verdict; its console is ${run#"$TOP"/}/console.log" ;;
	137) say "the emulator was killed; run this again" ;;
	*) say "the emulator ended with status $qemu_status; its words are in ${run#"$TOP"/}/qemu.log" ;;
	esac
	exit $machine_died
fi
grep -v '^status ' "$run/verdict" >&2 || true
case $status in
70) say "the job itself ended well, but the kernel complained (above); the console is ${run#"$TOP"/}/console.log" ;;
124) tail -n 25 "$run/console.log" >&2; say "the job took longer than $limit s; pass SECONDS_MAX= for more; the console is ${run#"$TOP"/}/console.log" ;;
esac
exit "$status"
