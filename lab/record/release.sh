#!/usr/bin/env bash
# Prints the command that tags this commit as the version at the top of CHANGES, if no result of a base is old or missing.
# Takes nothing. Changes nothing.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

version=$(sed -nE '0,/^## /s/^## ([^ ]+).*/\1/p' "$TOP/CHANGES")
[[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] ||
	die 2 "CHANGES begins with \"$version\"; a release needs a heading such as \"## 1.1 (December 2026)\" there"
! git -C "$TOP" rev-parse -q --verify "refs/tags/v$version" >/dev/null ||
	die 2 "there is a tag v$version; CHANGES needs the next version on top"
[ -z "$(git -C "$TOP" status --porcelain)" ] || die 2 "something is not committed: git status lists it"
for base in "$TOP"/series/*/; do
	base=$(basename "$base")
	old=$(BASE=$base "$LAB/record/old.sh" | grep -v $'\tleft$') || true
	[ -z "$old" ] ||
		die 1 "results of $base are of an earlier state or missing; make record BASE=$base runs them: $(cut -f1 <<<"$old" | paste -sd ' ')"
done
echo "git tag -a v$version -m 'kvm-dax $version'"
