// SPDX-License-Identifier: GPL-2.0
/*
 * Says how KVM would map a guest whose memory is a given path, and how the
 * memory of a running guest is mapped.  It opens files for reading only, and
 * changes nothing.  kvm-dax-check.1 describes it.
 *
 *   cc -O2 -o kvm-dax-check kvm-dax-check.c
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

#include <linux/dm-ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsmap.h>

#define VERSION	"2.0"

#define SZ_4K	0x1000ULL
#define SZ_2M	0x200000ULL
#define SZ_1G	0x40000000ULL

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define NX_HUGE_PAGES	"/sys/module/kvm/parameters/nx_huge_pages"

/* The C library's headers may be older than Linux 5.8. */
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/* What the program ends with; the manual page promises these numbers. */
enum status { HUGE = 0, NOT_USABLE = 1, USAGE = 2, SMALL = 3 };

/* What is known of the memory that a guest would get. */
struct memory {
	const char *path;
	const char *name;	/* the path, as a shell takes it */
	uint64_t size;		/* bytes that a guest can have */
	uint64_t align;		/* of mappings, and of their size */
	uint64_t in_2m, in_1g;	/* bytes that the host can map by 2M and 1G */
	uint64_t hole_2m;	/* bytes in whole 2M that have no blocks yet */
	bool known;		/* whether those three are */
	bool file, folder, read_only;
};

/* Where the bytes of a block device are in memory. */
struct layout {
	unsigned int count;
	struct segment { uint64_t at, length, memory; } segments[256];
	char why[256];		/* why it has none */
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
	char *point, *type, *source, *options;
};

static const char *root = "";	/* where /proc and /sys are; tests have their own */
static const char *vmm = "qemu";
static bool json;
static char *fields, *notes, *pending;	/* what is already there of the JSON */

/* Text. What it allocates lives as long as the program, which is short. */

static char *format(const char *form, ...) __attribute__((format(printf, 1, 2)));

static char *vformat(const char *form, va_list args)
{
	char *text;

	if (vasprintf(&text, form, args) < 0)
		abort();
	return text;
}

static char *format(const char *form, ...)
{
	va_list args;
	char *text;

	va_start(args, form);
	text = vformat(form, args);
	va_end(args);
	return text;
}

/* The length of a character that is to be shown as it is: printable ASCII, or UTF-8 that controls nothing; or 0. */
static int printable(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	int length = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
	int i;

	if (length == 1)
		return c[0] >= 0x20 && c[0] != 0x7f;
	for (i = 1; i < length; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

/* Each character that is in @special, as @as says it (a format for its number); what cannot be shown, as @other says it. */
static char *escape(const char *text, const char *special, const char *as, const char *other)
{
	size_t size;
	char *to;
	FILE *out = open_memstream(&to, &size);
	int length;

	if (!out)
		abort();
	while (*text) {
		length = printable(text);
		if (!length)
			fprintf(out, other, (unsigned char)*text++);
		else if (strchr(special, *text))
			fprintf(out, as, *text++);
		else
			text += fwrite(text, 1, length, out);
	}
	fclose(out);
	return to;
}

/* A word for the shell; one that cannot be shown as it is, for bash. */
static char *quote(const char *text)
{
	bool plain = *text, shown = true;
	const char *at;

	for (at = text; *at; at += printable(at) ? printable(at) : 1) {
		plain &= isalnum((unsigned char)*at) || strchr("/._-+=:,@%", *at);
		shown &= printable(at) > 0;
	}
	if (plain)
		return strdup(text);
	if (shown)
		return format("'%s'", escape(text, "'", "'\\%c'", "%c"));
	return format("$'%s'", escape(text, "\\'", "\\%c", "\\%03o"));
}

/* The value of one of QEMU's options. */
static char *commas(const char *text)
{
	return escape(text, ",", "%c,", "%c");
}

/* For JSON; a byte that is no UTF-8 becomes what Python's surrogateescape makes of it. */
static char *json_string(const char *text)
{
	size_t size;
	char *to;
	FILE *out = open_memstream(&to, &size);
	int length;

	if (!out)
		abort();
	fputc('"', out);
	while (*text) {
		length = printable(text);
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text++);
		else if (length)
			text += fwrite(text, 1, length, out);
		else
			fprintf(out, (unsigned char)*text < 0x80 ? "\\u%04x" : "\\udc%02x", (unsigned char)*text), text++;
	}
	fputc('"', out);
	fclose(out);
	return to;
}

/* A size as QEMU takes it: in the largest unit that divides it. */
static const char *size_string(uint64_t size)
{
	static const char units[] = "GMK";
	int i;

	for (i = 0; i < 3; i++) {
		if (size && size % (1ULL << (30 - 10 * i)) == 0)
			return format("%" PRIu64 "%c", size >> (30 - 10 * i), units[i]);
	}
	return format("%" PRIu64, size);
}

/* Output. */

static void add_to(char **list, const char *text)
{
	*list = *list ? format("%s,%s", *list, text) : format("%s", text);
}

/* For JSON alone: what is known as a number or a word; @list is &fields, or &pending for the next note. */
static void set_number(char **list, const char *name, uint64_t value)
{
	if (json)
		add_to(list, format("\"%s\":%" PRIu64, name, value));
}

static void set_text(char **list, const char *name, const char *value)
{
	if (json)
		add_to(list, format("\"%s\":%s", name, json_string(value)));
}

static void note(const char *about, const char *shown, const char *text)
{
	if (json) {
		add_to(&notes, format("{\"about\":\"%s\",\"text\":%s%s%s}", about, json_string(text), pending ? "," : "", pending ? pending : ""));
		pending = NULL;
	} else {
		printf("%s: %s\n", shown, escape(text, "", "", "?"));
	}
}

/* One line: what it is about, and what is to say of it. */
__attribute__((format(printf, 2, 3)))
static void say(const char *about, const char *form, ...)
{
	va_list args;

	va_start(args, form);
	note(about, about, vformat(form, args));
	va_end(args);
}

__attribute__((noreturn))
static void finish(enum status status)
{
	if (json)
		printf("{\"version\":\"" VERSION "\",\"status\":%d%s%s,\"notes\":[%s]}\n", status, fields ? "," : "",
		       fields ? fields : "", notes ? notes : "");
	exit(fflush(stdout) || ferror(stdout) ? NOT_USABLE : status);
}

/* The reason why it is not usable. */
__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *form, ...)
{
	va_list args;
	char *text;

	va_start(args, form);
	text = vformat(form, args);
	va_end(args);
	set_text(&fields, "reason", text);
	if (!json) {
		fflush(stdout);
		fprintf(stderr, "kvm-dax-check: %s\n", escape(text, "", "", "?"));
	}
	finish(NOT_USABLE);
}

/* What the kernel says. */

/* The running kernel's version, as 504 for 5.4. */
static int kernel_version(struct utsname *name)
{
	int major = 0, minor = 0;

	uname(name);
	sscanf(name->release, "%4d.%4d", &major, &minor);
	return major * 100 + minor;
}

static FILE *open_text(const char *path)
{
	char *at = format("%s%s", root, path);
	FILE *file = fopen(at, "re");

	free(at);
	return file;
}

