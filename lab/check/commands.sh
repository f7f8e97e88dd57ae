#!/usr/bin/env bash
# Finds the commands in the documents, and runs those that lab/check/commands assigns to make check.
# Takes: list, and prints each command with its place. Or takes: unlisted, and fails if lab/check/commands lacks a command or has one too
# many, which it names. Or takes: of WHO, and prints the commands that lab/check/commands assigns to WHO. Or takes: run FOLDER COMMAND,
# and runs a command of make check; the next command finds in FOLDER what it leaves there.
set -euo pipefail
BASE=	# the default one, for which the documents' commands are written
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

# The words with which a command begins, after variables.
programs='make|git|quilt|cc|cd|cp|sed|echo|modprobe|mount|fallocate|ulimit|ndctl|daxctl|mkfs[.][a-z0-9]+|dch|dpkg-[a-z]+|qemu-[a-z0-9_-]+'
programs+='|(build|lab|kvm|vfio|dax|[.]ci)/[a-z0-9_/.-]+'
command="([A-Z_0-9]+=[^ ]* )*($programs) .*|(lab|kvm|vfio|dax|[.]ci)/[a-z0-9_/.-]+"

# list: prints "document:line<tab>command", without comments. In running text, it finds only commands that can be typed as they are.
list() {
	local documents in_text='make |git ([a-z]+ (-|series)|fetch|worktree)|lab/(kernel|machine|prove|carry|record|check)/[a-z-]+\.sh'
	cd "$TOP"
	mapfile -t documents < <(documents)
	{
		grep -noE "^    (\\$ )?($command)" "${documents[@]}" | sed -E 's/^([^:]*:[0-9]+):    (\$ )?/\1\t/'
		# shellcheck disable=SC2016
		grep -noE "\`([A-Z_0-9]+=[^ \`]* )*($in_text)[^\`]*\`" "${documents[@]}" | sed -E 's/^([^:]*:[0-9]+):`(.*)`$/\1\t\2/'
		# A title, such as "vfio/type1: ...", is not a command.
		{ grep -nE "^  ($command)$" series/*/*/cover-letter.txt || true; } | sed -E 's/^([^:]*:[0-9]+):  /\1\t/'
		awk -v command="^[+]  ($command)" '
			/^diff --git /{ documentation = $4 ~ "^b/Documentation/" }
			documentation && $0 ~ command { sub(/^\+ +/, ""); print FILENAME ":" FNR "\t" $0 }' series/*/*/*.patch
	} | sed -E 's/  +# .*//; s/ +$//'
}

# rows [WHO]: prints the commands in lab/check/commands, or those of WHO.
rows() { sed -nE "s/^${1:-[a-z]+} //p" "$LAB/check/commands"; }

unlisted() {
	local found missing stale unknown
	found=$(list)
	missing=$(awk -F'\t' 'NR == FNR { known[$0]; next } !($2 in known) { print $1 ": " $2 }' <(rows) - <<<"$found")
	stale=$(rows | grep -vxFf <(cut -f2 <<<"$found") || true)
	unknown=$(grep -vE '^(#|(check|tree|ci|machine|hand|hardware) )' "$LAB/check/commands" || true)
	sed -n '/./s/^/not in lab\/check\/commands: /p' <<<"$missing"
	sed -n '/./s/^/in lab\/check\/commands, but in no document: /p' <<<"$stale"
	sed -n '/./s/^/not a row of lab\/check\/commands: /p' <<<"$unknown"
	[ -z "$missing$stale$unknown" ] || return 1
}

# unpack FOLDER: unpacks the files that the series touches, as they are in the pristine source, and Makefile and Kconfig.
unpack() {
	local folder=$1 tree=$BUILD/$BASE/series/tree path
	local -a patches
	mkdir -p "$folder"
	mapfile -t patches < <(series_patches)
	{ printf '%s\n' Makefile Kconfig; touched_by "${patches[@]}"; } | sort -u | while read -r path; do
		# The pristine source does not have the files that the series adds.
		! git -C "$tree" cat-file -e "pristine:$path" 2>/dev/null || echo "$path"
	done | xargs git -C "$tree" archive pristine -- | tar -C "$folder" -xf -
}

prepare() {
	local folder=$1
	mkdir -p "$folder/repository"
	# Leave out files that were removed, as by make rebase, if the removal is not committed yet.
	(cd "$TOP" && comm -z -23 <(git ls-files -z --cached --others --exclude-standard | sort -z) <(git ls-files -z --deleted | sort -z) |
		xargs -0 cp --parents -Pt "$folder/repository")
	unpack "$folder/tree"
	git -C "$folder/tree" -c init.defaultBranch=linux init -q
	git -C "$folder/tree" config user.name kvm-dax
	git -C "$folder/tree" config user.email kvm-dax
	git -C "$folder/tree" add -A -f
	git -C "$folder/tree" commit -q --no-gpg-sign -m pristine
	# The smallest Debian source package that dpkg-source accepts.
	unpack "$folder/package"
	mkdir -p "$folder/package/debian/source" "$folder/package/debian/patches"
	echo '3.0 (quilt)' >"$folder/package/debian/source/format"
	: >"$folder/package/debian/patches/series"
	printf '%s\n' 'Source: linux' 'Maintainer: kvm-dax <kvm-dax@localhost>' '' 'Package: linux' 'Architecture: all' 'Description: none' \
		>"$folder/package/debian/control"
	printf '%s\n' 'linux (6.12-1) unstable; urgency=low' '' '  * None.' '' \
		' -- kvm-dax <kvm-dax@localhost>  Sat, 01 Jan 2000 00:00:00 +0000' >"$folder/package/debian/changelog"
}

run() {
	local folder=$1 command=$2 place=repository first last variable
	[ -d "$folder" ] || prepare "$folder"
	! grep -qxF "tree $command" "$LAB/check/commands" || place=tree
	first=$(git -C "$folder/tree" rev-list --reverse HEAD | sed -n 2p)
	last=$(git -C "$folder/tree" rev-parse HEAD)
	command=${command//..\/kvm-dax\//"$folder/repository/"}
	command=${command//<linux-*.n>/"$folder/package"}
	command=${command//<tree>/"$BUILD/$BASE/series/tree"}
	command=${command//<your tree or tarball>/"$folder/tree"}
	command=${command//<file>/"results/$(bench_results | tail -n 1)"}
	command=${command//<base>/"$BASE"}
	command=${command//<first>/"$first"}
	command=${command//<last>/"$last"}
	! grep -E '<[a-z]|…' <<<"$command" || die 1 "lab/check/commands.sh does not know what this stands for: $command"
	# Run it as for a reader who has set no variables, in a shell or in a file at home. The trees are those of this checkout.
	for variable in $(sed -n 's/^export //p' "$TOP/Makefile") MAKEFLAGS MFLAGS MAKELEVEL XDG_CONFIG_HOME; do
		case $variable in
		KSRC | CACHE) ;;
		*) unset "$variable" ;;
		esac
	done
	[ -z "${KSRC:-}" ] || KSRC=$(realpath "$KSRC")
	export BUILD CACHE ACCEL=tcg HOME=$folder
	cd "$folder/$place"
	bash -c "$command" </dev/null
}

case ${1:-} in
list) list ;;
unlisted) unlisted ;;
of) rows "$2" ;;
run) run "$2" "$3" ;;
*) die 2 "usage: commands.sh list | unlisted | of WHO | run FOLDER COMMAND" ;;
esac
