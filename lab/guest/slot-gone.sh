#!/usr/bin/env bash
# Shows what a guest reads with nx_huge_pages while its memslot is deleted and made again: device-dax and hugetlbfs, by 2M and 1G.
# Takes how often to delete it (2000 times if not given): make run BASE=v5.4 JOB=lab/guest/slot-gone.sh
# Arguments: ([1-9][0-9]*)?
# CPU: amd
set -euo pipefail
# shellcheck source=lab/guest/job-program.sh
. "$(dirname "$0")/job-program.sh"

trap 'umount "$work"/hugetlbfs-* 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
echo 1 >/sys/module/kvm/parameters/nx_huge_pages
for size in 2M:512:2048 1G:1:1048576; do
	IFS=: read -r name pages kb <<<"$size"
	echo "$pages" >"/sys/kernel/mm/hugepages/hugepages-${kb}kB/nr_hugepages"
	mkdir "hugetlbfs-$name"
	mount -t hugetlbfs -o "pagesize=$name" hugetlbfs "hugetlbfs-$name"
	truncate -s 1G "hugetlbfs-$name/memory"
done
status=0
for path in /dax/devdax-2m /dax/devdax-1g hugetlbfs-2M/memory hugetlbfs-1G/memory; do
	"$program" "$path" "${1:-2000}" || status=1
done
exit $status