/* Reads a file's first line, without its end; false if there is none, and errno may say why. */
static bool read_line(char *line, int size, const char *path)
{
	FILE *file = open_text(path);
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
__attribute__((format(printf, 2, 3)))
static bool read_number(uint64_t *number, const char *form, ...)
{
	char text[64], *end, *path;
	va_list args;
	bool found;

	va_start(args, form);
	path = vformat(form, args);
	va_end(args);
	found = read_line(text, sizeof(text), path);
	free(path);
	if (!found)
		return false;
	*number = strtoull(text, &end, 0);
	return end != text;
}

/* The last part of what a symbolic link says, or NULL. */
static const char *link_name(const char *path)
{
	char *at = format("%s%s", root, path), text[PATH_MAX];
	ssize_t length = readlink(at, text, sizeof(text) - 1);
	char *slash;

	free(at);
	if (length < 0)
		return NULL;
	text[length] = '\0';
	slash = strrchr(text, '/');
	return strdup(slash ? slash + 1 : text);
}

/* Undoes what /proc does to the blanks, the line ends and the backslashes in a path. */
static char *unescape(char *text)
{
	char *from, *to = text;

	for (from = text; *from; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

/* A line of mountinfo: its id, or -1. */
static int parse_mount(struct mount *mount, char *line)
{
	char *rest = strstr(line, " - ");
	char point[PATH_MAX];
	int id;

	if (!rest || sscanf(line, "%d %*d %u:%u %*s %4095s", &id, &mount->major, &mount->minor, point) != 4)
		return -1;
	rest += strlen(" - ");
	mount->point = unescape(strdup(point));
	mount->type = strdup(strsep(&rest, " "));
	mount->source = unescape(strdup(rest ? strsep(&rest, " ") : ""));
	mount->options = strdup(rest ? strsep(&rest, "\n") : "");
	return id;
}

/*
 * The mount of an open file, by its number: files of overlayfs and btrfs have
 * other devices than their mounts. Without a file, the last one of @dev.
 */
static bool find_mount(struct mount *mount, int fd, dev_t dev)
{
	char *line = NULL;
	struct mount each;
	size_t size = 0;
	int id = -1, other;
	FILE *file = fd < 0 ? NULL : open_text(format("/proc/self/fdinfo/%d", fd));

	while (file && getline(&line, &size, file) > 0)
		sscanf(line, "mnt_id: %d", &id);
	if (file)
		fclose(file);
	mount->options = NULL;
	file = open_text("/proc/self/mountinfo");
	while (file && getline(&line, &size, file) > 0) {
		other = parse_mount(&each, line);
		if (other >= 0 && (fd < 0 ? makedev(each.major, each.minor) == dev : other == id))
			*mount = each;
	}
	if (file)
		fclose(file);
	free(line);
	return mount->options;
}

/* The option @name, with its value if it has one, or NULL. */
static const char *mount_option(const char *options, const char *name)
{
	char *rest = strdup(options), *option;
	size_t length = strlen(name);

	while ((option = strsep(&rest, ","))) {
		if (!strncmp(option, name, length) && (!option[length] || option[length] == '='))
			return option;
	}
	return NULL;
}

/* Whether the kernel has a function of this name: 1 or 0, or -1 if that cannot be read; the names, unlike the addresses, are not only for root. */
static int has_function(const char *function)
{
	FILE *symbols = open_text("/proc/kallsyms");
	char line[512], name[256];
	int found = -1;

	if (!symbols)
		return -1;
	while (found != 1 && fgets(line, sizeof(line), symbols))
		found = sscanf(line, "%*s %*s %255s", name) == 1 && !strcmp(name, function);
	fclose(symbols);
	return found;
}

/* Where a block device is in memory. */

/* A device's number as ioctls have it. */
static uint32_t kernel_dev(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffU) << 12;
}

static void add_segment(struct layout *layout, uint64_t at, uint64_t length, uint64_t memory)
{
	if (layout->count < sizeof(layout->segments) / sizeof(layout->segments[0]))
		layout->segments[layout->count++] = (struct segment){ at, length, memory };
	else
		snprintf(layout->why, sizeof(layout->why), "it has too many parts");
}

static void find_layout(struct layout *layout, unsigned int major, unsigned int minor, int depth);

/* One target of a device-mapper device: @text is what the device's table says of it. */
static void add_target(struct layout *layout, uint64_t at, uint64_t length, const char *type, const char *text, int depth)
{
	struct layout *below = calloc(1, sizeof(*below));
	unsigned int major, minor, i;
	uint64_t from, end, first, last;

	if (!below)
		abort();
	if (strcmp(type, "linear")) {
		snprintf(layout->why, sizeof(layout->why), "its device-mapper target is %.16s, and only linear ones can be added up", type);
	} else if (sscanf(text, "%u:%u %" SCNu64, &major, &minor, &from) != 3 || from > UINT64_MAX / 1024 || length > UINT64_MAX / 1024) {
		snprintf(layout->why, sizeof(layout->why), "its device-mapper table cannot be read");
	} else {
		from *= 512;
		end = from + length * 512;
		find_layout(below, major, minor, depth + 1);
		if (!below->count)
			memcpy(layout->why, below->why, sizeof(layout->why));
		for (i = 0; i < below->count; i++) {
			struct segment *part = &below->segments[i];

			first = part->at > from ? part->at : from;
			last = part->at + part->length < end ? part->at + part->length : end;
			if (last > first)
				add_segment(layout, at * 512 + (first - from), last - first, part->memory + (first - part->at));
		}
	}
	free(below);
}

/* What the ioctl has filled in: targets, each with the offset of the next one. */
static void add_table(struct layout *layout, const struct dm_ioctl *table, int depth)
{
	uint64_t offset = table->data_start;
	const char *text;
	uint32_t i;

	for (i = 0; i < table->target_count; i++) {
		const struct dm_target_spec *target = (const void *)((const char *)table + offset);

		if (offset % 8 || offset + sizeof(*target) >= table->data_size)
			break;
		text = (const char *)(target + 1);
		if (!memchr(text, '\0', table->data_size - (text - (const char *)table)))
			break;
		add_target(layout, target->sector_start, target->length, target->target_type, text, depth);
		if (layout->why[0])
			return;
		offset = (uint64_t)table->data_start + target->next;
	}
	if (i < table->target_count)
		snprintf(layout->why, sizeof(layout->why), "its device-mapper table cannot be read");
}

/* The device-mapper table of a device, which only root can read. */
static void read_table(struct layout *layout, unsigned int major, unsigned int minor, int depth)
{
	uint64_t buffer[8192] = { 0 };
	struct dm_ioctl *table = (struct dm_ioctl *)buffer;
	int fd = open(format("%s/dev/mapper/control", root), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	table->version[0] = DM_VERSION_MAJOR;
	table->data_size = sizeof(buffer);
	table->data_start = sizeof(*table);
	table->flags = DM_STATUS_TABLE_FLAG;
	table->dev = kernel_dev(makedev(major, minor));
	if (fd < 0 || ioctl(fd, DM_TABLE_STATUS, table) || table->flags & DM_BUFFER_FULL_FLAG)
		snprintf(layout->why, sizeof(layout->why), "device-mapper's table cannot be read (%s); root can, by /dev/mapper/control",
			 fd < 0 ? strerror(errno) : table->flags & DM_BUFFER_FULL_FLAG ? "it is long" : strerror(errno));
	else
		add_table(layout, table, depth);
	if (fd >= 0)
		close(fd);
}

static void find_layout(struct layout *layout, unsigned int major, unsigned int minor, int depth)
{
	char *sysfs = format("/sys/dev/block/%u:%u", major, minor), name[128];
	uint64_t start, sectors = 0, sector = 0;
	bool found;

	read_number(&sectors, "%s/size", sysfs);
	found = read_number(&start, "%s/device/resource", sysfs);
	/* a partition, if there is no such file */
	if (!found && errno == ENOENT && read_number(&sector, "%s/start", sysfs))
		found = read_number(&start, "%s/../device/resource", sysfs);
	if (found && sectors < UINT64_MAX / 1024 && sector < UINT64_MAX / 1024)
		add_segment(layout, 0, sectors ? sectors * 512 : UINT64_MAX / 2, start + sector * 512);
	else if (errno == EACCES)
		snprintf(layout->why, sizeof(layout->why), "only root can read where device %u:%u begins", major, minor);
	else if (!read_line(name, sizeof(name), format("%s/dm/name", sysfs)))
		snprintf(layout->why, sizeof(layout->why), "device %u:%u has no physical address of its own", major, minor);
	else if (depth > 8)
		snprintf(layout->why, sizeof(layout->why), "too many device-mapper devices lie on one another");
	else
		read_table(layout, major, minor, depth);
	if (layout->why[0])
		layout->count = 0;
}

/* Extents. */

/* The bytes of a range that are in whole pages of @size. */
static uint64_t whole_pages(uint64_t from, uint64_t length, uint64_t size)
{
	uint64_t at = (from + size - 1) & ~(size - 1), end = (from + length) & ~(size - 1);

	return at >= from && end > at ? end - at : 0;
}

/* Those of an extent that lie at multiples of @size both in the file and in memory. */
static uint64_t aligned_part(uint64_t offset, uint64_t physical, uint64_t length, uint64_t size)
{
	return (physical - offset) % size == 0 ? whole_pages(offset, length, size) : 0;
}

/* Takes the next extent, or NULL after the last one. */
static void add_extent(struct run *run, const struct fiemap_extent *extent)
{
	if (extent && extent->fe_logical == run->offset + run->length &&
	    extent->fe_physical == run->physical + run->length &&
	    !((extent->fe_flags ^ run->flags) & run->states)) {
		run->length += extent->fe_length;
		return;
	}
	run->aligned += aligned_part(run->offset, run->physical, run->length, run->size);
	if (!extent)
		return;
	run->offset = extent->fe_logical;
	run->physical = extent->fe_physical;
	run->length = extent->fe_length;
	run->flags = extent->fe_flags;
}

/* The same, with the parts of an extent at their addresses. */
static void add_parts(struct run *runs, const struct layout *layout, const struct fiemap_extent *extent)
{
	uint64_t first, last, end = extent->fe_physical + extent->fe_length;
	struct fiemap_extent part = *extent;
	unsigned int i, r;

	for (i = 0; i < layout->count; i++) {
		const struct segment *segment = &layout->segments[i];

		first = segment->at > extent->fe_physical ? segment->at : extent->fe_physical;
		last = segment->at + segment->length < end ? segment->at + segment->length : end;
		if (last <= first)
			continue;
		part.fe_logical = extent->fe_logical + (first - extent->fe_physical);
		part.fe_physical = segment->memory + (first - segment->at);
		part.fe_length = last - first;
		for (r = 0; r < 3; r++) {
			/* A page fault does not reach across two parts of a device-mapper table. */
			if (first == segment->at)
				add_extent(&runs[r], NULL), runs[r].length = 0;
			add_extent(&runs[r], &part);
		}
	}
}

/* The bytes in whole 2M at multiples of 2M that a file system has free; false if it does not say. */
static bool free_in_2m(uint64_t *sum, int fd, dev_t dev, const struct layout *layout)
{
	struct fsmap_head *head = calloc(1, fsmap_sizeof(256));
	struct fsmap *keys, *record = NULL;
	uint64_t first, last, end;
	unsigned int i, s;

	if (!head)
		abort();
	keys = head->fmh_keys;
	memset(&keys[1], 0xff, sizeof(keys[1]));
	memset(keys[1].fmr_reserved, 0, sizeof(keys[1].fmr_reserved));
	keys[1].fmr_length = 0;
	head->fmh_count = 256;
	*sum = 0;
	do {
		if (ioctl(fd, FS_IOC_GETFSMAP, head) || !layout->count) {
			free(head);
			return false;
		}
		for (i = 0; i < head->fmh_entries; i++) {
			record = &head->fmh_recs[i];
			if (!(record->fmr_flags & FMR_OF_SPECIAL_OWNER) || record->fmr_owner != FMR_OWN_FREE ||
			    record->fmr_device != kernel_dev(dev))
				continue;
			end = record->fmr_physical + record->fmr_length;
			for (s = 0; s < layout->count; s++) {
				const struct segment *part = &layout->segments[s];

				first = part->at > record->fmr_physical ? part->at : record->fmr_physical;
				last = part->at + part->length < end ? part->at + part->length : end;
				if (last > first)
					*sum += whole_pages(part->memory + first - part->at, last - first, SZ_2M);
			}
		}
		if (head->fmh_entries)
			keys[0] = *record;
	} while (head->fmh_entries && !(record->fmr_flags & FMR_OF_LAST));
	free(head);
	return true;
}

/* The device that holds the data of a file: with XFS, that can be the realtime device. */
static dev_t data_device(int fd, dev_t dev)
{
	struct fsxattr attributes = { 0 };
	const char *option;
	struct mount mount;
	struct stat st;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) || !(attributes.fsx_xflags & FS_XFLAG_REALTIME) ||
	    !find_mount(&mount, fd, dev))
		return dev;
	option = mount_option(mount.options, "rtdev");
	return option && option[5] && !stat(option + 6, &st) && S_ISBLK(st.st_mode) ? st.st_rdev : dev;
}

/* Says why no file of a file system can be mapped by 2M, if so. */
static void say_start(const struct layout *layout)
{
	unsigned int i;

	for (i = 0; i < layout->count; i++) {
		if ((layout->segments[i].memory - layout->segments[i].at) % SZ_2M == 0)
			return;
	}
	if (layout->count)
		say("device", "it begins at 0x%" PRIx64 ", which is no multiple of 2M, so extents that are aligned in it are not aligned in memory; begin a partition at a multiple of 2M, or a volume by pvcreate --dataalignment 2M",
		    layout->segments[0].memory);
}

/* What holes are filled with. Fails if that is not there. */
static void say_holes(const struct memory *memory, int fd, dev_t dev, const struct layout *layout, uint64_t holes)
{
	uint64_t whole, room;
	struct statvfs fs;

	say("holes", "%" PRIu64 "K of the file have no blocks yet: they get free ones where the guest writes; fallocate -l %" PRIu64 " %s allocates them now",
	    holes >> 10, memory->size, memory->name);
	set_number(&fields, "holes", holes);
	if (fstatvfs(fd, &fs))
		return;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	set_number(&fields, "free", room);
	if (free_in_2m(&whole, fd, dev, layout)) {
		say("free", "%" PRIu64 "M, of which %" PRIu64 "M are whole 2M at multiples of 2M", room >> 20, whole >> 20);
		set_number(&fields, "free_in_2m", whole);
	} else {
		say("free", "%" PRIu64 "M; how much of it is at multiples of 2M is not known", room >> 20);
	}
	if (holes > room && !memory->read_only)
		fail("%s has holes of %" PRIu64 "M, and %" PRIu64 "M are free: a guest that writes to more of it ends with \"kvm run failed Bad address\" or SIGBUS, or waits for ever; free space, or make the file smaller",
		     memory->name, holes >> 20, room >> 20);
}

/* What is not mapped by 2M although it is allocated, and what to do. */
static void say_extents(const struct memory *memory, const struct run *runs, uint64_t allocated, uint64_t shared)
{
	char *copy = quote(format("%s.copy", memory->path));

	if (shared)
		say("shared", "%" PRIu64 "K of the file share their blocks with another file: such a page is copied when it is written, to where 2M may not fit, and is mapped read-only until then; do not clone a file that is mapped for writing and written by write(2) as well, as what one of them has written can be lost",
		    shared >> 10);
	say("2M-aligned extents", "%" PRIu64 "M of %" PRIu64 "M; 1G-aligned: %" PRIu64 "M, which file systems map by 2M, too",
	    memory->in_2m >> 20, memory->size >> 20, runs[2].aligned >> 20);
	if (memory->in_2m < runs[1].aligned)
		say("mixed", "%" PRIu64 "M more lie at such multiples, but are mapped by 4K, as only a part of each 2M is written, or is shared",
		    (runs[1].aligned - memory->in_2m) >> 20);
	if (runs[1].aligned < (allocated & ~(SZ_2M - 1)))
		say("for more", "mkfs.ext4 -O bigalloc -C 2M, or mkfs.xfs -d su=2m,sw=1 with allocation groups larger than the file");
	if (shared || memory->in_2m < runs[1].aligned)
		say("for a file with blocks that are all written and its own, while no guest uses this one",
		    "fallocate -l %" PRIu64 " %s && dd if=%s of=%s bs=2M conv=notrunc", memory->size, copy, memory->name, copy);
}

/* Adds up which parts of what a guest can have of the file lie so that they could be mapped by 2M or 1G. File systems map by 2M at most. */
static void check_extents(struct memory *memory, int fd, dev_t dev, const struct layout *layout)
{
	uint64_t buffer[(sizeof(struct fiemap) + 128 * sizeof(struct fiemap_extent)) / 8];
	struct fiemap *map = (struct fiemap *)buffer;
	/*
	 * A page fault of 2M needs them to be one extent of the file system's,
	 * so of one state. XFS makes one of 2M that begin unwritten and end
	 * written, but only if the first access is a write.
	 */
	struct run runs[3] = {
		{ .size = SZ_2M, .states = FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED }, { .size = SZ_2M }, { .size = SZ_1G },
	};
	uint64_t allocated = 0, shared = 0, next = 0;
	bool last = false;
	unsigned int i;

	while (!last) {
		memset(map, 0, sizeof(*map));
		map->fm_start = next;
		map->fm_length = memory->size - next;
		map->fm_extent_count = 128;
		if (ioctl(fd, FS_IOC_FIEMAP, map)) {
			say("extents", "not known, %s", strerror(errno));
			return;
		}
		last = !map->fm_mapped_extents;
		for (i = 0; i < map->fm_mapped_extents && !last; i++) {
			struct fiemap_extent *extent = &map->fm_extents[i];

			if (extent->fe_logical < next)	/* the first can begin before what was asked for */
				extent->fe_physical += next - extent->fe_logical, extent->fe_length -= next - extent->fe_logical,
				extent->fe_logical = next;
			memory->hole_2m += whole_pages(next, extent->fe_logical - next, SZ_2M);
			next = extent->fe_logical + extent->fe_length;
			last = extent->fe_flags & FIEMAP_EXTENT_LAST || next >= memory->size || !extent->fe_length;
			if (next > memory->size)
				extent->fe_length = memory->size - extent->fe_logical;
			allocated += extent->fe_length;
			if (extent->fe_flags & FIEMAP_EXTENT_SHARED)
				shared += extent->fe_length;
			add_parts(runs, layout, extent);
		}
	}
	if (next < memory->size)
		memory->hole_2m += whole_pages(next, memory->size - next, SZ_2M);
	for (i = 0; i < 3; i++)
		add_extent(&runs[i], NULL);
	memory->in_2m = runs[0].aligned;
	memory->known = true;
	if (allocated < memory->size)
		say_holes(memory, fd, dev, layout, memory->size - allocated);
	say_extents(memory, runs, allocated, shared);
	say_start(layout);
}

/* Whether files are DAX. */

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
static bool is_dax(int fd, dev_t dev)
{
	int says = says_dax(fd, "", AT_EMPTY_PATH);
	struct mount mount;
	void *map;

	if (says >= 0)
		return says;
	/* To map a file is an access, and may change its time. */
	if (!(fcntl(fd, F_GETFL) & O_NOATIME))
		return find_mount(&mount, fd, dev) && mount_option(mount.options, "dax");
	map = mmap(NULL, SZ_4K, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (map != MAP_FAILED)
		munmap(map, SZ_4K);
	return map != MAP_FAILED;
}

/* Says why a file is not DAX: the first reason, as each is enough. Returns for a folder if files that are made in it are. */
static void fail_not_dax(const struct memory *memory, int fd, dev_t dev)
{
	const char *name = memory->name, *what = memory->folder ? "a file in it would not be DAX" : "it is not DAX";
	struct fsxattr attributes = { 0 };
	struct mount mount = { 0 };
	const char *option, *always, *unread;
	struct statvfs fs = { 0 };
	struct utsname release;
	uint64_t able;
	long page = sysconf(_SC_PAGESIZE);
	bool old, xfs;

	/* Until v5.8 there was no dax=, and of ext4 all files were DAX or none. */
	old = kernel_version(&release) < 508;
	always = old ? "dax" : "dax=always";
	unread = "its mount in /proc/self/mountinfo";
	if (!find_mount(&mount, fd, dev) && !find_mount(&mount, -1, dev))
		goto unknown;
	xfs = !strcmp(mount.type, "xfs");
	if (!strcmp(mount.type, "overlay"))
		fail("%s is on overlayfs (%s), and a VMM that opens it for writing gets a copy in the upper layer; give the path on the file system below",
		     name, quote(mount.options));
	if (!mount.major)
		fail("%s: %s, as %s has no block device to map; take a file of ext4 or XFS, mounted with -o %s, on what ndctl create-namespace --mode=fsdax makes",
		     name, what, mount.type, always);
	unread = format("/sys/dev/block/%u:%u/queue/dax", mount.major, mount.minor);
	/* a partition has that of the whole device */
	if (!read_number(&able, "/sys/dev/block/%u:%u/queue/dax", mount.major, mount.minor) &&
	    !read_number(&able, "/sys/dev/block/%u:%u/../queue/dax", mount.major, mount.minor))
		goto unknown;
	if (!able)
		fail("%s: %s, as its block device, %s, cannot do DAX; take one that ndctl create-namespace --mode=fsdax makes",
		     name, what, quote(mount.source));
	if (!xfs && strcmp(mount.type, "ext4"))
		fail("%s: %s, as its file system is %s; take ext4 or XFS, mounted with -o %s", name, what, mount.type, always);
	if (!fstatvfs(fd, &fs) && fs.f_bsize != (unsigned long)page)
		fail("%s: %s, as its file system has blocks of %s, and must have ones of a page, %s; mkfs.%s %s%ld makes it so",
		     name, what, size_string(fs.f_bsize), size_string(page), mount.type, xfs ? "-b size=" : "-b ", page);

	option = mount_option(mount.options, "dax");
	if (option && !strcmp(option, "dax=never"))
		fail("%s: %s, as its file system is mounted with dax=never; unmount it, and mount it with -o dax=always", name, what);
	if (option && strcmp(option, "dax=inode")) {
		if (memory->folder)
			return;
		fail("%s is not DAX, though its file system is mounted with %s: on ext4, lsattr shows what excludes that, E (encrypted), V (fs-verity), j (journaled) or N (in the inode), and a new file without these is DAX; else dmesg may say why",
		     name, option);
	}
	if (!option && old && !xfs)
		fail("%s: %s, as its file system is mounted without -o dax; unmount it, and mount it with that", name, what);
	unread = "its attributes";
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes))
		goto unknown;
	if (attributes.fsx_xflags & FS_XFLAG_DAX) {
		if (memory->folder)
			return;
		fail("%s is not DAX yet, though it has the attribute: it will be once all who have it open have closed it (fuser %s says who), or the file system is mounted anew; else dmesg may say why",
		     name, name);
	}
	fail("%s: %s, as it lacks the attribute, and its file system is mounted %s; xfs_io -c 'chattr +x' %s sets it, or unmount the file system, and mount it with -o %s",
	     name, what, option ? "with dax=inode" : old ? "without -o dax" : "without dax=, which is as with dax=inode", name, always);

unknown:
	fail("%s: %s: its file system is not on persistent memory, or not mounted with -o %s, or the attribute is missing (xfs_io -c 'chattr +x') under dax=inode; which of these it is could not be found, as %s cannot be read",
	     name, what, always, unread);
}

