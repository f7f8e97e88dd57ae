// SPDX-License-Identifier: GPL-2.0
/*
 * Says how a guest would be mapped whose memory is a given device-dax node or
 * file, and how the memory of a running one is.
 *
 *   cc -O2 -o kvm-dax-check kvm-dax-check.c
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>

#define SZ_4K	0x1000ULL
#define SZ_2M	0x200000ULL
#define SZ_1G	0x40000000ULL

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define THP_SYSFS	"/sys/kernel/mm/transparent_hugepage"
#define NX_HUGE_PAGES	"/sys/module/kvm/parameters/nx_huge_pages"

/* The C library's headers may be older than Linux 5.8. */
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif
#ifndef FS_XFLAG_DAX
#define FS_XFLAG_DAX	0x00008000
#endif

/* What is known of the memory that a guest would get. */
struct memory {
	const char *path;
	uint64_t size;		/* bytes that a guest can have */
	uint64_t align;		/* of mappings, and of their size */
	uint64_t in_2m;		/* bytes that the host can map by 2M and 1G */
	uint64_t in_1g;
	bool known;		/* whether in_2m and in_1g are */
	bool file;
};

/* Extents that adjoin in the file and in memory, put together. */
struct run {
	uint64_t size;		/* of the pages that are to fit in */
	uint32_t states;	/* the flags that must be the same */
	uint64_t offset, physical, length;
	uint32_t flags;
	uint64_t aligned;	/* bytes of such pages in the runs before */
};

