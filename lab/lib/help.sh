# shellcheck shell=bash
# -h of any script prints what its first lines say, up to the first one that is no comment.
# Sourced, with the script's arguments.

case ${1:-} in
-h | --help) sed -n '2,${/^#/!q; /^# shellcheck/!s/^# \{0,1\}//p}' "$0"; exit ;;
esac
