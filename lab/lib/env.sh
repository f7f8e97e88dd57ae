# shellcheck shell=bash disable=SC2034
# Settings and helpers that every script of the lab shares; sourced, prints nothing.
# Takes BASE, CPU, STOCK, MUTANT, UPTO, SPARSE, OBJECTS, CONFIG, CACHE and BUILD from the environment and gives TOP, VARIANT, OUT, TREE and the rest.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB=$TOP/lab
# shellcheck source=lab/lib/help.sh
. "$LAB/lib/help.sh"
BASE=${BASE:-v6.12}
CPU=${CPU:-amd}
CACHE=$(realpath -m "${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-dax}")
BUILD=$(realpath -m "${BUILD:-$TOP/build}")
SERIES=$TOP/series/$BASE

say() { echo "${0##*/}: $*" >&2; }
# The status of what needs a source that is not within reach: no failure where several bases are tried.
NO_SOURCE=69
# die STATUS MESSAGE: ends the script with one sentence.
die() { local status=$1; shift; say "$*"; exit "$status"; }

# die_if_full [WORDS]: ends the script when a disk is full, now or by the WORDS of what failed, as that is then the reason.
die_if_full() {
	local place
	for place in "$BUILD" "$CACHE" "${TMPDIR:-/tmp}"; do
		[ ! -d "$place" ] || [ "$(df --output=avail -k "$place" | tail -n 1)" -gt 4096 ] ||
			die 1 "the disk that holds $place is full; free some space and run this again"
	done
	case ${1:-} in
	*'No space left'* | *'Out of diskspace'*) die 1 "a disk has run full ($BUILD or $CACHE); free some space and run this again" ;;
	esac
}

# failed STATUS FILE LINE COMMAND: names what failed, as set -e says nothing; a script of the lab, or the line that counts, has said it
# itself. What ends a subshell is named by what has started it.
failed() {
	[ "$BASH_SUBSHELL" -eq 0 ] || return 0
	local file=${2##*/}
	# shellcheck disable=SC2016
	case $4 in
	*'$LAB/'* | *'$lab/'* | 'return '* | '[ "$failed" -eq 0 ]') return ;;
	esac
	die_if_full
	[ "$file" != "${0##*/}" ] || file=
	say "${file:+$file }line $3: status $1 from: $4"
}
set -E
trap 'failed $? "${BASH_SOURCE[0]}" $LINENO "$BASH_COMMAND"' ERR

# cross_compiler CONFIG: the prefix of the compiler for another architecture, which has that name, or nothing.
cross_compiler() {
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	powerpc) echo powerpc64le-linux-gnu- ;;
	s390) echo s390x-linux-gnu- ;;
	esac
}

# configs: the names that CONFIG can have for BASE.
configs() {
	(cd "$LAB/kernel/config" && for folder in */; do
		[[ $folder != machine-* ]] || continue	# what CPU= chooses
		[ -d "$TOP/series/$folder" ] || [ -z "$(ls -d "$folder"*.config "$folder$BASE"/*.config 2>/dev/null)" ] || echo "${folder%/}"
	done)
}

# compiled_configs: those of them that are only compiled; the others have the code of the default one, and machines run them.
compiled_configs() { configs | grep -vxE 'debug|dump|bench|kabi|regress'; }

[ -d "$SERIES" ] || die 2 "there is no series/$BASE; BASE can be: $(cd "$TOP/series" && echo ./*/ | sed 's|\./||g; s|/||g')"
case $CPU in
amd | intel | arm64) ;;
*) die 2 "CPU=$CPU: the lab has machines of amd, intel and arm64" ;;
esac
case ${ACCEL:-} in
'' | kvm | tcg) ;;
*) die 2 "ACCEL=$ACCEL: the machine runs under kvm or tcg; without ACCEL a probe decides" ;;
esac
if [ -n "${KSRC:-}" ]; then
	[ -e "$KSRC" ] || die 2 "KSRC=$KSRC does not exist"
	[ ! -d "$KSRC" ] || [ -f "$KSRC/Kconfig" ] || die 2 "KSRC=$KSRC has no Kconfig; pass the top folder of a Linux source tree, or its tarball"
