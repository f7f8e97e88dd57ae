#!/usr/bin/env bash
# Tries to apply the series of BASE, or of each of BASES, without fuzz: by git am, by quilt and in debian/patches. Prints a table each.
# Takes KSRC=<tree or tarball>, which may be of another line. If not given, it tries the newest source of the base's line in each Debian
# suite, and the tarballs in CACHE.
#
# It unpacks only the files that the patches touch. dpkg-source tries debian/patches in the source package, after Debian's own patches.
# In that column, "-" means that the source is not Debian's. "no source" means that the mirror lacks the source package, or is down.
# If a source does not take the whole series, the script names the patches that do not apply.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

if [ -n "${BASES:-}" ]; then
	status=0 none=0
	read -ra bases <<<"$BASES"
	for base in "${bases[@]}"; do
		one=0
		BASES='' BASE=$base "$LAB/carry/applies.sh" || one=$?
		# In that case applies.sh has already printed a message.
		if [ "$one" -eq "$NO_SOURCE" ]; then none=$((none + 1)); elif [ "$one" -ne 0 ]; then status=1; fi
	done
	[ "$none" -lt "${#bases[@]}" ] || exit "$NO_SOURCE"
	exit $status
fi
"$LAB/kernel/deps.sh" applies
work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-applies.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$BUILD/$BASE/applies.log
mbox=$("$LAB/carry/mbox.sh")
mapfile -t patches < <(series_patches)
touched_by "${patches[@]}" >"$work/touched"
line=$(base_field line)
oldest=$(base_field oldest)

# unpack SOURCE LIST FOLDER: unpacks the files of LIST that the tarball or tree has, and its Makefile.
unpack() {
	local source=$1 list=$2 folder=$3 prefix
	rm -rf "$folder"
	mkdir -p "$folder"
	if [ -d "$source" ]; then
		(cd "$source" && { echo Makefile; cat "$list"; } | while read -r path; do [ ! -f "$path" ] || echo "$path"; done |
			tar -cf - -T -) | tar -C "$folder" -xf -
	else
		prefix=$(tar -tf "$source" 2>/dev/null | sed -n '1{s|/.*||;p;q}') || true
		# tar complains about names that it does not find: the patches create these files.
		{ echo Makefile; cat "$list"; } | sed "s|^|$prefix/|" |
			tar -C "$folder" --strip-components=1 -xf "$source" -T - 2>/dev/null || true
	fi
	[ -f "$folder/Makefile" ] || die 2 "$source is not a source of Linux, or it is damaged"
}

by_git_am() {
	cp -r "$work/source" "$work/am"
	cd "$work/am"
	git -c init.defaultBranch=linux init -q
	git add -A -f
	git -c user.name=kvm-dax -c user.email=kvm-dax commit -q --no-gpg-sign -m pristine
	git -c user.name=kvm-dax -c user.email=kvm-dax am -q --no-3way "$mbox"
}

by_quilt() {
	cp -r "$work/source" "$work/quilt"
	cd "$work/quilt"
	QUILT_PATCHES=$SERIES quilt --quiltrc=- push -q -a --fuzz=0
	diff -r -x .git -x .pc "$work/am" .
}