/* What a file is mounted as. */
struct mount {
	unsigned int major, minor;	/* of the block device; 0 is the major number of what has none */
	char *type, *source, *options;
};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("kvm-dax-check: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* A size as QEMU takes it: in the largest unit that divides it. */
static const char *size_string(uint64_t size)
{
	static char buffers[4][32];
	static int next;
	char *string = buffers[next++ % 4];
	static const char units[] = "GMK";
	int i;

	for (i = 0; i < 3; i++) {
		if (size && size % (1ULL << (30 - 10 * i)) == 0)
			break;
	}
	if (i < 3)
		snprintf(string, sizeof(buffers[0]), "%" PRIu64 "%c", size >> (30 - 10 * i), units[i]);
	else
		snprintf(string, sizeof(buffers[0]), "%" PRIu64, size);
	return string;
}

/* The running kernel's version, as 504 for 5.4. */
static int kernel_version(struct utsname *name)
{
	int major = 0, minor = 0;

	uname(name);
	sscanf(name->release, "%d.%d", &major, &minor);
	return major * 100 + minor;
}

/* Reads a file's first line, without its end; false if there is none, and errno may say why. */
static bool read_line(char *line, int size, const char *path)
{
	FILE *file = fopen(path, "r");
	bool found;

	if (!file)
		return false;
	errno = 0;
	found = fgets(line, size, file);
	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

/* Reads a number, decimal or with 0x, from a file whose path is given by a format; false as above. */
static bool read_number(uint64_t *number, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool read_number(uint64_t *number, const char *format, ...)
{
	char path[PATH_MAX], text[64], *end;
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (!read_line(text, sizeof(text), path))
		return false;
	*number = strtoull(text, &end, 0);
	return end != text;
}

/* Older kernels say it of the region that the device is in, which is above it, or beside it with the class of v5.0 and before. */
static bool device_alignment(uint64_t *align, unsigned int major, unsigned int minor)
{
	return read_number(align, "/sys/dev/char/%u:%u/align", major, minor) ||
	       read_number(align, "/sys/dev/char/%u:%u/../dax_region/align", major, minor) ||
	       read_number(align, "/sys/dev/char/%u:%u/device/dax_region/align", major, minor);
}

static void check_device(struct memory *memory, const struct stat *st)
{
	unsigned int major = major(st->st_rdev), minor = minor(st->st_rdev);
	uint64_t resource;

	if (!device_alignment(&memory->align, major, minor) ||
	    !read_number(&memory->size, "/sys/dev/char/%u:%u/size", major, minor))
		fail("%s is a character device, but not of device-dax: /sys/dev/char/%u:%u has no align; ndctl create-namespace --mode=devdax makes one",
		     memory->path, major, minor);
	if (!memory->size || !memory->align)
		fail("%s: the device has no memory; daxctl create-device gives it some", memory->path);
	memory->size -= memory->size % memory->align;
	memory->in_2m = memory->align >= SZ_2M ? memory->size : 0;
	memory->in_1g = memory->align >= SZ_1G ? memory->size : 0;
	memory->known = true;

	printf("%s: device-dax, alignment %s, %s\n", memory->path, size_string(memory->align),
	       size_string(memory->size));
	if (read_number(&resource, "/sys/dev/char/%u:%u/resource", major, minor))
		printf("physical start: 0x%" PRIx64 "\n", resource);
}

/* The physical address at which the block device of a file system starts; false, with errno, if it isn't memory, or root's to read. */
static bool device_start(dev_t dev, uint64_t *start)
{
	unsigned int major = major(dev), minor = minor(dev);
	uint64_t sector = 0;

	if (read_number(start, "/sys/dev/block/%u:%u/device/resource", major, minor))
		return true;
	/* a partition, if there is no such file */
	if (errno != ENOENT ||
	    !read_number(&sector, "/sys/dev/block/%u:%u/start", major, minor) ||
	    !read_number(start, "/sys/dev/block/%u:%u/../device/resource", major, minor))
		return false;
	*start += sector * 512;
	return true;
}

/* The bytes of an extent that lie at multiples of @size both in the file and in memory. */
static uint64_t aligned_part(uint64_t offset, uint64_t physical, uint64_t length, uint64_t size)
{
	uint64_t at = (offset + size - 1) & ~(size - 1), end = (offset + length) & ~(size - 1);

	return end > at && (physical + (at - offset)) % size == 0 ? end - at : 0;
}

/* Takes the next extent, or NULL after the last one. */
static void add_extent(struct run *run, const struct fiemap_extent *extent, uint64_t start)
{
	if (extent && extent->fe_logical == run->offset + run->length &&
	    extent->fe_physical == run->physical + run->length &&
	    !((extent->fe_flags ^ run->flags) & run->states)) {
		run->length += extent->fe_length;
		return;
	}
	run->aligned += aligned_part(run->offset, start + run->physical, run->length, run->size);
	if (!extent)
		return;
	run->offset = extent->fe_logical;
	run->physical = extent->fe_physical;
	run->length = extent->fe_length;
	run->flags = extent->fe_flags;
}

/* Adds up which parts of what a guest can have of the file lie so that they could be mapped by 2M or 1G. File systems map by 2M at most. */
static void check_extents(struct memory *memory, int fd, uint64_t start)
{
	char buffer[sizeof(struct fiemap) + 128 * sizeof(struct fiemap_extent)] __attribute__((aligned(8)));
	struct fiemap *map = (struct fiemap *)buffer;
	/*
	 * A page fault of 2M needs them to be one extent of the file system's,
	 * so of one state. XFS makes one of 2M that begin unwritten and end
	 * written, but only if the first access is a write.
	 */
	struct run mapped = { .size = SZ_2M, .states = FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED };
	struct run placed = { .size = SZ_2M }, placed_1g = { .size = SZ_1G };
	uint64_t allocated = 0, shared = 0, next = 0;
	bool last = false;
	unsigned int i;

	while (!last) {
		memset(map, 0, sizeof(*map));
		map->fm_start = next;
		map->fm_length = memory->size - next;
		map->fm_extent_count = 128;
		if (ioctl(fd, FS_IOC_FIEMAP, map)) {
			printf("extents: not known, %s\n", strerror(errno));
			return;
		}
		last = !map->fm_mapped_extents;
		for (i = 0; i < map->fm_mapped_extents; i++) {
			struct fiemap_extent *extent = &map->fm_extents[i];

			next = extent->fe_logical + extent->fe_length;
			last = (extent->fe_flags & FIEMAP_EXTENT_LAST) || next >= memory->size;
			if (next > memory->size)
				extent->fe_length = memory->size - extent->fe_logical;
			allocated += extent->fe_length;
			if (extent->fe_flags & FIEMAP_EXTENT_SHARED)
				shared += extent->fe_length;
			add_extent(&mapped, extent, start);
			add_extent(&placed, extent, start);
			add_extent(&placed_1g, extent, start);
		}
	}
	add_extent(&mapped, NULL, start);
	add_extent(&placed, NULL, start);
	add_extent(&placed_1g, NULL, start);
	memory->in_2m = mapped.aligned;
	memory->known = true;
	if (allocated < memory->size)
		printf("holes: %" PRIu64 "K of the file have no blocks yet, and get them where there is room when the guest writes; fallocate -l %" PRIu64 " '%s' allocates them now\n",
		       (memory->size - allocated) >> 10, memory->size, memory->path);
	if (shared)
		printf("shared: %" PRIu64 "K of the file share their blocks with another file: a page of these is copied when it is written, to where 2M may not fit, and is mapped read-only until then; do not clone a file that is mapped for writing and written by write(2) as well, such as the memory of a guest, as a page fault and a write(2) that both copy the same page do not wait for each other, and what one of them has written can be lost\n",
		       shared >> 10);
	printf("2M-aligned extents: %" PRIu64 "M of %" PRIu64 "M; 1G-aligned: %" PRIu64 "M, which file systems map by 2M, too\n",
	       memory->in_2m >> 20, memory->size >> 20, placed_1g.aligned >> 20);
	if (memory->in_2m < placed.aligned)
		printf("mixed: %" PRIu64 "M more lie at such multiples, but are mapped by 4K, as only a part of each 2M is written, or is shared\n",
		       (placed.aligned - memory->in_2m) >> 20);
	if (placed.aligned < (allocated & ~(SZ_2M - 1)))
		printf("for more: mkfs.ext4 -O bigalloc -C 2M, or mkfs.xfs -d su=2m,sw=1 with allocation groups larger than the file\n");
	if (shared || memory->in_2m < placed.aligned)
		printf("for a file with blocks that are all written and its own, while no guest uses this one: fallocate -l %" PRIu64 " <new file> && dd if='%s' of=<new file> bs=2M conv=notrunc\n",
		       memory->size, memory->path);
}

/* What Linux says of it: 1 since v5.8, or 0 since v5.10; -1 if it does not say. */
static int says_dax(int fd, const char *path, int flags)
{
	struct statx stx;

	if (statx(fd, path, flags, 0, &stx))
		return -1;
	if (stx.stx_attributes & STATX_ATTR_DAX)
		return 1;
	return stx.stx_attributes_mask & STATX_ATTR_DAX ? 0 : -1;
}

/* Where Linux does not say it: that the file can be mapped with MAP_SYNC, which not all DAX memory can. */
static bool is_dax(const char *path, int fd)
{
	int says = says_dax(fd, "", AT_EMPTY_PATH);
	void *map;

	if (says >= 0)
		return says;
	map = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (map == MAP_FAILED && errno != EOPNOTSUPP)
		fail("%s cannot be mapped: %s", path, strerror(errno));
	if (map != MAP_FAILED)
		munmap(map, SZ_4K);
	return map != MAP_FAILED;
}

/* By the mount's number, as the device's is not that of a mount for files of overlayfs and btrfs. */
static bool find_mount(struct mount *mount, int fd)
{
	char path[64], *line = NULL, *rest;
	int id = -1, other;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (getline(&line, &size, file) > 0)
		sscanf(line, "mnt_id: %d", &id);
	fclose(file);

	file = fopen("/proc/self/mountinfo", "r");
	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		if (sscanf(line, "%d %*d %u:%u", &other, &mount->major, &mount->minor) != 3 || other != id)
			continue;
		rest = strstr(line, " - ");
		if (!rest)
			break;
		rest += strlen(" - ");
		mount->type = strsep(&rest, " ");
		mount->source = strsep(&rest, " ");
		mount->options = strsep(&rest, "\n");
		break;
	}
	fclose(file);
	return mount->options;
}

/* The option dax, with its value if it has one, or NULL. */
static const char *dax_option(char *options)
{
	char *option;

	while ((option = strsep(&options, ","))) {
		if (!strcmp(option, "dax") || !strncmp(option, "dax=", 4))
			return option;
	}
	return NULL;
}

/* Says why a file is not DAX: the first reason, as each is enough. */
static void fail_not_dax(const char *path, int fd) __attribute__((noreturn));

static void fail_not_dax(const char *path, int fd)
{
	long page = sysconf(_SC_PAGESIZE);
	struct fsxattr attributes = { 0 };
	const char *option, *always;
	struct mount mount = { 0 };
	struct statvfs fs = { 0 };
	char unread[64] = "";
	struct utsname name;
	uint64_t able;
	bool old, xfs;

	/* Until v5.8 there was no dax=, and of ext4 all files were DAX or none. */
	old = kernel_version(&name) < 508;
	always = old ? "dax" : "dax=always";
	if (!find_mount(&mount, fd)) {
		strcpy(unread, "its mount in /proc/self/mountinfo");
		goto unknown;
	}
	if (!mount.major)
		fail("%s is not DAX: it is on %s, which has no block device to map; take a file of ext4 or XFS, mounted with -o %s, on what ndctl create-namespace --mode=fsdax makes",
		     path, mount.type, always);
	/* a partition has that of the whole device */
	if (!read_number(&able, "/sys/dev/block/%u:%u/queue/dax", mount.major, mount.minor) &&
	    !read_number(&able, "/sys/dev/block/%u:%u/../queue/dax", mount.major, mount.minor)) {
		snprintf(unread, sizeof(unread), "/sys/dev/block/%u:%u/queue/dax", mount.major, mount.minor);
		goto unknown;
	}
	if (!able)
		fail("%s is not DAX: its block device, %s, cannot do DAX; take one that ndctl create-namespace --mode=fsdax makes",
		     path, mount.source);
	xfs = !strcmp(mount.type, "xfs");
	if (!xfs && strcmp(mount.type, "ext4"))
		fail("%s is not DAX: its file system is %s; take ext4 or XFS, mounted with -o %s", path, mount.type, always);
	if (!fstatvfs(fd, &fs) && fs.f_bsize != (unsigned long)page)
		fail("%s is not DAX: its file system has blocks of %s, and must have ones of a page, %s; mkfs.%s %s%ld makes it so",
		     path, size_string(fs.f_bsize), size_string(page), mount.type, xfs ? "-b size=" : "-b ", page);

	option = dax_option(mount.options);
	if (option && !strcmp(option, "dax=never"))
		fail("%s is not DAX: its file system is mounted with dax=never; unmount it, and mount it with -o dax=always", path);
	if (option && strcmp(option, "dax=inode"))
		fail("%s is not DAX, though its file system is mounted with %s: on ext4, lsattr shows what excludes that, E (encrypted), V (fs-verity), j (journaled) or N (in the inode), and a new file without these is DAX; else dmesg may say why",
		     path, option);
	if (!option && old && !xfs)
		fail("%s is not DAX: its file system is mounted without -o dax; unmount it, and mount it with that", path);
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes)) {
		strcpy(unread, "the file's attributes");
		goto unknown;
	}
	if (attributes.fsx_xflags & FS_XFLAG_DAX)
		fail("%s is not DAX yet, though it has the attribute: it will be once all who have it open have closed it (fuser '%s' says who), or the file system is mounted anew; else dmesg may say why",
		     path, path);
	fail("%s is not DAX: it lacks the attribute, and its file system is mounted %s; xfs_io -c 'chattr +x' '%s' sets it, or unmount the file system, and mount it with -o %s",
	     path, option ? "with dax=inode" : old ? "without -o dax" : "without dax=, which is as with dax=inode", path, always);

unknown:
	fail("%s is not DAX: its file system is not on persistent memory, or not mounted with -o %s, or the file lacks the attribute (xfs_io -c 'chattr +x') under dax=inode; which of these it is could not be found, as %s cannot be read",
	     path, always, unread);
}