fi
[[ ${SECONDS_MAX:-1} =~ ^[1-9][0-9]*$ ]] || die 2 "SECONDS_MAX=$SECONDS_MAX is no number of seconds"
[ -z "${STOCK:-}" ] || [ -z "${MUTANT:-}" ] || die 2 "STOCK and MUTANT exclude each other"

if [ -n "${MUTANT:-}" ]; then
	VARIANT=mutant-$MUTANT
	[ -f "$LAB/prove/mutants/$BASE/$MUTANT.patch" ] ||
		die 2 "there is no lab/prove/mutants/$BASE/$MUTANT.patch; MUTANT can be: $(cd "$LAB/prove/mutants/$BASE" 2>/dev/null && echo ./*.patch | sed 's|\./||g; s|\.patch||g')"
elif [ -n "${STOCK:-}" ]; then
	VARIANT=stock
elif [ -n "${UPTO:-}" ]; then
	VARIANT=upto
elif [ -n "${SPARSE:-}" ]; then
	VARIANT=sparse
elif [ -n "${OBJECTS:-}" ]; then
	VARIANT=objects
else
	VARIANT=series
fi

unset ARCH CROSS_COMPILE
# A file is the configuration of a kernel of the reader's own.
case ${CONFIG:-} in
*/*)
	[ -f "$CONFIG" ] || die 2 "CONFIG=$CONFIG: there is no such file"
	OWN_CONFIG=$(realpath "$CONFIG") CONFIG=own
	export OWN_CONFIG CONFIG
	;;
esac
if [ -n "${CONFIG:-}" ]; then
	{ configs; [ -z "${OWN_CONFIG:-}" ] || echo own; } | grep -xF -e "$CONFIG" >/dev/null ||
		die 2 "CONFIG=$CONFIG: for BASE=$BASE the lab knows $(configs | paste -sd ' '), or none; a file of yours has a / in its name"
	CROSS_COMPILE=$(cross_compiler "$CONFIG")
	case $CONFIG:$CROSS_COMPILE in
	pae:) export ARCH=i386 ;;
	*:?*) export ARCH=$CONFIG CROSS_COMPILE ;;
	esac
fi

# The kernel of an arm64 machine, with a configuration of its own; MACHINE_CONFIG is its folder in lab/kernel/config.
MACHINE_CONFIG=
if [ "$CPU" = arm64 ]; then
	[ -z "${CONFIG:-}" ] || die 2 "CONFIG=$CONFIG: the machine of CPU=arm64 has one configuration, lab/kernel/config/machine-arm64; leave CONFIG out"
	[ "$BASE" != v5.4 ] || die 2 "BASE=v5.4: arm64 has no ZONE_DEVICE there, and so no DAX memory; BASE can be v6.12 or later with CPU=arm64"
	MACHINE_CONFIG=machine-arm64
	[ "$(uname -m)" = aarch64 ] || CROSS_COMPILE=$(cross_compiler arm64)
	export ARCH=arm64 CROSS_COMPILE
fi

# One mutant at a time is built, in a tree that all of them share; a kernel of another CONFIG or machine has a tree of its own.
OUT=$BUILD/$BASE/${VARIANT%%-*}${CONFIG:+-$CONFIG}${MACHINE_CONFIG:+-$MACHINE_CONFIG}
TREE=$OUT/tree
[ "$VARIANT" != objects ] || TREE=$BUILD/$BASE/objects/tree	# of all configurations, as nothing is built in it
MODULES=$OUT/modules
BZIMAGE=$TREE/arch/x86/boot/bzImage
[ -z "$MACHINE_CONFIG" ] || BZIMAGE=$TREE/arch/arm64/boot/Image
SELFTESTS=$BUILD/$BASE/series/tree/tools/testing/selftests

# base_field NAME: the value of a "name: value" line of series/<base>/base.
base_field() { sed -n "s/^$1: *//p" "$SERIES/base"; }

