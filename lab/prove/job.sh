#!/usr/bin/env bash
# Builds the kernel of BASE, and runs a job in the machine. Takes the job, a script or program, and its arguments, and looks at the job
# before it builds anything.
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
"$LAB/kernel/build.sh"
exec "$LAB/machine/run.sh" run "$@"