static void check_file(struct memory *memory, const struct stat *st)
{
	uint64_t start, rest;
	int fd;

	fd = open(memory->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("%s cannot be opened for writing: %s", memory->path, strerror(errno));
	if (!st->st_size)
		fail("%s is empty; fallocate -l <size> makes it as large as the guest's memory", memory->path);

	if (!is_dax(memory->path, fd))
		fail_not_dax(memory->path, fd);

	memory->align = SZ_2M;
	rest = st->st_size % memory->align;
	memory->size = st->st_size - rest;
	if (!memory->size)
		fail("%s has %s, and the guest's memory is a multiple of %s; fallocate -l <size> '%s' makes it as large as the guest's memory",
		     memory->path, size_string(rest), size_string(memory->align), memory->path);
	printf("%s: file on a DAX file system, %s\n", memory->path, size_string(st->st_size));
	if (rest)
		printf("cut off: the last %s, as the guest's memory is a multiple of %s; fallocate -l %s '%s' makes the file one\n",
		       size_string(rest), size_string(memory->align), size_string(memory->size + memory->align), memory->path);
	if (device_start(st->st_dev, &start))
		check_extents(memory, fd, start);
	else if (errno == EACCES)
		printf("extents: whether they are aligned cannot be checked, as only root can read where the device begins\n");
	else
		printf("extents: whether they are aligned cannot be checked, as device %u:%u has no physical address of its own, as is so with device-mapper; filefrag -v shows offsets in that device\n",
		       major(st->st_dev), minor(st->st_dev));
	close(fd);
}

/* Why DAX memory is mapped by 4K alone here, or NULL; children inherit what a process has set of it. */
static const char *no_huge_pages(void)
{
	if (access(THP_SYSFS, F_OK))
		return "this kernel has no CONFIG_TRANSPARENT_HUGEPAGE";
	/* 3, since v6.18: but for what is advised to be huge, as QEMU does with all its memory */
	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1)
		return "prctl(PR_SET_THP_DISABLE) is set here";
	return NULL;
}

