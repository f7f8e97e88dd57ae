# shellcheck shell=bash
# What the series of a base is made of: its patches, their titles, the files that they touch, a hash of what they make of these; and the
# stanzas of series/patches and series/topics.
# Sourced by env.sh.

# of_kernel: whether one of the paths on stdin is that of a file that the kernel is made of.
of_kernel() { grep -qvE '^(tools|Documentation)/|^MAINTAINERS$'; }

# changes_kernel PATCH: whether it touches such a file.
changes_kernel() { touched_by "$1" | of_kernel; }

# series_patches: the paths of the base's patches, in order; each lies in the folder of its topic.
series_patches() { sed "s|^|$SERIES/|" "$SERIES/series"; }

# chosen_patches: those whose names PATCHES matches.
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

# titles_of BASE [TOPIC]: the titles of its patches, or of those of the topic, in order.
titles_of() {
	# shellcheck disable=SC2016
	sed -n "s|^${2:-}.*|$TOP/series/$1/&|p" "$TOP/series/$1/series" | xargs -d '\n' awk '
		FNR == 1 { subject = ""; head = 1 }
		head && /^Subject: / { subject = $0; sub(/^Subject: (\[PATCH\] )?/, "", subject); next }
		head && subject != "" && /^ / { subject = subject $0; next }
		head && subject != "" { print subject; head = 0 }'
}

# stanzas FILE FIELD...: those fields of each stanza of the file that has one of them, with tabs between; what a stanza has
# several times stands in one, with a "^" between.
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

# register FIELD...: the same of series/patches.
register() { stanzas "$TOP/series/patches" "$@"; }

# needed_by TOPIC: it, what it needs, and what that needs.
needed_by() {
	local need
	echo "$1"
	for need in $(stanzas "$TOP/series/topics" Topic Needs | awk -F'\t' -v topic="$1" '$1 == topic { print $2 }'); do needed_by "$need"; done
}

# secret_of TOPIC: the other topics that fix bugs which are not public yet, and that it needs or tells of, as do those that it needs.
secret_of() {
	local needed
	needed=$(needed_by "$1")
	{
		echo "$needed"
		stanzas "$TOP/series/topics" Topic Tells | awk -F'\t' 'NR == FNR { needed[$1]; next } $1 in needed { print $2 }' <(echo "$needed") - | tr ' ' '\n'
	} | sort -u | grep -vxF -- "$1" |
		awk -F'\t' 'NR == FNR { if ($2 != "") private[$1]; next } $1 in private' <(stanzas "$TOP/series/topics" Topic Private) - || true
}

# touched_by PATCH...: the paths of the files that the patches change, make or remove.
touched_by() {
	sed -nE 's,^(---|\+\+\+) [^/	]+/([^	]*).*,\2,p; s,^rename (from|to) ,,p' "$@" | sort -u
}

# series_hash kernel|tests [COUNT]: names what the series, or its first COUNT patches, make of the files that they change in the
# kernel, or in the selftests as far as the machine of CPU runs them: the blobs, whatever the order of the patches, their
# changelogs and their documentation.
series_hash() {
	local patch elsewhere='^$'
	# It has no device to assign, and is too slow for races.
	[ "$CPU" = amd ] || elsewhere='/selftests/(vfio|dax)/|/dax_(race|failure)_test'
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

# refuse_patched FOLDER NAME: ends the script when the source there, which NAME names, has the whole series of BASE.
refuse_patched() {
	# A repository around that folder would have git look for the files there.
	! series_patches | xargs -d '\n' cat | GIT_CEILING_DIRECTORIES=$(dirname "$1") git -C "$1" apply --check --reverse 2>/dev/null ||
		die 2 "$2 has all of series/$BASE already, and is to be a source without it;" \
			"git worktree add ../before <first>^ in a tree of git makes one, <first> being the first commit of the series" \
			"(docs/maintainers.md, \"Verify it on your tree\")"
}

# recipe PRISTINE PATCH...: names a tree by the commit it starts from and the patches on top.
recipe() { local pristine=$1; shift; { echo "$pristine"; cat /dev/null "$@"; } | sha256sum | cut -d' ' -f1; }