/* Kinds of paths. */

/* The first line about the path itself. */
static void say_kind(const struct memory *memory, const char *kind, const char *text)
{
	set_text(&fields, "kind", kind);
	note("path", memory->name, text);
}

/* The command that lets this user do what it may not. */
static const char *permission_command(const struct memory *memory, const struct stat *st, const char *mode)
{
	if (st->st_uid == geteuid())
		return format("chmod u+%s %s", mode, memory->name);
	return format("sudo chgrp %u %s && sudo chmod g+%s %s", getegid(), memory->name, mode, memory->name);
}

/* For reading, without a wait, and without a new access time where this user may ask for that; the same file as was looked at. */
static int open_still(const struct memory *memory, const struct stat *st)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd;
	struct stat now;

	fd = open(memory->path, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(memory->path, flags);
	if (fd < 0 && errno == EACCES)
		fail("%s cannot be read by this user; %s changes that", memory->name, permission_command(memory, st, "r"));
	if (fd < 0)
		fail("%s cannot be opened: %s", memory->name, strerror(errno));
	if (fstat(fd, &now) || now.st_dev != st->st_dev || now.st_ino != st->st_ino || now.st_rdev != st->st_rdev ||
	    (now.st_mode ^ st->st_mode) & S_IFMT)
		fail("%s has become another file meanwhile; try again", memory->name);
	return fd;
}

