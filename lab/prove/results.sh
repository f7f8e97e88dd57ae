# shellcheck shell=bash
# Functions for results/: they write recorded results, whose head says what they depend on, find old ones, and name the documents.
# Sourced after env.sh.

# as_the_lab_builds_it: ends the script if RECORD=1 would keep results of another configuration, or of other kernel words.
as_the_lab_builds_it() {
	[ -z "${RECORD:-}" ] || [ -z "${CONFIG:-}${KERNEL_WORDS:-}" ] ||
		die 2 "RECORD=1 keeps what the kernel gives as the lab builds and boots it; leave CONFIG and KERNEL_WORDS out"
}

# of_series FILE: prints the lines that the head of such a result has about the series: hashes of its kernel, its tests, or both. On arm64,
# a program of the lab is one of the tests.
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
	case $1 in *-arm64*.tap) echo "# lab, its arm64-guest: $(git hash-object "$LAB/guest/arm64-guest.c")" ;; esac
}

# lacking FILE...: prints the lines on stdin that these results don't have. Each is a line of a head; or a row without its last field, so
# that it ends with a hash of what the row depends on.
lacking() { grep -vxFf <(cat "$@" 2>/dev/null | sed 's/\t[^\t]*$//') || true; }

# is_current FILE...: succeeds if they have all of these lines.
is_current() { [ -z "$(lacking "$@")" ]; }

# why_old FILE: prints why the result is not of the current series: it is missing, or the kernel or tests changed; else nothing.
why_old() {
	[ -e "$TOP/results/$1" ] || { echo "missing"; return; }
	of_series "$1" | lacking "$TOP/results/$1" | sed -E 's/^# [a-z]+, its (.*): .*/\1/' | paste -sd , | sed '/./s/$/ changed/; s/,/ and /g'
}

# drawn_hash RESULT...: prints a hash of what a picture shows of these results: their rows, and the kernel. A rehash does not change it.
drawn_hash() { (cd "$TOP/results" && printf '%s\n' "$@" | sort -V | xargs grep -hE '^(# kernel: |[^#])' | sha256sum | cut -c1-16); }

# documents: names all documents except those in series/. tabled_documents: names those into which make table writes.
documents() { git -C "$TOP" ls-files --cached --others --exclude-standard '*.md'; }
tabled_documents() { (cd "$TOP" && documents | xargs grep -l '^<!-- make table: '); }

# bench_results: names the recorded results of make bench, by base and machine.
bench_results() { (cd "$TOP/results" && printf '%s\n' *-amd.tsv *-intel.tsv | grep -vE '\*|-demo-' | sort -V); }

# machine_version: prints the emulator and its version.
machine_version() {
	case $CPU in
	amd) echo "$(qemu-system-x86_64 --version | sed -n '1s/^QEMU emulator version //p'), $("$LAB/machine/accel.sh" 2>/dev/null)" ;;
	intel) dpkg-query -W -f='Bochs ${Version}\n' bochs ;;
	arm64) echo "$(qemu-system-aarch64 --version | sed -n '1s/^QEMU emulator version //p'), tcg" ;;
	esac
}

# depends_on FILE WORDS: prints the head of a result: what it was run on (WORDS describe the kernel), and hashes of the series.
depends_on() {
	[ -e "$TREE/Makefile" ] || die 1 "$TREE is not there, and nothing says which kernel this result is of"
	echo "# kernel: Linux $(make -s -C "$TREE" kernelversion), $2"
	echo "# source: $(git -C "$TREE" log -1 --format=%b pristine)"
	of_series "$1"
	echo "# machine: $(machine_version)"
	echo "# compiler: $("${CROSS_COMPILE:-}gcc" --version | head -n 1)"
}

# write_result FILE HEAD ROWS: writes the head, as depends_on prints it, and the file of rows to FILE; writes all of it or nothing.
write_result() (
	local part=${1%/*}/.${1##*/}
	mkdir -p "${1%/*}"
	trap 'rm -f "$part"' EXIT
	{ echo "$2"; cat "$3"; } >"$part"
	mv "$part" "$1"
)

# rehead BASE OLD NEW: replaces the hash OLD of the series by NEW in the heads of the base's results, and names these.
rehead() {
	local file
	for file in "$TOP/results/$1"-*; do
		grep -qx "# series, its $2" "$file" || continue
		sed -i "s/^# series, its $2\$/# series, its $3/" "$file"
		echo "results/${file##*/}: $3"
	done
}

# grow_result FILE HEAD TITLE WANTED: the same for a result that gets its rows one by one. WANTED lists the rows in order, each without
# its last field. A row comes from stdin, else from FILE; rows not in WANTED are dropped. Several processes may do this at once.
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
