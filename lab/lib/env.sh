# shellcheck shell=bash disable=SC2034
# What every script of the host begins with: -h, messages and their end, the kernel that the variables name, the series.
# Sourced, prints nothing; gives TOP, LAB, and what lib/process.sh, lib/variant.sh and lib/series.sh give.

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