/* Whether a process has the node open, or mapped, as far as this user may look. */
static bool process_has(const char *pid, const struct stat *st, const char *base)
{
	char *path = format("%s/proc/%s/fd", root, pid), line[PATH_MAX + 128];
	unsigned int major, minor;
	unsigned long long inode;
	struct dirent *entry;
	bool found = false;
	struct stat open_st;
	FILE *maps;
	DIR *dir;

	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		char *each = format("/proc/%s/fd/%s", pid, entry->d_name);
		const char *name = link_name(each);

		/* stat() could wait for a server; the names of others tell that they are others. */
		found = name && !strcmp(name, base) && !stat(each, &open_st) && S_ISCHR(open_st.st_mode) && open_st.st_rdev == st->st_rdev;
		free(each);
	}
	if (dir)
		closedir(dir);
	maps = found ? NULL : open_text(format("/proc/%s/maps", pid));
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) == 3 &&
			makedev(major, minor) == st->st_dev && inode == st->st_ino;
	if (maps)
		fclose(maps);
	return found;
}

static void fail_if_busy(const struct memory *memory, const struct stat *st)
{
	DIR *dir = opendir(format("%s/proc", root));
	char *real = realpath(memory->path, NULL), comm[64], self[16];
	const char *base = real ? strrchr(real, '/') + 1 : memory->path;
	struct dirent *entry;

	snprintf(self, sizeof(self), "%d", getpid());
	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !strcmp(entry->d_name, self) || !process_has(entry->d_name, st, base))
			continue;
		if (!read_line(comm, sizeof(comm), format("/proc/%s/comm", entry->d_name)))
			strcpy(comm, "?");
		fail("%s is busy: process %s (%s) has it open, and a second guest would write to the same memory; end that process, or take another device",
		     memory->name, entry->d_name, comm);
	}
	if (dir)
		closedir(dir);
}

