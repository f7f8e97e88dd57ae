#!/usr/bin/env bash
# Writes the cover letter of each topic: subject and recipients from series/topics, text from docs/letters/<topic> or, if there is one,
# docs/letters/<topic>.<base>, and the base's patches.
# make post leaves out Lab:, To:, Private: and the patches: the first three are only for this repository, and it lists the patches itself.
# Takes BASE, or BASES=<list>. Or takes: print TOPIC, and prints the letter of that topic of BASE.
set -euo pipefail
# shellcheck source=lab/lib/env.sh
. "$(dirname "$0")/../lib/env.sh"

# letter TOPIC: prints the letter, which ends with the recipients and the patches.
letter() {
	local topic=$1 text=$TOP/docs/letters/$1 subject posting titles waits
	[ -f "$text" ] || die 2 "there is no docs/letters/$topic; write what the topic is for there"
	[ ! -f "$text.$BASE" ] || text+=.$BASE
	subject=$(of_topic "$topic" Subject)
	posting=$(of_topic "$topic" Posting)
	[ -n "$subject" ] || die 2 "series/topics has no stanza for $topic"
	titles=$(titles_of "$BASE" "$topic/")
	printf 'Subject: [PATCH 0/%d] %s\n\n' "$(wc -l <<<"$titles")" "$subject"
	cat "$text"
	[ "$posting" = no ] || fold -s -w 75 <<<"To: $(of_topic "$topic" To)" | sed 's/ *$//; 2,$s/^/    /'
	waits=$(secret_of "$topic" | sed 's/-.*//' | sort -u | paste -sd ' ' | sed 's/ /, /g')
	if [ -n "$(private_of "$topic")" ]; then
		echo 'Private: security@kernel.org first'
	elif [ -n "$waits" ] && [ "$posting" != no ]; then
		echo "Private: until these topics are public: $waits"
	fi
	printf '\nOn Linux %s:\n' "$(base_field tested)"
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
