# shellcheck shell=bash disable=SC2034,SC2154
# The machine for CPU=amd: QEMU with AMD's nested paging, NVDIMMs, an IOMMU, and the host's root over 9p.
# Sourced by boot.sh, which says what compose and prepare take and give. NESTED=1 is for a machine within the machine. ICOUNT=<backing> is
# for one with a single CPU, whose clock advances by 1 ns per instruction. A DAX backing gets an NVDIMM of 18 GiB there. FILES_1G=1 is for
# a machine whose only NVDIMM has a file system that can map files by 1G; with SCRATCH_1G=1 it has two such NVDIMMs, for fstests.
# PLUGIN=<file,argument=value...> loads a plugin of the emulator.

# shellcheck source=lab/machine/qemu.sh
. "$LAB/machine/qemu.sh"

packages=machine
grace=90	# seconds to boot and to shut down, beyond the job's time limit
[ "${CONFIG:-}" != debug ] || grace=400	# it boots slowly, and PID 1 looks for leaks twice
normal_end=0	# the emulator's status when the machine powers off

# The backing that each NVDIMM becomes, and its size in MiB: the data, the kernel's struct pages for it, and 2 for labels. The NVDIMM of a
# nested machine lies on a DAX device of the outer machine.
if [ -n "${ICOUNT:-}" ]; then
	memory=12G
	nvdimms=()
	[[ $ICOUNT != *dax-* ]] || nvdimms=("$ICOUNT 18434")
elif [ -n "${FILES_1G:-}" ]; then
	memory=4G
	nvdimms=("fsdax-xfs-1g 8194")	# 7 GiB of data, because data begins at a multiple of 1G
	# Two of 5 GiB, which are all in use after a while. The second one also begins at a multiple of 1G, which newer kernels need.
	[ -z "${SCRATCH_1G:-}" ] || nvdimms=("fsdax-xfs-1g 6146" "fsdax-xfs-1g-scratch 6146")
elif [ -z "${NESTED:-}" ]; then
	memory=6G
	nvdimms=("devdax-4k 1282" "devdax-2m 1282" "devdax-1g 4098" "fsdax-ext4 1794" "fsdax-xfs 2946")
	# Only the first NVDIMM begins at a multiple of 1G, which newer kernels need for 1G pages. The base says which one is first.
	first=$(base_field first-nvdimm)
	mapfile -t nvdimms < <(printf '%s\n' "${nvdimms[@]}" |
		awk -v first="$first" '$1 == first; $1 != first { rest = rest $0 "\n" } END { printf "%s", rest }')
else
	memory=1G
	nvdimms=("devdax-2m 1154 /dax/devdax-2m")
fi

compose() {
	local without backings nvdimm backing size file object words cpus=2 guests_on='' accel=${ICOUNT:+icount}
	# CPU features that the base cannot use: its selftests lack page tables of five levels, or its KVM lacks the guests' AVX state.
	without=$(base_field cpu)
	emulator=(qemu-system-x86_64 -name "kvm-dax-$BASE-$VARIANT" -nodefaults -no-user-config -display none -no-reboot)
	case ${accel:-$ACCEL} in
	icount) cpus=1; emulator+=(-accel "tcg,thread=single" -icount "shift=0,sleep=on" -cpu "max,erms=off$without") ;;
	# No XSAVE in a nested machine: the emulator reports a wrong size of its area, and the kernel overwrites its own memory.
	kvm) emulator+=(-accel kvm -cpu "host$without${NESTED:+,xsave=off}") ;;
	# When any CPU loads x87 registers, the emulator also writes the first CPU's SVM flags, and undoes simultaneous changes to them
	# (docs/lab.md). So the machine has one more CPU, and no guest runs on the first.
	tcg) cpus=3 guests_on=1-2; emulator+=(-accel "tcg,thread=multi" -cpu "max$without") ;;
	esac
	[ -z "${PLUGIN:-}" ] || emulator+=(-plugin "$PLUGIN")
	emulator+=(-M "q35,nvdimm=on" -smp "$cpus" -m "$memory,slots=8,maxmem=64G")
	backings=
	for nvdimm in "${nvdimms[@]}"; do
		read -r backing size file <<<"$nvdimm"
		if [ -n "$file" ]; then
			object=memory-backend-file,mem-path=$file,share=on,align=2M
		else
			object="memory-backend-ram"
		fi
		emulator+=(-object "$object,id=$backing,size=${size}M" -device "nvdimm,memdev=$backing,id=nvdimm-$backing,label-size=2M")
		backings+=${backings:+,}$backing
	done
	shared / host
	words="console=ttyS0 panic=-1 log_buf_len=8M"
	# When a guest waits until it can take an interrupt, the emulator changes the CPU's pending interrupts without the lock. So it may
	# lose an interrupt that another CPU sends. The next tick replaces it, but not where v7.3 compares the clocks of two CPUs
	# (docs/lab.md).
	[ -n "${ICOUNT:-}" ] || words+=" highres=off tsc=nowatchdog"
	words+=" LAB_MODULES=$MODULES LAB_BACKINGS=$backings${guests_on:+ LAB_CPUS=$guests_on}"
	# The lab's kernels do that by configuration.
	[ "${STOCK:-}" != package ] || words+=" oops=panic"
	# Reserve memory for the kernel that writes the dump of a crashed one.
	[ "${CONFIG:-}" != dump ] || words+=" crashkernel=512M"
	# Reports of a use after free then say who allocated and freed the page.
	[ "${CONFIG:-}" != debug ] || words+=" page_owner=on"
	if [ -z "${NESTED:-}" ]; then
		# A device to assign. Its IOMMU has no interrupt remapping, so VFIO must be told to accept that.
		emulator+=(-device "intel-iommu,intremap=off,caching-mode=on" -device edu)
		# An NVMe controller whose BAR has struct pages. The base says by which version of its protocol the driver finds the BAR.
		emulator+=(-drive "if=none,id=cmb,driver=null-co,size=16M" -device "nvme,drive=cmb,serial=cmb,cmb_size_mb=16$(base_field nvme)")
		words+=" intel_iommu=on vfio_iommu_type1.allow_unsafe_interrupts=1 $(base_field words)"
	fi
	qemu_channels "$words"
}

# Saves the registers of the CPUs. Makes Linux print the backtraces of its CPUs and of waiting tasks, if it still takes interrupts.
examine() { ask_monitor '^(CPU#|RIP=|CR[0-4]=|EFER=)' "info registers -a" "sendkey alt-sysrq-l" "sendkey alt-sysrq-w"; }
