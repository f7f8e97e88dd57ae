#!/usr/bin/env bash
# Checks that make's targets check their arguments before they build anything, and say what is wrong. BUILD is a folder that cannot exist.
# Also checks that TESTS= matches the names in make kselftest's lines. Takes nothing. Prints what is wrong.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-arguments.XXXXXX")
trap 'rm -rf "$work"' EXIT

# refused WORDS COMMAND...: checks that the command ends with status 2, as make does on errors, and prints a message that matches WORDS.
refused() {
	local words=$1 said status=0
	shift
	said=$(env -u MAKEFLAGS -u MAKELEVEL -u BASE -u BASES -u CPU -u MODES -u TESTS BUILD=/proc/nowhere "$@" 2>&1) || status=$?
	[ "$status" -eq 2 ] && grep -qE -- "$words" <<<"$said" && return
	echo "$*: status $status, and not '$words': $said"
	failed=1
}

# runs WORDS [VARIABLE=VALUE...]: checks that these programs, and no others, run only because TESTS matches one of their lines.
runs() {
	local wanted=$1 got
	shift
	got=$(env "$@" MODES=npt=1 "$LAB/prove/test-names.sh" run | sed 's/^npt=1 //' | paste -sd ,)
	[ "$got" = "$wanted" ] && return
	echo "$*: it is '$got' that is run for it, not '$wanted'"
	failed=1
}

cd "$TOP"
touch "$work/plain"
refused 'JOB=lab/guest/none.sh: there is no such file' make run JOB=lab/guest/none.sh
refused "JOB=$work/plain is not executable; run: chmod" make run JOB="$work/plain"
refused 'JOB=lab is a folder' make run JOB=lab
refused "JOB='lab/guest/slot-gone.sh many': .* takes \(\[1-9\]" make run JOB='lab/guest/slot-gone.sh many'
refused "JOB='lab/guest/moved-pud.sh 1': .* takes no arguments" make run JOB='lab/guest/moved-pud.sh 1'
refused 'JOB=.*: .* takes fsdax-' make run JOB=lab/guest/unbind-mounted.sh
# Each script in lab/guest says what it takes from make run, or what else starts it.
for job in lab/guest/*.sh; do
	[ ! -x "$job" ] || [ "$(sed '2,${/^#/!q}' "$job" | grep -cE '^# (Arguments|Started by): .')" -eq 1 ] ||
		{ echo "$job: its header needs either Arguments: or Started by:"; failed=1; }
done
refused 'JOB=lab/guest/mm.sh is started by make kselftest, not by make run' make run JOB=lab/guest/mm.sh
refused 'JOB=lab/guest/session.sh is started by each machine' make run JOB='lab/guest/session.sh true'
refused "JOB='lab/guest/vfio-setup.sh 1': .* takes no arguments" make run JOB='lab/guest/vfio-setup.sh 1'
for cpu in intel arm64; do
	refused "JOB=lab/guest/preflight.sh does not run on .* CPU=$cpu; run: make run CPU=amd" make run JOB=lab/guest/preflight.sh CPU=$cpu
done
refused 'JOB=lab/guest/crash.sh needs another kernel; run: make run CONFIG=dump' make run JOB=lab/guest/crash.sh
refused 'MODES=npt=7: .*npt=1' make kselftest MODES=npt=7
refused 'TESTS=nonsense: .*lab/prove/test-names.sh lists' make kselftest TESTS=nonsense
refused 'TESTS=a\( is no extended regular expression' make kselftest TESTS='a('
refused 'RACE_OPERATION=nope: the race test has no such operation' make kselftest RACE_OPERATION=nope
refused 'TESTS=populate: ' make soak TESTS=populate
refused 'MODES=npt=7: ' make bisect MODES=npt=7
refused 'TESTS=nonsense: ' make bisect MODES=npt=1 TESTS=nonsense
refused 'TESTS=nonsense: .*lists' make regress TESTS=nonsense
refused 'MINUTES=ten is not a number' make soak MINUTES=ten
refused 'MUTANT can be: ' make kernel MUTANT=none
refused 'MUTANTS=none: .* can be: ' make mutants MUTANTS=none
refused 'CHECKS=nonsense matches no check' make check BASES="$BASE" CHECKS=nonsense
refused 'CONFIG=none: ' make kernel CONFIG=none
refused 'CONFIG=/none: there is no such file' make kernel CONFIG=/none
for target in kernel kselftest 'run JOB=true' soak demo; do
	for config in no-zone-device no-fs-dax no-thp s390; do
		# shellcheck disable=SC2086
		refused "CONFIG=$config is for make objects and make configs; " make $target CONFIG="$config"
	done
done
for config in lab/kernel/config/pae/*/; do
	refused 'CONFIG=pae is for make objects' make kselftest CONFIG=pae BASE="$(basename "$config")"
