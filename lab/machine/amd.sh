# shellcheck shell=bash disable=SC2034,SC2154
# The machine for CPU=amd: QEMU with AMD's nested paging, NVDIMMs, an IOMMU, and the host's root over 9p.
# Sourced by run.sh, which says what compose and prepare take and give; NESTED=1 is for a machine within the machine,
# ICOUNT=<backing> for one with a single CPU, the clock of which advances by 1 ns with each instruction, and 8 GiB of that backing;
# FILES_1G=1 for one whose only NVDIMM has a file system that can map files by 1G; PLUGIN=<file,argument=value...> for a plugin of the
# emulator.

# shellcheck source=lab/machine/qemu.sh
. "$LAB/machine/qemu.sh"

packages=machine
grace=90	# seconds to boot and to end, beyond the job's time limit
[ "${CONFIG:-}" != debug ] || grace=400	# it boots slowly, and PID 1 looks for leaks twice
normal_end=0	# the emulator's status when the machine powers off

# What each NVDIMM becomes, and its size in MiB: data, the kernel's struct pages for it, 2 for labels.
# That of the machine within the machine lies on a DAX device of the outer one.
if [ -n "${ICOUNT:-}" ]; then
	memory=12G
	nvdimms=()
	[[ $ICOUNT != *dax-* ]] || nvdimms=("$ICOUNT 18434")
elif [ -n "${FILES_1G:-}" ]; then
	memory=4G
	nvdimms=("fsdax-xfs-1g 8194")	# 7 GiB of data, as they begin at a multiple of 1G
elif [ -z "${NESTED:-}" ]; then
	memory=6G
	nvdimms=("devdax-4k 1282" "devdax-2m 1282" "devdax-1g 4098" "fsdax-ext4 1794" "fsdax-xfs 2946")
	# The first one starts at a multiple of 1G, as newer kernels need it to map pages of 1G; the base says which it is to be.
	first=$(base_field first-nvdimm)
	mapfile -t nvdimms < <(printf '%s\n' "${nvdimms[@]}" |
		awk -v first="$first" '$1 == first; $1 != first { rest = rest $0 "\n" } END { printf "%s", rest }')
else
	memory=1G
	nvdimms=("devdax-2m 1154 /dax/devdax-2m")
fi

compose() {
	local without backings nvdimm backing size file object words cpus=2 guests_on='' accel=icount
	# What the base cannot do with the emulator's CPU: its selftests five levels of page tables, its KVM the guests' AVX state.
	without=$(base_field cpu)
	emulator=(qemu-system-x86_64 -name "kvm-dax-$BASE-$VARIANT" -nodefaults -no-user-config -display none -no-reboot)
	[ -n "${ICOUNT:-}" ] || accel=$("$LAB/machine/accel.sh")
	case $accel in
	icount) cpus=1; emulator+=(-accel "tcg,thread=single" -icount "shift=0,sleep=on" -cpu "max,erms=off$without") ;;
	# Without XSAVE in a machine within the machine: the emulator gives it a wrong size of the area, and its kernel is overwritten.
	kvm) emulator+=(-accel kvm -cpu "host$without${NESTED:+,xsave=off}") ;;
	# A CPU that loads x87 registers writes to the first one's flags of SVM, too, and undoes what that does to them at the same time
	# (docs/lab.md). So there is one CPU more, and no guest runs on the first.
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
	# As a guest is started that waits to take an interrupt, the emulator changes its CPU's set of pending interrupts without the lock,
	# and so may lose one that another CPU sends. A timer that ticks makes up for it, but not where v7.3 compares the clocks of two CPUs
	# (docs/lab.md).
	[ -n "${ICOUNT:-}" ] || words+=" highres=off tsc=nowatchdog"
	words+=" LAB_MODULES=$MODULES LAB_BACKINGS=$backings${guests_on:+ LAB_CPUS=$guests_on}"
	# Memory for the kernel that writes the dump of one that has crashed.
	[ "${CONFIG:-}" != dump ] || words+=" crashkernel=512M"
	# A report of a page that is used after it was freed says by whom it was allocated and freed.
	[ "${CONFIG:-}" != debug ] || words+=" page_owner=on"
	if [ -z "${NESTED:-}" ]; then
		# A device to assign, behind an IOMMU without interrupt remapping, which VFIO has to be told to accept.
		emulator+=(-device "intel-iommu,intremap=off,caching-mode=on" -device edu)
		# A controller whose BAR has struct pages; the base says by which version of its protocol it finds them.
		emulator+=(-drive "if=none,id=cmb,driver=null-co,size=16M" -device "nvme,drive=cmb,serial=cmb,cmb_size_mb=16$(base_field nvme)")
		words+=" intel_iommu=on vfio_iommu_type1.allow_unsafe_interrupts=1 $(base_field words)"
	fi
	qemu_channels "$words"
}

# Where the CPUs are; from Linux, while it takes interrupts, the backtraces of its CPUs and of the tasks that wait.
examine() { ask_monitor '^(CPU#|RIP=|CR[0-4]=|EFER=)' "info registers -a" "sendkey alt-sysrq-l" "sendkey alt-sysrq-w"; }
