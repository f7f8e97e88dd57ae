#!/usr/bin/env bash
# Compiles what the series touches after each of its patches, with W=1 and sparse, and prints one TAP line per patch and configuration.
# It uses several x86 configurations, and one each for arm64, powerpc and s390. A warning that the source did not have is a failure.
# Takes CONFIG=<configuration or file>, all of them if not given, and PATCHES=<extended regular expression on patch names>.
# RECORD=1 keeps in results/ what compiles. It skips a patch with a recorded result, if neither it nor an earlier patch has changed.
set -euo pipefail
# shellcheck source=lab/lib/process.sh
. "$(dirname "$0")/../lib/process.sh"
leave_out "make objects compiles the series, patch by patch" STOCK MUTANT MODES TESTS
export OBJECTS=1 STOCK='' MUTANT='' UPTO=''
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"
# shellcheck source=lab/carry/patch-results.sh
. "$LAB/carry/patch-results.sh"
# shellcheck source=lab/lib/tap.sh
. "$LAB/lib/tap.sh"

patches=$(chosen_patches) || exit
if [ -z "${CONFIG:-}" ]; then
	missing=
	log=$BUILD/$BASE/objects/all.log
	mkdir -p "${log%/*}"
	configs=$(compiled_configs)
	for config in $configs; do
		CONFIG=$config "$LAB/carry/objects.sh" | tee "$log" | grep -vE '^[0-9]+ passed, ' || true
		missing+=$(sed -n 's/^# .*: not built there: //p' "$log")$'\n'
		add_counts "$log" || not_ok "$config has not ended; the reason is above"
	done
	while read -r object; do
		not_ok "$object is compiled in none of these configurations"
	done < <(sort <<<"$missing" | uniq -c | awk -v all="$(wc -l <<<"$configs")" '$2 && $1 == all { print $2 }')
	end_tap
	exit
fi

[ -z "${RECORD:-}" ] || compiled_configs | grep -xF -- "$CONFIG" >/dev/null ||
	die 2 "RECORD=1 takes CONFIG=$(compiled_configs | paste -sd ' ' | sed 's/ /, /g')"
lock "$BASE-objects"

left=()
for patch in $patches; do
	name=$(basename "$patch" .patch)
	if ! changes_kernel "$patch"; then
		skipped=$((skipped + 1))
	elif [ -n "${RECORD:-}" ] && seen "$name" "$CONFIG"; then
		ok "$CONFIG $name as before"
	else
		left+=("$name")
	fi
