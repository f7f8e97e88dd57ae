# shellcheck shell=bash disable=SC2034
# Determines which kernel the variables name, and where it is. Ends the script if their values are wrong or exclude each other.
# Sourced by env.sh; takes BASE, CPU, STOCK, MUTANT, UPTO, SPARSE, OBJECTS, COMPILE_ONLY, CONFIG, CACHE and BUILD from the environment.
# Gives VARIANT, OUT, TREE and related paths, and functions that read series/<base>/base.

DEFAULT_BASE=$(<"$TOP/series/default")
BASE=${BASE:-$DEFAULT_BASE}
CPU=${CPU:-amd}
CACHE=$(realpath -m "${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-dax}")
BUILD=$(realpath -m "${BUILD:-$TOP/build}")
SERIES=$TOP/series/$BASE

# cross_compiler CONFIG: prints the prefix of the compiler if CONFIG is the name of another architecture, otherwise nothing.
cross_compiler() {
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	powerpc) echo powerpc64le-linux-gnu- ;;
	s390) echo s390x-linux-gnu- ;;
	esac
}

# configs: prints the names that CONFIG can have for BASE.
configs() {
	(cd "$LAB/kernel/config" && for folder in */; do
		[[ $folder != machine-* ]] || continue	# CPU= chooses these
		[ -d "$TOP/series/$folder" ] || [ -z "$(ls -d "$folder"*.config "$folder$BASE"/*.config 2>/dev/null)" ] || echo "${folder%/}"
	done)
}

# compiled_configs: prints those that make objects and make configs compile. The others compile the default one's code.
compiled_configs() { configs | grep -vxE 'base-small|bench|debug|dump|irqsoff|kabi|regress'; }

all_bases=$(cd "$TOP/series" && echo ./*/ | sed 's|\./||g; s|/||g')
[ -d "$SERIES" ] || die 2 "there is no series/$BASE; BASE can be: $all_bases"
for base in ${BASES:-}; do
	[ -d "$TOP/series/$base" ] || die 2 "BASES=$BASES: there is no series/$base; BASES can be some of: $all_bases"
done
unset base
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
case ${STOCK:-1}:$CPU in
1:* | package:amd) ;;
package:*) die 2 "STOCK=package: the distribution's own kernel runs on the machine of CPU=amd only; use STOCK=1, or leave CPU out" ;;
*) die 2 "STOCK=$STOCK: STOCK=1 is the kernel without the series, STOCK=package the distribution's own; for that with the series, leave STOCK out" ;;
esac
case ${FILES_1G:-}:$CPU in
:* | 1:amd) ;;
1:*) die 2 "FILES_1G=1: the machine with files to map by 1G is one of CPU=amd; leave FILES_1G or CPU out" ;;
*) die 2 "FILES_1G=$FILES_1G: FILES_1G=1 is the machine with files to map by 1G; for that with all backings, leave FILES_1G out" ;;
esac
[ -z "${STOCK:-}" ] || [ -z "${MUTANT:-}" ] || die 2 "STOCK and MUTANT exclude each other"

if [ -n "${MUTANT:-}" ]; then
	VARIANT=mutant-$MUTANT
	[ -f "$LAB/kernel/mutants/$BASE/$MUTANT.patch" ] ||
		die 2 "there is no lab/kernel/mutants/$BASE/$MUTANT.patch; MUTANT can be:" \
			"$(cd "$LAB/kernel/mutants/$BASE" 2>/dev/null && echo ./*.patch | sed 's|\./||g; s|\.patch||g')"
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
# A CONFIG with a slash is a file, the user's own kernel configuration.
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
	# make objects and make configs set these variables, because they only compile.
	unusable=$(sed -n "s/^$CONFIG\t//p" "$LAB/kernel/config/not-for-machines")
	[ -z "$unusable" ] || [ -n "${OBJECTS:-}${COMPILE_ONLY:-}" ] ||
		die 2 "CONFIG=$CONFIG is for make objects and make configs; no machine of the lab can use that kernel, as $unusable"
	CROSS_COMPILE=$(cross_compiler "$CONFIG")
	case $CONFIG:$CROSS_COMPILE in
	pae:) export ARCH=i386 ;;
	*:?*) export ARCH=$CONFIG CROSS_COMPILE ;;
	esac
fi

# The arm64 machine's kernel has its own configuration. MACHINE_CONFIG is its folder in lab/kernel/config.
MACHINE_CONFIG=
if [ "$CPU" = arm64 ]; then
	[ -z "${CONFIG:-}" ] ||
		die 2 "CONFIG=$CONFIG: the machine of CPU=arm64 has one configuration, lab/kernel/config/machine-arm64; leave CONFIG out"
	no_arm64=$(sed -n 's/^no-arm64: *//p' "$SERIES/base")
	[ -z "$no_arm64" ] || die 2 "BASE=$BASE with CPU=arm64: $no_arm64; the other bases have it"
	[[ " ${BACKINGS:-} " != *" devdax-1g "* ]] || die 2 "BACKINGS=$BACKINGS: arm64 has no devdax-1g, as it has no transparent huge pages of 1G"
	MACHINE_CONFIG=machine-arm64
	[ "$(uname -m)" = aarch64 ] || CROSS_COMPILE=$(cross_compiler arm64)
	export ARCH=arm64 CROSS_COMPILE
fi

# All mutants share one tree, and one mutant at a time is built. A kernel with another CONFIG or for another machine has its own tree.
OUT=$BUILD/$BASE/${VARIANT%%-*}${CONFIG:+-$CONFIG}${MACHINE_CONFIG:+-$MACHINE_CONFIG}
TREE=$OUT/tree
[ "$VARIANT" != objects ] || TREE=$BUILD/$BASE/objects/tree	# shared by all configurations, because nothing is built in it
BZIMAGE=$TREE/arch/x86/boot/bzImage
[ -z "$MACHINE_CONFIG" ] || BZIMAGE=$TREE/arch/arm64/boot/Image
# lab/kernel/package.sh unpacks the distribution's kernel. TREE has no source then, but what modules are built with.
if [ "${STOCK:-}" = package ]; then
	[ -z "${CONFIG:-}" ] || die 2 "STOCK=package: the distribution's own kernel has its own configuration; leave CONFIG out, or use STOCK=1"
	OUT=$BUILD/$BASE/package
	TREE=$OUT/headers
	BZIMAGE=$OUT/vmlinuz
fi
MODULES=$OUT/modules
SELFTESTS=$BUILD/$BASE/series${MACHINE_CONFIG:+-$MACHINE_CONFIG}/tree/tools/testing/selftests

# base_field NAME: prints the value of a "name: value" line of series/<base>/base.
base_field() { sed -n "s/^$1: *//p" "$SERIES/base"; }

# new_warnings LOG: prints the warnings in LOG, except make's own and those of the pristine source that series/<base>/base lists. Fails if
# none is left.
new_warnings() {
	local known
	known=$(base_field warnings)
	grep -n 'warning:' "$1" | grep -vE "^[0-9]+:make(\[[0-9]+\])?: ${known:+|$known}"
}
