# shellcheck shell=bash disable=SC2034
# What a job begins with that is a script around one program: -h, and that program, built of the C file with the script's name.
# Sourced with the job's arguments; gives work, a folder that goes when the job ends, and program.

# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$work/$(basename "$0" .sh)
gcc -O2 -Wall -Wextra -Werror -pthread -o "$program" "${0%.sh}.c"
