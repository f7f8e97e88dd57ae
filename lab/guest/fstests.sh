#!/usr/bin/env bash
# Runs tests of fstests in the machine, on the NVDIMMs of its two DAX file systems, mounted with -o dax=always, or -o dax on older bases.
# Prints rows as rows.sh does.
# Takes the folder of a built copy, and a file with the names of the tests to run, as "<file system> <test>". The file system xfs has
# reflink and rmapbt, if the base supports them with DAX; xfs-plain has neither. xfs-1g is as xfs, and can map files by 1G in a machine
# of SCRATCH_1G=1.
# Started by: make fstests
set -euo pipefail
# shellcheck source=lab/lib/help.sh
. "$(dirname "$0")/../lib/help.sh"

folder=$1 names=$2
# shellcheck source=lab/guest/rows.sh
. "$(dirname "$0")/rows.sh"
# shellcheck source=lab/guest/plan.sh
. "$(dirname "$0")/plan.sh"

# Add the users that tests become. Write the files directly, because useradd cannot lock them here.
id=65000
for user in fsgqa fsgqa2 123456-fsgqa; do
	if ! id "$user" >/dev/null 2>&1; then
		echo "$user:x:$id:$id::/tmp:/bin/bash" >>/etc/passwd
		echo "$user:x:$id:" >>/etc/group
	fi
	id=$((id + 1))
done

# Unmount the lab's file systems. Remove their folders, too, because the session's end would unmount these.
folders=(/dax/fsdax-*)
test_dev=$(findmnt -no SOURCE "${folders[0]}") scratch_dev=$(findmnt -no SOURCE "${folders[1]}")
umount "${folders[@]}"
rmdir "${folders[@]}"
mkdir -p /run/test /run/scratch
export TEST_DEV=$test_dev TEST_DIR=/run/test SCRATCH_DEV=$scratch_dev SCRATCH_MNT=/run/scratch RESULT_BASE=/run/fstests
mkdir -p "$RESULT_BASE"

# prepare FILE-SYSTEM: makes that file system on the test device.
prepare() {
	umount "$TEST_DIR" "$SCRATCH_MNT" 2>/dev/null || true
	wipefs -qa "$TEST_DEV" "$SCRATCH_DEV"
	export FSTYP=${1%%-*} MOUNT_OPTIONS='-o dax=always' TEST_FS_MOUNT_OPTS='-o dax=always' MKFS_OPTIONS=
	case $1 in
	xfs) MKFS_OPTIONS='-m reflink=1,rmapbt=1' ;;
	xfs-plain) MKFS_OPTIONS='-m reflink=0,rmapbt=0' ;;
	# As in file-systems.sh. Without an su of its own, the log has a warning of mkfs.xfs, which some tests don't expect.
	xfs-1g) MKFS_OPTIONS='-m reflink=1,rmapbt=1 -d agcount=2,su=1g,sw=1 -l su=32k' ;;
	ext4) MKFS_OPTIONS='-b 4096' ;;
	esac
	if ! base_has xfs-of-today; then	# there, -o dax takes no value either
		MOUNT_OPTIONS='-o dax' TEST_FS_MOUNT_OPTS='-o dax'
		[ "$FSTYP" != xfs ] || MKFS_OPTIONS='-m reflink=0,rmapbt=0,bigtime=0,inobtcount=0 -i nrext64=0'
	fi
	# shellcheck disable=SC2086
	"mkfs.$FSTYP" -q $MKFS_OPTIONS "$TEST_DEV"
}

cd "$folder"
prepared=
while read -r name; do
	kind=${name% *} test=${name#* }
	if [ "$kind" != "$prepared" ]; then
		prepare "$kind"
		prepared=$kind
	fi
	run ./check "$test"
	# check also exits with 0 if it does not run the test.
	if [ "$status" -eq 0 ] && grep -qE '\[(not run|expunged)\]' "$log"; then
		grep -aE '\[(not run|expunged)\]' "$log" | sed 's/^/# /' | cut -c 1-200
		status=4
	fi
	row "$name" "$status"
	# After a test that exceeded its time, make the file system anew.
	if [ "$status" -gt 100 ]; then prepared=; fi
done < <(sort -s -t ' ' -k 1,1 "$names")

umount "$TEST_DIR" "$SCRATCH_MNT" 2>/dev/null || true
