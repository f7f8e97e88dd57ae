# shellcheck shell=bash
# What results/ holds: who writes it, the head of a recorded result, which says what it is of, and the documents that show it.
# Sourced after env.sh.

# as_the_lab_builds_it: ends the script if RECORD=1 would keep what another kernel, or the kernel with other words, has given.
as_the_lab_builds_it() {
	[ -z "${RECORD:-}" ] || [ -z "${CONFIG:-}${KERNEL_WORDS:-}" ] ||
		die 2 "RECORD=1 keeps what the kernel gives as the lab builds and boots it; leave CONFIG and KERNEL_WORDS out"
}

# of_series FILE: the lines in the head of a result of that name that say of which series it is: of its kernel, its tests, or both.
of_series() {
	local part parts
	case $1 in
	*-stock.tap) parts=tests ;;
	*.tap | *-selftests.tsv | *-fstests.tsv | *-kvm-unit-tests.tsv | *-mutants.tsv) parts='kernel tests' ;;
	*) parts=kernel ;;
	esac
	for part in $parts; do
		echo "# series, its $part: $(series_hash "$part")"
	done
}

# why_old FILE: why a result of that name is not of the series as it is now; says nothing of one that is.
why_old() {
	local is part why=''
	[ -e "$TOP/results/$1" ] || { echo "missing"; return; }
	while IFS= read -r is; do
		grep -xF -- "$is" "$TOP/results/$1" >/dev/null && continue
		part=${is#\# series, its } part=${part%%:*}
		why+="${why:+ and }$part"
	done < <(of_series "$1")
	echo "${why:+$why changed}"
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

# depends_on FILE WORDS: the head of a recorded result: what it was run on (the WORDS are those for the kernel), and of which series it is.
depends_on() {
	[ -e "$TREE/Makefile" ] || die 1 "$TREE is not there, and nothing says which kernel this result is of"
	echo "# kernel: Linux $(make -s -C "$TREE" kernelversion), $2"
	echo "# source: $(git -C "$TREE" log -1 --format=%b pristine)"
	of_series "$1"
	echo "# machine: $(machine_version)"
	echo "# compiler: $("${CROSS_COMPILE:-}gcc" --version | head -n 1)"
}

# write_result FILE HEAD ROWS: makes the result of a head, as depends_on prints it, and of the file of rows; it is whole, or as it was.
write_result() (
	local part=${1%/*}/.${1##*/}
	mkdir -p "${1%/*}"
	trap 'rm -f "$part"' EXIT
	{ echo "$2"; cat "$3"; } >"$part"
	mv "$part" "$1"
)

# grow_result FILE HEAD TITLE WANTED: the same for a result that gets its rows one by one. The lines of WANTED are rows without their last
# word, in order: each takes its row from stdin, or else from the file as it is. What is not wanted goes. Several may do so at once.
grow_result() (
	local body
	HELD='' lock "result-${1##*/}"
	body=$(awk -F'\t' -v title="$3" '
		BEGIN { print title }
		FILENAME == ARGV[1] { wanted[++n] = $0; next }
		{ of = $0; sub(/\t[^\t]*$/, "", of) }
		!(of in row) { row[of] = $0 }
		END { for (i = 1; i <= n; i++) if (wanted[i] in row) print row[wanted[i]] }' <(echo "$4") - <(cat "$1" 2>/dev/null))
	write_result "$1" "$2" <(echo "$body")
)
