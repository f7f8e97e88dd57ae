#!/usr/bin/env bash
# Lists the functions, macros and tables of a kernel tree that read or write PG_reserved: directly, by a mask, or by a wrapper. Names
# those without a row in docs/page-reserved-audit.md. Takes TREE BASE, or -l TREE to print the list.
# shellcheck disable=SC2001,SC2016
set -euo pipefail
export LC_ALL=C
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

fail() { echo "${0##*/}: $*" >&2; exit 2; }
[ $# -eq 2 ] || fail "usage: ${0##*/} TREE BASE | -l TREE"
if [ "$1" = -l ]; then tree=$2 base=; else tree=$1 base=$2; fi
[ -f "$tree/Kconfig" ] || fail "$tree is not a kernel source tree"
document=$(realpath "$(dirname "$0")/../../docs/page-reserved-audit.md")

# The bit, the masks and tables that contain it, and the functions that only pass it on.
words='(__)?(Test)?(Set|Clear)?PageReserved|(__)?folio_(test|set|clear)_reserved|P[GT]_reserved|KPF_RESERVED'
words+='|PAGE_FLAGS_CHECK_AT_(FREE|PREP)|PAGEFLAGS_MASK|(__def_)?pageflag_names|show_page_flags'
words+='|mark_page_reserved|(__)?free_reserved_(page|area|ptdesc)|free_highmem_page|put_page_bootmem|free_bootmem_page'
words+='|reserve_bootmem_region|memmap_init_reserved_range|init_cma_(reserved_)?pageblock|pagetable_is_reserved'
words+='|is_invalid_reserved_pfn|(__)?kvm_is_mmio_pfn|kvm_is_ad_tracked_p(age|fn)|kvm_(pfn|page)_to_refcounted_p(age|fn)'
words+='|kvm_is_reserved_pfn|__online_page_free|page_expected_state'
# Memory failure classifies pages by a table of masks, which has an entry for the bit before v7.3.
! grep -q '{ reserved,' "$tree/mm/memory-failure.c" || words+='|identify_page_state'
made_by_macro='(FLAG|FLAG_NAME)[(][Rr]eserved[,)]'

# occurrences: prints file:name for each hit in the files on standard input. The name is that of the macro around the hit. Elsewhere it is
# the last word before the first bracket, brace or = of what began at column 0. Comments and strings are blanked first. What ends with
# a semicolon outside all brackets is a declaration, not a reader.
occurrences() {
	xargs awk -v words="(^|[^A-Za-z0-9_])($words)([^A-Za-z0-9_]|\$)|$made_by_macro" '
	function code(text,   out, at) {
		gsub(/\\["\047]|\047[^\047]\047/, "", text)
		gsub(/"[^"]*"/, "", text)
		while (at = index(text, comment ? "*/" : "/*")) {
			if (!comment) out = out substr(text, 1, at - 1) " "
			text = substr(text, at + 2)
			comment = !comment
		}
		if (comment) return out
		sub(/\/\/.*/, "", text)
		return out text
	}
	function put(what) { if (what != "" && !seen[FILENAME, what]++) print FILENAME ":" what }
	FNR == 1 { depth = pending = comment = 0; macro = name = "" }
	{
		hit = (line = code($0)) ~ words
		if (macro == "" && line ~ /^[ \t]*#[ \t]*define[ \t]/) {
			macro = substr(line, index(line, "define") + 6)
			gsub(/^[ \t]+|[^A-Za-z0-9_ \t].*/, "", macro)
			sub(/[ \t].*/, "", macro)
		}
		if (macro != "") {
			if (hit) put(macro)
			if ($0 !~ /\\$/) macro = ""
			next
		}
		if (line ~ /^[ \t]*#/) next
		if (!depth && line ~ /^[ \t]*[A-Za-z_].*[[({=]/) {
			name = line
			sub(/[ \t]*[[({=].*/, "", name)
			sub(/.*[^A-Za-z0-9_]/, "", name)
		}
		if (hit && (depth || line ~ /^[ \t]|[{=]|FLAG\(/)) put(name)
		else if (hit) pending = 1
		depth += gsub(/[({]/, "&", line) - gsub(/[)}]/, "&", line)
		if (line ~ /^}/ || depth < 0) depth = 0
		if (pending && line ~ /{/) put(name)
		if (line ~ /{/ || (!depth && line ~ /;[ \t]*$/)) pending = 0
	}'
}

cd "$tree"
found=$(grep -rlE --include='*.[chS]' --exclude-dir=Documentation -e "$words|$made_by_macro" -- * | sort | occurrences | sort)
if [ -z "$base" ]; then echo "$found"; exit; fi

# A row is for this place and base if it begins with "| `file:name` | ... BASE ...".
rows=$(sed -nE 's/^\| `([^`]+)` \| ([^|]*) \|.*/\1 \2,/p' "$document" | awk -v base="$base," '{
	for (i = 2; i <= NF; i++) if ($i == base) print $1 }' | sort)
missing=$(comm -23 <(echo "$found") <(echo "$rows"))
stale=$(comm -13 <(echo "$found") <(echo "$rows"))
[ -z "$stale" ] || sed "s/^/${0##*/}: row without an occurrence in $base: /" <<<"$stale" >&2
[ -z "$missing" ] || { sed "s/^/no row for $base: /" <<<"$missing"; exit 1; }
echo "$(wc -l <<<"$found") places in $base, each with its row"
