# shellcheck shell=bash disable=SC2034
# Messages, exits, locks and long-running commands of the host's scripts.
# Sourced by env.sh; gives say, die, leave_out, needs_source, die_if_full, lock, end_group, as_group and quietly. Also prints which
# command has failed.

say() { echo "${0##*/}: $*" >&2; }
# The exit status if a source or packages cannot be obtained. Commands that try several bases do not count it as a failure.
NO_SOURCE=69
# die STATUS MESSAGE: prints a message, and ends the script.
die() { local status=$1; shift; say "$*"; exit "$status"; }

# leave_out WHY NAME...: ends the script if one of these variables is set, because it would have no effect.
leave_out() {
	local why=$1 name
	shift
	for name; do
		[ -z "${!name:-}" ] || die 2 "$name=${!name}: $why; leave $name out"
	done
}

# needs_source WHAT: ends the script if the kernel is the distribution's, which has neither the source nor all options of the lab's kernels.
needs_source() { [ "${STOCK:-}" != package ] || die 2 "STOCK=package: $1 needs a kernel of the lab; use STOCK=1"; }

# die_if_full [WORDS]: ends the script if a disk is full now, or if WORDS, the output of a failed command, says that one was.
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

# failed STATUS FILE LINE COMMAND: prints which command failed, because set -e prints nothing. Stays silent if a message has been printed
# already: by a script of the lab, or before a return or a check of the failure count. A subshell leaves it to its parent.
failed() {
	[ "$BASH_SUBSHELL" -eq 0 ] || return 0
	local file=${2##*/}
	# shellcheck disable=SC2016
	case $4 in
	*'$LAB/'* | 'return '* | '[ "$failed" -eq 0 ]' | end_tap) return ;;
	esac
	die_if_full
	[ "$file" != "${0##*/}" ] || file=
	say "${file:+$file }line $3: status $1 from: $4"
}
set -E
trap 'failed $? "${BASH_SOURCE[0]}" $LINENO "$BASH_COMMAND"' ERR

# lock NAME: waits until no other run in this checkout holds the lock NAME, then holds it until the script ends. HELD names a lock that
# the calling script already holds for this one.
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

# end_group PID: ends the process group of this child, first by TERM, then by KILL. Returns when only zombies are left, or after 10 s.
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

# start_group COMMAND...: starts a command or a function in its own process group, without input, and sets pid. The caller declares traps,
# pid and ended as local variables. A signal that arrives before await_group is kept in ended.
start_group() {
	traps=$(trap -p INT TERM HUP) ended=''
	trap 'ended=1' INT TERM HUP
	set -m
	"$@" </dev/null 9>&- &
	pid=$!
	set +m
}

# await_group [PID]: waits for the group that start_group started, and returns its status. A signal to the script alone ends the script at
# once, with that group and the process PID.
await_group() {
	local status=0
	# shellcheck disable=SC2064
	trap "trap '' INT TERM HUP; ${1:+kill $1 2>/dev/null || true;} end_group $pid; exit 130" INT TERM HUP
	[ -z "$ended" ] || kill "$BASHPID"
	wait "$pid" || status=$?
	trap - INT TERM HUP
	eval "$traps"
	return "$status"
}

# as_group COMMAND...: runs a command in its own process group as above, and returns its status.
as_group() {
	local traps pid ended
	start_group "$@"
	await_group
}

# quietly LOG WHAT COMMAND...: runs a long command with its output in LOG, and prints its progress every 15 s. If the command fails,
# prints the errors and ends the script. If the command fails or a signal ends the script, all that the command started is ended, too.
quietly() {
	local log=$1 what=$2 start=$SECONDS status=0 traps pid ticker ended
	shift 2
	mkdir -p "${log%/*}"
	start_group "$@" >"$log" 2>&1
	(
		while sleep 1; do
			[ $(((SECONDS - start) % 15)) -ne 14 ] || say "$what: $((SECONDS - start + 1)) s, $(wc -l <"$log") lines in ${log#"$TOP"/}"
		done
	) 9>&- &
	ticker=$!
	await_group "$ticker" || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	[ "$status" -eq 0 ] && return
	end_group "$pid"
	grep -nE 'error:|Error |\*\*\*|No space left|undefined reference|fatal' "$log" | head -n 15 >&2 || tail -n 15 "$log" >&2
	die_if_full "$(grep -m 1 'No space left' "$log")"
	die 1 "$what failed (status $status); the whole log is ${log#"$TOP"/}"
}
