#!/usr/bin/env bash
# Writes a topic as a thread that can be mailed, to build/<base>/post/<topic>/. The thread has a cover letter with diffstat, the numbered
# patches, the base and the recipients. Sends nothing.
# Takes TOPIC=<folder of series/<base>/>, BASE, and KSRC=<git tree>, whose commit then is the base of the thread. PRIVATE=1 is for a topic
# with "Private:" in series/topics. The thread is then for security@kernel.org and the maintainers, with a letter to them.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

topic=${TOPIC:-}
[[ $topic = [0-9]* && $topic != */* && -d $SERIES/$topic ]] ||
	die 2 "TOPIC=$topic: series/$BASE has no such topic; TOPIC can be: $(cd "$SERIES" && echo ./*/ | sed 's|\./||g; s|/||g')"
private=$(private_of "$topic")
[ "$(of_topic "$topic" Posting)" != no ] || die 2 "TOPIC=$topic: series/topics says Posting: no, upstream would not take it"
case ${PRIVATE:-} in
'')
	secret=$(secret_of "$topic" | paste -sd ' ')
	[ -z "$secret" ] || [ -n "$private" ] || die 2 "TOPIC=$topic needs or describes what is not public yet: $secret." \
		"Have these published first: make post TOPIC=${secret%% *} PRIVATE=1; when the bugs of a topic are public, write Private: no into" \
		"its stanza of series/topics"
	[ -z "$private" ] || die 2 "TOPIC=$topic is not for a public list: $private. PRIVATE=1 writes it for security@kernel.org"
	;;
1) [ -n "$private" ] || die 2 "TOPIC=$topic has no Private: in series/topics, or repairs no such bug on $BASE; leave PRIVATE out" ;;
*) die 2 "PRIVATE=$PRIVATE: it can be 1" ;;
esac

"$LAB/kernel/deps.sh" build
STOCK='' MUTANT='' CONFIG='' "$LAB/kernel/tree.sh"
out=$BUILD/$BASE/post/$topic
work=$(mktemp -d "$BUILD/post.XXXXXX")
beside=$work/tree
# shellcheck disable=SC2329
clean() {
	rm -rf "$work"
	git -C "$TREE" worktree prune
}
trap clean EXIT
mapfile -t needed < <(needed_by "$topic" | grep -vxF "$topic" | sort -u |
	while read -r need; do [ ! -d "$SERIES/$need" ] || echo "$need"; done)
mapfile -t before < <(for need in "${needed[@]}"; do series_patches | grep -F "/$need/"; done)
mapfile -t patches < <(series_patches | grep -F "/$topic/")

# Apply what the topic needs, and then the topic, to the pristine source. Check out only the files that these patches touch.
git -C "$TREE" worktree add -q --no-checkout --detach "$beside" pristine
cat /dev/null "${before[@]}" "${patches[@]}" | touched_by - | sed 's|^|/|' | git -C "$beside" sparse-checkout set --no-cone --stdin
git -C "$beside" checkout -q
for patch in "${before[@]}" "${patches[@]}"; do
	[ "$patch" != "${patches[0]}" ] || start=$(git -C "$beside" rev-parse HEAD)
	git -C "$beside" -c user.name=kvm-dax -c user.email=kvm-dax am -q --committer-date-is-author-date "$patch" >"$work/log" 2>&1 ||
		die 1 "${patch#"$TOP"/} does not apply after ${needed[*]:-nothing else}: $(head -n 1 "$work/log")"
done

# Recipients that the tree's get_maintainer.pl names for the patches. Those with a name are people, the others are lists.
(cd "$TREE" && scripts/get_maintainer.pl --no-git --no-git-fallback --no-rolestats "${patches[@]}") >"$work/named" 2>"$work/log" ||
	die 1 "scripts/get_maintainer.pl of ${TREE#"$TOP"/} has failed: $(tail -n 1 "$work/log")"
sort -u "$work/named" | grep '<' >"$work/people" || die 1 "scripts/get_maintainer.pl of ${TREE#"$TOP"/} names nobody for $topic"
if [ -n "$private" ]; then
	echo security@kernel.org >"$work/to"
	cp "$work/people" "$work/cc"
else
	of_topic "$topic" To | tr ',' '\n' | sed 's/^ *//' >"$work/to"
	{ cat "$work/people"; grep -v '<' "$work/named" || true; } | grep -vxFf "$work/to" | awk '!seen[$0]++' >"$work/cc"
fi