# refuse_patched FOLDER NAME: ends the script when the source there, which NAME names, has the whole series of BASE.
refuse_patched() {
	# A repository around that folder would have git look for the files there.
	! series_patches | xargs -d '\n' cat | GIT_CEILING_DIRECTORIES=$(dirname "$1") git -C "$1" apply --check --reverse 2>/dev/null ||
		die 2 "$2 has all of series/$BASE already, and is to be a source without it; git worktree add ../before <first>^ in a tree of git makes one, <first> being the first commit of the series (docs/maintainers.md, \"On your own tree\")"
}

# lock NAME: waits until no other run in this checkout holds NAME; released when the script ends. HELD names the lock that the
# script which has started this one holds for it.
lock() {
	local file=$BUILD/.lock-$1 holder
	[ "${HELD:-}" != "$1" ] || return 0
	mkdir -p "$BUILD"
	exec 9>>"$file"
	if ! flock -n 9; then
		holder=$(<"$file")
		say "waiting for another run in this checkout that uses $1${holder:+, process $holder, or what it has started}"
		flock 9
	fi
	echo $$ >"$file"
}

# end_group PID: ends the process group of this child, and returns when nothing of it runs any more; a zombie does not.
end_group() {
	local signal
	for signal in TERM KILL; do
		kill "-$signal" -- "-$1" 2>/dev/null || true
		kill -CONT -- "-$1" 2>/dev/null || true
		for _ in {1..50}; do
			grep -qsE "\) [^ZX] [0-9]+ $1 " /proc/[0-9]*/stat || return 0
			sleep 0.1
		done
	done
}

# quietly LOG WHAT COMMAND...: runs a long command with its output in LOG, tells every 15 s that it goes on,
# and shows the errors when it fails. What the command has started ends with it if it fails, and with the script.
quietly() {
	local log=$1 what=$2 start=$SECONDS status=0 traps pid ticker ended=
	shift 2
	mkdir -p "${log%/*}"
	traps=$(trap -p INT TERM HUP)
	trap 'ended=1' INT TERM HUP
	set -m	# a process group of its own
	"$@" >"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	set +m
	(
		while sleep 1; do
			[ $(((SECONDS - start) % 15)) -ne 14 ] || say "$what: $((SECONDS - start + 1)) s, $(wc -l <"$log") lines in ${log#"$TOP"/}"
		done
	) 9>&- &
	ticker=$!
	# shellcheck disable=SC2064
	trap "trap '' INT TERM HUP; kill $ticker 2>/dev/null || true; end_group $pid; exit 130" INT TERM HUP
	[ -z "$ended" ] || kill "$BASHPID"
	wait "$pid" || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	trap - INT TERM HUP
	eval "$traps"
	[ "$status" -eq 0 ] && return
	end_group "$pid"
	grep -nE 'error:|Error |\*\*\*|No space left|undefined reference|fatal' "$log" | head -n 15 >&2 || tail -n 15 "$log" >&2
	die_if_full "$(grep -m 1 'No space left' "$log")"
	die 1 "$what failed (status $status); the whole log is ${log#"$TOP"/}"
}

# new_warnings LOG: a compiler's warnings, but for those of the pristine source that the base knows; fails if there are none.
new_warnings() {
	local known
	known=$(base_field warnings)
	grep -n 'warning:' "$1" | grep -vE "^[0-9]+:make(\[[0-9]+\])?: ${known:+|$known}"
}

# as_the_lab_builds_it: ends the script if RECORD=1 would keep what another kernel, or the kernel with other words, has given.
as_the_lab_builds_it() {
	[ -z "${RECORD:-}" ] || [ -z "${CONFIG:-}${KERNEL_WORDS:-}" ] ||
		die 2 "RECORD=1 keeps what the kernel gives as the lab builds and boots it; leave CONFIG and KERNEL_WORDS out"
}

