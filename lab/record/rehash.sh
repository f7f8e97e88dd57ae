#!/usr/bin/env bash
# Keeps results valid if only comments of the series changed since the commit A. Compares the files of the kernel and of the selftests, as
# the series leaves them, without comments and without spaces that mean nothing. If all of a part are alike, writes its new hash into
# the heads of the results that have the hash of that commit. The rows of mutants and patches have hashes of their own, and stay old.
# Takes A=<commit> and BASE.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/prove/results.sh
. "$LAB/prove/results.sh"

commit=$(git -C "$TOP" rev-parse -q --verify "${A:-}^{commit}") ||
	die 2 "A=${A:-}: that is no commit; make rehash needs the one before the comments changed, such as A=HEAD^"
git -C "$TOP" cat-file -e "$commit:series/$BASE/series" || die 2 "A=$A has no series/$BASE"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-rehash.XXXXXX")
trap 'git -C "$TOP" worktree remove --force "$scratch/before" 2>/dev/null; rm -rf "$scratch"' EXIT
git -C "$TOP" worktree add -q --detach "$scratch/before" "$commit"

# hashes_of FOLDER PART: prints the hashes of the part that results of each machine have in their heads, for the lab in FOLDER.
hashes_of() {
	for CPU in amd intel arm64; do
		(SERIES=$1/series/$BASE; series_hash "$2")
	done
}

# code_of TREE FILE: prints the words of the file in the tree's last commit; of C, without comments, which strings may look like.
code_of() {
	local comments='^$'
	[[ $2 != *.[ch] ]] || comments='/\*.*?\*/|//[^\n]*'
	git -C "$1" show "HEAD:$2" | perl -0777 -pe 's{("(?:\\.|[^"\\\n])*"|'\''(?:\\.|[^'\''\\\n])*'\'')|'"$comments"'}{$1 // " "}gse' | tr -s ' \t\n' '\n'
}

for top in "$scratch/before" "$TOP"; do
	SPARSE=1 STOCK='' MUTANT='' UPTO='' CONFIG='' "$top/lab/kernel/tree.sh"
	ln -s "$top/build/$BASE/sparse/tree" "$scratch/tree-$([ "$top" = "$TOP" ] && echo now || echo before)"
done

# differing PART: names the files of the part whose code differs.
differing() {
	local file when paths=(tools)
	[ "$1" = tests ] || paths=(. ':!tools' ':!Documentation' ':!MAINTAINERS')
	for when in before now; do git -C "$scratch/tree-$when" diff --name-only pristine HEAD -- "${paths[@]}"; done | sort -u | while read -r file; do
		cmp -s <(code_of "$scratch/tree-before" "$file") <(code_of "$scratch/tree-now" "$file") || echo "$file"
	done
}

status=0
for part in kernel tests; do
	files=$(differing "$part")
	if [ -n "$files" ]; then
		say "more than comments of the $part changed since $A, so results that depend on them stay old:" "$files"
		status=1
		continue
	fi
	paste -d ' ' <(hashes_of "$scratch/before" "$part") <(hashes_of "$TOP" "$part") | sort -u | while read -r old new; do
		[ "$old" = "$new" ] || rehead "$BASE" "$part: $old" "$part: $new"
	done
done
exit $status
