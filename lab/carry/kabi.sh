#!/usr/bin/env bash
# Compares the symbols that the kernel and its modules export, and their types, without and with the series.
# Takes BASE. series/<base>/kabi must list each difference, and no other, as "<added, removed or changed> <symbol>: <reason>".
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
leave_out "make kabi compares the kernel without and with the series" STOCK MUTANT
[ "${CONFIG:-kabi}" = kabi ] || leave_out "make kabi has a configuration of its own, kabi" CONFIG
export CONFIG=kabi MUTANT='' UPTO=''
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

trap 'exit 130' INT TERM
for stock in 1 ''; do
	STOCK=$stock "$LAB/kernel/build.sh"
done
listed=$SERIES/kabi
[ -e "$listed" ] || listed=/dev/null
found=$BUILD/$BASE/kabi

# The checksum of a symbol covers the types of its arguments and result, and the types within these.
symbols() { awk -F'\t' '{ print $2, $1 }' "$BUILD/$BASE/$1-kabi/tree/Module.symvers" | sort; }
join -a 1 -a 2 -e - -o 0,1.2,2.2 <(symbols stock) <(symbols series) |
	awk '$2 == "-" { print "added " $1; next } $3 == "-" { print "removed " $1; next } $2 != $3 { print "changed " $1 }' >"$found"

while read -r what symbol; do
	if reason=$(grep -m 1 "^$what $symbol: " "$listed"); then
		ok "$reason"
	else
		not_ok "$what $symbol: series/$BASE/kabi has no reason for it"
	fi
done <"$found"
while read -r what symbol _; do
	grep -qxF "$what ${symbol%:}" "$found" || not_ok "$what ${symbol%:}: is in series/$BASE/kabi, and is not so"
done <"$listed"
same=$(join <(symbols stock) <(symbols series) | awk '$2 == $3 && $2 !~ /^0x0+$/' | wc -l)
[ "$same" -gt 0 ] || die 1 "there is no Module.symvers with checksums in build/$BASE/series-kabi/tree"
ok "$same symbols are as they were"
end_tap
