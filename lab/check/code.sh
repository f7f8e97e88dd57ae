# shellcheck shell=bash disable=SC2154
# Checks for make check on scripts and C files: they must be clean, compile, and explain themselves.
# Sourced by check.sh; gives check_code.

# -h of a program must print at least two lines: what it does, and what it takes.
says_what_it_does() {
	local said
	said=$("$1" -h) && [ "$(wc -l <<<"$said")" -ge 2 ]
}

# ends_when_told SIGNAL COMMAND...: checks that a script which alone gets the signal ends with status 130, and leaves no process behind.
# Its processes hold the writing end of a pipe as descriptor 6: they write to it when they begin, and again if they survive.
ends_when_told() {
	local signal=$1 script said='' status=0
	shift
	rm -f "$work/held"
	mkfifo "$work/held"
	set -m
	# A background process may start with SIGINT ignored, and then no script could trap it.
	env --default-signal=INT "$@" 6>"$work/held" >"$work/told.log" 2>&1 &
	script=$!
	set +m
	exec 7<"$work/held"
	if ! read -r <&7; then
		echo "it has not begun"
	elif kill -s "$signal" "$script" && said=$(cat <&7) && [ -n "$said" ]; then
		echo "$signal: it, or something that it has started, goes on"
	else
		wait "$script" || status=$?
		[ "$status" -eq 130 ] || echo "$signal: status $status"
	fi
	exec 7<&-
	[ "$status" -eq 130 ] || { end_group "$script"; cat "$work/told.log"; return 1; }
}

# Tests quietly, which runs long commands, and as_group, which boots machines.
what_is_ended_leaves_nothing() {
	local signal program='exec 5<> <(:); { read -r -t 600 -u 5; echo left >&6; } & echo begun >&6; wait'
	for signal in INT TERM; do
		# shellcheck disable=SC2016
		ends_when_told "$signal" bash -c '. "$1/lib/env.sh"; quietly "$2/ended.log" test bash -c "$3"' - "$LAB" "$work" "$program" || return 1
		# shellcheck disable=SC2016
		ends_when_told "$signal" bash -c '. "$1/lib/env.sh"; as_group bash -c "$2"' - "$LAB" "$program" || return 1
	done
}

# Tests run.sh with a fake emulator, which only says that it runs, and with an empty file as the kernel.
machine_ends_when_told() {
	local signal build=$work/build emulator=$work/emulator/qemu-system-x86_64
	mkdir -p "${emulator%/*}" "$build/$DEFAULT_BASE/series/tree/arch/x86/boot"
	printf '#!/bin/bash\nexec 5<> <(:)\necho begun >&6\nread -r -t 600 -u 5\necho left >&6\n' >"$emulator"
	chmod +x "$emulator"
	: >"$build/$DEFAULT_BASE/series/tree/arch/x86/boot/bzImage"
	for signal in INT TERM; do
		ends_when_told "$signal" env -u STOCK -u MUTANT -u CONFIG BASE="$DEFAULT_BASE" CPU=amd ACCEL=tcg BUILD="$build" \
			PATH="${emulator%/*}:$PATH" "$LAB/machine/run.sh" run true || return 1
	done
}

# Tests kvm-dax-check with sanitizers, on broken texts of /proc and /sys and on strange names; also builds it as a static program.
tool_stands_broken_texts() {
	local tool=$TOP/tools/kvm-dax-check.c version
	gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror \
		-o "$work/fuzz" "$LAB/check/kvm-dax-check-fuzz.c" || return 1
	mkdir "$work/fuzzed"
	ASAN_OPTIONS=detect_leaks=0 "$work/fuzz" "$work/fuzzed" 60 || return 1
	version=$(sed -n 's/^#define VERSION\t"\(.*\)"/\1/p' "$tool")
	gcc -O2 -static -Wall -Wextra -Werror -o "$work/static" "$tool" || return 1
	"$work/static" --version | grep -x "kvm-dax-check $version" || return 1
	! command -v groff >/dev/null || [ -z "$(groff -man -Tascii -ww -z "${tool%.c}.1" 2>&1)" ] ||
		{ echo "groff warns of ${tool%.c}.1"; return 1; }
}

# PID 1 must find exactly the lines marked with +, and each pattern must occur in a line.
log_is_searched() {
	local lines=$LAB/check/trouble-lines trouble=$LAB/machine/trouble pattern
	gcc -O2 -Wall -Wextra -Werror -o "$work/search" "$LAB/machine/init.c" || return 1
	sed -n 's/^[-+] //p' "$lines" | "$work/search" "$trouble" >"$work/found-trouble" || return 1
	sed -n 's/^+ //p' "$lines" | diff - "$work/found-trouble" ||
		{ echo "< is to fail a run and does not, > does and is not to; mend lab/machine/trouble"; return 1; }
	while IFS=$'\t' read -r _ pattern _; do
		grep -v '^#' "$lines" | grep -F -e "$pattern" >/dev/null ||
			{ echo "no line of lab/check/trouble-lines has \"$pattern\"; add one"; return 1; }
	done < <(grep -v '^#' "$trouble")
}