/* Older kernels say it of the region that the device is in, which is above it, or beside it with the class of v5.0 and before. */
static bool device_alignment(uint64_t *align, dev_t dev)
{
	unsigned int major = major(dev), minor = minor(dev);

	return read_number(align, "/sys/dev/char/%u:%u/align", major, minor) ||
	       read_number(align, "/sys/dev/char/%u:%u/../dax_region/align", major, minor) ||
	       read_number(align, "/sys/dev/char/%u:%u/device/dax_region/align", major, minor);
}

/* The driver of a device of the bus dax; one of the class dax, as older kernels have it, has no link to it. */
static void check_driver(const struct memory *memory, const char *sysfs)
{
	const char *driver = link_name(format("%s/driver", sysfs)), *device = link_name(sysfs);
	char *at = format("%s%s/subsystem", root, sysfs);
	char *subsystem = realpath(at, NULL);

	if (!subsystem || !strstr(subsystem, "/bus/dax") || (driver && !strcmp(driver, "device_dax")))
		return;
	if (!device)
		device = "dax0.0";
	if (!driver)
		fail("%s has no driver, so it cannot be opened; daxctl enable-device %s gives it one", memory->name, device);
	if (!strcmp(driver, "kmem"))
		fail("%s is in system-ram mode: driver kmem has given its memory to the kernel; daxctl reconfigure-device --force --mode=devdax %s changes that",
		     memory->name, device);
	fail("%s has driver %s, and needs device_dax; daxctl reconfigure-device --mode=devdax %s changes that", memory->name, driver, device);
}

static void check_device(struct memory *memory, const struct stat *st)
{
	char *sysfs = format("/sys/dev/char/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	uint64_t resource;

	if (!device_alignment(&memory->align, st->st_rdev) || !read_number(&memory->size, "%s/size", sysfs))
		fail("%s is a character device, but not of device-dax: %s has no align; ndctl create-namespace --mode=devdax makes one",
		     memory->name, sysfs);
	if (!memory->size || !memory->align)
		fail("%s: the device has no memory; daxctl create-device gives it some", memory->name);
	check_driver(memory, sysfs);
	if (faccessat(AT_FDCWD, memory->path, R_OK | W_OK, AT_EACCESS)) {
		if (errno == EROFS)
			fail("%s is on a file system that is mounted read-only; give the node in /dev", memory->name);
		fail("%s may not be opened by this user (owner %u:%u, mode %04o): %s; %s changes that until the device is made anew, a udev rule for longer",
		     memory->name, st->st_uid, st->st_gid, st->st_mode & 07777, strerror(errno), permission_command(memory, st, "rw"));
	}
	fail_if_busy(memory, st);
	close(open_still(memory, st));

	memory->size -= memory->size % memory->align;
	memory->in_2m = memory->align >= SZ_2M ? memory->size : 0;
	memory->in_1g = memory->align >= SZ_1G ? memory->size : 0;
	memory->known = true;
	say_kind(memory, "device-dax", format("device-dax, alignment %s, %s", size_string(memory->align), size_string(memory->size)));
	if (read_number(&resource, "%s/resource", sysfs))
		say("physical start", "0x%" PRIx64, resource);
}

/* Where the file system's data is, and the device that holds it. */
static dev_t check_layout(int fd, dev_t dev, struct layout *layout)
{
	dev = data_device(fd, dev);
	find_layout(layout, major(dev), minor(dev), 0);
	if (!layout->count)
		say("extents", "whether they are aligned cannot be checked: %s", layout->why);
	return dev;
}

static void check_file(struct memory *memory, const struct stat *st)
{
	struct layout *layout = calloc(1, sizeof(*layout));
	int fd = open_still(memory, st);
	struct mount mount;
	uint64_t rest;
	dev_t dev;

	/* It may say DAX of itself, and be another file once it is written. */
	if (find_mount(&mount, fd, st->st_dev) && !strcmp(mount.type, "overlay"))
		fail_not_dax(memory, fd, st->st_dev);
	if (!st->st_size)
		fail("%s is empty; fallocate -l 4G %s, for example, makes it as large as the guest's memory", memory->name, memory->name);
	if (!is_dax(fd, st->st_dev))
		fail_not_dax(memory, fd, st->st_dev);

	memory->align = SZ_2M;
	rest = st->st_size % memory->align;
	memory->size = st->st_size - rest;
	if (!memory->size)
		fail("%s has %s, and the guest's memory is a multiple of 2M; fallocate -l 4G %s, for example, makes it as large as the guest's memory",
		     memory->name, size_string(rest), memory->name);
	say_kind(memory, "file", format("file on a DAX file system, %s", size_string(st->st_size)));
	if (faccessat(AT_FDCWD, memory->path, W_OK, AT_EACCESS)) {
		memory->read_only = true;
		say("read-only", "it cannot be written (%s), so it is no RAM of a guest; QEMU takes it as an nvdimm with readonly=on and unarmed=on%s",
		    strerror(errno), errno == EACCES ? format("; %s makes it writable", permission_command(memory, st, "w")) : "");
	}
	if (rest)
		say("cut off", "the last %s, as the guest's memory is a multiple of 2M%s", size_string(rest), memory->read_only ? "" :
		    format("; fallocate -l %s %s makes the file one", size_string(memory->size + memory->align), memory->name));
	dev = check_layout(fd, st->st_dev, layout);
	if (layout->count)
		check_extents(memory, fd, dev, layout);
	close(fd);
	free(layout);
}

/* What a file would get here that is not there yet, as it is the case if QEMU is given a folder. */
static void check_folder(struct memory *memory, const struct stat *st)
{
	struct layout *layout = calloc(1, sizeof(*layout));
	int fd = open_still(memory, st);
	struct statvfs fs = { 0 };
	uint64_t room;
	dev_t dev;

	fail_not_dax(memory, fd, st->st_dev);
	if (faccessat(AT_FDCWD, memory->path, W_OK, AT_EACCESS))
		fail("%s is a folder in which this user cannot make a file: %s%s", memory->name, strerror(errno),
		     errno == EROFS ? "; mount -o remount,rw" : format("; %s changes that", permission_command(memory, st, "w")));
	say_kind(memory, "folder", "folder on a DAX file system; QEMU makes a file in it that has no name and no blocks");
	fstatvfs(fd, &fs);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	memory->align = SZ_2M;
	memory->size = room & ~(SZ_2M - 1);
	set_number(&fields, "free", room);
	dev = check_layout(fd, st->st_dev, layout);
	memory->known = free_in_2m(&memory->in_2m, fd, dev, layout);
	if (memory->in_2m > memory->size)
		memory->in_2m = memory->size;
	say("free", "%" PRIu64 "M, of which %s", room >> 20,
	    memory->known ? format("%" PRIu64 "M are whole 2M at multiples of 2M", memory->in_2m >> 20) : "it is not known what is at multiples of 2M");
	if (memory->known)
		set_number(&fields, "free_in_2m", memory->in_2m);
	if (!memory->size)
		fail("%s: its file system has no space for a guest's memory; free some", memory->name);
	say_start(layout);
	close(fd);
	free(layout);
}

/* The file system on it is what can be used. */
static void check_block(const struct memory *memory, const struct stat *st)
{
	unsigned int major = major(st->st_rdev), minor = minor(st->st_rdev);
	struct layout *layout = calloc(1, sizeof(*layout));
	struct mount mount = { 0 };
	uint64_t able = 0;

	say_kind(memory, "block", "block device; QEMU takes it, but maps its page cache, which is ordinary memory");
	find_layout(layout, major, minor, 0);
	if (layout->count)
		say("physical start", "0x%" PRIx64 "%s", layout->segments[0].memory, layout->segments[0].memory % SZ_2M ? "" : ", a multiple of 2M");
	say_start(layout);
	if (!read_number(&able, "/sys/dev/block/%u:%u/queue/dax", major, minor) &&
	    !read_number(&able, "/sys/dev/block/%u:%u/../queue/dax", major, minor))
		able = 1;	/* not known */
	if (find_mount(&mount, -1, st->st_rdev))
		fail("%s is a block device, and no DAX memory of a guest; use the file system on it: kvm-dax-check %s says what a file there gets",
		     memory->name, quote(mount.point));
	if (!able)
		fail("%s is a block device that cannot do DAX; ndctl create-namespace --mode=fsdax makes one that can", memory->name);
	fail("%s is a block device, and no DAX memory of a guest; mount its file system with -o dax=always, and use a file there (a new one is made by mkfs.ext4 -O bigalloc -C 2M or mkfs.xfs -d su=2m,sw=1)",
	     memory->name);
}

/* What KVM makes of it. */

/* Why DAX memory is mapped by 4K alone here, or NULL; children inherit what a process has set of it. */
static const char *no_huge_pages(void)
{
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		return "this kernel has no CONFIG_TRANSPARENT_HUGEPAGE";
	/* 3, since v6.18: but for what is advised to be huge, as QEMU does with all its memory */
	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1)
		return "prctl(PR_SET_THP_DISABLE) is set here";
	return NULL;
}

