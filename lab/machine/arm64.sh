# shellcheck shell=bash disable=SC2034,SC2154
# The machine for CPU=arm64: QEMU with the virtualization extensions of arm64, VHE, and NVDIMMs. Debian's user space for arm64 lies over
# the host's root; both come over 9p. The machine boots by EFI, because ACPI describes the NVDIMMs.
# Sourced by boot.sh, which says what compose and prepare take and give.

# shellcheck source=lab/machine/qemu.sh
. "$LAB/machine/qemu.sh"

packages=arm64
grace=300	# seconds to boot and to shut down, beyond the job's time limit: firmware and kernel are emulated, on any host
normal_end=0	# the emulator's status when the machine powers off

# The backing that each NVDIMM becomes, and its size in MiB: the data, the kernel's struct pages for it, and 2 for labels. None is for 1G.
nvdimms=("devdax-4k 1346" "devdax-2m 1410" "fsdax-ext4 1474" "fsdax-xfs 1538")

compose() {
	local nvdimm backing size words backings='' layer
	[ "${ACCEL:-tcg}" = tcg ] || die 2 "ACCEL=$ACCEL: the machine of CPU=arm64 runs under tcg"
	layer=$("$LAB/machine/arm64-root.sh")
	emulator=(qemu-system-aarch64 -name "kvm-dax-$BASE-$VARIANT" -nodefaults -no-user-config -display none -no-reboot)
	# Turn off what is slow to emulate and no test needs, such as pointer authentication and vectors.
	emulator+=(-accel "tcg,thread=multi" -cpu "max,lpa2=off,pauth=off,sve=off,sme=off")
	emulator+=(-M "virt,virtualization=on,gic-version=3,nvdimm=on,iommu=smmuv3" -smp 2 -m "2G,slots=8,maxmem=16G")
	emulator+=(-bios /usr/share/qemu-efi-aarch64/QEMU_EFI.fd)
	for nvdimm in "${nvdimms[@]}"; do
		read -r backing size <<<"$nvdimm"
		emulator+=(-object "memory-backend-ram,id=$backing,size=${size}M" -device "nvdimm,memdev=$backing,id=nvdimm-$backing,label-size=2M")
		backings+=${backings:+,}$backing
	done
	# A device to assign, behind the IOMMU, and an NVMe controller whose BAR has struct pages.
	emulator+=(-device edu -drive "if=none,id=cmb,driver=null-co,size=16M")
	emulator+=(-device "nvme,drive=cmb,serial=cmb,cmb_size_mb=16$(base_field nvme)")
	shared / host
	shared "$layer" layer
	words="console=ttyAMA0 panic=-1 log_buf_len=8M LAB_LAYER=1 LAB_MODULES=$MODULES LAB_BACKINGS=$backings"
	qemu_channels "$words"
}

# Saves the registers of the CPUs. The machine has no keyboard to ask Linux for backtraces.
examine() { ask_monitor '^(CPU#| *PC=|PSTATE=)' "info registers -a"; }
