#!/usr/bin/env bash
# Builds the folders of the kernel's documentation that the series touches, by make htmldocs, and prints one TAP line per file.
# Takes BASE. A Sphinx warning or error about a file that the series touches is a failure; those about other files are counted.
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
leave_out "make htmldocs builds the documentation of the series" STOCK MUTANT CONFIG
export STOCK='' MUTANT='' CONFIG='' UPTO=''
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

"$LAB/kernel/deps.sh" build htmldocs
"$LAB/kernel/tree.sh"
lock "$BASE-series"
log=$OUT/htmldocs.log
mapfile -t files < <(git -C "$TREE" diff --name-only pristine HEAD -- 'Documentation/*.rst')
folders=$(printf '%s\n' "${files[@]}" | sed -E 's,^Documentation/,,; s,/[^/]*$,,' | sort -u | paste -sd ' ')
# loads EXTENSION: whether this Sphinx can load it. It is too new for some extensions in the tree's conf.py, such as v5.4's cdomain.
loads() { PYTHONPATH=$TREE/Documentation/sphinx PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c "import $1" 2>/dev/null; }
extensions='' left_out=''
for extension in $(sed -n '/^extensions = \[/,/\]/p' "$TREE/Documentation/conf.py" | grep -oE "'[^']+'" | tr -d "'"); do
	if loads "$extension"; then extensions+=,$extension; else left_out+=" $extension"; fi
done
# Without the tree's cdomain, Sphinx expects another form of references to types.
not_meant='^$'
case $left_out in *cdomain*) not_meant='Unparseable C cross-reference' ;; esac
[ -z "$left_out" ] || echo "# left out, as Sphinx cannot load them:$left_out"
# Sphinx does not repeat warnings about files that are built already.
rm -rf "$TREE/Documentation/output"
trap 'exit 130' INT TERM
quietly "$log" "$BASE: make htmldocs of $folders" \
	make -C "$TREE" SPHINXDIRS="$folders" ${left_out:+SPHINXOPTS="-D extensions=${extensions#,}"} htmldocs

for file in "${files[@]}"; do
	page=${file#Documentation/}
	page=$TREE/Documentation/output/${page%.rst}.html
	if said=$(grep -E "$file:.*(WARNING|ERROR|CRITICAL)" "$log" | grep -v "$not_meant"); then
		echo "# ${said//$'\n'/$'\n# '}"
		not_ok "$file has warnings"
	elif [ ! -e "$page" ]; then
		not_ok "$file: Sphinx has made no page of it"
	else
		ok "$file"
	fi
done
echo "# warnings about other files: $(grep -cE '(WARNING|ERROR|CRITICAL)' "$log" || true)"
end_tap