/* KVM prints Y, N, or never; and auto as long as it has not seen whether this CPU is one that needs it. */
static void say_nx_huge_pages(void)
{
	char value[16];

	if (!read_line(value, sizeof(value), NX_HUGE_PAGES) || !strcmp(value, "N") || !strcmp(value, "never"))
		return;
	note("nx_huge_pages", format("but KVM's nx_huge_pages is %s", value),
	     format("memory which the guest executes is mapped by 4K%s; echo N >" NX_HUGE_PAGES " ends that, for guests that are trusted not to crash the host",
		    strcmp(value, "auto") ? "" : " where the CPU has the bug itlb_multihit"));
}

static enum status expect(enum status status, const char *pages, const char *text)
{
	set_text(&fields, "pages", pages);
	say("expected", "%s", text);
	return status;
}

/* The size of KVM's entries, by where the memory lies. */
static enum status expect_by_layout(const struct memory *memory)
{
	if (!memory->known)
		return expect(SMALL, "unknown", "not known without the extents");
	if (memory->in_1g)
		return expect(HUGE, "1G", "1G entries, where guest physical and host address agree modulo 1G");
	if (memory->folder)
		return memory->in_2m ? expect(HUGE, "2M", format("2M entries for up to %" PRIu64 "M of what a guest writes", memory->in_2m >> 20)) :
				       expect(SMALL, "4K", "4K entries, as no free 2M are at a multiple of 2M");
	if (memory->in_2m == memory->size)
		return expect(HUGE, "2M", "2M entries");
	if (memory->hole_2m == memory->size)
		return expect(SMALL, "unknown", "not known until written: holes are filled with what is free, by 2M where the file system finds 2M at a multiple of 2M");
	if (memory->in_2m || memory->hole_2m)
		return expect(memory->in_2m ? HUGE : SMALL, memory->in_2m ? "2M" : "unknown",
			      format("2M entries for %" PRIu64 "M%s, 4K for the rest", memory->in_2m >> 20,
				     memory->hole_2m ? format(", not known until written for %" PRIu64 "M", memory->hole_2m >> 20) : ""));
	return expect(SMALL, "4K", "4K entries");
}

static enum status say_level(const struct memory *memory)
{
	const char *why = no_huge_pages();
	struct utsname name;
	/* A vendor's kernel that has KVM of v5.6 has this function, which came with it. */
	bool old = kernel_version(&name) < 506 && (memory->file || memory->folder) && has_function("lookup_address_in_mm") <= 0;
	enum status status;
	int series = -1;

	if (why && (memory->file || memory->folder))
		return expect(SMALL, "4K", format("4K entries, as %s", why));
	if (why && memory->align > SZ_4K)
		fail("%s cannot be accessed, as %s and device-dax maps no less than its alignment, %s; one with --align=4k can be",
		     memory->name, why, size_string(memory->align));
	/* which the series has added, for KVM to read how large the host maps a file */
	if (old)
		series = has_function("user_mapping_shift");
	if (!series)
		return expect(SMALL, "4K", format("4K entries, as KVM before v5.6 maps files by 4K without the series for v5.4, and this is Linux %s without it: /proc/kallsyms has no user_mapping_shift",
						  name.release));
	status = expect_by_layout(memory);
	if (old && series > 0 && memory->in_2m)
		say("kernel", "this is Linux %s with the series for v5.4, and KVM maps files as large as the host does", name.release);
	else if (old && series < 0)
		say("kernel", "but this is Linux %s: KVM before v5.6 maps files by 4K without the series for v5.4", name.release);
	if (memory->in_2m || !memory->known || memory->hole_2m)
		say_nx_huge_pages();
	return old && series < 0 ? SMALL : status;
}

/* What a process may lock, this one if @pid is NULL, against the DAX memory of its VM. */
static void say_memlock(const char *pid, uint64_t size, bool file)
{
	char line[256], value[32] = "";
	FILE *limits = open_text(format("/proc/%s/limits", pid ? pid : "self"));
	char *enough = "unlimited", *raise = "";
	uint64_t limit;

	while (limits && !value[0] && fgets(line, sizeof(line), limits))
		sscanf(line, "Max locked memory %31s", value);
	if (limits)
		fclose(limits);
	if (!value[0])
		return;
	/* "unlimited" is none */
	limit = isdigit((unsigned char)value[0]) ? strtoull(value, NULL, 10) : UINT64_MAX;
	if (limit != UINT64_MAX)
		enough = format("%" PRIu64 "K, %s %" PRIu64 "K", limit >> 10, limit >= size ? "enough for" : "less than", size >> 10);
	if (file)
		raise = "; it matters only with QEMU's -overcommit mem-lock=on, as a file cannot be mapped for an assigned device";
	else if (limit < size)
		raise = format(": a device cannot be assigned unless it is raised (%s%s) or the VMM has CAP_IPC_LOCK",
			       pid ? "prlimit --memlock=unlimited --pid " : "ulimit -l, LimitMEMLOCK=, <hard_limit>", pid ? pid : "");
	note("RLIMIT_MEMLOCK", pid ? format("RLIMIT_MEMLOCK of process %s", pid) : "RLIMIT_MEMLOCK", format("%s%s", enough, raise));
}

/* The line for each VMM. */

static void command(const char *name, const char *text)
{
	set_text(&fields, "command", text);
	if (!json)
		printf("%s: %s\n", name, text);
}

