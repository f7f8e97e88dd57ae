#!/usr/bin/env bash
# Makes a cpio archive of files and the libraries that they need, at the paths that they have on the host.
# Takes the archive to make, a folder to create in it, and files or folders.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

archive=$1 folder=$2
shift 2
root=$(mktemp -d "$BUILD/carry.XXXXXX")
trap 'rm -rf "$root"' EXIT

# Copies a file or folder to its path without symbolic links. If the last name of the path is a link, copies the file behind it.
carry() {
	local path=$1 place
	place=$(realpath "${path%/*}/")
	[ ! -e "$root$place/${path##*/}" ] || return 0
	mkdir -p "$root$place"
	cp -rH "$path" "$root$place/"
}

libraries() {
	{ ldd "$@" 2>/dev/null || true; } | sed -nE 's/^.*(=>|\t) *(\/[^ ]+) \(.*$/\2/p' | sort -u
}

# If /bin and the like are links on the host, make the same links.
for path in /bin /sbin /lib /lib64; do
	[ ! -L "$path" ] || cp -P "$path" "$root/"
done
mkdir -p "$root$folder" "$root/root" "$root/tmp" "$root/etc"
for path in "$@"; do
	carry "$path"
done
mapfile -t files < <(find "$root" -type f -perm /111)
while read -r path; do
	carry "$path"
done < <(libraries "${files[@]}")
for path in /etc/passwd /etc/group /etc/mke2fs.conf; do
	carry "$path"
done
(cd "$root" && find . -mindepth 1 | cpio --quiet -R 0:0 -o -H newc | gzip -1) >"$archive"