/* KVM prints Y, N, or never; and auto as long as it has not seen whether this CPU is one that needs it. */
static void print_nx_huge_pages(void)
{
	char value[16];

	if (!read_line(value, sizeof(value), NX_HUGE_PAGES) || !strcmp(value, "N") || !strcmp(value, "never"))
		return;
	printf("but KVM's nx_huge_pages is %s: memory which the guest executes is mapped by 4K%s; echo N >" NX_HUGE_PAGES " ends that, for guests that are trusted not to crash the host\n",
	       value, strcmp(value, "auto") ? "" : " where the CPU has the bug itlb_multihit");
}

/* Whether the kernel has a function of this name: 1 or 0, or -1 if that cannot be read; the names, unlike the addresses, are not only for root. */
static int has_function(const char *function)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	int found = -1;

	if (!symbols)
		return -1;
	while (found != 1 && fgets(line, sizeof(line), symbols))
		found = sscanf(line, "%*s %*s %255s", name) == 1 && !strcmp(name, function);
	fclose(symbols);
	return found;
}

static void print_level(const struct memory *memory)
{
	const char *why = no_huge_pages();
	struct utsname name;
	/* A vendor's kernel that has KVM of v5.6 has this function, which came with it. */
	bool old = kernel_version(&name) < 506 && memory->file && has_function("lookup_address_in_mm") <= 0;
	int series = -1;

	if (why && memory->file) {
		printf("expected: 4K entries, as %s\n", why);
		return;
	}
	if (why && memory->align > SZ_4K)
		fail("%s cannot be accessed, as %s and device-dax maps no less than its alignment, %s; one with --align=4k can be",
		     memory->path, why, size_string(memory->align));
	/* which the series has added, for KVM to read how large the host maps a file */
	if (old)
		series = has_function("user_mapping_shift");
	if (!series) {
		printf("expected: 4K entries, as KVM before v5.6 maps files by 4K without the series for v5.4, and this is Linux %s without it: /proc/kallsyms has no user_mapping_shift\n",
		       name.release);
		return;
	}
	if (!memory->known)
		printf("expected: not known without the extents\n");
	else if (memory->in_1g)
		printf("expected: 1G entries, where guest physical and host address agree modulo 1G\n");
	else if (memory->in_2m == memory->size)
		printf("expected: 2M entries\n");
	else if (memory->in_2m)
		printf("expected: 2M entries for %" PRIu64 "M, 4K for the rest\n", memory->in_2m >> 20);
	else
		printf("expected: 4K entries\n");
	if (memory->in_2m && old && series > 0)
		printf("this is Linux %s with the series for v5.4, and KVM maps files as large as the host does\n", name.release);
	else if (memory->in_2m && old)
		printf("but this is Linux %s: KVM before v5.6 maps files by 4K without the series for v5.4\n", name.release);
	if (memory->in_2m || !memory->known)
		print_nx_huge_pages();
}

