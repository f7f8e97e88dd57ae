#!/usr/bin/env bash
# Imports the pristine source of BASE into a bare git repository in CACHE, and prints the repository's path.
# Takes KSRC=<directory or tarball>, which is used instead of the base's Debian package; modifies neither. Or takes one of these:
#   list             prints each available source of the base's line, as "version suites" or the path of a tarball
#   tarball VERSION  prints the path of the tarball of that version: kernel.org's if the cache has it, otherwise the package's
#   debian VERSION   prints the path of the .dsc of that version of the source package
#   kernel VERSION   prints the path of a folder with the packages of the kernel that was built from that version: its image and headers
#   package NAME     prints the path of the .dsc of the newest source package NAME in the base's suites
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/kernel/apt.sh
. "$LAB/kernel/apt.sh"

line=${BASE#v}
package=$(base_field package)
suites=$(base_field suites)
mkdir -p "$CACHE" || die 2 "cannot write to $CACHE; pass CACHE=<directory>"
lock source

# The apt options for the functions below: none, or those with which apt searches the suites that series/<base>/base names.
apt_options=()

# get FOLDER WORD...: runs apt-get with these words in a folder, and prints the end of what it said if it fails.
get() {
	(cd "$1" && apt-get "${apt_options[@]}" -q "${@:2}" >log 2>&1) || { die_if_full; tail -n 3 "$1/log" >&2; return 1; }
}

# Prints the version of the base's Debian package that apt would install, or nothing.
candidate() {
	[ -n "$package" ] && command -v apt-cache >/dev/null || return 0
	apt-cache "${apt_options[@]}" policy "$package" 2>/dev/null | sed -nE 's/^ *Candidate: *//p' | grep -vxF '(none)' || true
}

# mirrors SUITE: prints the mirrors that this host's apt uses for its own suite, or for that suite's security updates.
mirrors() {
	local suffix=''
	case $1 in
	*-security) suffix=-security ;;
	esac
	apt_targets |
		sed -nE "s,^(${codename:-stable}|oldoldstable|oldstable|stable|testing|unstable)$suffix main ,,p" | sort -u
}

# Makes apt search the suites that the base names, for the kinds of packages in $1: deb, or deb and deb-src. The lists and the
# configuration for that are in the cache. The system's are read, but not changed.
use_suites_of_base() {
	local apt=$CACHE/apt-$BASE site suite kind
	mkdir -p "$apt"
	for suite in $suites; do
		for site in $(mirrors "$suite"); do
			for kind in $1; do
				echo "$kind [signed-by=$keyring] $site $suite main"
			done
		done
	done >"$apt/sources.list"
	[ -s "$apt/sources.list" ] || return 1
	apt_configuration "$apt"
	apt_options=(-c "$apt/apt.conf")
	say "looking for $package in ${suites// /, }"
	apt-get "${apt_options[@]}" -q update >"$apt/log" 2>&1 || true
}

# Downloads version $1 of the package, puts its tarball into the cache, and prints the tarball's path.
download() {
	local version=$1 tarball=$CACHE/$package"_"$1.tar.xz work found
	if [ ! -f "$tarball" ]; then
		work=$(mktemp -d "$CACHE/download.XXXXXX")
		# shellcheck disable=SC2064
		trap "rm -rf '$work'" EXIT
		say "downloading $package $version"
		get "$work" download "$package=$version" || return 1
		# set -e is off here, because this function runs in a condition. Check each step, so that no incomplete tarball stays.
		dpkg-deb -x "$work"/*.deb "$work/x" || { die_if_full; return 1; }
		found=("$work"/x/usr/src/linux-source-*.tar.xz)
		mv "${found[0]}" "$tarball" || return 1
		rm -rf "$work"
		trap - EXIT
	fi
	echo "$tarball"
}

# Downloads the source package of version $1 into the cache, without unpacking it, and prints the path of its .dsc.
download_debian() {
	local version=$1 name
	# The cache's own lists have more versions than the system's, and also source packages.
	use_suites_of_base "deb deb-src" || return 1
	name=$(apt-cache "${apt_options[@]}" show "$package=$version" | sed -nE '0,/^Source:/s/^Source: *([^ ]*).*/\1/p')
	download_dsc "${name:-$package}" "$version"
}

