# shellcheck shell=bash disable=SC2034
# Shared start of jobs that are a script around one program: handles -h, and builds the program from the C file with the script's name.
# Sourced with the job's arguments; gives program, and work, a folder that is removed when the job ends.

# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$work/$(basename "$0" .sh)
gcc -O2 -Wall -Wextra -Werror -pthread -o "$program" "${0%.sh}.c"