# of_kernel: whether one of the paths on stdin is that of a file that the kernel is made of.
of_kernel() { grep -qvE '^(tools|Documentation)/|^MAINTAINERS$'; }

# changes_kernel PATCH: whether it touches such a file.
changes_kernel() { touched_by "$1" | of_kernel; }

# series_patches: the paths of the base's patches, in order; each lies in the folder of its topic.
series_patches() { sed "s|^|$SERIES/|" "$SERIES/series"; }

# chosen_patches: those whose names PATCHES matches.
chosen_patches() {
	local patch name chosen=
	while read -r patch; do
		name=${patch##*/} name=${name%.patch}
		[[ $name =~ ${PATCHES:-.} ]] || continue
		chosen=1
		echo "$patch"
	done < <(series_patches)
	[ -n "$chosen" ] || die 2 "PATCHES=$PATCHES: no patch of series/$BASE has such a name"
}

# titles_of BASE [TOPIC]: the titles of its patches, or of those of the topic, in order.
titles_of() {
	# shellcheck disable=SC2016
	sed -n "s|^${2:-}.*|$TOP/series/$1/&|p" "$TOP/series/$1/series" | xargs -d '\n' awk '
		FNR == 1 { subject = ""; head = 1 }
		head && /^Subject: / { subject = $0; sub(/^Subject: (\[PATCH\] )?/, "", subject); next }
		head && subject != "" && /^ / { subject = subject $0; next }
		head && subject != "" { print subject; head = 0 }'
}

# stanzas FILE FIELD...: those fields of each stanza of the file that has one of them, with tabs between; what a stanza has
# several times stands in one, with a "^" between.
stanzas() {
	local file=$1
	shift
	awk -v fields="$*" '
		BEGIN { RS = ""; FS = "\n"; n = split(fields, field, " ") }
		{
			split("", value)
			for (i = 1; i <= NF; i++) if (match($i, /^[A-Z][a-z]+: */)) {
				name = substr($i, 1, index($i, ":") - 1)
				before = name in value ? value[name] "^" : ""
				value[name] = before substr($i, RLENGTH + 1)
			}
			line = some = ""
			for (i = 1; i <= n; i++) { line = line (i > 1 ? "\t" : "") value[field[i]]; some = some value[field[i]] }
			if (some != "") print line
		}' "$file"
}

# register FIELD...: the same of series/patches.
register() { stanzas "$TOP/series/patches" "$@"; }

# touched_by PATCH...: the paths of the files that the patches change, make or remove.
touched_by() {
	sed -nE 's,^(---|\+\+\+) [^/	]+/([^	]*).*,\2,p; s,^rename (from|to) ,,p' "$@" | sort -u
}

# series_hash kernel|tests [COUNT]: names what the series, or its first COUNT patches, make of the files that they change in the
# kernel, or in the selftests as far as the machine of CPU runs them: the blobs, whatever the order of the patches, their
# changelogs and their documentation.
series_hash() {
	local patch elsewhere='^$'
	# It has no device to assign, and is too slow for races.
	[ "$CPU" = amd ] || elsewhere='/selftests/(vfio|dax)/|/dax_(race|failure)_test'
	series_patches | head -n "${2:--0}" | while read -r patch; do cat "$patch"; done | awk -v part="$1" -v elsewhere="$elsewhere" '
		/^diff --git /{
			file = $3
			is = file ~ "^a/tools/" ? "tests" : file ~ "^a/(Documentation/|MAINTAINERS$)" ? "text" : "kernel"
			wanted = is == part && file !~ elsewhere
		}
		/^index [0-9a-f]+[.][.]/ && wanted {
			sub(/.*[.][.]/, "", $2)
			blob[file] = $2
			wanted = 0
		}
		END { for (file in blob) print file, blob[file] }' | sort | sha256sum | cut -c1-16
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

# recipe PRISTINE PATCH...: names a tree by the commit it starts from and the patches on top.
recipe() { local pristine=$1; shift; { echo "$pristine"; cat /dev/null "$@"; } | sha256sum | cut -d' ' -f1; }
