# shellcheck shell=bash disable=SC2154
# The common part of the machines that QEMU emulates.
# Sourced by amd.sh and arm64.sh; gives qemu_channels, shared, prepare and ask_monitor.

# qemu_channels WORDS: adds to emulator the monitor for examine, the channels that boot.sh names, and the kernel with its initramfs and the
# WORDS on its command line. Takes the variables that compose takes.
qemu_channels() {
	local words=$1
	# The monitor's two directions are pipes.
	emulator+=(-chardev "pipe,id=monitor,path=$run/monitor" -mon chardev=monitor)
	emulator+=(-device virtio-rng-pci)
	emulator+=(-serial "file:$run/console.log")
	emulator+=(-device virtio-serial-pci)
	emulator+=(-chardev "file,id=verdict,path=$run/verdict" -device "virtserialport,chardev=verdict,name=verdict")
	if [ "$mode" = shell ]; then
		words+=" LAB_TERMINAL=1"
		emulator+=(-chardev "stdio,id=terminal,signal=off" -device "virtconsole,chardev=terminal")
	else
		# The job's output goes straight to our standard output, which is descriptor 3 here.
		emulator+=(-add-fd "fd=3,set=1" -chardev "file,id=output,path=/dev/fdset/1,append=on" -device "virtserialport,chardev=output,name=output")
	fi
	emulator+=(-kernel "$BZIMAGE" -initrd "$initramfs" -append "$words $job_words")
}

# shared FOLDER TAG: adds to emulator a folder of this host, which the machine can only read, over 9p.
shared() { emulator+=(-virtfs "local,path=$1,mount_tag=$2,security_model=none,readonly=on,multidevs=remap"); }

prepare() { mkfifo "$run/monitor.in" "$run/monitor.out"; }

# ask_monitor REGEX COMMAND...: sends the commands to the monitor, and keeps those lines of its answer that match in $run/emulator.log.
ask_monitor() {
	local regex=$1
	shift
	printf '%s\n' "$@" >"$run/monitor.in"
	timeout 5 cat "$run/monitor.out" | grep -aE "$regex" >>"$run/emulator.log" || true
}