done
refused 'B= can be: ' make rangediff A="$BASE" B=v1.0
refused '/none: there is no such file' make bench-diff A=/none B=/none
refused 'README.md is no file of make bench' make bench-diff A=README.md B=README.md
refused '/none: there is no such file' make bench-profile A=/none B=/none
refused 'README.md is no file of make bench-profile' make bench-profile A=README.md B=README.md
refused 'FIGURE=none: ' make bench-profile FIGURE=none
refused 'REPEAT=x is no number' make bench REPEAT=x
refused 'MUTANT=level-4k: make demo' make demo MUTANT=level-4k
refused 'TESTS=vfio: make demo' make demo TESTS=vfio
refused 'BACKINGS=none: make demo' make demo BACKINGS=none
refused 'MUTANT=level-4k: make bench ' make bench MUTANT=level-4k
refused 'CONFIG=debug: make bench ' make bench CONFIG=debug
refused 'MUTANT=level-4k: make bench-profile' make bench-profile MUTANT=level-4k
refused 'MODES=npt=7: the suites run on' make regress MODES=npt=7
refused 'BACKINGS=none: make soak' make soak BACKINGS=none
refused 'BACKINGS=devdax-2m: make run' make run JOB=true BACKINGS=devdax-2m
refused 'TESTS=vfio: make run' make run JOB=true TESTS=vfio
refused 'MODES=npt=1: make run' make run JOB=true MODES=npt=1
refused 'TARGETS=x: the suite selftests' make regress TARGETS=x
refused 'FILES_1G=1: the suite selftests' make regress FILES_1G=1
for target in demo kselftest soak bench bench-profile bisect; do
	refused "FILES_1G=1: make $target .*leave FILES_1G out" make "$target" FILES_1G=1
done
refused 'FILES_1G=1: each mutant' make mutants FILES_1G=1
refused 'FILES_1G=3: FILES_1G=1 is' make run JOB=true FILES_1G=3
refused 'FILES_1G=1: .* of CPU=amd' make run JOB=true FILES_1G=1 CPU=intel
for base in series/v*/; do
	base=$(basename "$base") words='maps no file by 1G'
	[ ! -d "lab/kernel/config/no-pud/$base" ] || words='RECORD=1 keeps .*; leave FILES_1G out'
	refused "$words" make fstests FILES_1G=1 BASE="$base" RECORD=1
done
refused 'PATCHES=x: make configs' make configs PATCHES=x
refused 'TESTS=vfio: make bisect' make bisect TESTS=vfio
refused 'STOCK=1: make bisect' make bisect STOCK=1
refused 'MUTANT=none: make objects' make objects MUTANT=none
refused 'MUTANT=none: make configs' make configs MUTANT=none
refused 'CONFIG=none: make kabi' make kabi CONFIG=none
refused 'CONFIG=none: make htmldocs' make htmldocs CONFIG=none
refused 'TESTS=vfio: make record' make record TESTS=vfio
refused 'FILES_1G=1: make record' make record FILES_1G=1
refused 'MINUTES=1: make record' make record MINUTES=1
refused 'CPU=intel: make record' make record CPU=intel
refused "BASES=$BASE: make record takes one base, by BASE=" make record BASES="$BASE"
refused "FSTESTS=/none: there is no such folder" make record FSTESTS=/none
refused "BASES=$BASE: make mbox takes one base, by BASE=" make mbox BASES="$BASE"
refused 'TOPIC=none: make mbox .* make post' make mbox TOPIC=none
for target in record check letters applies; do
	refused 'BASES=.*none: there is no series/none; BASES can be some of: ' make $target BASES="$BASE none"
