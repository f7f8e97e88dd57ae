#!/usr/bin/env bash
# Builds the selftests of the tree with the series, by the kernel's own makefiles. They are the same for every kernel that they run on.
# Takes TARGETS=<folders of tools/testing/selftests> ("kvm vfio dax" if not given; those that the base lacks are left out);
# PROGRAMS=<names>, for CPU=arm64 the tests of kvm to build besides those of the series; INSTALL=<folder>, to install the tests there as
# the kernel does, with a list of them; and MADE=<base>-series, if the build of its kernel has made the tree already.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

lock "$BASE-series"
[ "${MADE:-}" = "$BASE-series" ] ||
	HELD=$BASE-series STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/kernel/tree.sh"
targets=
for target in ${TARGETS:-kvm vfio dax}; do
	[ ! -e "$SELFTESTS/$target/Makefile" ] || targets+=" $target"
	# Remove programs of tests that the series no longer has, because git leaves them in the tree.
	[ ! -d "$SELFTESTS/$target" ] || find "$SELFTESTS/$target" -type f -name '*dax*_test' |
		while read -r program; do [ -e "$program.c" ] || rm "$program"; done
done
stand_ins=${SELFTESTS%/tree/*}/stand-ins	# lists the programs that a failing script replaces

# For arm64, link statically: the machine's libraries may have another version. Of KVM's tests, build only those for DAX memory.
variables=()
if [ -n "$MACHINE_CONFIG" ]; then
	export LDFLAGS=-static
	for program in "$SELFTESTS"/kvm/dax_*_test.c; do
		[ ! -e "$program" ] || PROGRAMS+=" $(basename "$program" .c)"
	done
	variables=("TEST_GEN_PROGS_aarch64=$PROGRAMS" "TEST_GEN_PROGS_arm64=$PROGRAMS")
fi

# list_what_no_script_runs: adds tests of mm and vm to the installed list, where the kernel lists only the script that runs the others. A
# program that no script names is a test by itself. Leaves out v5.4's transhuge-stress, which never ends.
list_what_no_script_runs() {
	local target program scripts
	for target in mm vm; do
		[ -d "$INSTALL/$target" ] || continue
		mapfile -t scripts < <(find "$INSTALL/$target" -name '*.sh' -o -name run_vmtests)
		find "$INSTALL/$target" -type f -executable ! -name '*.sh' ! -name run_vmtests ! -name transhuge-stress -printf '%f\n' | sort |
			while read -r program; do grep -qwF -- "$program" "${scripts[@]}" || echo "$target:$program"; done
	done >>"$INSTALL/kselftest-list.txt"
}

build() {
	local program target
	# Remove the replacements of an earlier run: make would keep them, because they are newer than their sources.
	[ ! -e "$stand_ins" ] || xargs -d '\n' rm -f <"$stand_ins"
	: >"$stand_ins"
	make -s -C "$SELFTESTS/../../.." headers
	# Build one folder at a time, because v5.4's makefile continues after a folder that does not build.
	for target in ${targets// [mv]m/}; do
		make -C "$SELFTESTS" TARGETS="$target" FORCE_TARGETS=1 -j"$(nproc)" "${variables[@]}" all || return
	done
	[ -n "${INSTALL:-}" ] || return 0
	# Some tests of mm (vm in older kernels) do not build on each base, and the kernel's makefiles install all programs of a folder or
	# none. So replace a program that does not build with a script that fails.
	make -k -C "$SELFTESTS" TARGETS="$targets" -j"$(nproc)" all 2>&1 | tee "$INSTALL.log" || true
	sed -nE "s,^make.*\*\*\* \[[^ ]*: ($SELFTESTS/.*/.*)\] Error .*,\1,p" "$INSTALL.log" | tee "$stand_ins" | while read -r program; do
		printf '#!/bin/sh\necho "%s has not been built"\nexit 1\n' "${program##*/}" >"$program"
		chmod +x "$program"
	done
	make -C "$SELFTESTS" TARGETS="$targets" INSTALL_PATH="$INSTALL" -j"$(nproc)" install
	# v5.4 has the list only in the script that runs the tests.
	grep -q kselftest-list "$SELFTESTS/Makefile" || awk '
		/^cd [a-z]/ { target = $2 }
		/^\t"/ { gsub(/[\t"\\]/, ""); print target ":" $0 }' "$INSTALL/run_kselftest.sh" >"$INSTALL/kselftest-list.txt"
	list_what_no_script_runs
}
[ -f "$SELFTESTS/../../../.config" ] || STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/kernel/config.sh"
quietly "${SELFTESTS%/tree/*}/selftests.log" "building the selftests of $BASE" build

# This host cannot run tests of another architecture.
[ -z "${CROSS_COMPILE:-}" ] || exit 0
# Check that each test that the series adds prints its usage. Tests of KVM open /dev/kvm first, and skip (status 4) if it is not there.
git -C "$SELFTESTS" diff --name-only --relative --diff-filter=A pristine -- '*_test.c' | while read -r program; do
	target=${program%%/*} program=$SELFTESTS/${program%.c} status=0
	[ -x "$program" ] || continue
	said=$("$program" -h) || status=$?
	[ "$target" != kvm ] || [ "$status" -ne 4 ] || [ -e /dev/kvm ] || continue
	if [ "$status" -ne 0 ] || ! grep -q '^usage: ' <<<"$said"; then die 1 "${program#"$TOP"/} -h does not say how it is called"; fi
done