/* What a process may lock, this one if @pid is NULL, against the DAX memory of its VM. */
static void print_memlock(const char *pid, uint64_t size, bool file)
{
	char path[64], line[256], value[32] = "";
	uint64_t limit;
	FILE *limits;

	snprintf(path, sizeof(path), "/proc/%s/limits", pid ? pid : "self");
	limits = fopen(path, "r");
	if (!limits)
		return;
	while (!value[0] && fgets(line, sizeof(line), limits))
		sscanf(line, "Max locked memory %31s", value);
	fclose(limits);
	if (!value[0])
		return;

	printf("RLIMIT_MEMLOCK%s%s: ", pid ? " of process " : "", pid ? pid : "");
	/* "unlimited" is none */
	limit = isdigit((unsigned char)value[0]) ? strtoull(value, NULL, 10) : UINT64_MAX;
	if (limit == UINT64_MAX)
		printf("unlimited");
	else if (limit >= size)
		printf("%" PRIu64 "K, enough for %" PRIu64 "K", limit >> 10, size >> 10);
	else
		printf("%" PRIu64 "K, less than %" PRIu64 "K", limit >> 10, size >> 10);
	if (file)
		printf("; it matters only with QEMU's -overcommit mem-lock=on, as a file cannot be mapped for an assigned device");
	else if (limit < size)
		printf(": a device cannot be assigned unless it is raised (%s%s) or the VMM has CAP_IPC_LOCK",
		       pid ? "prlimit --memlock=unlimited --pid " : "ulimit -l, LimitMEMLOCK=, <hard_limit>", pid ? pid : "");
	putchar('\n');
}