done
refused 'STOCK=0: STOCK=1 is' make kernel STOCK=0
refused 'STOCK=package: make kselftest needs a kernel of the lab; use STOCK=1' make kselftest STOCK=package
refused 'STOCK=package: make bench-profile needs a kernel of the lab; use STOCK=1' make bench-profile STOCK=package
refused 'STOCK=package: .* of CPU=amd only' make run JOB=true STOCK=package CPU=intel
refused 'STOCK=package: .*leave CONFIG out' make kernel STOCK=package CONFIG=debug
mkdir "$work/linux"
: >"$work/linux/Kconfig"
refused "STOCK=package: .* no kernel built from KSRC=" make kernel STOCK=package KSRC="$work/linux"
refused 'BACKINGS=none: make kselftest' make kselftest BACKINGS=none
refused 'RACE_SEED=x is no number' make kselftest RACE_SEED=x
refused 'CARRY=/none: there is no such file' make run JOB=true CARRY=/none CPU=intel
refused 'TESTS=vfio: each mutant' make mutants TESTS=vfio
refused 'BACKINGS=none: .*devdax-2m' make bench BACKINGS=none
refused 'BACKINGS=none: .*devdax-2m' make bench-profile BACKINGS=none
refused 'TOPIC=none: .*TOPIC can be: 10-mm' make post TOPIC=none
refused 'TOPIC=90-stress: .*Posting: no' make post TOPIC=90-stress
refused 'TOPIC=20-fs-dax is not for a public list: .*PRIVATE=1' make post TOPIC=20-fs-dax
refused 'has no Private: ' make post TOPIC=60-kvm-selftests PRIVATE=1
refused 'make soak takes CPU=amd, as the machine of CPU=arm64 is too slow' make soak MINUTES=1 CPU=arm64
refused 'BACKINGS=devdax-1g: arm64 has no devdax-1g' make kselftest CPU=arm64 BACKINGS=devdax-1g
refused 'CONFIG=debug: .*one configuration' make kernel CPU=arm64 CONFIG=debug
printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\076\0\1\0\0\0' >"$work/program"
head -c 40 /dev/zero >>"$work/program"
chmod +x "$work/program"
refused "JOB=$work/program is a program for .*X86-64, .*aarch64-linux-gnu-gcc" make run CPU=arm64 JOB="$work/program"
# A host without a compiler and without packages, whose user is not root.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/dpkg-query"
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
chmod +x "$work"/bin/*
refused 'run: sudo apt-get install .* gcc libc6-dev$' env PATH="$work/bin:$PATH" make kvm-dax-check CC="$work/none"

runs "$(printf '%s dax_huge_page_test\n' devdax-4k devdax-2m devdax-1g fsdax-ext4 fsdax-xfs | paste -sd ,)" TESTS=populate
runs 'fsdax-xfs dax_huge_page_test' TESTS='fsdax-xfs populate'
runs vfio_dax_test TESTS='vfio devdax-2m'
runs 'vfio_dax_test many' TESTS='cycles=10000 anon'
runs shared TESTS='shared fsdax-xfs write-busy'
runs '' TESTS=vfio_dax_test
# The recorded lines of every base and machine, unless the tests of the series have changed. Values at the end of a line are not part of
# the name, nor is the message of a failed test. Lines of make soak are left out, because they consist of values.
for base in series/v*/; do BASE=$(basename "$base") CPU=amd "$LAB/record/old.sh"; done |
	awk -F'\t' '$3 ~ /tests.* changed$/ { print $1 }' >"$work/old"
for recorded in results/v*.tap; do
	base=${recorded#results/} cpu=amd
	base=${base%%-*}
	case $recorded in
	*-soak*) continue ;;
	*-intel*) cpu=intel ;;
	*-arm64*) cpu=arm64 ;;
	esac
	! grep -qxF "$recorded" "$work/old" || continue
	BASE=$base CPU=$cpu MODES='' TESTS='' "$LAB/prove/test-names.sh" >"$work/names"
	sed -nE 's/ +# SKIP.*//; s/^(not )?ok [0-9]+ /\1/p' "$recorded" | awk '
		NR == FNR { names[$0]; next }
		{
			not_ok = sub(/^not /, "")
			line = $0
			sub(/ *$/, "", line)
			while (!(line in names) && sub(/ +[^ ]*$/, "", line));
			# A name must be left, and only values may have been removed: the first word removed has a "=".
			gone = substr($0, length(line) + 2)
			if (line == "" || line !~ / / || (!not_ok && gone !~ /^( *|[^ ]*[=].*)$/)) print
		}' "$work/names" - >"$work/unnamed"
	if [ -s "$work/unnamed" ]; then
		echo "lines of $recorded that lab/prove/test-names.sh does not list:"
		cat "$work/unnamed"
		failed=1
	fi
done
exit "$failed"