done
if [ ${#left[@]} -eq 0 ]; then
	end_tap
	exit
fi

# This second work tree of the series' repository can check out each commit, because nothing is built in it.
series=$BUILD/$BASE/series/tree
"$LAB/kernel/deps.sh" build objects ${RECORD:+machine}
OBJECTS='' CONFIG='' "$LAB/kernel/tree.sh"
if ! git -C "$TREE" rev-parse -q --verify HEAD >/dev/null 2>&1; then
	rm -rf "$TREE"
	git -C "$series" worktree prune
	git -C "$series" worktree add -q --detach "$TREE" pristine
fi
mapfile -t commits < <(git -C "$series" rev-list --reverse pristine..HEAD)
git -C "$TREE" checkout -q -f --detach pristine
"$LAB/kernel/config.sh"

# check_out COMMIT: checks it out. If that changes the options, configures again, because one that a patch adds would else be off.
check_out() {
	local was
	was=$(git -C "$TREE" rev-parse HEAD)
	git -C "$TREE" checkout -q --detach "$1"
	git -C "$TREE" diff --quiet "$was" HEAD -- '*Kconfig*' || "$LAB/kernel/config.sh"
}

folder=$OUT/objects log=$OUT/objects.log
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=3G CCACHE_DEPEND=1
trap 'exit 130' INT TERM
checker=$("$LAB/carry/sparse.sh") || checker=sparse

compile() { make -C "$TREE" O="$folder" -j"$(nproc)" LOCALVERSION= CC="ccache ${CROSS_COMPILE:-}gcc" W=1 C=1 CHECK="$checker" "$@"; }

# said LOG: prints each warning without line numbers, after the number of times that it occurs.
said() {
	{ grep -E '(warning|error):' "$1" || true; } |
		sed -E "s,^($TREE|\\.\\.?)/,,; s/:[0-9]+(:[0-9]+)?:/:/; s/line [0-9]+/line/g" | sort | uniq -c
}

# new_to KNOWN: prints the warnings on stdin that occur more often than in KNOWN, which has those without the series. A header's known
# warning occurs once per file that includes the header, so it is not new unless the series changes the header.
new_to() {
	awk -v changed="$(git -C "$series" diff --name-only pristine HEAD -- '*.h')" '
		BEGIN { split(changed, names, "\n"); for (i in names) headers[names[i]] }
		{ n = $1; sub(/^ *[0-9]+ /, ""); file = $0; sub(/: .*/, "", file) }
		FILENAME == ARGV[1] { known[$0] = n; next }
		known[$0] && file ~ /[.]h$/ && !(file in headers) { next }
		n > known[$0] { print "# " $0 }' "$1" -
}

# What the series touches: one object per file, but KVM's folder as a whole, because its Makefile also builds virt/kvm.
kvm=arch/${ARCH:-x86}/kvm/
kvm=${kvm/i386/x86}
mapfile -t wanted < <(git -C "$series" diff --name-only pristine HEAD -- '*.c' ':!tools' |
	sed -nE "s,^(virt|arch/x86)/kvm/.*,$kvm,; \\,^arch/,{\\,^$kvm\$,!d}; s/[.]c\$/.o/; p" | sort -u)
# make prepare compiles some files, and again when a header changes. A second run compiles nothing, so keep the warnings of the first.
quietly "$log" "$BASE $CONFIG: preparing" compile prepare
touch "$OUT/prepared.log"
# Merge the logs of both runs: a line occurs as often as in the log that has it more often.
comm <(sort "$OUT/prepared.log") <(sort "$log") | sed 's/^\t*//' >"$OUT/prepared.new"
mv "$OUT/prepared.new" "$OUT/prepared.log"
! grep 'C=1 specified, but' "$log" >/dev/null ||
	echo "# $CONFIG: without sparse, as this source wants a newer one than $($checker --version)"
# To find the objects that this configuration has, delete those that exist, and let make -n list what it would build.
(cd "$folder" && for object in "${wanted[@]}" virt; do [ ! -e "$object" ] || find "$object" -name '*.o' -delete; done)
: >"$OUT/planned.log"
mapfile -t folders < <(printf '%s\n' "${wanted[@]}" | sed 's,[^/]*$,,' | sort -u)
# Pass one folder at a time: if there are several, v5.4 leaves out those at the top, such as mm.
mapfile -t objects < <(for place in "${folders[@]}"; do compile -n "$place" 2>>"$OUT/planned.log" || true; done |
	sed -nE 's/.* -o ([^ ]+[.]o) .*/\1/p' | sed "s,^$kvm.*,$kvm," | sort -u | grep -xFf <(printf '%s\n' "${wanted[@]}"))
printf '%s\n' "${wanted[@]}" | grep -vxFf <(printf '%s\n' "${objects[@]}") | sed "s/^/# $CONFIG: not built there: /" || true
[ ${#objects[@]} -gt 0 ] || die 1 "CONFIG=$CONFIG compiles nothing of what series/$BASE touches, or make cannot say so;" \
	"what it has said is in ${OUT#"$TOP"/}/planned.log"
quietly "$log" "$BASE $CONFIG: without the series" compile "${objects[@]}"
cat "$OUT/prepared.log" >>"$log"
said "$log" >"$OUT/known"
warnings=$(awk '{ n += $1 } END { print n + 0 }' "$OUT/known")
echo "# $CONFIG: ${#objects[@]} of ${#wanted[@]} compiled, $warnings warnings without the series"

at=pristine	# the last commit that was compiled
for name in "${left[@]}"; do
	number=$((10#${name%%-*}))
	# First compile the patches before this one that were skipped, so that their warnings and objects do not count as this patch's.
	if [ "$number" -gt 1 ] && git -C "$TREE" diff --name-only "$at" "${commits[number - 2]}" | of_kernel; then
		check_out "${commits[number - 2]}"
		(quietly "$log" "$BASE $CONFIG: before $name" compile "${objects[@]}") || true
	fi
	at=${commits[number - 1]}
	check_out "$at"
	if ! (quietly "$log" "$BASE $CONFIG: $name" compile "${objects[@]}"); then
		not_ok "$CONFIG $name does not compile"
		continue
	fi
	new=$(said "$log" | new_to "$OUT/known")
	if [ -n "$new" ]; then
		echo "$new"
		not_ok "$CONFIG $name has new warnings"
		continue
	elif ! compiled=$(grep -cE '^ +CC ' "$log"); then
		skip "$CONFIG $name" "nothing of it is compiled there"
	else
		ok "$CONFIG $name compiled=$compiled"
	fi
	[ -z "${RECORD:-}" ] || keep_seen "$name" "$CONFIG" "$compiled"
done
end_tap
