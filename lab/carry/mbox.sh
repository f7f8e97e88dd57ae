#!/usr/bin/env bash
# Makes one mailbox of the patches of BASE for git am, and prints its path.
# Takes nothing. The mailbox is build/<base>/kvm-dax-<base>.mbox, and its patches are numbered.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

leave_out "make mbox takes the whole series; make post takes one topic" TOPIC
leave_out "make mbox takes one base, by BASE=" BASES
mbox=$BUILD/$BASE/kvm-dax-$BASE.mbox
mapfile -t patches < <(series_patches)
mkdir -p "${mbox%/*}"
n=0 width=${#patches[@]}
for patch in "${patches[@]}"; do
	n=$((n + 1))
	printf -v number '%0*d/%d' "${#width}" "$n" "${#patches[@]}"
	sed "0,/^\$/s,^Subject: \[PATCH\],Subject: [PATCH $number]," "$patch"
	echo
done >"$mbox.part"
mv "$mbox.part" "$mbox"
echo "$mbox"