static int check_path(const char *path)
{
	struct memory memory = { .path = path };
	struct stat st;

	if (stat(path, &st))
		fail("%s: %s", path, strerror(errno));
	memory.file = S_ISREG(st.st_mode);
	if (S_ISCHR(st.st_mode))
		check_device(&memory, &st);
	else if (memory.file)
		check_file(&memory, &st);
	else
		fail("%s is neither a device-dax node nor a file; a directory or a block device cannot be a guest's memory", path);

	print_level(&memory);
	if (memory.file)
		printf("assigned devices: not with a file on a DAX file system; VFIO refuses it with EOPNOTSUPP\n");
	print_memlock(NULL, memory.size, memory.file);
	printf("QEMU: -object memory-backend-file,id=mem,mem-path=%s,share=on,align=%s,size=%s -machine q35,memory-backend=mem -m %s\n",
	       path, size_string(memory.align), size_string(memory.size), size_string(memory.size));
	return 0;
}

/* Prints what of the VMM's memory can be DAX: shared mappings of device-dax nodes and files; and whether it may lock as much. */
static void print_mappings(const char *pid)
{
	char path[PATH_MAX], line[PATH_MAX + 128], *file;
	unsigned long from, to;
	uint64_t align, size = 0;
	bool file_mapped = false;
	const char *remark;
	char flags[8];
	struct stat st;
	FILE *maps;
	int at;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	if (!maps)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &from, &to, flags, &at) != 3)
			continue;
		file = line + at;
		if (file[0] != '/' || flags[3] != 's' || to - from < SZ_2M || stat(file, &st))
			continue;
		align = SZ_2M;
		if (!S_ISREG(st.st_mode) &&
		    !(S_ISCHR(st.st_mode) && device_alignment(&align, major(st.st_rdev), minor(st.st_rdev))))
			continue;
		remark = "";
		if (S_ISREG(st.st_mode) && says_dax(AT_FDCWD, file, 0) == 0) {
			remark = ": not DAX; kvm-dax-check with its path says why";
		} else {
			size += to - from;
			file_mapped |= S_ISREG(st.st_mode);
			if (align >= SZ_2M && from % SZ_2M)
				remark = ": not aligned to 2M, so never larger than 4K; pass align=2M";
		}
		printf("mapping: 0x%lx, %s, %s%s\n", from, size_string(to - from), file, remark);
	}
	fclose(maps);
	if (size)
		print_memlock(pid, size, file_mapped);
}

