# shellcheck shell=bash
# Makes the file systems of the backings.
# Sourced after plan.sh; gives make_file_system, new_file_system and new_file_1g.

# make_file_system BACKING DEVICE [RMAPBT]: makes the file system of that backing. The extents of a file of 1 GiB must lie at multiples
# of 2M. On XFS the file must also fit into one of two groups. With su=1g, the first inodes of each group take a whole GiB; files have the
# others.
make_file_system() {
	# Files can share blocks. Unless RMAPBT is 0, XFS knows who uses a block, so that all users are told of its failure.
	local xfs_options=(-m "reflink=1,rmapbt=${3:-1}")
	# Turn off what mkfs.xfs does by default today, where the kernel does not know it, or does not support it with DAX.
	base_has xfs-of-today || xfs_options=(-m "bigtime=0,inobtcount=0,reflink=0" -i nrext64=0)
	case $1 in
	fsdax-ext4) mkfs.ext4 -q -b 4096 -E nodiscard -m 0 -O bigalloc -C 2M "$2" ;;
	fsdax-xfs) mkfs.xfs -q -f -K -d agcount=2,su=2m,sw=1 "${xfs_options[@]}" "$2" ;;
	fsdax-xfs-1g*) mkfs.xfs -q -f -K -d agcount=2,su=1g,sw=1 "${xfs_options[@]}" "$2" ;;
	esac
}

# new_file_system BACKING [RMAPBT]: makes the file system anew, with a small file for a test that makes its own files beside it.
new_file_system() {
	local folder=/dax/$1 disk
	disk=$(findmnt -no SOURCE "$folder")
	umount "$folder"
	make_file_system "$1" "$disk" "${@:2}"
	mount -o dax "$disk" "$folder"
	truncate -s 4096 "$folder/memory"
}

# new_file_1g RMAPBT: makes the file system of fsdax-xfs-1g anew, and on it a file that is mapped by 1G. Writes to all of the file: only
# written blocks are mapped by 1G, and whatever ran before may have left smaller entries, or metadata in the GiBs.
new_file_1g() {
	local file=/dax/fsdax-xfs-1g/memory
	new_file_system fsdax-xfs-1g "$1"
	fallocate -l 1G "$file"
	dd if=/dev/zero of="$file" bs=2M count=512 conv=notrunc,fsync status=none
}
