#!/usr/bin/env bash
# Builds the selftests of the tree with the series, by the kernel's own makefiles, whatever kernel they will run on.
# Takes TARGETS=<folders of tools/testing/selftests>, "kvm vfio dax" if not given; what a base does not have is left out;
# PROGRAMS=<names>, for CPU=arm64: those of kvm that it builds, beside those of the series; and INSTALL=<folder>, where they are to be
# installed as the kernel does it, with the list of them. MADE=<base>-series says that the tree is made already, by the build of its kernel.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

lock "$BASE-series"
[ "${MADE:-}" = "$BASE-series" ] ||
	HELD=$BASE-series STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/kernel/tree.sh"
targets=
for target in ${TARGETS:-kvm vfio dax}; do
	[ ! -e "$SELFTESTS/$target/Makefile" ] || targets+=" $target"
	# What a series has lost goes from the tree, too: git leaves what was built of it.
	[ ! -d "$SELFTESTS/$target" ] || find "$SELFTESTS/$target" -type f -name '*dax*_test' |
		while read -r program; do [ -e "$program.c" ] || rm "$program"; done
done
stand_ins=${SELFTESTS%/tree/*}/stand-ins	# the programs for which something else stands in

# For arm64 they are static, as the machine's libraries may be of another version; and of KVM's own those that run on DAX memory.
variables=()
if [ -n "$MACHINE_CONFIG" ]; then
	export LDFLAGS=-static
	for program in "$SELFTESTS"/kvm/dax_*_test.c; do
		[ ! -e "$program" ] || PROGRAMS+=" $(basename "$program" .c)"
	done
	variables=("TEST_GEN_PROGS_aarch64=$PROGRAMS" "TEST_GEN_PROGS_arm64=$PROGRAMS")
fi

# list_what_no_script_runs: mm and vm list only the script that runs the others; what it does not name is a test by itself.
# Not v5.4's transhuge-stress, which never ends.
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
	# They would be newer than their sources, and so stay.
	[ ! -e "$stand_ins" ] || xargs -d '\n' rm -f <"$stand_ins"
	: >"$stand_ins"
	make -s -C "$SELFTESTS/../../.." headers
	# One by one: v5.4 goes on after a folder that does not build.
	for target in ${targets// [mv]m/}; do
		make -C "$SELFTESTS" TARGETS="$target" FORCE_TARGETS=1 -j"$(nproc)" "${variables[@]}" all || return
	done
	[ -n "${INSTALL:-}" ] || return 0
	# Not every base's tests of mm, or of vm as it was called, all build. The kernel's makefiles install all or none of a folder:
	# what stands in for such a program fails.
	make -k -C "$SELFTESTS" TARGETS="$targets" -j"$(nproc)" all 2>&1 | tee "$INSTALL.log" || true
	sed -nE "s,^make.*\*\*\* \[[^ ]*: ($SELFTESTS/.*/.*)\] Error .*,\1,p" "$INSTALL.log" | tee "$stand_ins" | while read -r program; do
		printf '#!/bin/sh\necho "%s has not been built"\nexit 1\n' "${program##*/}" >"$program"
		chmod +x "$program"
	done
	make -C "$SELFTESTS" TARGETS="$targets" INSTALL_PATH="$INSTALL" -j"$(nproc)" install
	# v5.4 has the list only in the script that runs them.
	grep -q kselftest-list "$SELFTESTS/Makefile" || awk '
		/^cd [a-z]/ { target = $2 }
		/^\t"/ { gsub(/[\t"\\]/, ""); print target ":" $0 }' "$INSTALL/run_kselftest.sh" >"$INSTALL/kselftest-list.txt"
	list_what_no_script_runs
}
[ -f "$SELFTESTS/../../../.config" ] || STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/kernel/config.sh"
quietly "${SELFTESTS%/tree/*}/selftests.log" "building the selftests of $BASE" build

# This host does not run those of another architecture.
[ -z "${CROSS_COMPILE:-}" ] || exit 0
# Each test that the series adds says how it is called. The library of KVM's opens /dev/kvm first, and skips them if it is not there.
git -C "$SELFTESTS" diff --name-only --relative --diff-filter=A pristine -- '*_test.c' | while read -r program; do
	target=${program%%/*} program=$SELFTESTS/${program%.c} status=0
	[ -x "$program" ] || continue
	said=$("$program" -h) || status=$?
	[ "$target" != kvm ] || [ "$status" -ne 4 ] || [ -e /dev/kvm ] || continue
	if [ "$status" -ne 0 ] || ! grep -q '^usage: ' <<<"$said"; then die 1 "${program#"$TOP"/} -h does not say how it is called"; fi
done
