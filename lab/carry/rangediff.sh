#!/usr/bin/env bash
# Shows by git range-diff how the patches that two bases share differ between them.
# Takes A=<base> and B=<base>, the default and the newest base if not given. KSRC=<directory or tarball> is the source of B only.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

bases=("${A:-$DEFAULT_BASE}" "${B:-$(cd "$TOP/series" && printf '%s\n' v*/ | sort -V | tail -n 1 | tr -d /)}")
for base in "${bases[@]}"; do
	[ -d "$TOP/series/$base" ] || die 2 "$base is no base; A= and B= can be: $(cd "$TOP/series" && echo ./*/ | sed 's|\./||g; s|/||g')"
done
sources=('' "${KSRC:-}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kvm-dax-rangediff.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
git init -q --bare "$scratch"
ranges=()
for i in 0 1; do
	# Use another tree than make tree does: that one may hold unsaved work, a conflict, or another source.
	SPARSE=1 BASE=${bases[i]} KSRC=${sources[i]} STOCK='' MUTANT='' UPTO='' CONFIG='' "$LAB/kernel/tree.sh"
	tree=$BUILD/${bases[i]}/sparse/tree
	echo "$tree/.git/objects" >>"$scratch/objects/info/alternates"
	ranges+=("$(git -C "$tree" rev-parse pristine)..$(git -C "$tree" rev-parse HEAD)")
done
git -C "$scratch" --no-pager range-diff --creation-factor=80 "${ranges[@]}"