shell_is_clean() { shellcheck -x -P "$TOP" "$TOP/$1"; }
# Properties of a base belong into series/<base>/ and the plan of tests. Folders of mutants and options are named after bases, and
# lab/check/commands repeats what documents say. A comment may name a base.
no_file_names_a_base() {
	local names
	names=$(cd "$TOP/series" && printf '%s\n' v*/ | tr -d / | paste -sd '|')
	# shellcheck disable=SC2016
	! (cd "$TOP" && git ls-files lab Makefile .ci | grep -vE '^lab/(kernel/mutants|kernel/config)/|^lab/(guest/plan|check/commands)$' |
		xargs awk '{ sub(/(^|[ \t])#[ !].*|\/\*.*|^ \*.*/, ""); print FILENAME ":" FNR ": " $0 }' |
		grep -E "[^a-z0-9/](${names//./[.]})([^0-9]|$)")
}

# A script may use its own folder, and those above it in the table of docs/lab.md, with the two exceptions that are named there.
scripts_look_upwards() {
	local rooms
	# shellcheck disable=SC2016
	rooms=$(sed -nE '/^\| folder/,/^$/s/^\| `([a-z]+)` .*/\1/p' "$TOP/docs/lab.md" | paste -sd ' ')
	(cd "$LAB" && awk -v rooms="$rooms" '
		BEGIN { n = split(rooms, room, " "); for (i = 1; i <= n; i++) floor[room[i]] = i }
		/^[ \t]*#/ { next }
		{
			sub(/^[.]\//, "", FILENAME)
			file = FILENAME
			sub(/\/.*/, "", file)
			while (match($0, /(\$LAB|\.\.)\/[a-z]+\//)) {
				used = substr($0, RSTART, RLENGTH - 1)
				sub(/.*\//, "", used)
				$0 = substr($0, RSTART + RLENGTH)
				# lib/variant.sh looks up file names there, because these are the possible values of CONFIG and MUTANT.
				if (floor[used] > floor[file] && FILENAME " " used != "machine/boot.sh guest" && FILENAME " " used != "lib/variant.sh kernel") {
					print "lab/" FILENAME ":" FNR ": uses something of " used ", which is below " file " in the table of docs/lab.md"
					bad = 1
				}
			}
		}
		END { exit bad || n < 8 }' ./*/*.sh)
}

scripts_are_found() { [ ${#scripts[@]} -gt 0 ]; }
demo_tells_dead_machines_apart() { "$LAB/check/dead-machines.sh"; }

# Runs demo-intel.sh with invented entries: of one memory type, then of two.
demo_tells_memory_types() {
	local types
	mkdir -p "$work/intel/guest"
	cp -r "$LAB/lib" "$work/intel"
	cp "$LAB/guest/demo-intel.sh" "$work/intel/guest"
	# shellcheck disable=SC2016
	printf '#!/bin/bash\necho "pages_4k=0 pages_2m=8 pages_1g=0 faults=9 $TYPES first_entry=0x1"\nexit 1\n' >"$work/intel/guest/leaves.sh"
	chmod +x "$work/intel/guest/leaves.sh"
	for types in memtype0=8 'memtype6=7 memtype0=1'; do
		TYPES=$types LAB_BACKINGS=devdax-2m,fsdax-xfs "$work/intel/guest/demo-intel.sh" stock none || return 1
	done >"$work/intel/said"
	diff <(sed -n 's/^fact\t.*\t//p' "$work/intel/said") <(printf '%s\n' uncached 'uncached (devdax-2m, fsdax-xfs); write-back (devdax-2m, fsdax-xfs)')
}

slow_tests_go_on() { "$LAB/check/slow-tests.sh"; }
targets_look_at_their_arguments() { BASE=$DEFAULT_BASE "$LAB/check/arguments.sh"; }

# compiles SOURCE PROGRAM: compiles it, without any warning; as a shared object if it is a plugin of the emulator.
compiles() {
	local plugin=()
	! grep -q qemu_plugin_install "$1" || plugin=(-shared -fPIC)
	gcc -O2 -Wall -Wextra -Werror "${plugin[@]}" -o "$2" "$1"
}

check_code() {
	local script source program
	mapfile -t scripts < <(cd "$TOP" && git ls-files --cached --others --exclude-standard |
		xargs grep -lE '^#(!.*(bash|/sh)| shellcheck shell=)' | sort)
	check "scripts are found" scripts_are_found
	check "a script uses only what is in its room and in the rooms above" scripts_look_upwards
	check "no file but those of series/ and the plan of tests names a base" no_file_names_a_base
	for script in "${scripts[@]}"; do
		check "shellcheck $script" shell_is_clean "$script"
		[ ! -x "$TOP/$script" ] || check "-h of $script" says_what_it_does "$TOP/$script"
	done
	check "a script that is told to end leaves nothing behind" what_is_ended_leaves_nothing
	check "a machine that is told to end leaves nothing behind" machine_ends_when_told
	check "make demo tells a dead kernel from a dead machine" demo_tells_dead_machines_apart
	check "make demo tells KVM's memory types" demo_tells_memory_types
	check "a test is ended if it stands still, not if it is slow" slow_tests_go_on
	check "make's targets look at their arguments before they build" targets_look_at_their_arguments
	for source in "$LAB"/*/*.c "$TOP"/tools/*.c; do
		program=$work/$(basename "$source" .c)
		check "compile ${source#"$TOP"/}" compiles "$source" "$program"
		if [ "${source%/*}" = "$TOP/tools" ] && chosen "-h of ${source#"$TOP"/}" says_what_it_does; then
			[ -e "$program" ] || compiles "$source" "$program"
			check "-h of ${source#"$TOP"/}" says_what_it_does "$program"
		fi
	done
	check "the kernel's log is searched for each kind of trouble" log_is_searched
	check "kvm-dax-check stands broken texts" tool_stands_broken_texts
}
