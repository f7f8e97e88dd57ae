# shellcheck shell=bash
# What results/ holds: the head of a recorded result, which says what it is of, and the documents that show it.
# Sourced after env.sh.

# as_the_lab_builds_it: ends the script if RECORD=1 would keep what another kernel, or the kernel with other words, has given.
as_the_lab_builds_it() {
	[ -z "${RECORD:-}" ] || [ -z "${CONFIG:-}${KERNEL_WORDS:-}" ] ||
		die 2 "RECORD=1 keeps what the kernel gives as the lab builds and boots it; leave CONFIG and KERNEL_WORDS out"
}

# of_series PART...: the lines in the head of a result that say of which series it is.
of_series() {
	local part
	for part; do
		echo "# series, its $part: $(series_hash "$part")"
	done
}

# documents: their names, without those of the series. tabled_documents: of those into which make table writes.
documents() { git -C "$TOP" ls-files --cached --others --exclude-standard '*.md'; }
tabled_documents() { (cd "$TOP" && documents | xargs grep -l '^<!-- make table: '); }

# bench_results: the names of the results of make bench that are recorded, by base and machine.
bench_results() { (cd "$TOP/results" && printf '%s\n' *-amd.tsv *-intel.tsv | grep -vE '\*|-demo-' | sort -V); }

# machine_version: names the emulator and its version.
machine_version() {
	case $CPU in
	amd) echo "$(qemu-system-x86_64 --version | sed -n '1s/^QEMU emulator version //p'), $("$LAB/machine/accel.sh" 2>/dev/null)" ;;
	intel) dpkg-query -W -f='Bochs ${Version}\n' bochs ;;
	arm64) echo "$(qemu-system-aarch64 --version | sed -n '1s/^QEMU emulator version //p'), tcg" ;;
	esac
}

# depends_on WORDS PART...: the head of a recorded result: what it was run on (the WORDS are those for the kernel), and of which
# parts of the series it is, kernel and tests.
depends_on() {
	[ -e "$TREE/Makefile" ] || die 1 "$TREE is not there, and nothing says which kernel this result is of"
	echo "# kernel: Linux $(make -s -C "$TREE" kernelversion), $1"
	echo "# source: $(git -C "$TREE" log -1 --format=%b pristine)"
	of_series "${@:2}"
	echo "# machine: $(machine_version)"
	echo "# compiler: $("${CROSS_COMPILE:-}gcc" --version | head -n 1)"
}