# Name the base by a commit that readers of a list have in their tree, else only by the source's name in the cover letter. The commit in
# the lab's own copy means nothing to them, and their bots would look for it.
pristine=$(git -C "$TREE" rev-parse pristine)
source=$(git -C "$TREE" log -1 --format='%s, %b' pristine | head -n 1)
base=()
if [ -e "${KSRC:-/nowhere}/.git" ] && commit=$(git -C "$KSRC" rev-parse -q --verify 'HEAD^{commit}') &&
	git -C "$KSRC" diff --quiet HEAD --; then
	base=(--base=pristine)
	source="commit $commit"
else
	say "without KSRC=<git tree of upstream>, the thread has no base-commit; its cover letter names $source"
fi

mapfile -t recipients < <(sed 's/^/--to=/' "$work/to"; sed 's/^/--cc=/' "$work/cc")
mkdir "$work/out"
git -C "$beside" -c user.name="$(git -C "$beside" log -1 --format=%an)" -c user.email="$(git -C "$beside" log -1 --format=%ae)" \
	format-patch -q --numbered --cover-letter --cover-from-description=none --thread=shallow "${base[@]}" --no-signature \
	"${recipients[@]}" -o "$work/out" "$start..HEAD"
[ ${#base[@]} -eq 0 ] || sed -i "s/^base-commit: $pristine\$/base-commit: $commit/" "$work/out"/*

# The cover letter: the topic's subject and text, what the thread is based on, and the list and diffstat from git.
letter=$SERIES/$topic/cover-letter.txt
text=$work/text
awk '
	/^On Linux .*:$/ { exit }
	/^[A-Z][a-z ]*: / || /^$/ { ours = /^(Lab|To|Private): / }
	FNR > 2 && !ours' "$letter" >"$text"
subject_of() { sed -nE '1s/^Subject: \[PATCH [^]]*\] //p' "$SERIES/$1/cover-letter.txt"; }
based="Based on $source."
[ ${#needed[@]} -eq 0 ] || based=$(for need in "${needed[@]}"; do printf ', "%s"' "$(subject_of "$need")"; done |
	sed "s/^, /${based%.}, on top of /; s/\$/./" | fold -s -w 75 | sed 's/ *$//')
awk -v based="${based//$'\n'/\\n}" -v subject="$(subject_of "$topic")" '
	NR == FNR { text = text $0 "\n"; next }
	{ sub(/\*\*\* SUBJECT HERE \*\*\*/, subject) }
	/^\*\*\* BLURB HERE \*\*\*$/ { printf "%s%s\n", text, based; next }
	{ print }' "$text" "$work"/out/0000-* >"$work/cover"
mv "$work/cover" "$(echo "$work"/out/0000-*)"

# The letter to security@kernel.org: who can do what, the topic's text, and the defects by patch.
if [ -n "$private" ]; then
	{
		echo "To: security@kernel.org"
		echo "Cc: $(paste -sd, "$work/cc" | sed 's/,/, /g')"
		echo "Subject: $(subject_of "$topic")"
		printf '\nHello,\n\nThis is not public yet, and has been sent to nobody else.\n\n%s.\n\n' "${private^}" | fold -s -w 75
		cat "$text"
		printf 'The defects that can be exploited, by the patch that repairs them on\n%s:\n' "$source"
		register Title Topic Concerns Without Exploit | awk -F'\t' -v topic="$topic" '
			$2 == topic && $5 != "" { print $1 "\t" $3 "\t" $4 }' |
			while IFS=$'\t' read -r title concerns without; do
				titles_of "$BASE" "$topic/" | grep -xF -- "$title" >/dev/null || continue
				printf '\n- %s\n%s\n' "$title" "$(fold -s -w 70 <<<"$concerns: $without" | sed 's/^/  /')"
			done
		printf '\nThe patches are ready, as a thread to the same people and to no list.\nPlease say when they may be posted.\n'
	} | sed 's/ *$//; s/`//g' >"$work/out/security.txt"
fi

for patch in "$work"/out/*.patch; do
	[[ $patch = */0000-* ]] || "$LAB/carry/checkpatch.sh" "$TREE" "$patch" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die 1 "checkpatch.pl objects to ${patch##*/} (above); lab/carry/checkpatch-allowed lists what it may say"; }
done
rm -rf "$out"
mkdir -p "${out%/*}"
mv "$work/out" "$out"
# Without --suppress-cc=body, git sends copies to addresses in the patches, such as stable@vger.kernel.org, which is a public list.
out=${out#"$TOP"/}
say "$out has ${private:+security.txt, to be sent first, and }a thread of $((${#patches[@]} + 1)) mails; read it, then:" \
	"git send-email${private:+ --suppress-cc=body} $out/*.patch"
