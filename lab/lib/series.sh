# shellcheck shell=bash
# Reads the series of a base: its patches, their titles, the files that they touch, and a hash of these files with the series. Also reads
# the stanzas of series/patches and series/topics.
# Sourced by env.sh.

# of_kernel: succeeds if a path on stdin belongs to the kernel itself, not to tools, documentation or MAINTAINERS.
of_kernel() { grep -qvE '^(tools|Documentation)/|^MAINTAINERS$'; }

# changes_kernel PATCH: succeeds if the patch touches such a file.
changes_kernel() { touched_by "$1" | of_kernel; }

# series_patches: prints the paths of the base's patches, in order. Each patch lies in the folder of its topic.
series_patches() { sed "s|^|$SERIES/|" "$SERIES/series"; }

# chosen_patches: prints those whose names match PATCHES (all if not given).
chosen_patches() {
	local patch name chosen=
	while read -r patch; do
		name=${patch##*/} name=${name%.patch}
		[[ $name =~ ${PATCHES:-.} ]] || continue
		chosen=1
		echo "$patch"
	done < <(series_patches)
	[ -n "$chosen" ] || die 2 "PATCHES=$PATCHES: no patch of series/$BASE has such a name"
}

# titles_of BASE [TOPIC]: prints the titles of the base's patches, in order, or only those of the topic.
titles_of() {
	# shellcheck disable=SC2016
	sed -n "s|^${2:-}.*|$TOP/series/$1/&|p" "$TOP/series/$1/series" | xargs -d '\n' awk '
		FNR == 1 { subject = ""; head = 1 }
		head && /^Subject: / { subject = $0; sub(/^Subject: (\[PATCH\] )?/, "", subject); next }
		head && subject != "" && /^ / { subject = subject $0; next }
		head && subject != "" { print subject; head = 0 }'
}

# stanzas FILE FIELD...: prints these fields of each stanza that has at least one of them, with tabs between. If a stanza has a field
# several times, "^" separates the values.
stanzas() {
	local file=$1
	shift
	awk -v fields="$*" '
		BEGIN { RS = ""; FS = "\n"; n = split(fields, field, " ") }
		{
			split("", value)
			for (i = 1; i <= NF; i++) if (match($i, /^[A-Z][a-z]+: */)) {
				name = substr($i, 1, index($i, ":") - 1)
				before = name in value ? value[name] "^" : ""
				value[name] = before substr($i, RLENGTH + 1)
			}
			line = some = ""
			for (i = 1; i <= n; i++) { line = line (i > 1 ? "\t" : "") value[field[i]]; some = some value[field[i]] }
			if (some != "") print line
		}' "$file"
}

# register FIELD...: prints these fields of series/patches, in the same way.
register() { stanzas "$TOP/series/patches" "$@"; }

# needed_by TOPIC: prints the topic and all topics that it needs, directly or indirectly.
needed_by() {
	local need
	echo "$1"
	for need in $(stanzas "$TOP/series/topics" Topic Needs | awk -F'\t' -v topic="$1" '$1 == topic { print $2 }'); do needed_by "$need"; done
}

# of_topic TOPIC FIELD: prints this field of series/topics for BASE: the value that begins with "<BASE>: ", or else the one of all bases.
of_topic() {
	stanzas "$TOP/series/topics" Topic "$2" | awk -F'\t' -v topic="$1" '$1 == topic { print $2 }' | tr '^' '\n' | awk -v base="$BASE: " '
		index($0, base) == 1 { own = substr($0, length(base) + 1) }
		!/^v[0-9.]+: / { all = $0 }
		END { print own != "" ? own : all }'
}

# exploited: prints the topics of BASE with a patch of a bug that users or guests can exploit. BASE has each such patch, unless a Base: of
# its stanza says what holds without it.
exploited() {
	register Topic Exploit Base | awk -F'\t' -v base="$BASE" '
		$2 == "" { next }
		{
			has = 1
			for (i = split($3, note, "^"); i > 0; i--) if (note[i] !~ /^and / && sub(/: .*/, "", note[i]) && index(" " note[i] " ", " " base " ")) has = 0
			if (has) print $1
		}' | sort -u
}

# private_of TOPIC: prints who can do what with the bugs that TOPIC repairs on BASE. Prints nothing if no patch of BASE repairs such a bug,
# or if series/topics says Private: no.
private_of() { ! exploited | grep -xF -- "$1" >/dev/null || of_topic "$1" Private | sed '/^no$/d'; }

# secret_of TOPIC: prints the other topics of BASE with fixes of bugs that are not public yet, that TOPIC needs, or that TOPIC or a topic it
# needs names under Tells: in series/topics.
secret_of() {
	local needed topic
	needed=$(needed_by "$1")
	{
		echo "$needed"
		stanzas "$TOP/series/topics" Topic Tells | awk -F'\t' 'NR == FNR { needed[$1]; next } $1 in needed { print $2 }' <(echo "$needed") - | tr ' ' '\n'
	} | sort -u | comm -12 - <(exploited) | while read -r topic; do
		[ "$topic" = "$1" ] || [ -z "$(private_of "$topic")" ] || echo "$topic"
	done
}

# touched_by PATCH...: prints the paths of the files that the patches change, add, remove or rename.
touched_by() {
	sed -nE 's,^(---|\+\+\+) [^/	]+/([^	]*).*,\2,p; s,^rename (from|to) ,,p' "$@" | sort -u
}

# series_hash kernel|tests [COUNT]: prints a hash of the files of the kernel, or of the selftests, that the series or its first COUNT
# patches change. The hash covers the resulting blobs, but not the order of the patches, their changelogs or documentation. It omits
# selftests that the machine of CPU does not run, and the code of another processor.
series_hash() {
	local patch elsewhere='^$'
	case $CPU in
	amd) elsewhere='^a/arch/(arm64|powerpc)/' ;;
	# It has no device to assign, and is too slow for races.
	intel) elsewhere='^a/arch/(arm64|powerpc)/|/selftests/(vfio|dax)/|/dax_(race|failure)_test' ;;
	arm64) elsewhere='^a/arch/(x86|powerpc)/|/selftests/kvm/x86' ;;
	esac
	series_patches | head -n "${2:--0}" | while read -r patch; do cat "$patch"; done | awk -v part="$1" -v elsewhere="$elsewhere" '
		/^diff --git /{
			file = $3
			is = file ~ "^a/tools/" ? "tests" : file ~ "^a/(Documentation/|MAINTAINERS$)" ? "text" : "kernel"
			wanted = is == part && file !~ elsewhere
		}
		/^index [0-9a-f]+[.][.]/ && wanted {
			sub(/.*[.][.]/, "", $2)
			blob[file] = $2
			wanted = 0
		}
		END { for (file in blob) print file, blob[file] }' | sort | sha256sum | cut -c1-16
}

# refuse_patched FOLDER NAME: ends the script if the source in FOLDER, which the message calls NAME, has the whole series of BASE.
refuse_patched() {
	# Without the ceiling, git would look for the files in a repository around FOLDER.
	! series_patches | xargs -d '\n' cat | GIT_CEILING_DIRECTORIES=$(dirname "$1") git -C "$1" apply --check --reverse 2>/dev/null ||
		die 2 "$2 has all of series/$BASE already, and is to be a source without it;" \
			"git worktree add ../before <first>^ in a tree of git makes one, <first> being the first commit of the series" \
			"(docs/maintainers.md, \"Verify it on your tree\")"
}

# recipe PRISTINE PATCH...: prints a hash that identifies a tree by the commit it starts from and the patches on top.
recipe() { local pristine=$1; shift; { echo "$pristine"; cat /dev/null "$@"; } | sha256sum | cut -d' ' -f1; }