static void say_qemu(const struct memory *memory)
{
	const char *size = size_string(memory->size);
	char *object = quote(format("memory-backend-file,id=mem,mem-path=%s,share=on,%salign=%s,size=%s", commas(memory->path),
				    memory->read_only ? "readonly=on," : "", size_string(memory->align), size));

	if (memory->read_only)
		command("QEMU", format("-machine q35,nvdimm=on -m 1G,slots=1,maxmem=%s -object %s -device nvdimm,id=nvdimm,memdev=mem,unarmed=on",
				       size_string(((memory->size + SZ_1G - 1) & ~(SZ_1G - 1)) + 3 * SZ_1G), object));
	else
		command("QEMU", format("-object %s -machine q35,memory-backend=mem -m %s", object, size));
	/* QEMU gives the guest what is left of the label, rounded down to the alignment. */
	if (!memory->file && !memory->folder && memory->align >= SZ_2M)
		say("nvdimm", "as a guest's nvdimm with label-size=2M, the guest sees %s of these %s, as the label takes a whole %s; add one align for the label",
		    memory->size > memory->align ? size_string(memory->size - memory->align) : "nothing", size, size_string(memory->align));
}

static void say_libvirt(const struct memory *memory)
{
	char *real = realpath(memory->path, NULL), *at;
	const char *path = real ? real : memory->path;

	for (at = (char *)path; *at; at += printable(at)) {
		if (!printable(at)) {
			say("libvirt", "XML cannot hold this path; give the file another name");
			return;
		}
	}
	if (memory->folder)
		command("libvirt", format("memory_backing_dir = %s in /etc/libvirt/qemu.conf, and in the domain:\n"
					  "<memoryBacking>\n  <source type='file'/>\n  <access mode='shared'/>\n</memoryBacking>", json_string(path)));
	else
		command("libvirt", format("in <devices>, as the guest's second memory, for a domain with <maxMemory slots='1'> and a NUMA cell:\n"
					  "<memory model='nvdimm' access='shared'>\n  <source>\n    <path>%s</path>\n    <alignsize unit='KiB'>%" PRIu64 "</alignsize>\n  </source>\n"
					  "  <target>\n    <size unit='KiB'>%" PRIu64 "</size>\n    <node>0</node>\n%s  </target>\n</memory>",
					  escape(path, "&<>", "&#%d;", "?"), memory->align >> 10, memory->size >> 10, memory->read_only ? "    <readonly/>\n" : ""));
}

static void say_cloud_hypervisor(const struct memory *memory)
{
	const char *path = memory->path;

	if (memory->folder)
		say("cloud-hypervisor", "it takes no folder; make a file in this one, and give that");
	else if (strpbrk(path, "\"[]"))
		say("cloud-hypervisor", "it takes no path with a quotation mark or a bracket; give the file another name");
	else if (memory->read_only)
		command("cloud-hypervisor", format("--pmem %s", quote(format("file=\"%s\",discard_writes=on", path))));
	else
		command("cloud-hypervisor", format("--memory size=0 --memory-zone %s",
						   quote(format(strchr(path, ',') ? "id=mem,size=%s,file=\"%s\",shared=on" : "id=mem,size=%s,file=%s,shared=on",
								size_string(memory->size), path))));
}

static void say_kata(const struct memory *memory)
{
	char *real = realpath(memory->path, NULL), *slash;

	if (!memory->file && !memory->folder) {
		say("kata", "it gives QEMU no align=, which device-dax needs, so it takes no device; give it a folder on a DAX file system");
		return;
	}
	if (!real)
		real = strdup(memory->path);
	slash = strrchr(real, '/');
	if (memory->file) {
		say("kata", "it makes a file for each guest, so it takes the folder of this one");
		if (slash && slash > real)
			*slash = '\0';
	}
	command("kata", format("file_mem_backend = %s in configuration.toml", json_string(real)));
}

static const struct {
	const char *name;
	void (*print)(const struct memory *memory);
} vmms[] = {
	{ "qemu", say_qemu }, { "libvirt", say_libvirt }, { "cloud-hypervisor", say_cloud_hypervisor }, { "kata", say_kata },
};

static enum status check_path(const char *path)
{
	struct memory memory = { .path = path[0] == '-' ? format("./%s", path) : path };
	enum status status;
	struct stat st;
	unsigned int i;

	memory.name = quote(memory.path);
	set_text(&fields, "path", path);
	if (stat(path, &st))
		fail("%s: %s", memory.name, strerror(errno));
	memory.file = S_ISREG(st.st_mode);
	memory.folder = S_ISDIR(st.st_mode);
	if (S_ISCHR(st.st_mode))
		check_device(&memory, &st);
	else if (memory.file)
		check_file(&memory, &st);
	else if (memory.folder)
		check_folder(&memory, &st);
	else if (S_ISBLK(st.st_mode))
		check_block(&memory, &st);
	else
		fail("%s is neither a device-dax node nor a file or a folder", memory.name);

	set_number(&fields, "size", memory.size);
	set_number(&fields, "align", memory.align);
	if (memory.known) {
		set_number(&fields, "bytes_2m", memory.in_2m);
		set_number(&fields, "bytes_1g", memory.in_1g);
	}
	status = say_level(&memory);
	if (memory.file || memory.folder)
		say("assigned devices", "not with a file on a DAX file system: VFIO refuses it with EOPNOTSUPP. Use device-dax (ndctl create-namespace --mode=devdax), or RAM elsewhere and the file as a second memory that the VMM does not map for the device: cloud-hypervisor --pmem is such, QEMU's nvdimm is not");
	say_memlock(NULL, memory.size, memory.file || memory.folder);
	for (i = 0; i < sizeof(vmms) / sizeof(vmms[0]); i++) {
		if (!strcmp(vmm, vmms[i].name))
			vmms[i].print(&memory);
	}
	return status;
}

/* Running guests. */

/* A mapping of a process. */
struct mapping {
	uint64_t from, to, offset;
	char flags[5];
	unsigned int major, minor;
	unsigned long long inode;
	const char *file;
};

/* A line of maps; false if it is none of a file. What it says of the file is in @line. */
static bool parse_mapping(struct mapping *mapping, char *line)
{
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %llu %n", &mapping->from, &mapping->to, mapping->flags,
		   &mapping->offset, &mapping->major, &mapping->minor, &mapping->inode, &at) != 7 || !at ||
	    strlen(mapping->flags) != 4 || mapping->to < mapping->from)
		return false;
	mapping->file = line + at;
	return line[at] == '/';
}

/*
 * The file that is mapped, also one that has no name any more, or another one in
 * this mount namespace: by map_files, for which one has to be root. Others can
 * only look at a path, and whether that is still the same file.
 */
static bool mapped_file(struct stat *st, char **path, const char *pid, const struct mapping *mapping)
{
	*path = format("%s/proc/%s/map_files/%" PRIx64 "-%" PRIx64, root, pid, mapping->from, mapping->to);
	if (!stat(*path, st))
		return true;
	*path = format("%s/proc/%s/root%s", root, pid, mapping->file);
	if (!stat(*path, st) && st->st_ino == mapping->inode && st->st_dev == makedev(mapping->major, mapping->minor))
		return true;
	return false;
}

/* Whether a file that is mapped is DAX: 1, 0, or -1 if that is not known. */
static int mapped_dax(const char *path, const struct stat *st)
{
	int says = says_dax(AT_FDCWD, path, 0), fd;

	if (says >= 0)
		return says;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME);
	if (fd < 0)
		return -1;
	says = is_dax(fd, st->st_dev);
	close(fd);
	return says;
}