# by_debian VERSION: tries the series as a Debian maintainer would add it, at the end of debian/patches/series.
by_debian() {
	local dsc folder=$work/debian
	dsc=$("$LAB/kernel/source.sh" debian "$1")
	mkdir -p "$work/packaging"
	tar -C "$work/packaging" -xf "${dsc%.dsc}.debian.tar.xz"
	(cd "$work/packaging/debian/patches" && sed 's/[# ].*//; /^$/d' series) >"$work/theirs"
	# Debian's patches also touch files that the series does not touch. The subshell keeps the cd local.
	(cd "$work/packaging/debian/patches" && mapfile -t theirs <"$work/theirs" && touched_by "${theirs[@]}") >"$work/touched-by-all"
	cat "$work/touched" >>"$work/touched-by-all"
	unpack "$(ls "${dsc%/*}"/*.orig.tar.xz)" "$work/touched-by-all" "$folder"
	mv "$work/packaging/debian" "$folder/"
	cp -r "$SERIES" "$folder/debian/patches/kvm-dax"
	sed 's|^|kvm-dax/|' "$SERIES/series" >>"$folder/debian/patches/series"
	(cd "$folder" && dpkg-source --before-build .)
	while read -r path; do
		cmp "$work/am/$path" "$folder/$path"
	done < <(cd "$work/am" && git diff --name-only HEAD "HEAD~${#patches[@]}")
}

# refused: prints the patches that do not apply. It tries each patch on top of the earlier ones that do apply.
refused() {
	cp -r "$work/source" "$work/each"
	git -C "$work/each" -c init.defaultBranch=linux init -q
	for patch in "${patches[@]}"; do
		git -C "$work/each" apply "$patch" 2>>"$log" || basename "$patch" .patch
	done
}

# try WAY [ARGUMENT...]: prints "ok", "FAILS" or "no source"; the output of WAY goes to the log. WAY runs in a subshell with set -e,
# because set -e has no effect in a condition.
try() {
	echo "== $name: $*" >>"$log"
	set +e
	(set -e; "$@") >>"$log" 2>&1
	case $? in
	0) printf ok ;;
	"$NO_SOURCE") printf 'no source' ;;
	*) printf FAILS ;;
	esac
	set -e
}

mkdir -p "${log%/*}"
: >"$log"
failed=0 tried=0 old=0
"$LAB/kernel/source.sh" list >"$work/list"
[ -s "$work/list" ] ||
	die "$NO_SOURCE" "no source of Linux $line is within reach; pass KSRC=<tree or tarball>, or put linux-$line.<n>.tar.xz into $CACHE"
printf '%-56s %-8s %-7s %s\n' "source of $BASE" "git am" quilt debian/patches
while read -r version suites; do
	rm -rf "$work"/{source,am,quilt,packaging,debian,each}
	case $version in
	/*) source=$version name=${version##*/} ;;
	*) name="$version (${suites// /, })"; source=$("$LAB/kernel/source.sh" tarball "$version") || die 1 "cannot download $name" ;;
	esac
	unpack "$source" "$work/touched" "$work/source"
	number=$(sed -nE 's/^(VERSION|PATCHLEVEL|SUBLEVEL) = //p' "$work/source/Makefile" | paste -sd.)
	am=$(try by_git_am)
	quilt=$(try by_quilt)
	debian=-
	[ "${version#/}" != "$version" ] || debian=$(try by_debian "$version")
	printf '%-56s %-8s %-7s %s\n' "$name" "$am" "$quilt" "$debian"
	tried=$((tried + 1))
	case "$am $quilt $debian" in
	*FAILS*) ;;
	*) continue ;;
	esac
	refuse_patched "$work/source" "$name"
	refused | tee "$work/refused" | sed 's/^/  does not apply: /'
	[ ! -s "$work/refused" ] || echo "  The $((${#patches[@]} - $(wc -l <"$work/refused"))) others apply, without fuzz."
	sed -n "\\|^== $name: by_quilt|,/^== /s/^Patch \\(.*\\) can be reverse-applied\$/  is there already: \\1/p" "$log"
	if [ "${number%.*}" != "$line" ]; then
		die 1 "$name is Linux $number, and BASE=$BASE is for $line; docs/maintainers.md, \"Which base\", says how to take a base to another line"
	elif [ -n "$oldest" ] && [ "$(printf '%s\n' "$number" "$oldest" | sort -V | head -n 1)" != "$oldest" ]; then
		echo "  The series is for $oldest and newer; make rebase BASE=$BASE KSRC=<tarball or tree> moves it."
		old=$((old + 1))
	else
		failed=$((failed + 1))
	fi
done <"$work/list"
[ "$failed" -eq 0 ] ||
	die 1 "$failed of $tried sources do not take the series; why is in ${log#"$TOP"/}; make rebase BASE=$BASE KSRC=<tarball or tree> moves it"
echo "$((tried - old)) of $tried sources take the series, without fuzz"