# Does the same with the newest version of source package $1 in the base's suites; without a network, with the newest one in the cache.
download_newest() {
	local name=$1 version=''
	package=$name
	if use_suites_of_base "deb deb-src"; then
		version=$(apt-cache "${apt_options[@]}" showsrc --only-source "$name" 2>/dev/null |
			sed -n 's/^Version: //p' | sort -V | tail -n 1) || true
	fi
	[ -n "$version" ] || version=$(find "$CACHE/debian" -maxdepth 1 -name "${name}_*" ! -name '*.part' 2>/dev/null |
		sed "s/.*${name}_//" | sort -V | tail -n 1) || true
	[ -n "$version" ] ||
		die "$NO_SOURCE" "the source package $name cannot be had from the mirror now${suites:+; it was looked for in ${suites// /, }}"
	download_dsc "$name" "$version"
}

# Downloads the kernel that Debian built from version $1 of the package, and the headers with which its modules are built. Prints their
# folder. Exits with NO_SOURCE if there is no such package now, or if another compiler than the one here built it, as modules need the
# same.
download_kernel() {
	local version=$1 folder=$CACHE/kernel_$1 work name abi='' compiler
	if [ ! -d "$folder" ]; then
		# The system's own suites only: those of another release have another compiler and C library.
		for name in $(apt-cache search --names-only "^linux-image-${version%%-*}[^0-9].*-amd64-unsigned\$" | cut -d ' ' -f 1); do
			case $name in *-rt-* | *-cloud-*) continue ;; esac
			! apt-cache madison "$name" | cut -d '|' -f 2 | grep -xF " $version " >/dev/null || { abi=${name#linux-image-} abi=${abi%-amd64-unsigned}; }
		done
		[ -n "$abi" ] || exit "$NO_SOURCE"
		compiler=$(apt-cache show "linux-headers-$abi-amd64=$version" | sed -nE 's/^Depends: (.*, )?gcc-([0-9]+).*/\2/p')
		[ "$compiler" = "$(gcc -dumpversion)" ] ||
			die "$NO_SOURCE" "gcc ${compiler:-of another release} built Linux $abi, and gcc $(gcc -dumpversion), which is here, can't build modules for it"
		work=$(mktemp -d "$CACHE/download.XXXXXX")
		# shellcheck disable=SC2064
		trap "rm -rf '$work'" EXIT
		say "downloading Linux $abi, which Debian built from $version"
		get "$work" download "linux-image-$abi-amd64-unsigned=$version" "linux-headers-$abi-amd64=$version" \
			"linux-headers-$abi-common=$version" "linux-kbuild-$abi=$version" || exit "$NO_SOURCE"
		# Another checkout may have been faster.
		mv -T "$work" "$folder" 2>/dev/null || [ -d "$folder" ]
	fi
	echo "$folder"
}

# download_dsc NAME VERSION: downloads that source package, unless the cache has it, and prints the path of its .dsc.
download_dsc() {
	local name=$1 version=$2 dsc work
	work=$CACHE/debian/${name}_$version
	dsc=$work/${name}_${version#*:}.dsc
	if [ ! -f "$dsc" ]; then
		rm -rf "$work.part"
		mkdir -p "$work.part"
		say "downloading the source package $name $version"
		get "$work.part" source --only-source --download-only "$name=$version" || {
			rm -rf "$work.part"
			die "$NO_SOURCE" "the source package $name $version cannot be had from the mirror now; its words are above"
		}
		rm -rf "$work"
		mv "$work.part" "$work"
	fi
	echo "$dsc"
}

# Prints the tarballs of the base's line in the cache: kernel.org's, and if $1 is not empty, also those of the package.
cached() {
	find "$CACHE" -maxdepth 1 \( ${1:+-name "linux-source-${line}_*.tar.xz" -o} \
		-name "linux-$line.*.tar.xz" -o -name "linux-$line.*.tar.gz" \) |
		sort -V
}
newest_cached() { cached package | tail -n 1; }

# Prints the newest version in each suite and kernel.org's tarballs in the cache; without a network, all tarballs in the cache.
list() {
	local versions=''
	if [ -n "${KSRC:-}" ]; then
		find_source
		return
	fi
	if [ -n "$package" ] && use_suites_of_base deb; then
		versions=$(apt-cache "${apt_options[@]}" madison "$package" | awk -F ' *[|] *' '{
			split($3, words, " "); suite = words[2]; sub("/.*", "", suite)
			if (seen[suite]++) next
			if (!($2 in suites)) order[++n] = $2
			suites[$2] = suites[$2] " " suite
		} END { for (i = 1; i <= n; i++) print order[i] suites[order[i]] }')
	fi
	if [ -n "$versions" ]; then
		echo "$versions"
		cached ''
	else
		cached package
	fi
}

find_source() {
	local version
	if [ -n "${KSRC:-}" ]; then
		realpath "$KSRC"
		return
	fi
	version=$(candidate)
	if [ -z "$version" ] && [ -n "$package" ] && [ "$(id -u)" -eq 0 ] && [ -z "$(newest_cached)" ]; then
		apt-get -qq update >/dev/null 2>&1 || true
		version=$(candidate)
	fi
	if [ -z "$version" ] && [ -n "$suites" ] && [ -z "$(newest_cached)" ] && use_suites_of_base deb; then
		version=$(candidate)
	fi
	if [ -n "$version" ] && download "$version"; then
		return
	fi
	newest_cached
}

# Prints the name of a tarball (a package's has the version in it) or of a tree.
name_of() { basename "$1" | sed -E 's/\.tar\.(xz|gz|bz2)$//'; }

# Prints a name for the source that changes when the source changes.
identify() {
	local source=$1
	if [ -d "$source" ]; then
		(cd "$source" && find . -path ./.git -prune -o -type f -printf '%p %s %T@\n') | sort | sha256sum | cut -c1-16
	elif [[ $source == "$CACHE"/linux-source-* ]]; then
		name_of "$source"
	else
		stat -c '%n %s %Y' "$source" | sha256sum | cut -c1-16
	fi
}

case ${1:-} in
list) list; exit ;;
tarball | debian)
	# The cache's lists also have versions from other suites than the system's.
	if [ "$1" = debian ]; then download_debian "$2"; exit; fi
	kernel_org=$(cached '' | grep -F "/linux-$2.tar" | tail -n 1) || true
	[ -z "$kernel_org" ] || { echo "$kernel_org"; exit; }
	[ -n "$package" ] || exit 1
	apt_options=(-c "$CACHE/apt-$BASE/apt.conf")
	[ -f "$CACHE/${package}_$2.tar.xz" ] || [ -f "${apt_options[1]}" ] || use_suites_of_base deb || exit 1
	download "$2"
	exit
	;;