/* Says what is mapped there, if it can be memory of a guest; its size if that is DAX, and whether it is a file. */
static uint64_t say_mapping(const char *pid, const struct mapping *mapping, bool *file)
{
	bool shared = mapping->flags[3] == 's', found, device;
	uint64_t align = SZ_2M, size = mapping->to - mapping->from;
	const char *remark = "", *deleted = "", *end = strstr(mapping->file, " (deleted)");
	char *path, *name = strdup(mapping->file);
	struct stat st = { 0 };
	int dax = -1;

	if (size < SZ_2M || (!shared && mapping->flags[1] != 'w'))
		return 0;
	found = mapped_file(&st, &path, pid, mapping);
	if (end && !end[strlen(" (deleted)")] && (!found || !st.st_nlink)) {
		name[end - mapping->file] = '\0';
		deleted = " (deleted)";
	}
	device = found && S_ISCHR(st.st_mode) && device_alignment(&align, st.st_rdev);
	if (device)
		dax = 1;
	else if (found && S_ISREG(st.st_mode))
		dax = mapped_dax(path, &st);
	/* Programs and libraries are mapped privately, too; and not all that is shared is a file. */
	if ((!shared && dax != 1) || (found && !device && !S_ISREG(st.st_mode)))
		return 0;

	if (!found)
		remark = ": what it is can only root read";
	else if (!dax)
		remark = format(": not DAX; kvm-dax-check %s says why", quote(path));
	else if (!shared)
		remark = ": private: what is written becomes 4K copies in RAM, not in the file; share=on maps the file itself";
	else if (align >= SZ_2M && mapping->from % SZ_2M != mapping->offset % SZ_2M)
		remark = ": not aligned to 2M, so never larger than 4K; pass align=2M";
	set_text(&pending, "file", name);
	set_number(&pending, "address", mapping->from);
	set_number(&pending, "size", size);
	set_number(&pending, "deleted", *deleted != '\0');
	set_number(&pending, "private", !shared);
	if (dax >= 0)
		set_number(&pending, "dax", dax);
	say("mapping", "0x%" PRIx64 ", %s, %s%s%s", mapping->from, size_string(size), quote(name), deleted, remark);
	*file |= dax == 1 && !device;
	return dax == 1 && shared ? size : 0;
}

/* Says what of the VMM's memory can be DAX, and whether it may lock as much. */
static void check_mappings(const char *pid)
{
	FILE *maps = open_text(format("/proc/%s/maps", pid));
	struct mapping mapping;
	uint64_t size = 0;
	size_t room = 0;
	char *line = NULL;
	bool file = false;

	if (!maps)
		fail("process %s: its maps cannot be read: %s", pid, strerror(errno));
	while (getline(&line, &room, maps) > 0) {
		if (parse_mapping(&mapping, line))
			size += say_mapping(pid, &mapping, &file);
	}
	if (ferror(maps))
		fail("process %s: its maps cannot be read: %s", pid, strerror(errno));
	fclose(maps);
	free(line);
	if (size)
		say_memlock(pid, size, file);
	else
		say("mappings", "no DAX memory that is shared, of 2M or more");
}

/* Whether a descriptor of a process is a VM. */
static bool is_vm(const char *pid, const char *fd)
{
	const char *name = link_name(format("/proc/%s/fd/%s", pid, fd));

	return name && !strcmp(name, "anon_inode:kvm-vm");
}

/* How many VMs a process has, as far as its descriptors tell; -1 if they cannot be read. */
static int count_vms(const char *pid)
{
	DIR *dir = opendir(format("%s/proc/%s/fd", root, pid));
	struct dirent *entry;
	int vms = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		vms += is_vm(pid, entry->d_name);
	closedir(dir);
	return vms;
}

/*
 * Whether debugfs has this VM of a process. It calls a VM by the thread that has
 * made it, which need not be the first one, and may have ended: then no process
 * has that number, and the descriptor is a VM.
 */
static bool has_vm(const char *pid, const char *vm)
{
	size_t digits = strspn(vm, "0123456789");
	char *thread = strndup(vm, digits);
	struct stat st;

	if (!digits || vm[digits] != '-')
		return false;
	if (!stat(format("%s/proc/%s/task/%s", root, pid, thread), &st))
		return true;
	return stat(format("%s/proc/%s", root, thread), &st) && is_vm(pid, vm + digits + 1);
}

/* What a VM is mapped by, and the status for that. */
static enum status say_vm(const char *vm)
{
	uint64_t pages[3], large, faults;
	bool counted;

	set_text(&pending, "vm", vm);
	if (!read_number(&pages[0], KVM_DEBUGFS "/%s/pages_4k", vm) ||
	    !read_number(&pages[1], KVM_DEBUGFS "/%s/pages_2m", vm) ||
	    !read_number(&pages[2], KVM_DEBUGFS "/%s/pages_1g", vm)) {
		/* an older kernel */
		counted = read_number(&large, KVM_DEBUGFS "/%s/largepages", vm);
		if (counted)
			set_number(&pending, "large", large);
		note("vm", format("vm %s, all its memory", vm), counted ?
		     format("%" PRIu64 " entries of 2M or 1G; this kernel does not count them by size", large) :
		     "this kernel does not count entries");
		return counted && large ? HUGE : SMALL;
	}
	set_number(&pending, "pages_4k", pages[0]);
	set_number(&pending, "pages_2m", pages[1]);
	set_number(&pending, "pages_1g", pages[2]);
	note("vm", format("vm %s, all its memory", vm),
	     format("%" PRIu64 " entries of 4K, %" PRIu64 " of 2M, %" PRIu64 " of 1G%s", pages[0], pages[1], pages[2],
		    read_number(&faults, KVM_DEBUGFS "/%s/pf_taken", vm) ? format(", %" PRIu64 " faults", faults) : ""));
	return pages[1] || pages[2] ? HUGE : SMALL;
}

static enum status check_process(const char *pid)
{
	enum status status = SMALL;
	struct dirent *entry;
	int vms = 0, has;
	DIR *dir;

	set_text(&fields, "kind", "process");
	set_number(&fields, "pid", strtoull(pid, NULL, 10));
	check_mappings(pid);
	has = count_vms(pid);
	if (!has)
		fail("process %s has no VM: none of its descriptors is one; give the pid of the VMM itself", pid);
	dir = opendir(format("%s" KVM_DEBUGFS, root));
	if (!dir)
		fail(KVM_DEBUGFS ": %s; root can read it when debugfs is mounted and KVM is loaded", strerror(errno));
	while ((entry = readdir(dir))) {
		if (!has_vm(pid, entry->d_name))
			continue;
		vms++;
		if (say_vm(entry->d_name) == HUGE)
			status = HUGE;
	}
	closedir(dir);
	if (!vms && has > 0)
		fail("process %s has a VM, but debugfs calls it by another process, which has made it and handed it on; ls " KVM_DEBUGFS " lists them", pid);
	if (!vms)
		fail("process %s has no VM", pid);
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: kvm-dax-check [--for VMM] [--json] [--] PATH\n"
	      "         what a guest gets whose memory is PATH: a device-dax node, a file on a DAX\n"
	      "         file system, or a folder there, in which a file is to be made\n"
	      "       kvm-dax-check [--json] -p PID\n"
	      "         what a running guest has, given the pid of its VMM; needs root\n"
	      "  --for VMM  print the line for qemu (the default), libvirt, cloud-hypervisor or kata\n"
	      "  --json     print one JSON object\n"
	      "  --version  print the version\n"
	      "Ends with 0 if there are huge pages (2M or 1G), with 3 if PATH can be used, but is\n"
	      "mapped by 4K, or by what is not known yet, with 1 and the reason if it cannot be used,\n"
	      "and with 2 on wrong usage.\n",
	      to);
}

/* Whether there is a line for this VMM. */
static bool known_vmm(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(vmms) / sizeof(vmms[0]); i++) {
		if (!strcmp(name, vmms[i].name))
			return true;
	}
	return false;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "for", required_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "pid", required_argument, NULL, 'p' }, { "version", no_argument, NULL, 'v' }, { 0 },
	};
	const char *pid = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "hp:", options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			vmm = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'p':
			pid = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'v':
			puts("kvm-dax-check " VERSION);
			return 0;
		default:
			usage(stderr);
			return USAGE;
		}
	}
	if (argc - optind != !pid || !known_vmm(vmm) || (pid && (!*pid || pid[strspn(pid, "0123456789")] || strlen(pid) > 10))) {
		usage(stderr);
		return USAGE;
	}
	finish(pid ? check_process(pid) : check_path(argv[optind]));
}
