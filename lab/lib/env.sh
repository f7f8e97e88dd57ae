# shellcheck shell=bash disable=SC2034
# Shared start of the host's scripts: handles -h, defines messages and exits, and finds the kernel and the series that the variables name.
# Sourced; prints only errors. Gives TOP, LAB, and what lib/process.sh, lib/variant.sh and lib/series.sh give.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB=$TOP/lab
# shellcheck source=lab/lib/help.sh
. "$LAB/lib/help.sh"
# shellcheck source=lab/lib/process.sh
. "$LAB/lib/process.sh"
# shellcheck source=lab/lib/variant.sh
. "$LAB/lib/variant.sh"
# shellcheck source=lab/lib/series.sh
. "$LAB/lib/series.sh"
