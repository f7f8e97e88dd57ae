# shellcheck shell=bash
# Makes -h of any script print the comment at its top, up to the first line that is no comment.
# Sourced, with the script's arguments.

case ${1:-} in
-h | --help) sed -n '2,${/^#/!q; /^# shellcheck/!s/^# \{0,1\}//p}' "$0"; exit ;;
esac
