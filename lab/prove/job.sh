#!/usr/bin/env bash
# Builds the kernel of BASE, and runs a job in the machine. Takes the job, a script or program, and its arguments, and looks at the job
# before it builds anything: whether it is there, and, of a job of the lab, whether it takes such arguments and this CONFIG=.
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

# of_job NAME: what follows "# NAME: " among the comments that the job, a script, begins with; nothing if it doesn't say.
of_job() { sed -nE "2,\${/^#/!q; s/^# $1: //p}" "$job"; }
job=$(type -P -- "$1")
arguments=$(of_job Arguments) config=$(of_job Configuration)
if [ -n "$arguments" ]; then
	case ${2:-} in
	-h | --help) exec "$job" -h ;;
	esac
	[ "$arguments" != none ] || arguments=
	grep -qxE -- "$arguments" <<<"${*:2}" || die 2 "JOB='$*': $1 takes ${arguments:-no arguments}; run: $1 -h"
fi
[ -z "$config" ] || [ "${CONFIG:-}" = "$config" ] || die 2 "JOB=$1 needs another kernel; run: make run CONFIG=$config JOB='$*'"
"$LAB/kernel/build.sh"
exec "$LAB/machine/run.sh" run "$@"