static int check_process(const char *pid)
{
	uint64_t pages[3], large, faults;
	struct dirent *entry;
	char prefix[32];
	int vms = 0;
	DIR *dir;

	print_mappings(pid);
	dir = opendir(KVM_DEBUGFS);
	if (!dir)
		fail(KVM_DEBUGFS ": %s; root can read it when debugfs is mounted and KVM is loaded", strerror(errno));
	snprintf(prefix, sizeof(prefix), "%s-", pid);
	while ((entry = readdir(dir))) {
		const char *vm = entry->d_name;

		if (strncmp(vm, prefix, strlen(prefix)))
			continue;
		vms++;
		if (!read_number(&pages[0], KVM_DEBUGFS "/%s/pages_4k", vm) ||
		    !read_number(&pages[1], KVM_DEBUGFS "/%s/pages_2m", vm) ||
		    !read_number(&pages[2], KVM_DEBUGFS "/%s/pages_1g", vm)) {
			/* an older kernel */
			if (read_number(&large, KVM_DEBUGFS "/%s/largepages", vm))
				printf("vm %s, all its memory: %" PRIu64 " entries of 2M or 1G; this kernel does not count them by size\n", vm, large);
			else
				printf("vm %s: this kernel does not count entries\n", vm);
			continue;
		}
		printf("vm %s, all its memory: %" PRIu64 " entries of 4K, %" PRIu64 " of 2M, %" PRIu64 " of 1G",
		       vm, pages[0], pages[1], pages[2]);
		if (read_number(&faults, KVM_DEBUGFS "/%s/pf_taken", vm))
			printf(", %" PRIu64 " faults", faults);
		putchar('\n');
	}
	closedir(dir);
	if (!vms)
		fail("process %s has no VM", pid);
	return 0;
}

static void usage(FILE *to)
{
	fputs("usage: kvm-dax-check PATH     what a guest gets whose memory is PATH, a device-dax node or a DAX file\n"
	      "       kvm-dax-check -p PID   what a running guest has, given the pid of its VMM; needs root\n"
	      "                              (on a kernel that does not count entries by size, how many are larger than 4K)\n"
	      "Ends with 0, with 1 and the reason when PATH cannot be DAX memory of a guest, and with 2 on wrong usage.\n",
	      to);
}

int main(int argc, char *argv[])
{
	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		usage(stdout);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "-p") && isdigit((unsigned char)argv[2][0]))
		return check_process(argv[2]);
	if (argc == 2 && argv[1][0] != '-')
		return check_path(argv[1]);
	usage(stderr);
	return 2;
}
