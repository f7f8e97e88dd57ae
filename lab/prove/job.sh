#!/usr/bin/env bash
# Builds the kernel of BASE, and runs a job in the machine. First it checks that the job exists, and for a job of the lab, that it
# accepts these arguments, this CPU= and this CONFIG=.
# Takes the job, which is a script or program, and its arguments.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

leave_out "make run runs one job, and what that takes stands in JOB=" BACKINGS MODES TESTS
[ $# -gt 0 ] || die 2 "run what? make run JOB=<script or program>"
if ! type -P -- "$1" >/dev/null; then
	[ ! -d "$1" ] || die 2 "JOB=$1 is a folder; name a script or a program in it"
	[ ! -e "$1" ] || die 2 "JOB=$1 is not executable; run: chmod +x $1"
	die 2 "JOB=$1: there is no such file here, in $PWD, and no such program; lab/guest/ has the jobs of the lab"
fi
for file in ${CARRY:-}; do
	[ -e "$file" ] || die 2 "CARRY=$file: there is no such file here, in $PWD"
done

# of_job NAME: prints the text after "# NAME: " in the header comment of the job; prints nothing if the header has no such line.
of_job() { sed -nE "2,\${/^#/!q; s/^# $1: //p}" "$job"; }
job=$(type -P -- "$1")
arguments=$(of_job Arguments) config=$(of_job Configuration) machine=$(of_job CPU) started=$(of_job 'Started by')
if [ -n "$arguments$started" ]; then
	case ${2:-} in
	-h | --help) exec "$job" -h ;;
	esac
	[ -z "$started" ] || die 2 "JOB=$1 is started by $started, not by make run; $1 -h says what it does"
	[ "$arguments" != none ] || arguments=
	grep -qxE -- "$arguments" <<<"${*:2}" || die 2 "JOB='$*': $1 takes ${arguments:-no arguments}; run: $1 -h"
fi
[ -z "$machine" ] || [ "$CPU" = "$machine" ] ||
	die 2 "JOB=$1 does not run on the machine of CPU=$CPU; run: make run CPU=$machine JOB='$*'"
[ -z "$config" ] || [ "${CONFIG:-}" = "$config" ] || die 2 "JOB=$1 needs another kernel; run: make run CONFIG=$config JOB='$*'"
# The programs of Debian that a job names come from Debian's user space for that machine.
case $CPU:$1 in
arm64:/usr/* | arm64:/bin/* | arm64:/sbin/*) ;;
arm64:*/*)
	elf=$(readelf -h "$job" 2>/dev/null | sed -n 's/^ *Machine: *//p')
	[ -z "$elf" ] || [ "$elf" = AArch64 ] ||
		die 2 "JOB=$1 is a program for $elf, and the machine of CPU=arm64 can't run it; compile it by aarch64-linux-gnu-gcc -static"
	;;
esac
"$LAB/kernel/build.sh"
exec "$LAB/machine/run.sh" run "$@"
