#!/usr/bin/env bash
# Writes the cover letter of each topic: its subject of series/topics, its text of docs/letters, and the patches that the base has.
# Takes BASE, or BASES=<list>; or: print TOPIC, and prints that of BASE.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# letter TOPIC
letter() {
	local topic=$1 subject posting titles
	[ -f "$TOP/docs/letters/$topic" ] || die 2 "there is no docs/letters/$topic; write what the topic is for there"
	IFS=$'\x1f' read -r subject posting < <(stanzas "$TOP/series/topics" Topic Subject Posting |
		awk -F'\t' -v topic="$topic" '$1 == topic { print $2 "\037" $3 }') || true
	[ -n "$subject" ] || die 2 "series/topics has no stanza for $topic"
	titles=$(titles_of "$BASE" "$topic/")
	printf 'Subject: [PATCH 0/%d] %s\n\n' "$(wc -l <<<"$titles")" "$subject"
	cat "$TOP/docs/letters/$topic"
	[ "$posting" != no ] || printf '\nNot for posting.\n'
	printf '\nOn Linux %s:\n\n' "$(base_field tested)"
	echo "  ${titles//$'\n'/$'\n  '}"
}

case ${1:-} in
print) letter "${2:?}" ;;
'')
	mkdir -p "$BUILD"
	for BASE in ${BASES:-$BASE}; do
		SERIES=$TOP/series/$BASE
		for folder in "$SERIES"/*/; do
			letter "$(basename "$folder")" >"$BUILD/letter"
			mv "$BUILD/letter" "$folder/cover-letter.txt"
		done
	done
	;;
*) die 2 "usage: letters.sh [print TOPIC]" ;;
esac