kernel) download_kernel "$2"; exit ;;
package) download_newest "$2"; exit ;;
'') ;;
*) die 2 "usage: source.sh [list | tarball VERSION | debian VERSION | kernel VERSION | package NAME]" ;;
esac

source=$(find_source) || exit
[ -n "$source" ] || die "$NO_SOURCE" "no source for $BASE:" \
	"${package:+apt finds no Debian package $package${suites:+ in ${suites// /, }} now; make it available, or }pass" \
	"KSRC=<a Linux $line tree or tarball>, or put linux-$line.<n>.tar.xz into $CACHE"

# copy TREE FOLDER: copies the files of a tree, without what a build has left there.
copy() {
	(cd "$1" && tar --exclude=./.git -cf - .) | tar -C "$2" -xvf -
	make -s -C "$2" mrproper
}

# store FOLDER MESSAGE...: makes the folder a repository of one commit, which is the same each time.
store() {
	export GIT_AUTHOR_NAME=pristine GIT_AUTHOR_EMAIL=pristine GIT_AUTHOR_DATE='2000-01-01T00:00:00Z'
	export GIT_COMMITTER_NAME=pristine GIT_COMMITTER_EMAIL=pristine GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
	git -C "$1" -c init.defaultBranch=linux init -q
	# Add with -f, because Debian's .gitignore ignores the whole tree.
	git -C "$1" -c core.compression=1 add -v -A -f
	git -C "$1" -c gc.auto=0 commit -q -m "$2" -m "$3"
}

repository=$CACHE/$(identify "$source").git
if [ ! -d "$repository" ]; then
	[ ! -d "$source" ] || refuse_patched "$source" "KSRC=$source"
	work=$(mktemp -d "$CACHE/import.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	say "importing $source, once; that takes a minute or more"
	if [ -d "$source" ]; then
		quietly "$CACHE/import.log" "copying $source" copy "$source" "$work"
	else
		# Show only the last lines, because on a full disk tar prints one for each file.
		tar -C "$work" --strip-components=1 -xf "$source" 2>&1 | tail -n 3 >&2 || {
			die_if_full
			remedy="remove it"
			[ -z "${KSRC:-}" ] || remedy="pass another"
			die 2 "$source is not a tarball of Linux, or it is damaged; $remedy and run this again"
		}
		refuse_patched "$work" "$source"
	fi
	version=$(make -s -C "$work" kernelversion)
	case $version in
	"$line" | "$line".* | "$line"-*) ;;
	*) die 2 "$source is Linux $version; BASE=$BASE needs $line (docs/maintainers.md says which base is nearest to another line)" ;;
	esac
	quietly "$CACHE/import.log" "storing Linux $version" store "$work" "Linux $version" "$(name_of "$source")"
	rm "$CACHE/import.log"
	mv "$work/.git" "$repository.part$$"
	git -C "$repository.part$$" config core.bare true
	mv -T "$repository.part$$" "$repository"
fi
echo "$repository"
