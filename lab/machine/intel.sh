# shellcheck shell=bash disable=SC2034,SC2154
# The machine for CPU=intel: Bochs with VMX and EPT, which boots from a CD and has neither virtio nor NVDIMMs.
# Sourced by boot.sh, which says what compose and prepare take and give. CARRY=<files> names more files that the job needs.

packages=intel
grace=600	# seconds to boot and to shut down, beyond the job's time limit: the whole machine is slow
normal_end=1	# the emulator's status when the machine powers off, which it treats as a panic

# The start and size in MiB of reserved memory, and its backing: device-dax is soft-reserved memory, file systems lie on pmem. Neighbours
# differ in kind, or the kernel would merge them. The sum is small, because the emulator needs time for each MiB to start. There is no
# memory from 3072 to 4096, and the 16 MiB below 3072 are the firmware's.
ranges=("1152 512 devdax-2m" "1664 576 fsdax-ext4" "2240 128 devdax-4k" "2368 688 fsdax-xfs" "4096 3072 devdax-1g")
memory=7168
device_dax=soft-reserved
cpu=corei7_skylake_x
# A kernel without soft-reserved memory has device-dax on pmem, too, with gaps, and with room at the start for ndctl's metadata. It also
# lacks tsc_early_khz=. So it gets a CPU that does not report the speed of its clock, and measures it.
if [ ! -e "$LAB/kernel/config/$BASE/soft-reserved.config" ]; then
	ranges=("1152 512 devdax-2m" "1680 560 fsdax-ext4" "2256 144 devdax-4k" "4096 4096 devdax-1g" "8208 992 fsdax-xfs")
	memory=9216 device_dax=pmem cpu=corei7_haswell_4770
fi

# Instructions per second of the machine's clock. There are fewer than the emulator executes, so that waiting for time, as the serial
# lines do, is fast. corei7_skylake_x wrongly reports a clock of 3.5 GHz, which tsc_early_khz= corrects.
ips=50000000
# To count instructions, the timer should tick as seldom as in the machine of CPU=amd, where each instruction takes 1 ns.
[ -z "${ICOUNT:-}" ] || ips=1000000000

# The host's programs that the scripts in lab/guest call. carry.sh adds the libraries that ldd names.
programs=(awk bash basename cat chmod comm cp cut date dd dirname env fallocate grep head id insmod ln ls mkdir
	mkfs.ext4 mkfs.xfs mkswap mktemp modprobe mount mv ndctl paste readlink realpath rm rmmod sed seq sleep sort stat swapoff swapon sync tail
	tee timeout touch tr umount uname wc)

compose() {
	local range backing size start backings='' starts='' memmap='' words
	[ "$mode" != shell ] || die 2 "there is no prompt in the machine of CPU=intel, which has no terminal; use make run"
	for range in "${ranges[@]}"; do
		read -r start size backing <<<"$range"
		backings+=${backings:+,}$backing
		starts+=${starts:+,}$((start << 20))
		case $device_dax:$backing in
		soft-reserved:devdax-*) memmap+=" memmap=${size}M%${start}M+0xefffffff" ;;
		*) memmap+=" memmap=${size}M!${start}M" ;;
		esac
	done
	# No XSAVE: Bochs reports the size of its area in one format only. v7.3 notices that, and then overwrites its own memory.
	words="console=ttyS0,115200 noxsave tsc_early_khz=$((ips / 1000)) panic=-1 log_buf_len=8M"
	words+=" LAB_MODULES=$MODULES LAB_ALONE=1 LAB_BACKINGS=$backings LAB_RANGES=$starts"
	# Do not compress what hibernation writes to the disk, because it is searched.
	[ "${CONFIG:-}" != dump ] || words+=" hibernate=nocompress"
	kernel_words="$words$memmap $(base_field words) $job_words"

	# Run Bochs in its folder, because it has little room for the paths of files.
	emulator=(env -C "$run" bochs -q -f /dev/null -rc bochs.rc)
	# Bochs keeps 2 GiB of the machine's memory in RAM, and what is touched beyond that in a file.
	emulator+=("memory: guest=$memory, host=2048")
	emulator+=("romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot")
	emulator+=("vgaromimage: file=/usr/share/vgabios/vgabios.bin")
	emulator+=("cpu: model=$cpu, count=1, ips=$ips")
	emulator+=("clock: sync=none")
	emulator+=("boot: cdrom")
	emulator+=("ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14")
	emulator+=("ata0-master: type=cdrom, path=machine.iso, status=inserted")
	# The console, the job's output (descriptor 3 is our standard output), and the verdict.
	emulator+=("com1: enabled=1, mode=file, dev=console.log")
	emulator+=("com2: enabled=1, mode=file, dev=/dev/fd/3")
	emulator+=("com3: enabled=1, mode=file, dev=verdict")
	emulator+=("display_library: rfb, options=\"timeout=0\"")
	emulator+=("sound: driver=dummy")	# without a sound card, the default driver aborts
	emulator+=("log: bochs.log")
	emulator+=("panic: action=fatal")
}

# Makes the CD: a boot loader, the kernel, the initramfs, and an archive with all files that the job needs, at the host's paths.
prepare() {
	local cd=$run/cd program path
	local -a files=("$run/job" "$LAB/guest" "$LAB/lib/help.sh" "$LAB/lib/tap.sh" "$MODULES")
	for program in "${programs[@]}"; do
		path=$(type -P "$program") || die 2 "the host has no program $program, which the machine needs"
		files+=("$path")
	done
	for path in "$@" ${CARRY:-}; do
		[ ! -f "$path" ] && [[ " ${CARRY:-} " != *" $path "* ]] || files+=("$(realpath -s "$path")")
	done
	echo c >"$run/bochs.rc"	# makes Bochs' built-in debugger continue
	mkdir -p "$cd/boot/grub"
	cp "$BZIMAGE" "$cd/boot/kernel"
	cp "$initramfs" "$cd/boot/init.gz"
	"$LAB/machine/carry.sh" "$cd/boot/job.gz" "$PWD" "${files[@]}"
	cat >"$cd/boot/grub/grub.cfg" <<-END
		linux /boot/kernel $kernel_words
		initrd /boot/init.gz /boot/job.gz
		boot
	END
	grub-mkrescue -o "$run/machine.iso" "$cd" >"$run/iso.log" 2>&1 || {
		tail -n 5 "$run/iso.log" >&2
		die_if_full
		die 1 "grub-mkrescue cannot make the machine's CD; its words are in ${run#"$TOP"/}/iso.log"
	}
	rm -r "$cd"
}

# Does nothing, because Bochs cannot be queried while it runs.
examine() { :; }
