#!/usr/bin/env bash
# Checks that make demo tells a kernel that dies or hangs from a machine that was ended otherwise. Only of the former may it show a fact.
# It runs lab/prove/demo.sh in a copy of lab/, whose machine is a script: with the stock kernel, the first machine ends in a look.
# Takes nothing. Prints what is wrong.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-dead-machines.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/copy"
cp -r "$LAB" "$work/copy"
ln -s "$TOP/series" "$work/copy"
echo exit >"$work/copy/lab/kernel/build.sh"
# The compiler makes an empty program.
# shellcheck disable=SC2016
printf '#!/bin/bash\nwhile [ "${1:--o}" != -o ]; do shift; done\n: >"${2:-/dev/null}"\n' >"$work/bin/gcc"
printf '#!/bin/bash\n' >"$work/bin/make"
chmod +x "$work"/bin/*
cat >"$work/copy/lab/machine/run.sh" <<'END'
#!/bin/bash
# The last arguments are the looks. ENDS, WORDS and LOG: the status, the message and the kernel's log of the first machine.
name='XFS: memory fails while a clone is closed'
if [ -z "${STOCK:-}" ]; then
	printf 'row\tseries\tdevdax-2m\t0\t2\t0\t2\nfact\tseries\t%s\tsurvives\nlook\tseries\tend\n' "$name"
elif [[ $* = *assigned* ]]; then
	printf 'row\tstock\tdevdax-2m\t0\t2\t0\t2\nlook\tstock\tshared\nfact\tstock\t%s\tthe kernel dies\n' "$name"
	echo "$LOG" >"${0%/*}/console.log"
	echo "run.sh: $WORDS; its console is lab/machine/console.log" >&2
	exit "$ENDS"
else
	[ "${*: -1}" = cloned ] && [[ $* != *shared* ]] || exit 2
	printf 'look\tstock\tcloned\nlook\tstock\tend\n'
	exit 125
fi
END
chmod +x "$work/copy/lab/kernel/build.sh" "$work/copy/lab/machine/run.sh"

# shows STATUS WORDS ENDS MESSAGE [LOG]: checks that the demo ends with this status and prints these words if the first machine ends so. A
# demo that ends well says how long it took; another one shows nothing.
shows() {
	local said status=0 ended=1
	said=$(env -u CPU -u CONFIG -u RECORD -u KERNEL_WORDS BASE="$DEFAULT_BASE" BUILD="$work/build" PATH="$work/bin:$PATH" \
		ENDS="$3" WORDS="$4" LOG="${5:-}" "$work/copy/lab/prove/demo.sh" 2>&1) || status=$?
	if grep -qE '^it took [0-9]+:[0-9]+ minutes' <<<"$said"; then ended=0; fi
	[ "$status" -eq "$1" ] && [ "$ended" -eq "$1" ] && grep -qE -- "$2" <<<"$said" && return
	echo "a machine that ends with $3, '$4' and '${5:-}': status $status, and not $1 and '$2': $said"
	failed=1
}

shows 0 '^XFS.* the kernel dies +survives' 125 'the machine died before it gave a verdict'
shows 0 '^XFS.* the kernel hangs +survives' 125 'the machine hung and was stopped, as its job said nothing for 1290 s'
shows 0 '^XFS.* the kernel hangs +survives' 124 'the job has said nothing for 1200 s' 'INFO: task shared-failure:77 blocked for more than 120 seconds.'
shows 1 'run this again' 124 'the job has said nothing for 1200 s' 'INFO: task ndctl:77 blocked for more than 120 seconds.'
shows 1 'run this again' 124 'the job has said nothing for 1200 s'
shows 1 'run this again' 123 'the emulator was killed'
shows 1 'run this again' 126 'the machine hung before its job began, and was stopped after 12900 s'
shows 1 'the demonstration failed on the stock kernel' 125 'the emulator ended with status 139'
shows 1 'the demonstration failed on the stock kernel' 2 'a look failed'
exit "$failed"
