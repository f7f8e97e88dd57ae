// SPDX-License-Identifier: GPL-2.0
/*
 * Says how KVM would map a guest whose memory is a given path, and how it maps the
 * memory of a running guest.  It opens files for reading only, and changes nothing.
 * kvm-dax-check.1 describes it.
 *
 *   cc -O2 -o kvm-dax-check kvm-dax-check.c
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
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
#include <sys/vfs.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include <linux/dm-ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsmap.h>
#include <linux/magic.h>

#define VERSION	"2.0"

#define SZ_4K	0x1000ULL
#define SZ_2M	0x200000ULL
#define SZ_1G	0x40000000ULL

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define NX_HUGE_PAGES	"/sys/module/kvm/parameters/nx_huge_pages"
#define FIRST_PID_NAMESPACE	"pid:[4026531836]"
#define DEVICE_NODES	"daxctl list says which device-dax nodes there are; they are in /dev"
#define PATHS	"give a device-dax node, a file or a folder on a DAX file system"
#define EXT2	"ext2 maps files by 4K; ext4 maps them by 2M"
#define DEVICE_OFF	"its device does not begin at a multiple of 2M"
#define NOT_KNOWN_PLACE	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED)

/* The C library's headers may be older than Linux 5.8. */
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/* Or older than 6.1 or 6.14: the masks of two fields of struct statx, and where these are. */
#define MASK_DIO_ALIGN	(0x00002000U | 0x00020000U)
#define AT_DIO_OFFSET_ALIGN	0x9c
#define AT_DIO_READ_OFFSET_ALIGN	0xb4

/* The exit statuses, which the manual page promises. */
enum status { HUGE = 0, NOT_USABLE = 1, USAGE = 2, SMALL = 3 };

/* What is known about the memory that a guest would get. */
struct memory {
	const char *path, *real;	/* as given, and without symbolic links */
	const char *name;	/* the path, quoted for a shell */
	const char *small;	/* why all of it is mapped by 4K, or NULL */
	uint64_t size;		/* bytes that a guest can have */
	uint64_t align;		/* of mappings and of their size */
	uint64_t in_2m;		/* bytes that the host can map by 2M */
	uint64_t in_1g;		/* of these, bytes that the host can map by 1G */
	uint64_t first_1g;	/* of these, bytes in the first 1G: all or none */
	uint64_t hole_2m;	/* bytes in whole 2M that have no blocks yet */
	bool known;		/* whether the four above are known */
	const char *why;	/* why they are not, or NULL */
	const char *no_1g;	/* why no file is mapped by 1G here, or NULL if XFS can do it */
	bool device, folder, read_only;
	bool vga;		/* the guest's memory begins with it and has a hole for VGA, at 640K, as QEMU makes it */
	bool xfs, realtime;	/* XFS; its realtime device */
	const char *scattered;	/* why XFS does not align new blocks to 2M, or NULL */
};

/* Where the bytes of a block device or file lie in memory, or those of a file on its device. */
struct layout {
	size_t count;
	struct segment { uint64_t at, length, memory; } *segments;
	char *why;		/* why it is not known */
};

/*
 * A line of mountinfo; the major number is 0 if the mount has no block device. Of a
 * mount that is not found, only the device and the type are known.
 */
struct mount {
	unsigned int major, minor;
	char *point, *source, *options;
	bool hidden;	/* found by its device, and its point does not lead to it */
	const char *type, *pid;	/* pid: the process that has the mount if this one does not, or NULL */
};

/* A line of /proc/PID/maps. */
struct mapping {
	uint64_t from, to, offset;
	char flags[5];
	unsigned int major, minor;
	unsigned long long inode;
	const char *file;
};

static const char *root = "";	/* the folder that has /proc and /sys; tests set their own */
static const char *elsewhere;	/* the process that may have the mounts of the path, if that begins with /proc/PID, or NULL */
static bool json;
static struct output {
	char *text;
	size_t length, size;
} fields, notes,	/* the parts of the JSON so far */
  verdict, details;	/* printed at the end: first the result and what to type, then the reasons */
static char *pending, *label;	/* for the next note: more members of its JSON object, and a label instead of what it is about */

/* Text. Allocated text is never freed, because the program soon ends. */

__attribute__((format(printf, 1, 2)))
static char *format(const char *form, ...)
{
	va_list args;
	char *text;

	va_start(args, form);
	if (vasprintf(&text, form, args) < 0)
		abort();
	va_end(args);
	return text;
}

/* Opens a stream whose text is in @to, for the caller to keep, once it is closed. */
static FILE *string_stream(char **to)
{
	static size_t size;
	FILE *out = open_memstream(to, &size);

	if (!out)
		abort();
	return out;
}

/* The length of the next character if it can be printed as it is, else 0. It can be UTF-8 where the C library has that locale. */
static int printable(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t length = mbrtowc(&wide, text, MB_LEN_MAX, &state);

	return length <= MB_LEN_MAX && iswprint(wide) ? length : 0;
}

/* Formats each character of @special by @as, what cannot be printed by @other, or from 0x80 on by @high. All formats take its number. */
static char *escape(const char *text, const char *special, const char *as, const char *other, const char *high)
{
	char *to;
	FILE *out = string_stream(&to);
	int length;

	while (*text) {
		length = printable(text);
		if (!length)
			fprintf(out, *text & 0x80 ? high : other, (unsigned char)*text), text++;
		else if (strchr(special, *text))
			fprintf(out, as, *text++);
		else
			text += fwrite(text, 1, length, out);
	}
	fclose(out);
	return to;
}

/* Quotes a word for the shell; if it has characters that cannot be printed, for bash. */
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
		return format("'%s'", escape(text, "'", "'\\%c'", "%c", "%c"));
	return format("$'%s'", escape(text, "\\'", "\\%c", "\\%03o", "\\%03o"));
}

/* This program as it was called, since it need not be in PATH. */
static char *this_program(void)
{
	return quote(program_invocation_name);
}

/* The length of the next character in UTF-8, or 0 if it is none. Sets @code to its number. Does not ask the C library, which may not know it. */
static int utf8(const char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = *text;
	int length = first < 0x80 ? 1 : first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0, i;

	*code = length > 1 ? first & (0x7f >> length) : first;
	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	return *code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : length;
}

/*
 * Makes a string for JSON and, if all of @text is UTF-8, for TOML. A byte that is not
 * UTF-8 becomes what Python's surrogateescape makes of it. Control characters are
 * escaped; other characters need not be, even if they cannot be printed.
 */
static char *json_string(const char *text)
{
	char *to;
	FILE *out = string_stream(&to);
	uint32_t code;
	int length;

	fputc('"', out);
	for (; *text; text += length ? length : 1) {
		length = utf8(text, &code);
		if (!length)
			fprintf(out, "\\udc%02x", (unsigned char)*text);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", *text);
		else if (code < ' ' || (code >= 0x7f && code < 0xa0))
			fprintf(out, "\\u%04x", code);
		else
			fwrite(text, 1, length, out);
	}
	fputc('"', out);
	fclose(out);
	return to;
}

/* Formats a size for QEMU, in the largest unit that divides it. */
static const char *size_string(uint64_t size)
{
	int unit = 3;

	while (unit && (!size || size % (1ULL << 10 * unit)))
		unit--;
	return format("%" PRIu64 "%.1s", size >> 10 * unit, &"\0KMG"[unit]);
}

/* Formats a size for people. */
static const char *bytes_string(uint64_t size)
{
	return format("%s%s", size_string(size), size % 1024 ? " bytes" : "");
}

/* Output. */

/* Appends a text. A guest can have tens of thousands of mappings, so this does not copy what is there. */
static void append(struct output *output, const char *text)
{
	size_t length = strlen(text);

	if (output->size <= output->length + length) {
		output->size = 2 * (output->length + length) + 1;
		output->text = realloc(output->text, output->size);
		if (!output->text)
			abort();
	}
	memcpy(output->text + output->length, text, length + 1);
	output->length += length;
}

static const char *text_of(const struct output *output)
{
	return output->text ? output->text : "";
}

static void add_to(struct output *list, const char *text)
{
	if (list->length)
		append(list, ",");
	append(list, text);
}

/* Sets a field of the JSON; prints nothing otherwise. */
static void set_number(const char *name, uint64_t value)
{
	if (json)
		add_to(&fields, format("\"%s\":%" PRIu64, name, value));
}

static void set_text(const char *name, const char *value)
{
	if (json && value)
		add_to(&fields, format("\"%s\":%s", name, json_string(value)));
}

/* Adds one line: what it is about, and a text. Lines of say_first() come before all others. */
#define say(about, ...)	say_text(&details, about, format(__VA_ARGS__))
#define say_first(about, ...)	say_text(&verdict, about, format(__VA_ARGS__))
static void say_text(struct output *lines, const char *about, const char *text)
{
	if (json)
		add_to(&notes, format("{\"about\":\"%s\",\"text\":%s%s%s}", about, json_string(text), pending ? "," : "", pending ? pending : ""));
	else
		append(lines, format("%s: %s\n", label ? label : about, escape(text, "", "", "?", "?")));
	pending = label = NULL;
}

/* Returns @status if all output could be written; else says why not. */
static enum status written(enum status status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "kvm-dax-check: cannot write the output: %s\n", strerror(errno));
	return NOT_USABLE;
}

__attribute__((noreturn))
static void finish(enum status status)
{
	if (json)
		printf("{\"version\":\"" VERSION "\",\"status\":%d%s%s,\"notes\":[%s]}\n", status, fields.length ? "," : "",
		       text_of(&fields), text_of(&notes));
	else
		printf("%s%s", text_of(&verdict), text_of(&details));
	exit(written(status));
}

/* Ends the program with the reason why the memory cannot be used, and with the next step if there is one. */
#define fail(next, ...)	fail_text(next, format(__VA_ARGS__))
__attribute__((noreturn))
static void fail_text(const char *next, const char *text)
{
	set_text("reason", text);
	set_text("next", next);
	if (!json)
		fprintf(stderr, "kvm-dax-check: %s\n", escape(next ? format("%s; %s", text, next) : text, "", "", "?", "?"));
	finish(NOT_USABLE);
}

/* Reading what the kernel shows. */

/* The running kernel's version; 504 is 5.4. */
static int kernel_version(struct utsname *name)
{
	int major = 0, minor = 0;

	uname(name);
	sscanf(name->release, "%4d.%4d", &major, &minor);
	return major * 100 + minor;
}

/* The whole content of a file, or NULL. */
static char *read_all(const char *path)
{
	FILE *file = fopen(format("%s%s", root, path), "re");
	char *text = NULL;
	size_t size = 0;
	bool empty;

	if (!file)
		return NULL;
	errno = 0;
	empty = getdelim(&text, &size, '\0', file) < 0;
	fclose(file);
	return !empty ? text : errno ? NULL : strdup("");
}

/* The first line of a file, or NULL. */
static char *read_line(const char *path)
{
	char *text = read_all(path);

	return strsep(&text, "\n");
}

/* Reads a number, decimal or with 0x; returns false if there is none. errno may say why. */
#define read_number(number, ...)	read_number_at(number, format(__VA_ARGS__))
static bool read_number_at(uint64_t *number, const char *path)
{
	char *text = read_all(path), *end = text;

	if (text)
		*number = strtoull(text, &end, 0);
	return end != text;
}

/* The target of a symbolic link, or NULL. */
static char *link_text(const char *path)
{
	char text[PATH_MAX];
	ssize_t length = readlink(format("%s%s", root, path), text, sizeof(text));

	return length < 0 ? NULL : strndup(text, length);
}

/* The last component of a path; NULL for NULL. */
static const char *last_part(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* Undoes the escapes of /proc for the characters in @which. */
static char *unescape(char *text, const char *which)
{
	char *from, *to = text, byte;

	for (from = text; *from; from++) {
		byte = *from;
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			byte = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			if (byte && strchr(which, byte))
				from += 3;
			else
				byte = *from;
		}
		*to++ = byte;
	}
	*to = '\0';
	return text;
}

/* The type of the file system of an open file, if the kernel has a number for it; else "". */
static const char *type_of(int fd)
{
	static const struct { uint32_t number; const char *name; } types[] = {
		{ XFS_SUPER_MAGIC, "xfs" }, { EXT4_SUPER_MAGIC, "ext4" }, { OVERLAYFS_SUPER_MAGIC, "overlay" }, { TMPFS_MAGIC, "tmpfs" },
		{ HUGETLBFS_MAGIC, "hugetlbfs" }, { BTRFS_SUPER_MAGIC, "btrfs" }, { NFS_SUPER_MAGIC, "nfs" }, { 0 }
	}, *type;
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs))
		return "";
	for (type = types; type->name && type->number != (uint32_t)fs.f_type; type++)
		;
	return type->name ? type->name : "";
}

/* Whether a mount point leads to the root of its mount: it can be a file, or another mount can lie on it. */
static bool leads_to(const struct mount *mount, dev_t dev)
{
	struct stat st;

	return !stat(format("%s%s", mount->pid ? format("/proc/%s/root", mount->pid) : "", mount->point), &st) && S_ISDIR(st.st_mode) && st.st_dev == dev;
}

/* Finds a mount in the mountinfo of a process, by its number @id or, with -1, the last one of @dev, if possible one whose point leads to it. */
static bool mount_of(struct mount *mount, const char *pid, int id, dev_t dev)
{
	char *text = read_all(format("/proc/%s/mountinfo", pid)), *line, *rest;
	bool found = false;
	struct mount each;
	int number;

	while ((line = strsep(&text, "\n"))) {
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%d %*d %u:%u %*s %ms", &number, &each.major, &each.minor, &each.point) != 4 ||
		    (id < 0 ? makedev(each.major, each.minor) != dev : number != id))
			continue;
		rest += strlen(" - ");
		each.type = strsep(&rest, " ");
		/* the source can be empty, and a line can be cut off */
		each.source = unescape(rest ? strsep(&rest, " ") : strdup(""), " \t\n\\#");
		each.options = rest ? rest : "";
		each.pid = strcmp(pid, "self") ? pid : NULL;
		unescape(each.point, " \t\n\\");
		each.hidden = id < 0 && !leads_to(&each, dev);
		if (found && each.hidden && !mount->hidden)
			continue;
		*mount = each;
		found = true;
	}
	return found;
}

/*
 * Finds the mount of an open file by its number: files of overlayfs and btrfs have
 * other devices than their mounts. Without a file, or if the mount is in another
 * namespace, finds the last mount of @dev. A path below /proc/PID can be on a mount
 * that only that process has.
 */
static bool find_mount(struct mount *mount, int fd, dev_t dev)
{
	char *text = fd < 0 ? NULL : read_all(format("/proc/self/fdinfo/%d", fd));
	int id = -1;

	*mount = (struct mount){ major(dev), minor(dev), .point = "", .source = "", .type = type_of(fd) };
	text = text ? strstr(text, "mnt_id:") : NULL;
	if (text)
		sscanf(text, "mnt_id: %d", &id);
	return (id >= 0 && mount_of(mount, "self", id, dev)) || (id >= 0 && elsewhere && mount_of(mount, elsewhere, id, dev)) ||
	       mount_of(mount, "self", -1, dev) || (elsewhere && mount_of(mount, elsewhere, -1, dev));
}

/* Finds a mount of @dev that only other processes have, by one of them. */
static bool find_mount_elsewhere(struct mount *mount, dev_t dev)
{
	DIR *dir = opendir(format("%s/proc", root));
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = isdigit((unsigned char)entry->d_name[0]) && mount_of(mount, strdup(entry->d_name), -1, dev) && !mount->hidden;
	if (dir)
		closedir(dir);
	return found;
}

/* The mount option @name, with its value if it has one, or NULL. */
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

/* Whether the kernel has this function: 1 or 0, or -1 if that cannot be read. Unlike the addresses, all users can read the names. */
static int has_function(const char *function)
{
	char *text = read_all("/proc/kallsyms");

	return !text ? -1 : strstr(text, format(" %s\n", function)) || strstr(text, format(" %s\t", function));
}

/* Whether this CPU, of x86, has no pages of 1G. */
static bool lacks_1g(void)
{
	char *text = read_all("/proc/cpuinfo"), *flags = text ? strstr(text, "\nflags\t") : NULL;

	return flags && !strstr(format("%.*s ", (int)strcspn(flags + 1, "\n"), flags + 1), " pdpe1gb ");
}

/* Why no file is mapped by 1G here, or NULL if XFS can do it. */
static const char *no_1g(void)
{
	/* The series adds this function, if it is built with the option. */
	int has = has_function("dax_iomap_pud_fault");
	struct utsname name;
	char *config;

	if (has < 0)
		return "not known, as /proc/kallsyms cannot be read";
	if (has)
		return lacks_1g() ? "this CPU has no pages of 1G; a virtual machine needs a CPU model with pdpe1gb" : NULL;
	uname(&name);
	config = read_all(format("/boot/config-%s", name.release));
	if (config && strstr(config, "# CONFIG_FS_DAX_PUD is not set\n"))
		return "this kernel maps files by 2M at most, as it was built without CONFIG_FS_DAX_PUD";
	return "this kernel maps files by 2M at most; one with the patches for Linux 7.3 and CONFIG_FS_DAX_PUD=y maps them by 1G on XFS";
}

/* Reads whether a block device, or the whole device of a partition, can do DAX. Does not change @able if that is not known. */
static bool block_dax(uint64_t *able, unsigned int major, unsigned int minor)
{
	return read_number(able, "/sys/dev/block/%u:%u/queue/dax", major, minor) ||
	       read_number(able, "/sys/dev/block/%u:%u/../queue/dax", major, minor);
}

/* The place of a block device in memory. */

/* A device number in the form of ioctls. */
static uint32_t kernel_dev(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffU) << 12;
}

static void add_segment(struct layout *layout, uint64_t at, uint64_t length, uint64_t memory)
{
	if (!(layout->count & (layout->count - 1)))
		layout->segments = realloc(layout->segments, (layout->count ? 2 * layout->count : 1) * sizeof(*layout->segments));
	if (!layout->segments)
		abort();
	layout->segments[layout->count++] = (struct segment){ at, length, memory };
}

/* Adds to @layout, at @at, the @length bytes of @below from @from on. */
static void add_range(struct layout *layout, uint64_t at, uint64_t from, uint64_t length, const struct layout *below)
{
	const struct segment *part;
	uint64_t first, last;

	for (part = below->segments; part < below->segments + below->count; part++) {
		first = part->at > from ? part->at : from;
		last = part->at + part->length < from + length ? part->at + part->length : from + length;
		if (first < last)
			add_segment(layout, at + first - from, last - first, part->memory + first - part->at);
	}
}

static void add_device(struct layout *layout, dev_t dev, int depth);

/* Adds a table from device-mapper's ioctl: a list of targets, each with the offset of the next one. */
static void add_table(struct layout *layout, const struct dm_ioctl *table, int depth)
{
	uint64_t offset = table->data_start, from;
	const struct dm_target_spec *target;
	unsigned int major, minor, i;

	for (i = 0; i < table->target_count && !layout->why; i++) {
		struct layout below = { 0 };

		target = (const void *)((const char *)table + offset);
		if (offset % 8 || offset + sizeof(*target) >= table->data_size ||
		    !memchr(target + 1, '\0', table->data_size - offset - sizeof(*target)) ||
		    (!strcmp(target->target_type, "linear") &&
		     (sscanf((const char *)(target + 1), "%u:%u %" SCNu64, &major, &minor, &from) != 3 ||
		      (from | target->sector_start | target->length) > UINT64_MAX / 2048))) {
			layout->why = format("its device-mapper table cannot be read");
		} else if (strcmp(target->target_type, "linear")) {
			layout->why = format("its device-mapper target is %.16s, and only linear ones can be added up", target->target_type);
		} else {
			add_device(&below, makedev(major, minor), depth + 1);
			add_range(layout, target->sector_start * 512, from * 512, target->length * 512, &below);
			layout->why = below.why;
			offset = (uint64_t)table->data_start + target->next;
		}
	}
}

/* Reads the table of a device-mapper device, as only root can. */
static void read_table(struct layout *layout, dev_t dev, int depth)
{
	uint64_t buffer[8192] = { 0 };
	struct dm_ioctl *table = (struct dm_ioctl *)buffer;
	int fd = open(format("%s/dev/mapper/control", root), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*table = (struct dm_ioctl){ .version[0] = DM_VERSION_MAJOR, .data_size = sizeof(buffer), .data_start = sizeof(*table),
				    .flags = DM_STATUS_TABLE_FLAG, .dev = kernel_dev(dev) };
	if (fd < 0 || ioctl(fd, DM_TABLE_STATUS, table))
		layout->why = format("device-mapper's table cannot be read (%s); root can, by /dev/mapper/control", strerror(errno));
	else if (table->flags & DM_BUFFER_FULL_FLAG)
		layout->why = format("its device-mapper table is too long");
	else
		add_table(layout, table, depth);
	if (fd >= 0)
		close(fd);
}

/* Adds a block device, on which @depth device-mapper devices lie. */
static void add_device(struct layout *layout, dev_t dev, int depth)
{
	char *sysfs = format("/sys/dev/block/%u:%u", major(dev), minor(dev));
	uint64_t start, sectors = 0, sector = 0;
	bool found;

	if (!read_number(&sectors, "%s/size", sysfs) || !sectors || sectors > UINT64_MAX / 2048)
		sectors = UINT64_MAX / 2048;
	found = read_number(&start, "%s/device/resource", sysfs);
	/* without such a file, it may be a partition */
	if (!found && errno == ENOENT && read_number(&sector, "%s/start", sysfs))
		found = read_number(&start, "%s/../device/resource", sysfs);
	if (found)
		add_segment(layout, 0, sectors * 512, start + sector * 512);
	else if (errno == EACCES)
		layout->why = format("only root can read where the device, %u:%u, begins", major(dev), minor(dev));
	else if (!read_line(format("%s/dm/name", sysfs)))
		layout->why = format("device %u:%u has no physical address of its own", major(dev), minor(dev));
	else if (depth > 8)
		layout->why = format("too many device-mapper devices lie on one another");
	else
		read_table(layout, dev, depth);
	if (!layout->count && !layout->why)
		layout->why = format("device %u:%u has no part in memory", major(dev), minor(dev));
	if (layout->why)
		layout->count = 0;
}

/* Extents. */

/* The bytes of a range that lie in whole pages of @size. */
static uint64_t whole_pages(uint64_t from, uint64_t length, uint64_t size)
{
	uint64_t at = (from + size - 1) & ~(size - 1), end = (from + length) & ~(size - 1);

	return at >= from && end > at ? end - at : 0;
}

/* The bytes of pages of @size that lie in one segment, at multiples of @size both in the file and in memory. */
static uint64_t aligned(const struct layout *layout, uint64_t size)
{
	const struct segment *part;
	uint64_t sum = 0;

	for (part = layout->segments; part < layout->segments + layout->count; part++)
		sum += (part->memory - part->at) % size ? 0 : whole_pages(part->at, part->length, size);
	return sum;
}

/* Joins segments that are adjacent both in the file and in memory. */
static void join(struct layout *layout)
{
	struct segment *part, *last = layout->segments;

	if (!layout->count)
		return;
	for (part = last + 1; part < layout->segments + layout->count; part++) {
		if (part->at == last->at + last->length && part->memory == last->memory + last->length)
			last->length += part->length;
		else
			*++last = *part;
	}
	layout->count = last - layout->segments + 1;
}

/* What is free in a file system, in bytes. */
struct room {
	uint64_t total, in_2m, in_1g;	/* the latter two in whole pages at multiples of their size */
	uint64_t most;			/* what may be free, at least the total */
	bool known;			/* whether they are known */
};

/* Adds up what is free in whole 2M and 1G; returns false if the file system does not show it. */
static bool free_in_pages(struct room *room, int fd, dev_t dev, const struct layout *layout)
{
	struct fsmap_head *head = calloc(1, fsmap_sizeof(256));
	struct fsmap *record = NULL;
	struct layout parts = { 0 };
	unsigned int i;

	if (!head)
		abort();
	memset(&head->fmh_keys[1], 0xff, offsetof(struct fsmap, fmr_length));
	head->fmh_count = 256;
	do {
		if (!layout->count || ioctl(fd, FS_IOC_GETFSMAP, head))
			return false;
		for (i = 0; i < head->fmh_entries; i++) {
			record = &head->fmh_recs[i];
			if (record->fmr_flags & FMR_OF_SPECIAL_OWNER && record->fmr_owner == FMR_OWN_FREE && record->fmr_device == kernel_dev(dev))
				add_range(&parts, 0, record->fmr_physical, record->fmr_length, layout);
		}
		if (head->fmh_entries)
			head->fmh_keys[0] = *record;
	} while (head->fmh_entries && !(record->fmr_flags & FMR_OF_LAST));
	for (i = 0; i < parts.count; i++) {
		room->in_2m += whole_pages(parts.segments[i].memory, parts.segments[i].length, SZ_2M);
		room->in_1g += whole_pages(parts.segments[i].memory, parts.segments[i].length, SZ_1G);
	}
	return true;
}

/* Whether this is root of the first user namespace, to whom file systems give what they reserve for root. */
static bool is_first_root(void)
{
	char *map = read_line("/proc/self/uid_map");
	unsigned int from, to, count;

	return !geteuid() && (!map || (sscanf(map, "%u %u %u", &from, &to, &count) == 3 && !from && !to && count == UINT32_MAX));
}

/* Says how much is free, in total and in whole 2M, and returns it. */
static struct room say_free(int fd, dev_t dev, const struct layout *layout)
{
	struct statvfs fs = { 0 };
	struct room room = { 0 };
	uint64_t kept, least, reserved, rest;

	fstatvfs(fd, &fs);
	/*
	 * ext4 keeps some even from root: at most 2% of all blocks, and 4096 clusters, which are 4096 blocks or, with
	 * bigalloc, more. f_blocks lacks the blocks of its own tables, so this takes 2.5% of that.
	 */
	kept = fs.f_blocks / 40;
	least = kept < 4096 ? kept : 4096;
	rest = is_first_root() && fs.f_bfree > fs.f_bavail ? fs.f_bfree - fs.f_bavail : 0;
	reserved = rest < kept ? 0 : (rest - kept) * fs.f_frsize;
	room.total = (uint64_t)fs.f_bavail * fs.f_frsize + reserved;
	room.most = (uint64_t)fs.f_bavail * fs.f_frsize + (rest < least ? 0 : (rest - least) * fs.f_frsize);
	set_number("free", room.total);
	room.known = free_in_pages(&room, fd, dev, layout);
	/* The file system keeps some of the whole pages for itself. */
	if (room.in_2m > room.total)
		room.in_2m = room.total & ~(SZ_2M - 1);
	if (room.in_1g > room.total)
		room.in_1g = room.total & ~(SZ_1G - 1);
	if (room.known)
		set_number("free_in_2m", room.in_2m);
	say("free", "%" PRIu64 "M%s%s", room.total >> 20, reserved ? format(", %" PRIu64 "M of it for root alone", reserved >> 20) : "", room.known ?
	    format("; %" PRIu64 "M of the %" PRIu64 "M are whole 2M at multiples of 2M", room.in_2m >> 20, room.total >> 20) :
	    "; it is not known what is at multiples of 2M");
	return room;
}

/*
 * Whether XFS has the data of a file, or of new files in a folder, on its realtime
 * device. Replaces the device by that one, or sets @why if it cannot be found.
 */
static bool take_realtime(dev_t *dev, char **why, int fd)
{
	struct fsxattr attributes = { 0 };
	const char *option;
	struct mount mount;
	struct stat st;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) || !(attributes.fsx_xflags & (FS_XFLAG_REALTIME | FS_XFLAG_RTINHERIT)))
		return false;
	if (!find_mount(&mount, fd, *dev)) {
		*why = format("the mount options, which name the realtime device, are not known");
		return true;
	}
	option = mount_option(mount.options, "rtdev");
	if (!option)
		return false;
	if (option[5] && !stat(format("%s%s", mount.pid ? format("/proc/%s/root", mount.pid) : "", unescape(strdup(option + 6), ", \t\n\\")), &st) && S_ISBLK(st.st_mode))
		*dev = st.st_rdev;
	else
		*why = format("its realtime device (%s) cannot be found", option);
	return true;
}

/* Finds the place in memory of the device that holds the data. */
static bool find_layout(struct layout *layout, int fd, dev_t *dev, bool *realtime)
{
	*realtime = take_realtime(dev, &layout->why, fd);
	if (!layout->why)
		add_device(layout, *dev, 0);
	if (layout->why)
		say("extents", "whether they are aligned cannot be checked: %s", layout->why);
	return !layout->why;
}

/* If the device begins so that no file on it can be mapped by 2M, says so, and returns true. */
static bool say_start(const struct layout *layout)
{
	unsigned int i;

	for (i = 0; i < layout->count; i++) {
		if ((layout->segments[i].memory - layout->segments[i].at) % SZ_2M == 0)
			return false;
	}
	if (layout->count)
		say("device", "it begins at 0x%" PRIx64 ", which is not a multiple of 2M, so extents that are aligned in it are not aligned in memory; begin a partition at a multiple of 2M, or a volume by pvcreate --dataalignment 2M",
		    layout->segments[0].memory);
	return layout->count;
}

/* A file system with reflink cannot be mounted with DAX before v6.0, nor later on a partition. */
#define MKFS_XFS "mkfs.xfs -m reflink=0 -d "

/* The stripe unit of XFS in bytes, as the mount options show it, or 0. */
static uint64_t stripe_unit(const struct mount *mount)
{
	const char *unit = mount->options ? mount_option(mount->options, "sunit") : NULL;

	return unit && unit[5] ? strtoull(unit + 6, NULL, 10) * 512 : 0;
}

/*
 * Why XFS allocates the blocks that a guest writes to without regard to pages of 2M, or
 * NULL: it aligns only what is as large as a stripe unit. If the mount options are not
 * known, this is not known either.
 */
static const char *why_scattered(const struct mount *mount)
{
	uint64_t unit = stripe_unit(mount);

	if (strcmp(mount->type, "xfs") || !mount->options || unit == SZ_2M)
		return NULL;
	if (unit && unit % SZ_2M == 0)
		return format("its XFS has a stripe unit of %s, so it aligns only what fallocate allocates at once, in multiples of that", size_string(unit));
	return "its XFS was made without su=2m, so holes get blocks at any multiple of 4K, by fallocate, too";
}

/* Says how holes get blocks. Fails if there is too little free space for that. */
static void say_holes(const struct memory *memory, int fd, dev_t dev, const struct layout *layout, uint64_t holes)
{
	struct room free = say_free(fd, dev, layout);
	uint64_t room = free.total;

	set_number("holes", holes);
	if (memory->read_only)
		say("holes", "%" PRIu64 "K of the file have no blocks yet: they read as zeros, as long as nobody writes the file", holes >> 10);
	/* To try it all the same would leave no free space for anyone. */
	else if (holes > room && holes <= free.most)
		say("holes", "%" PRIu64 "K of the file have no blocks yet, and the file system may have no more than %" PRIu64 "K for them: it is not known what it keeps even from root", holes >> 10, room >> 10);
	else if (holes > room)
		say("holes", "%" PRIu64 "K of the file have no blocks yet, and only %" PRIu64 "K are free, so they cannot all be allocated", holes >> 10, room >> 10);
	else
		say("holes", "%" PRIu64 "K of the file have no blocks yet: they get free ones where the guest writes; fallocate -l %" PRIu64 " %s allocates them now",
		    holes >> 10, memory->size, memory->name);
	if (holes > free.most && !memory->read_only)
		fail("free space, or make the file smaller", "%s has holes of %" PRIu64 "M, and %" PRIu64 "M are free: a guest that writes to more of it ends with \"kvm run failed Bad address\" or SIGBUS, or waits for ever",
		     memory->name, holes >> 20, room >> 20);
}

/*
 * Whether a file of XFS has the mark of one that shares blocks or once did: 1 or 0, or
 * -1 if that is not known. Direct writes to such a file are aligned to blocks, as XFS
 * shows since v6.14, and to sectors otherwise, so a sector has to be smaller.
 */
static int once_shared(int fd)
{
	uint32_t writes, reads;
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, MASK_DIO_ALIGN, &stx) || (stx.stx_mask & MASK_DIO_ALIGN) != MASK_DIO_ALIGN)
		return -1;
	memcpy(&writes, (char *)&stx + AT_DIO_OFFSET_ALIGN, sizeof(writes));
	memcpy(&reads, (char *)&stx + AT_DIO_READ_OFFSET_ALIGN, sizeof(reads));
	return writes != reads ? 1 : reads < SZ_4K ? 0 : -1;
}

/* If no file of this file system is mapped by 1G here, says why not, and returns true. */
static bool say_no_1g(const struct memory *memory)
{
	if (memory->xfs && memory->no_1g)
		say("1G", "%s", memory->no_1g);
	else if (!memory->xfs && !memory->no_1g)
		say("1G", "this kernel maps files by 1G on XFS only; an extent of ext4 ends after 128M");
	return !memory->xfs || memory->no_1g;
}

/* Says how to make a file that is mapped by 1G. */
static void say_for_1g(const struct memory *memory)
{
	if (memory->realtime)
		say("for 1G", "mkfs.xfs -r extsize=1g on a realtime device that begins at a multiple of 1G, then fill the file once, by writing to it, as XFS refuses FALLOC_FL_WRITE_ZEROES there");
	else
		say("for 1G", "ndctl create-namespace --mode=fsdax --align=1G in a region that begins at a multiple of 1G, then " MKFS_XFS "su=1g,sw=1,agcount=2, then fallocate the file at once and write all of it, or use FALLOC_FL_WRITE_ZEROES of fallocate(2)");
}

/* Says what a file needs to be mapped by 1G, on a kernel that does that. @shared: as of once_shared(). */
static void say_1g(const struct memory *memory, uint64_t at_1g, int shared)
{
	uint64_t size = memory->size & ~(SZ_1G - 1);

	if (shared > 0) {
		say("1G", "%" PRIu64 "M of the file lie at multiples of 1G; 0M of these are mapped by 1G, as the file shares blocks with another one, or once did", at_1g >> 20);
		say("for 1G, while no guest uses it", "xfs_io -c 'funshare 0 %" PRIu64 "' %s gives the file blocks of its own, if enough is free; then check it again",
		    memory->size, memory->name);
		return;
	}
	say("1G", "%" PRIu64 "M of the file lie at multiples of 1G; %" PRIu64 "M of these are mapped by 1G%s%s",
	    at_1g >> 20, memory->in_1g >> 20, memory->in_1g < at_1g ? ", as each 1G has to be one extent that is written" : "",
	    !memory->in_1g ? "" : shared ? ", but only if the file was never cloned, and QEMU has align=1G" : ", but only if QEMU has align=1G");
	if (at_1g < size)
		say_for_1g(memory);
	if (memory->in_1g)
		say("to get 1G back", "if a process has mapped the file by less before: fallocate -n -l %" PRIu64 " %s, while no guest uses it", memory->size, memory->name);
}

/* Adds up the holes and, if @layout is known, the parts that lie right to be mapped by 2M and, if the kernel does that, by 1G. */
static void check_extents(struct memory *memory, int fd, dev_t dev, const struct layout *layout)
{
	uint64_t buffer[(sizeof(struct fiemap) + 128 * sizeof(struct fiemap_extent)) / 8];
	struct fiemap *map = (struct fiemap *)buffer;
	uint64_t allocated = 0, shared = 0, next = 0, joined_2m, joined_1g, written_1g;
	struct layout file = { 0 }, written = { 0 }, first = { 0 };
	bool by_1g = memory->xfs && !memory->no_1g;
	char *copy = quote(format("%s.copy", memory->real));
	int marked = by_1g ? once_shared(fd) : 0;
	struct statvfs fs;
	unsigned int i;
	bool off;

	while (next < memory->size) {
		memset(map, 0, sizeof(*map));
		map->fm_start = next;
		map->fm_length = memory->size - next;
		map->fm_extent_count = 128;
		if (ioctl(fd, FS_IOC_FIEMAP, map)) {
			say("extents", "not known, %s", strerror(errno));
			return;
		}
		for (i = 0; i < map->fm_mapped_extents && next < memory->size; i++) {
			struct fiemap_extent *extent = &map->fm_extents[i];
			/* The first extent can begin before the requested range, and the last one can end behind it. */
			uint64_t first = extent->fe_logical > next ? extent->fe_logical : next;
			uint64_t last = extent->fe_logical + extent->fe_length;

			last = last < memory->size ? last : memory->size;
			if (first >= last)
				continue;
			memory->hole_2m += whole_pages(next, first - next, SZ_2M);
			next = last;
			allocated += last - first;
			if (extent->fe_flags & FIEMAP_EXTENT_SHARED)
				shared += last - first;
			if (!(extent->fe_flags & NOT_KNOWN_PLACE))
				add_range(&file, first, extent->fe_physical + first - extent->fe_logical, last - first, layout);
			if (by_1g && !(extent->fe_flags & (NOT_KNOWN_PLACE | FIEMAP_EXTENT_UNWRITTEN)))
				add_range(&written, first, extent->fe_physical + first - extent->fe_logical, last - first, layout);
		}
		if (next <= map->fm_start || map->fm_extents[i - 1].fe_flags & FIEMAP_EXTENT_LAST)
			break;
	}
	memory->hole_2m += whole_pages(next, memory->size - next, SZ_2M);
	/* A page fault of 2M needs one extent. XFS makes one of 2M that begin unwritten and end written, if the first access is a write. */
	memory->in_2m = aligned(&file, SZ_2M);
	/* XFS maps no part of a file by 1G if another part of it is shared. */
	if (shared)
		marked = 1;
	written_1g = aligned(&written, SZ_1G);
	memory->in_1g = marked > 0 ? 0 : written_1g;
	add_range(&first, 0, 0, SZ_1G, &written);
	memory->first_1g = marked > 0 ? 0 : aligned(&first, SZ_1G);
	memory->known = layout->count;
	join(&file);
	joined_2m = aligned(&file, SZ_2M);
	joined_1g = aligned(&file, SZ_1G);

	if (allocated < memory->size)
		say_holes(memory, fd, dev, layout, memory->size - allocated);
	if (shared)
		say("shared", "%" PRIu64 "K of the file share their blocks with another file: such a page is copied when it is written, to where 2M may not fit, and is mapped read-only until then; do not clone a file that is mapped for writing and written by write(2) as well, as what one of them has written can be lost",
		    shared >> 10);
	if (memory->known) {
		say("2M-aligned extents", "%" PRIu64 "M of %" PRIu64 "M; 1G-aligned: %" PRIu64 "M%s",
		    memory->in_2m >> 20, memory->size >> 20, joined_1g >> 20, by_1g ? "" : ", which file systems map by 2M, too");
		if (memory->size >= SZ_1G && !say_no_1g(memory))
			say_1g(memory, joined_1g, marked);
		set_number("bytes_1g", memory->in_1g);
	}
	if (memory->in_2m < joined_2m)
		say("mixed", "%" PRIu64 "M more lie at such multiples, but are mapped by 4K, as two extents meet in each 2M: only a part is written, or is shared, or one extent was too short",
		    (joined_2m - memory->in_2m) >> 20);
	if ((memory->known && joined_2m < (allocated & ~(SZ_2M - 1))) || (memory->scattered && allocated < memory->size))
		say("for more", "mkfs.ext4 -O bigalloc -C 2M, or " MKFS_XFS "su=2m,sw=1 with allocation groups larger than the file");
	if (shared || memory->in_2m < joined_2m || (by_1g && written_1g < joined_1g))
		say("for a file with blocks that are all written and its own, while no guest uses this one", "%s",
		    !fstatvfs(fd, &fs) && fs.f_bavail * fs.f_frsize < memory->size ? format("copy it, once %" PRIu64 "M are free", memory->size >> 20) :
		    format("[ ! -e %s ] && fallocate -l %" PRIu64 " %s && dd if=%s of=%s bs=2M conv=notrunc", copy, memory->size, copy, memory->name, copy));
	off = say_start(layout);
	/* A hole in an aligned extent gets the blocks that continue the extent, if they are still free. */
	if ((off || memory->scattered) && (memory->known || !allocated) && !memory->in_2m && memory->hole_2m && !memory->read_only) {
		memory->small = off ? DEVICE_OFF : memory->scattered;
		memory->hole_2m = 0;
	}
}

/* Whether files are DAX. */

/*
 * Linux shows DAX since v5.8, and its absence since v5.10. Before, MAP_SYNC works
 * for DAX files, but not on all DAX memory. Mapping a file may change its access
 * time, and is impossible with O_PATH. In these cases the mount options decide.
 * Returns 1 or 0, or -1 if these are not known.
 */
static int is_dax(int fd, dev_t dev)
{
	struct mount mount;
	struct statx stx;
	void *map;

	if (!statx(fd, "", AT_EMPTY_PATH, 0, &stx) && (stx.stx_attributes | stx.stx_attributes_mask) & STATX_ATTR_DAX)
		return !!(stx.stx_attributes & STATX_ATTR_DAX);
	if (!(fcntl(fd, F_GETFL) & O_NOATIME))
		return !find_mount(&mount, fd, dev) ? -1 : !!mount_option(mount.options, "dax");
	map = mmap(NULL, SZ_4K, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	return map != MAP_FAILED && !munmap(map, SZ_4K);
}

/* Whether the file has all these attributes, if the file system shows them. */
static bool has_attributes(int fd, uint64_t which)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH, 0, &stx) && (stx.stx_attributes & which) == which;
}

/* Fails with the first reason why a file is not DAX; each reason is enough. Returns if new files in a folder are DAX, or if that is not known. */
static void fail_not_dax(const struct memory *memory, int fd, dev_t dev)
{
	struct mount mount;
	bool mounted = find_mount(&mount, fd, dev);
	bool xfs = !strcmp(mount.type, "xfs"), ext4 = !strcmp(mount.type, "ext4"), folder = memory->folder;
	/* Before v5.8 there was no dax=, and ext4 had DAX for all files or for none. */
	struct utsname release;
	bool old = kernel_version(&release) < 508;
	const char *option = mounted ? mount_option(mount.options, "dax") : NULL, *always = old ? "dax" : "dax=always";
	bool inode = option ? !strcmp(option, "dax=inode") : xfs || !old;
	struct fsxattr attributes = { 0 };
	bool read = !ioctl(fd, FS_IOC_FSGETXATTR, &attributes), has = attributes.fsx_xflags & FS_XFLAG_DAX;
	/* A folder that this user may not open: the mount options decide, or it is not known. */
	bool closed = folder && fcntl(fd, F_GETFL) & O_PATH;
	struct statvfs fs;
	unsigned long page = sysconf(_SC_PAGESIZE), block = fstatvfs(fd, &fs) ? page : fs.f_bsize;
	uint64_t able = 2;
	/* XFS has the data of realtime files on another device. */
	dev_t data = dev;
	char *why = NULL;
	bool realtime = take_realtime(&data, &why, fd);
	bool known = why || (realtime ? block_dax(&able, major(data), minor(data)) : block_dax(&able, mount.major, mount.minor));
	const char *remount = format("unmount it, and mount it with -o %s", always),
		   *unread = !mounted ? format("its mount in /proc/%s/mountinfo", elsewhere ? elsewhere : "self") :
			      known ? "its attributes" : format("/sys/dev/block/%u:%u/queue/dax", mount.major, mount.minor);
	const char *device = mounted && !realtime ? quote(mount.source) : format("%u:%u", major(data), minor(data)), *type = mount.type;
	const char *journal = mounted && mount_option(mount.options, "data") ? mount_option(mount.options, "data") : "";
	int flags = 0;
	bool journaled = !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_JOURNAL_DATA_FL;
	unsigned int i;
	const struct { bool is; const char *reason, *next; } reasons[] = {
		{ !strcmp(mount.type, "overlay"),
		  !mounted ? ", as it is on overlayfs" :
		  format(", as it is on overlayfs (%s), and %s", quote(mount.options), mount_option(mount.options, "upperdir") ?
			 "a VMM that opens it for writing gets a copy in the upper layer" :
			 format("%s, as this overlay has no upper layer", folder ? "no file can be made there" : "it cannot be opened for writing")),
		  "give the path on the file system below" },
		{ (*type || !mounted) && !xfs && !ext4 && !(folder && option), format(", as its file system is %s", *type ? type : "neither ext4 nor XFS"),
		  format("take a file of ext4 or XFS, mounted with -o %s, on what ndctl create-namespace --mode=fsdax makes", always) },
		{ !able, format(", as its block device, %s, cannot do DAX", device), "take one that ndctl create-namespace --mode=fsdax makes" },
		{ known && block != page, format(", as its file system has blocks of %s, and must have ones of a page, %s", size_string(block), size_string(page)),
		  format("mkfs.%s %s%lu makes it so", mount.type, xfs ? "-b size=" : "-b ", page) },
		{ known && option && !strcmp(option, "dax=never"), ", as its file system is mounted with dax=never", remount },
		{ mounted && known && !option && !inode, ", as its file system is mounted without -o dax", remount },
		{ mounted && known && !inode && !folder, format(", though its file system is mounted with %s", option ? option : ""),
		  "on ext4, lsattr shows what excludes that, E (encrypted), V (fs-verity), j (journaled) or N (in the inode), and a new file without these is DAX; else dmesg may say why" },
		{ mounted ? !known || (inode && !read && !closed) : !folder,
		  format(": its file system is not on persistent memory, or not mounted with -o %s, or the attribute is missing (xfs_io -c 'chattr +x') under dax=inode", always),
		  format("which of these it is could not be found, as %s cannot be read", unread) },
		{ folder && has_attributes(fd, STATX_ATTR_ENCRYPTED), ", as it would be encrypted like the folder", "take a folder that is not" },
		{ folder && ext4 && (!strcmp(journal, "data=journal") || (journaled && mount_option(mount.options, "nodelalloc"))),
		  ", as ext4 would journal its data", format("chattr -j %s, or mount the file system without data=journal and nodelalloc", memory->name) },
		{ mounted && inode && read && !has, format(", as it lacks the attribute, and its file system is mounted %s",
					option ? "with dax=inode" : old ? "without -o dax" : "without dax=, which is as with dax=inode"),
		  format("xfs_io -c 'chattr +x' %s sets it, or unmount the file system, and mount it with -o %s", memory->name, always) },
		{ !folder, ", though it has the attribute",
		  format("it will be once all who have it open have closed it (fuser %s says who), or the file system is mounted anew; else dmesg may say why", memory->name) },
	};

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].is)
			fail(reasons[i].next, "%s: %s%s", memory->name, folder ? "a file in it would not be DAX" : "it is not DAX", reasons[i].reason);
	}
}

/* Kinds of paths. */

/* What comes before a command that only root can run. */
static const char *sudo(void)
{
	return geteuid() ? "sudo " : "";
}

/* The command that gives this user all permissions that a VMM needs. */
static const char *permission_command(const struct memory *memory, const struct stat *st)
{
	const char *mode = memory->folder ? "rwx" : "rw";

	if (st->st_uid == geteuid())
		return format("chmod u+%s %s", mode, memory->name);
	return format("sudo chgrp %u %s && sudo chmod g+%s %s", getegid(), memory->name, mode, memory->name);
}

/* The command that makes a file or folder writable, by the @error of the attempt, or NULL. */
static const char *write_command(const struct memory *memory, const struct stat *st, int fd, int error)
{
	struct mount mount;
	uint64_t protected;

	if (error == EACCES)
		return permission_command(memory, st);
	if (error == EPERM)
		return format("%schattr -%s %s", sudo(), !has_attributes(fd, STATX_ATTR_APPEND) ? "i" : has_attributes(fd, STATX_ATTR_IMMUTABLE) ? "ia" : "a",
			      quote(memory->real));
	if (error == EROFS && find_mount(&mount, fd, st->st_dev))
		return format("%s%s%smount -o remount,%srw %s", read_number(&protected, "/sys/dev/block/%u:%u/ro", mount.major, mount.minor) && protected ?
			      format("%sblockdev --setrw %s && ", sudo(), quote(mount.source)) : "", sudo(), mount.pid ? format("nsenter -m -t %s ", mount.pid) : "",
			      mount_option(mount.options, "rw") ? "bind," : "", quote(mount.point));
	return NULL;
}

/* Finds out whether this user can write a file or device, and says what it is good for if not. @until: how long the command helps. */
static void say_if_read_only(struct memory *memory, const struct stat *st, int fd, const char *until)
{
	int error = faccessat(AT_FDCWD, memory->path, W_OK, AT_EACCESS) ? errno : has_attributes(fd, STATX_ATTR_APPEND) ? EPERM : 0;
	const char *writable;

	if (!error)
		return;
	memory->read_only = true;
	writable = write_command(memory, st, fd, error);
	say("read-only", "it cannot be written (%s), so it is no RAM of a guest; QEMU takes it as an nvdimm with readonly=on and unarmed=on%s",
	    strerror(error), writable ? format("; %s makes it writable%s", writable, until) : "");
}

/* What to do if a path cannot be opened. */
static const char *open_step(const struct memory *memory, const struct stat *st, int error)
{
	switch (error) {
	case EACCES:
		return format("%s changes that", permission_command(memory, st));
	case EAGAIN:
		return "another process has a lease on it: end it (lslocks names it), or wait until it gives the lease up";
	case ENXIO:
		return DEVICE_NODES;
	}
	return "dmesg may say why";
}

/* Fails if a file or folder that this user may not open would not be DAX: its permissions need no change then. */
static void fail_if_no_use(const struct memory *memory, const struct stat *st)
{
	int fd = memory->device ? -1 : open(memory->path, O_PATH | O_CLOEXEC);

	if (fd >= 0 && (memory->folder || !is_dax(fd, st->st_dev)))
		fail_not_dax(memory, fd, st->st_dev);
	if (fd >= 0)
		close(fd);
}

/* Opens for reading, without waiting, and without a new access time if this user may ask for that. */
static int open_still(const struct memory *memory, const struct stat *st)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(memory->path, flags | O_NOATIME), error;

	if (fd < 0 && errno == EPERM)
		fd = open(memory->path, flags);
	error = errno;
	if (fd < 0 && error == EACCES)
		fail_if_no_use(memory, st);
	if (fd < 0)
		fail(open_step(memory, st, error), "%s cannot be opened by this user: %s", memory->name, strerror(error));
	return fd;
}

/* Parses a line of maps; returns false if it is not of a file. mapping->file points into @line; mapped_name() knows better. */
static bool parse_mapping(struct mapping *mapping, char *line)
{
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %llu %n", &mapping->from, &mapping->to, mapping->flags,
		   &mapping->offset, &mapping->major, &mapping->minor, &mapping->inode, &at) != 7 || !at ||
	    strlen(mapping->flags) != 4 || mapping->to < mapping->from)
		return false;
	mapping->file = unescape(line + at, "\n");
	return line[at] == '/';
}

/* Counts the descriptors of a process that are VMs or, with @st, this device node, by @name or in /dev; -1 and errno if they cannot be read. */
static int count_descriptors(const char *pid, const struct stat *st, const char *name)
{
	DIR *dir = opendir(format("%s/proc/%s/fd", root, pid));
	struct dirent *entry;
	bool denied = false;
	struct stat each;
	int count = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		char *path = format("/proc/%s/fd/%s", pid, entry->d_name), *text = link_text(path);

		/* Root without CAP_SYS_PTRACE may list them, but not follow them. */
		denied |= !text && (errno == EACCES || errno == EPERM);
		if (!text)
			continue;
		if (!st)
			count += !strcmp(text, "anon_inode:kvm-vm");
		else if (!strncmp(text, "/dev/", 5) || !strcmp(last_part(text), name))	/* stat() of other files could wait for a server */
			count += !stat(path, &each) && S_ISCHR(each.st_mode) && each.st_rdev == st->st_rdev;
	}
	closedir(dir);
	errno = EACCES;
	return denied && !count ? -1 : count;
}

/* Whether a process maps the device by this node or by another one, which only root can see. Does not wait for a file server. */
static bool is_of_device(const char *pid, const struct mapping *mapping, const struct stat *st)
{
	struct statx other;

	if (makedev(mapping->major, mapping->minor) == st->st_dev && mapping->inode == st->st_ino)
		return true;
	return mapping->flags[3] == 's' && mapping->inode &&
	       !statx(AT_FDCWD, format("%s/proc/%s/map_files/%" PRIx64 "-%" PRIx64, root, pid, mapping->from, mapping->to),
		      AT_STATX_DONT_SYNC, STATX_TYPE, &other) &&
	       S_ISCHR(other.stx_mode) && makedev(other.stx_rdev_major, other.stx_rdev_minor) == st->st_rdev;
}

/* The process by the number of a thread that runs: the first one can end before the others, and shows no memory and no descriptors then. */
static const char *running_thread(const char *pid)
{
	char *maps = read_all(format("/proc/%s/maps", pid));
	DIR *dir = maps && *maps ? NULL : opendir(format("%s/proc/%s/task", root, pid));
	const char *thread = pid;
	struct dirent *entry;

	while (dir && thread == pid && (entry = readdir(dir))) {
		maps = isdigit((unsigned char)entry->d_name[0]) ? read_all(format("/proc/%s/maps", entry->d_name)) : NULL;
		if (maps && *maps)
			thread = strdup(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return thread;
}

/* Fails if another process has the device. Returns whether all processes could be seen. */
static bool fail_if_busy(const struct memory *memory, const struct stat *st)
{
	DIR *dir = opendir(format("%s/proc", root));
	char *space = link_text("/proc/self/ns/pid");
	/* A kernel without PID namespaces has no such link. A /proc with hidepid= may show only the user's own processes, so not the first one. */
	bool all = dir && (!space || !strcmp(space, FIRST_PID_NAMESPACE)) && !access(format("%s/proc/1", root), F_OK);
	struct mapping mapping;
	struct dirent *entry;
	char *maps, *line, *comm;
	const char *pid;
	int count;
	bool busy;

	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		pid = running_thread(entry->d_name);
		count = count_descriptors(pid, st, last_part(memory->real));
		/* A process that has ended meanwhile is not busy. */
		all &= count >= 0 || errno == ENOENT || errno == ESRCH;
		busy = count > 0;
		maps = busy ? NULL : read_all(format("/proc/%s/maps", pid));
		while (!busy && (line = strsep(&maps, "\n")))
			busy = parse_mapping(&mapping, line) && is_of_device(pid, &mapping, st);
		comm = busy ? read_line(format("/proc/%s/comm", entry->d_name)) : NULL;
		if (busy)
			fail("end that process, or take another device", "%s is busy: process %s (%s) has it open, and a second guest would write to the same memory",
			     memory->name, entry->d_name, comm ? comm : "?");
	}
	if (dir)
		closedir(dir);
	return all;
}

/* Older kernels show the alignment in the device's region: above the device or, with the class of v5.0 and before, beside it. */
static bool device_alignment(uint64_t *align, const char *sysfs)
{
	return read_number(align, "%s/align", sysfs) || read_number(align, "%s/../dax_region/align", sysfs) ||
	       read_number(align, "%s/device/dax_region/align", sysfs);
}

static void check_device(struct memory *memory, const struct stat *st)
{
	char *sysfs = format("/sys/dev/char/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	const char *driver = last_part(link_text(format("%s/driver", sysfs))), *device = last_part(link_text(sysfs));
	char *subsystem = realpath(format("%s%s/subsystem", root, sysfs), NULL);
	struct statvfs fs = { 0 };
	uint64_t resource;
	bool all_seen;
	int fd;

	if (!device_alignment(&memory->align, sysfs) || !read_number(&memory->size, "%s/size", sysfs))
		fail(format("%sndctl create-namespace --mode=devdax makes one", sudo()), "%s is a character device, but not of device-dax: %s has no align", memory->name, sysfs);
	set_text("kind", "device-dax");
	if (!memory->size || !memory->align)
		fail(format("%sdaxctl create-device gives it some", sudo()), "%s: the device has no memory", memory->name);
	/* With the class dax of older kernels, a device has no link to its driver. */
	if (subsystem && strstr(subsystem, "/bus/dax") && !driver)
		fail(format("%sdaxctl enable-device %s gives it one", sudo(), device), "%s has no driver, so it cannot be opened", memory->name);
	if (subsystem && strstr(subsystem, "/bus/dax") && strcmp(driver, "device_dax"))
		fail(format("%sdaxctl reconfigure-device %s--mode=devdax %s changes that", sudo(), strcmp(driver, "kmem") ? "" : "--force ", device),
		     strcmp(driver, "kmem") ? "%s has driver %s, and needs device_dax" : "%s is in system-ram mode: driver %s has given its memory to the kernel",
		     memory->name, driver);
	if (faccessat(AT_FDCWD, memory->path, R_OK, AT_EACCESS))
		fail(format("%s changes that until the device is made anew, a udev rule for longer", permission_command(memory, st)),
		     "%s may not be opened by this user (owner %u:%u, mode %04o): %s",
		     memory->name, st->st_uid, st->st_gid, st->st_mode & 07777, strerror(errno));
	if (!statvfs(memory->path, &fs) && fs.f_flag & ST_NODEV)
		fail("give the node in /dev", "%s is on a file system that is mounted with nodev", memory->name);
	all_seen = fail_if_busy(memory, st);
	fd = open_still(memory, st);

	if (memory->size < memory->align)
		fail(format("%sdaxctl create-device gives it more", sudo()), "%s has %s, less than its alignment, %s", memory->name, bytes_string(memory->size), size_string(memory->align));
	memory->size -= memory->size % memory->align;
	memory->in_2m = memory->align >= SZ_2M ? memory->size : 0;
	memory->known = true;
	memory->in_1g = memory->align >= SZ_1G ? memory->size : 0;
	memory->first_1g = memory->in_1g ? SZ_1G : 0;
	set_number("bytes_1g", memory->in_1g);
	say("path", "device-dax, alignment %s, %s", size_string(memory->align), size_string(memory->size));
	say_if_read_only(memory, st, fd, " until the device is made anew, a udev rule for longer");
	close(fd);
	if (!all_seen)
		say("busy", "not known; only root%s sees whether another %s process has it open", geteuid() ? "" : " outside of a container",
		    geteuid() ? "user's" : "container's or user's");
	if (read_number(&resource, "%s/resource", sysfs))
		say("physical start", "0x%" PRIx64, resource);
}

static void check_file(struct memory *memory, const struct stat *st)
{
	int fd = open_still(memory, st);
	uint64_t rest = st->st_size % SZ_2M;
	struct layout layout = { 0 };
	struct mount mount;
	dev_t dev = st->st_dev;
	const char *larger = format("fallocate -l 4G %s, for example, makes it as large as the guest's memory", memory->name);
	int dax = is_dax(fd, dev);

	/* A file of overlayfs may say that it is DAX, but becomes another file when it is written. */
	find_mount(&mount, fd, dev);
	if (!strcmp(mount.type, "overlay") || !dax)
		fail_not_dax(memory, fd, dev);
	if (dax < 0)
		fail("root or the owner of the file can see it", "%s: this user cannot see whether it is DAX, as its mount is in another namespace", memory->name);
	if (!st->st_size)
		fail(larger, "%s is empty", memory->name);
	memory->align = SZ_2M;
	memory->size = st->st_size - rest;
	if (!memory->size)
		fail(larger, "%s has %s, and the guest's memory is a multiple of 2M", memory->name, bytes_string(rest));
	say("path", "file on a DAX file system, %s", bytes_string(st->st_size));
	memory->xfs = !strcmp(mount.type, "xfs");
	memory->no_1g = no_1g();
	if (!strcmp(mount.type, "ext2"))
		memory->small = EXT2;
	say_if_read_only(memory, st, fd, "");
	if (rest)
		say("cut off", "the last %s, as the guest's memory is a multiple of 2M%s", bytes_string(rest), memory->read_only ? "" :
		    format("; fallocate -o %s -l %s %s makes the file one", size_string(memory->size), size_string(memory->align), memory->name));
	find_layout(&layout, fd, &dev, &memory->realtime);
	memory->why = layout.why;
	memory->scattered = memory->realtime ? NULL : why_scattered(&mount);
	check_extents(memory, fd, dev, &layout);
	close(fd);
}

/* Checks what a new file in a folder would get, as QEMU makes one if it is given a folder. */
static void check_folder(struct memory *memory, const struct stat *st)
{
	char *device = strncmp(memory->real, "/sys/", 5) ? NULL : read_line(format("%s/dev", memory->real));
	int fd = open_still(memory, st);
	struct layout layout = { 0 };
	const char *writable;
	struct mount mount;
	dev_t dev = st->st_dev;
	struct room room;
	bool mounted;
	int error;

	if (device)
		fail(format("give the node in /dev: /dev/%s", last_part(memory->real)), "%s is what sysfs says of device %s, and no memory", memory->name, device);
	fail_not_dax(memory, fd, dev);
	if (faccessat(AT_FDCWD, memory->path, W_OK | X_OK, AT_EACCESS)) {
		error = errno;
		writable = write_command(memory, st, fd, error);
		fail(writable ? format("%s changes that", writable) : NULL, "%s is a folder in which this user cannot make a file: %s",
		     memory->name, strerror(error));
	}
	mounted = find_mount(&mount, fd, st->st_dev);
	say("path", "folder on a%s file system; QEMU makes a file in it that has no name and no blocks%s", mounted ? " DAX" : "",
	    mounted ? "" : "; whether that is DAX is not known, as its mount is in another namespace; a file that is there shows it");
	find_layout(&layout, fd, &dev, &memory->realtime);
	room = say_free(fd, dev, &layout);
	memory->in_2m = room.in_2m;
	memory->known = room.known && mounted;
	memory->why = !mounted ? "its mount options cannot be read" : layout.why ? layout.why : "its file system does not show where it is free";
	memory->align = SZ_2M;
	memory->size = room.total & ~(SZ_2M - 1);
	if (!memory->size)
		fail("free some", "%s: its file system has no space for a guest's memory", memory->name);
	memory->xfs = !strcmp(mount.type, "xfs");
	if (!strcmp(mount.type, "ext2"))
		memory->small = EXT2;
	else if (say_start(&layout))
		memory->small = DEVICE_OFF;
	else if (!memory->realtime && why_scattered(&mount))
		memory->small = format("%s; " MKFS_XFS "su=2m,sw=1 makes one that aligns what a guest writes", why_scattered(&mount));
	memory->no_1g = no_1g();
	if (mounted && !say_no_1g(memory)) {
		if (room.known)
			say("1G", "%" PRIu64 "M are whole 1G at multiples of 1G; a file that is written there before a guest uses it is mapped by 1G, if QEMU has align=1G, but not the one that QEMU makes in a folder",
			    room.in_1g >> 20);
		if (!room.in_1g || (!memory->realtime && stripe_unit(&mount) != SZ_1G))
			say_for_1g(memory);
	}
	close(fd);
}

/* Only the file system on a block device can be used, so this always fails. */
static void check_block(const struct memory *memory, const struct stat *st)
{
	char *sysfs = format("%s/sys/dev/block/%u:%u", root, major(st->st_rdev), minor(st->st_rdev));
	struct layout layout = { 0 };
	struct mount mount;
	const char *why;
	glob_t parts;
	uint64_t able = 1;
	struct utsname release;
	bool mounted, off;

	add_device(&layout, st->st_rdev, 0);
	say("path", "block device; QEMU takes it, but maps its page cache, which is ordinary memory");
	if (layout.count)
		say("physical start", "0x%" PRIx64 "%s", layout.segments[0].memory,
		    layout.segments[0].memory % SZ_2M ? "" : layout.segments[0].memory % SZ_1G ? ", a multiple of 2M" : ", a multiple of 1G");
	else
		say("physical start", "not known: %s", layout.why);
	off = say_start(&layout);
	block_dax(&able, major(st->st_rdev), minor(st->st_rdev));
	if (!able)
		fail(format("%sndctl create-namespace --mode=fsdax makes one that can", sudo()), "%s is a block device that cannot do DAX", memory->name);
	mounted = find_mount(&mount, -1, st->st_rdev) || find_mount_elsewhere(&mount, st->st_rdev);
	if (mounted && mount.hidden)
		fail("give a path in the file system, or unmount what hides it", "%s is a block device, and no DAX memory of a guest; its file system is mounted at %s, but that path does not lead to it",
		     memory->name, quote(mount.point));
	if (mounted)
		fail(format("use the file system on it: %s %s says what a file there gets", this_program(),
			    quote(mount.pid ? format("/proc/%s/root%s", mount.pid, mount.point) : mount.point)),
		     "%s is a block device, and no DAX memory of a guest", memory->name);
	if (!glob(format("%s/*/partition", sysfs), 0, NULL, &parts))
		fail(format("give a partition, such as /dev/%s", last_part(dirname(parts.gl_pathv[0]))), "%s is a block device with partitions", memory->name);
	if (!glob(format("%s/holders/*", sysfs), 0, NULL, &parts))
		fail(format("give what lies on it: /dev/%s", last_part(parts.gl_pathv[0])), "%s is a part of another block device", memory->name);
	why = no_1g();
	if (why)
		say("1G", "%s", why);
	else
		say_for_1g(memory);
	if (layout.count)
		say("a file there", off ? "is mapped by 4K, as the device begins where it does" : "can be mapped by 2M, if its file system is made and mounted as below");
	fail(format("mount its file system with -o %s, and use a file there (a new one is made by mkfs.ext4 -O bigalloc -C 2M or " MKFS_XFS "su=2m,sw=1)",
		    kernel_version(&release) < 508 ? "dax" : "dax=always"),
	     "%s is a block device, and no DAX memory of a guest", memory->name);
}

/* How KVM maps it. */

/* The size of KVM's entries, by where the memory lies. The first row that holds counts. */
static enum status expect(const struct memory *memory)
{
	/* KVM maps no 1G by one entry if a part of it is not the guest's memory. */
	uint64_t lost = memory->vga ? memory->first_1g : 0, in_1g = memory->in_1g - lost, in_2m = memory->in_2m, hole_2m = memory->hole_2m;
	bool folder = memory->folder;
	const char *in_order = ", fewer where it is not written in order; fallocate makes a file that is aligned";
	const struct { bool is; enum status status; const char *pages, *text; } rows[] = {
		{ memory->small, SMALL, "4K", format("4K entries, as %s", memory->small ? memory->small : "") },
		{ hole_2m == memory->size && memory->read_only, SMALL, "unknown", "not known: holes read as zeros" },
		{ hole_2m == memory->size, SMALL, "unknown",
		  format("not known until written: holes are filled with what is free, by 2M where the file system finds 2M at a multiple of 2M%s", memory->xfs ? in_order : "") },
		{ !memory->known, SMALL, "unknown", memory->why ? format("not known, as %s", memory->why) : "not known without the extents" },
		{ folder && in_2m, HUGE, "2M", format("2M entries for up to %" PRIu64 "M of what a guest writes%s", in_2m >> 20, memory->xfs ? in_order : "") },
		{ folder, SMALL, "4K", "4K entries, as no free 2M are at a multiple of 2M" },
		{ in_1g && in_1g == memory->size, HUGE, "1G", "1G entries, where guest physical and host address agree modulo 1G" },
		{ in_1g, HUGE, "1G", format("1G entries for %" PRIu64 "M, where guest physical and host address agree modulo 1G, smaller ones for the rest%s",
					    in_1g >> 20, lost ? " (the guest's first 1G has a hole for VGA, so it gets 2M at most)" : "") },
		{ in_2m == memory->size, HUGE, "2M", lost ? "2M entries (the guest's first 1G has a hole for VGA, so it gets no entry of 1G)" : "2M entries" },
		{ !in_2m && !hole_2m, SMALL, "4K", "4K entries" },
		{ true, in_2m ? HUGE : SMALL, in_2m ? "2M" : "unknown",
		  format("%s%s4K for the rest", in_2m ? format("2M entries for %" PRIu64 "M, ", in_2m >> 20) : "",
			 hole_2m ? format("not known%s for %" PRIu64 "M, ", memory->read_only ? "" : " until written", hole_2m >> 20) : "") },
	}, *row = rows;

	while (!row->is)
		row++;
	set_text("pages", row->pages);
	say_first("expected", "%s", row->text);
	return row->status;
}

static enum status say_level(struct memory *memory)
{
	struct utsname name;
	/* A vendor's kernel with the KVM of v5.6 has this function, which came with v5.6. */
	bool old = kernel_version(&name) < 506 && !memory->device && has_function("lookup_address_in_mm") <= 0;
	/* The series adds this function, by which KVM reads how large the host maps a file. */
	int series = old ? has_function("user_mapping_shift") : 1;
	const char *nx = read_line(NX_HUGE_PAGES), *why = NULL;
	enum status status;

	if (!access("/sys/kernel/mm", F_OK) && access("/sys/kernel/mm/transparent_hugepage", F_OK))
		why = "this kernel has no CONFIG_TRANSPARENT_HUGEPAGE";
	/* Children inherit it. A value of 3, since v6.18, exempts memory that is advised to be huge, as QEMU advises for all its memory. */
	else if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1)
		why = "prctl(PR_SET_THP_DISABLE) is set here";
	/* On a kernel without the series, the first access is an oops. */
	if (!why && memory->device && memory->align >= SZ_1G && lacks_1g())
		fail("one with --align=2M can be", "%s cannot be accessed, as this CPU has no pages of 1G (pdpe1gb), and device-dax maps no less than its alignment, %s",
		     memory->name, size_string(memory->align));
	if (why && memory->device && memory->align > SZ_4K)
		fail("one with --align=4k can be", "%s cannot be accessed, as %s and device-dax maps no less than its alignment, %s",
		     memory->name, why, size_string(memory->align));
	if (why && !memory->device)
		memory->small = why;
	else if (!series)
		memory->small = format("KVM before v5.6 maps files by 4K without the patches for Linux 5.4, and this is Linux %s without it: /proc/kallsyms has no user_mapping_shift",
				       name.release);
	status = expect(memory);
	if (memory->small)
		return status;
	if (series < 0)
		say_first("kernel", "but this is Linux %s: KVM before v5.6 maps files by 4K without the patches for Linux 5.4", name.release);
	else if (old && memory->in_2m)
		say_first("kernel", "this is Linux %s with the patches for Linux 5.4, and KVM maps files as large as the host does", name.release);
	/* KVM prints Y, N or never. It prints auto as long as it has not checked whether this CPU needs it. */
	if (nx && strcmp(nx, "N") && strcmp(nx, "never") && (memory->in_2m || !memory->known || memory->hole_2m)) {
		label = format("but KVM's nx_huge_pages is %s", nx);
		say_first("nx_huge_pages", "memory which the guest executes is mapped by 4K%s; echo N %s" NX_HUGE_PAGES " ends that, for guests that are trusted not to crash the host",
			  strcmp(nx, "auto") ? "" : " where the CPU has the bug itlb_multihit", geteuid() ? "| sudo tee " : ">");
	}
	return series < 0 ? SMALL : status;
}

/* Compares what a process (this one if @pid is NULL) may lock with the DAX memory of its VM. */
static void say_memlock(const char *pid, uint64_t size, bool file)
{
	char *text = read_all(format("/proc/%s/limits", pid ? pid : "self")), *raise = "", value[32];
	uint64_t limit;

	text = text ? strstr(text, "Max locked memory") : NULL;
	if (!text || sscanf(text, "Max locked memory %31s", value) != 1)
		return;
	limit = isdigit((unsigned char)value[0]) ? strtoull(value, NULL, 10) : UINT64_MAX;
	if (file)
		raise = "; it matters only with QEMU's -overcommit mem-lock=on, as a file cannot be mapped for an assigned device";
	else if (limit < size)
		raise = format(": a device cannot be assigned unless it is raised (%s) or the VMM has CAP_IPC_LOCK",
			       pid ? format("%sprlimit --memlock=unlimited --pid %s", sudo(), pid) :
			       "ulimit -l unlimited, systemd's LimitMEMLOCK=infinity, libvirt's <hard_limit>");
	label = pid ? format("RLIMIT_MEMLOCK of process %s", pid) : NULL;
	if (limit == UINT64_MAX)
		say("RLIMIT_MEMLOCK", "unlimited%s", raise);
	else
		say("RLIMIT_MEMLOCK", "%" PRIu64 "K, %s %" PRIu64 "K%s", limit >> 10, limit >= size ? "enough for" : "less than", size >> 10, raise);
}

/* What to type for each VMM. */

/* Takes only what is to be typed; a line "place" then says where, unless that is a command line. */
static void command(const char *name, const char *text)
{
	set_text("command", text);
	append(&verdict, format("%s: %s\n", name, text));
}

/* The alignment that the VMM must give its mapping. */
static uint64_t mapping_align(const struct memory *memory)
{
	return memory->in_1g ? SZ_1G : memory->align;
}

/*
 * Says how much a guest sees of its memory if that is an nvdimm with a label, for
 * which @option asks. QEMU subtracts the label, and rounds down to the alignment.
 */
static void say_label(const struct memory *memory, const char *option)
{
	uint64_t align = mapping_align(memory);

	if (align >= SZ_2M)
		say("nvdimm", "as a guest's nvdimm with %s, the guest sees %s of these %s, as the label takes a whole %s; add one align for the label", option,
		    memory->size > align ? size_string((memory->size - SZ_2M) & ~(align - 1)) : "nothing", size_string(memory->size), size_string(align));
}

static void say_qemu(const struct memory *memory)
{
	const char *size = size_string(memory->size);
	char *object = quote(format("memory-backend-file,id=mem,mem-path=%s,share=on,%salign=%s,size=%s", escape(memory->path, ",", "%c,", "%c", "%c"),
				    memory->read_only ? "readonly=on," : "", size_string(mapping_align(memory)), size));

	if (memory->read_only)
		command("QEMU", format("-machine q35,nvdimm=on -m 1G,slots=1,maxmem=%s -object %s -device nvdimm,id=nvdimm,memdev=mem,unarmed=on",
				       size_string(((memory->size + SZ_1G - 1) & ~(SZ_1G - 1)) + 3 * SZ_1G), object));
	else
		command("QEMU", format("-object %s -machine q35,memory-backend=mem -m %s", object, size));
	say_label(memory, "label-size=2M");
}

/* Whether XML can hold a text on a line, without control characters. */
static bool xml_takes(const char *text)
{
	uint32_t code;
	int length;

	for (; *text; text += length) {
		length = utf8(text, &code);
		if (!length || code < ' ' || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff)
			return false;
	}
	return true;
}

/* Makes a text for XML. What cannot be printed becomes a number. */
static char *xml_string(const char *text)
{
	char *xml = "";
	uint32_t code;
	int length;

	for (; *text && (length = utf8(text, &code)); text += length)
		xml = strchr("&<>", *text) || !printable(text) ? format("%s&#%u;", xml, code) : format("%s%.*s", xml, length, text);
	return xml;
}

/* Quotes a text for libvirt's qemu.conf, which knows no escapes, but three kinds of quotes. Returns NULL if none of them can hold it. */
static char *conf_string(const char *text)
{
	if (!strpbrk(text, "\"\\"))
		return format("\"%s\"", text);
	if (!strchr(text, '\''))
		return format("'%s'", text);
	if (strstr(text, "\"\"\"") || text[strlen(text) - 1] == '"')
		return NULL;
	return format("\"\"\"%s\"\"\"", text);
}

static void say_libvirt(const struct memory *memory)
{
	/* libvirt rounds the size of a memory device up to 2M, and QEMU refuses more than a device has. */
	uint64_t size = memory->size & ~(SZ_2M - 1);

	if (memory->folder) {
		command("libvirt", format("memory_backing_dir = %s", conf_string(memory->real)));
		say_first("place", "/etc/libvirt/qemu.conf; the domain needs <memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>");
		return;
	}
	command("libvirt", format("<memory model='nvdimm' access='shared'>\n  <source>\n    <path>%s</path>\n    <alignsize unit='KiB'>%" PRIu64 "</alignsize>\n  </source>\n"
				  "  <target>\n    <size unit='KiB'>%" PRIu64 "</size>\n    <node>0</node>\n  </target>\n</memory>",
				  xml_string(memory->real), mapping_align(memory) >> 10, size >> 10));
	say_first("place", "<devices>, as the guest's second memory, of a domain with <maxMemory slots='1'> and a NUMA cell");
	say_label(memory, "<label><size unit='MiB'>2</size></label>");
}

static void say_cloud_hypervisor(const struct memory *memory)
{
	const char *form = strchr(memory->path, ',') ? "id=mem,size=%s,file=\"%s\",shared=on" : "id=mem,size=%s,file=%s,shared=on";

	/* Without size=, it takes the size of the file, and refuses one that is not a multiple of 2M. */
	if (memory->read_only)
		command("cloud-hypervisor", format("--pmem %s", quote(format("file=\"%s\",size=%s,discard_writes=on", memory->path, size_string(memory->size)))));
	else
		command("cloud-hypervisor", format("--memory size=0 --memory-zone %s", quote(format(form, size_string(memory->size), memory->path))));
	if (memory->read_only)
		say_first("cloud-hypervisor", "it maps such a file privately: what the guest writes becomes 4K copies in RAM, not in the file");
	/* An older one seeks to the end of the file for its size, which is 0 for device-dax. */
	if (memory->device)
		say_first("cloud-hypervisor", "a device needs a build with vm-memory 0.17 or later, by its Cargo.lock; one before ends with MappingPastEof");
}

static void say_kata(const struct memory *memory)
{
	command("kata", format("file_mem_backend = %s", json_string(memory->real)));
	say_first("place", "configuration.toml, below [hypervisor.qemu]");
}

static const struct vmm {
	const char *name;
	void (*print)(const struct memory *memory);
} vmms[] = {
	{ "qemu", say_qemu }, { "libvirt", say_libvirt }, { "cloud-hypervisor", say_cloud_hypervisor }, { "kata", say_kata }, { 0 }
}, *vmm = vmms;

/*
 * Why the VMM maps all of a file by 4K, or NULL. QEMU maps the file over a range
 * that it has reserved, so the kernel does not align it, but align= does.
 */
static const char *not_aligned(const struct memory *memory)
{
	if (vmm->print == say_kata)
		return "Kata gives QEMU no align=, and has no option for it, so the host maps the file at any multiple of 4K";
	if (vmm->print == say_libvirt && memory->folder)
		return "libvirt gives QEMU no align= for a folder, so the host maps the file at any multiple of 4K; make a file there, and give that, for <memory model='nvdimm'> with <alignsize>";
	return NULL;
}

/* Whether Rust's trim() removes this character. */
static bool is_space(uint32_t code)
{
	static const uint32_t spaces[] = { ' ', 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 };
	unsigned int i;

	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		if (spaces[i] == code)
			return true;
	}
	return (code >= '\t' && code <= '\r') || (code >= 0x2000 && code <= 0x200a);
}

/* Fails if the VMM does not take such memory. */
static void fail_if_not_taken(const struct memory *memory)
{
	const char *at = vmm->print == say_cloud_hypervisor ? memory->path : memory->real;
	bool spaced = false;	/* whether the path begins or ends with white space */
	uint32_t code;
	int length;

	if (vmm->print == say_libvirt && !xml_takes(at))
		fail("give it another name", "%s: libvirt's XML cannot hold this path", memory->name);
	if (vmm->print == say_libvirt && memory->read_only)
		fail("make it writable, or use QEMU", "%s cannot be written, and libvirt opens it for writing", memory->name);
	if (vmm->print == say_libvirt && memory->folder && !conf_string(memory->real))
		fail("give it another name", "%s: libvirt's qemu.conf cannot hold this path, as it knows no escapes, and has no quotes that fit", memory->name);
	if (vmm->print == say_cloud_hypervisor && memory->folder)
		fail("make a file in this one, and give that", "%s: Cloud Hypervisor takes no folder", memory->name);
	if (vmm->print == say_cloud_hypervisor && strpbrk(memory->path, "\"[]"))
		fail("give it another name", "%s: Cloud Hypervisor takes no path with a quotation mark or a bracket", memory->name);
	/* discard_writes=on makes the mapping private. */
	if (vmm->print == say_cloud_hypervisor && memory->device && memory->read_only)
		fail("make it writable, or use QEMU", "%s cannot be written, and device-dax refuses the private mapping that Cloud Hypervisor makes then", memory->name);
	if (vmm->print == say_kata && memory->device)
		fail("give it a folder on a DAX file system", "%s: Kata gives QEMU no align=, which device-dax needs, so it takes no device", memory->name);
	if (vmm->print == say_kata && strchr(memory->real, ','))
		fail("give it another name", "%s: Kata takes no path with a comma, as it gives QEMU the path as it is, and an option of QEMU ends there", memory->name);
	for (; (length = *at ? utf8(at, &code) : 0); at += length) {
		if (at == memory->path || !at[length])
			spaced |= is_space(code);
	}
	if (vmm->print == say_kata && *at)
		fail("give it another name", "%s: TOML cannot hold this path", memory->name);
	if (vmm->print == say_cloud_hypervisor && *at)
		fail("give it another name", "%s: Cloud Hypervisor takes no path that is not UTF-8", memory->name);
	if (vmm->print == say_cloud_hypervisor && spaced)
		fail("give it another name", "%s: Cloud Hypervisor removes white space at the beginning and the end of a path", memory->name);
}

/* Follows a symbolic link, as far as links lead, to the path of a file that need not exist. */
static const char *follow(const char *path)
{
	const char *target;
	int links;

	for (links = 0; links < 40 && (target = link_text(path)); links++)
		path = *target == '/' ? target : format("%s/%s", dirname(strdup(path)), target);
	return path;
}

__attribute__((noreturn))
static void fail_no_path(const struct memory *memory, int error)
{
	const char *target = follow(memory->path);
	const char *next = PATHS, *folder = dirname(strdup(target));
	struct statfs fs;

	if (error == EACCES && !strncmp(memory->path, "/proc/", 6))
		next = "root can follow the links there; in a container, it needs CAP_SYS_PTRACE for that";
	else if (error == EACCES)
		next = format("namei -l %s shows the folder that does not let this user in", memory->name);
	else if (error == ENOENT && !strncmp(target, "/dev/pmem", 9))
		next = "ndctl list says which block devices of persistent memory there are";
	else if (error == ENOENT && (!strcmp(folder, "/dev") || (*target && !access(format("/dev/%s", target), F_OK))))
		next = DEVICE_NODES;
	else if (error == ENOENT && *target && !statfs(folder, &fs) && fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC)
		next = format("%s %s says what a new file there would get", this_program(), quote(folder));
	if (error == ENOENT && strcmp(target, memory->path))
		fail(next, "%s is a symbolic link to %s: %s", memory->name, quote(target), strerror(error));
	fail(next, "%s: %s", memory->name, strerror(error));
}

/* Takes the folder of a file, as Kata does not use a file that is there. */
static void take_folder(struct memory *memory, struct stat *st)
{
	char *folder = dirname(strdup(memory->real));

	if (stat(folder, st))
		fail(NULL, "%s: %s", quote(folder), strerror(errno));
	set_text("path", folder);
	say("kata", "it makes a file for each guest, so this is about the folder of %s, %s", memory->name, quote(folder));
	memory->path = memory->real = folder;
	memory->name = quote(folder);
}

static enum status check_path(const char *path)
{
	struct memory memory = { .path = path[0] == '-' ? format("./%s", path) : path };
	size_t digits = strncmp(path, "/proc/", 6) ? 0 : strspn(path + 6, "0123456789");
	struct stat st, named;
	enum status status;

	memory.name = quote(memory.path);
	if (stat(path, &st)) {
		set_text("path", path);
		fail_no_path(&memory, errno);
	}
	/* The links below /proc/PID can lead to another namespace, where their text is another file's name, or no name. */
	memory.real = realpath(path, NULL);
	if (!memory.real || stat(memory.real, &named) || named.st_dev != st.st_dev || named.st_ino != st.st_ino)
		memory.real = memory.path;
	if (digits && path[6 + digits] == '/')
		elsewhere = strndup(path + 6, digits);
	if (vmm->print == say_kata && S_ISREG(st.st_mode))
		take_folder(&memory, &st);
	else
		set_text("path", path);
	label = strdup(memory.name);
	memory.device = S_ISCHR(st.st_mode);
	memory.folder = S_ISDIR(st.st_mode);
	set_text("kind", memory.device ? NULL : memory.folder ? "folder" : S_ISREG(st.st_mode) ? "file" : S_ISBLK(st.st_mode) ? "block" : NULL);
	if (memory.device)
		check_device(&memory, &st);
	else if (memory.folder)
		check_folder(&memory, &st);
	else if (S_ISREG(st.st_mode))
		check_file(&memory, &st);
	else if (S_ISBLK(st.st_mode))
		check_block(&memory, &st);
	else
		fail(PATHS, "%s is neither a device-dax node nor a file or a folder", memory.name);

	set_number("size", memory.size);
	set_number("align", memory.align);
	if (memory.known)
		set_number("bytes_2m", memory.in_2m);
	fail_if_not_taken(&memory);
	/* Memory that cannot be written is an nvdimm, as libvirt's always is, and has no hole; nor has Cloud Hypervisor's. */
	memory.vga = vmm->print == say_qemu && !memory.read_only;
	if (!memory.small)
		memory.small = not_aligned(&memory);
	status = say_level(&memory);
	if (!memory.device)
		say("assigned devices", "not with a file on a DAX file system: VFIO refuses it with EOPNOTSUPP. Use device-dax (ndctl create-namespace --mode=devdax), or RAM elsewhere and the file as a second memory that the VMM does not map for the device: cloud-hypervisor --pmem is such, QEMU's nvdimm is not");
	say_memlock(NULL, memory.size, !memory.device);
	vmm->print(&memory);
	return status;
}

/* Running guests. */

/* The name of the mapped file: by map_files if that can be read, as maps shows a newline as \012, and a name with these four characters, too. */
static const char *mapped_name(const char *pid, const struct mapping *mapping)
{
	const char *text = link_text(format("/proc/%s/map_files/%" PRIx64 "-%" PRIx64, pid, mapping->from, mapping->to));

	return text && *text == '/' ? text : mapping->file;
}

/*
 * Finds the file of that name which has these numbers. maps names it as this process
 * would: in the root of the other one if that is a container's, but not if it is in a
 * chroot of this one's.
 */
static bool named_file(struct stat *st, char **path, const char *pid, const char *name, dev_t device, ino_t inode)
{
	char *places[] = { format("%s/proc/%s/root%s", root, pid, name), format("%s%s", root, name) };
	size_t i;

	for (i = 0; i < 2; i++) {
		*path = places[i];
		if (!stat(*path, st) && st->st_dev == device && st->st_ino == inode)
			return true;
	}
	return false;
}

/*
 * Finds the mapped file by map_files, as only root can. The file may have no name,
 * or another file may have its name here. Other users can only look at the path, and
 * check that it is still the same file.
 */
static bool mapped_file(struct stat *st, char **path, const char *pid, const struct mapping *mapping)
{
	*path = format("%s/proc/%s/map_files/%" PRIx64 "-%" PRIx64, root, pid, mapping->from, mapping->to);
	if (!stat(*path, st))
		return true;
	return named_file(st, path, pid, mapping->file, makedev(mapping->major, mapping->minor), mapping->inode);
}

/* Whether the whole text in maps is the mapped file's name, so that it does not end with a remark. */
static bool is_named(const struct stat *st, const char *pid, const struct mapping *mapping)
{
	struct stat named;
	char *path;

	return st->st_nlink && named_file(&named, &path, pid, mapping->file, st->st_dev, st->st_ino);
}

/* Says what a mapping is if it can be a guest's memory. Returns its size if it is shared DAX memory; sets @file if it is a DAX file. */
static uint64_t say_mapping(const char *pid, struct mapping *mapping, bool *file)
{
	static const char gone[] = " (deleted)";
	bool shared = mapping->flags[3] == 's', found, device, deleted;
	uint64_t align = SZ_2M, size = mapping->to - mapping->from;
	const char *remark = "";
	size_t length;
	struct stat st = { 0 };
	int dax = -1, fd;
	char *path, *name;

	if (size < SZ_2M || (!shared && mapping->flags[1] != 'w' && mapping->flags[2] == 'x'))
		return 0;
	mapping->file = mapped_name(pid, mapping);
	length = strlen(mapping->file);
	found = mapped_file(&st, &path, pid, mapping);
	deleted = length >= sizeof(gone) && !strcmp(mapping->file + length - strlen(gone), gone) && !(found && is_named(&st, pid, mapping));
	name = strndup(mapping->file, length - (deleted ? strlen(gone) : 0));
	device = found && S_ISCHR(st.st_mode) && device_alignment(&align, format("/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev)));
	if (device)
		dax = 1;
	else if (found && S_ISREG(st.st_mode) && (fd = open(path, O_PATH | O_CLOEXEC)) >= 0)
		dax = is_dax(fd, st.st_dev), close(fd);
	/* Programs and libraries are mapped privately, too, and not everything that is shared is a file. */
	if ((!shared && dax != 1) || (found && !device && !S_ISREG(st.st_mode)))
		return 0;

	if (!found)
		remark = ": only root can read what it is";
	else if (dax < 0)
		remark = ": whether it is DAX is not known, as its mount is in another namespace";
	else if (!dax)
		remark = format(": not DAX; %s %s says why", this_program(), quote(path));
	else if (!shared && mapping->flags[1] != 'w')
		remark = ": private, and only read; share=on maps the file itself";
	else if (!shared)
		remark = ": private: what is written becomes 4K copies in RAM, not in the file; share=on maps the file itself";
	else if (align >= SZ_2M && mapping->from % SZ_2M != mapping->offset % SZ_2M)
		remark = ": not aligned to 2M, so never larger than 4K; pass align=2M";
	pending = format("\"file\":%s,\"address\":%" PRIu64 ",\"size\":%" PRIu64 ",\"deleted\":%d,\"private\":%d%s", json_string(name),
			 mapping->from, size, deleted, !shared, dax < 0 ? "" : dax ? ",\"dax\":1" : ",\"dax\":0");
	say("mapping", "0x%" PRIx64 ", %s, %s%s%s", mapping->from, size_string(size), quote(name), deleted ? gone : "", remark);
	*file |= dax == 1 && !device;
	return dax == 1 && shared ? size : 0;
}

/*
 * Whether this VM in debugfs belongs to the process: 1 or 0, or -1 if it may.
 * debugfs names a VM by the number that the thread which made it has in the first
 * PID namespace, and by its descriptor. This need not be the first thread. If it
 * has ended, or if this is another PID namespace, only the descriptor is left to
 * compare, and other guests can have the same one.
 */
static int has_vm(const char *pid, const char *vm)
{
	size_t digits = strspn(vm, "0123456789");
	char *thread = strndup(vm, digits), *text = link_text("/proc/self/ns/pid");
	bool first = !text || !strcmp(text, FIRST_PID_NAMESPACE);
	struct stat st;

	if (!digits || vm[digits] != '-')
		return 0;
	if (first && !stat(format("%s/proc/%s/task/%s", root, pid, thread), &st))
		return 1;
	text = link_text(format("/proc/%s/fd/%s", pid, vm + digits + 1));
	return (!first || stat(format("%s/proc/%s", root, thread), &st)) && text && !strcmp(text, "anon_inode:kvm-vm") ? -1 : 0;
}

/* Says by which entries KVM maps a VM, and returns the status for that. */
static enum status say_vm(const char *vm)
{
	uint64_t pages[3], large, faults;

	label = format("vm %s, all its memory", vm);
	pending = format("\"vm\":%s", json_string(vm));
	if (read_number(&pages[0], KVM_DEBUGFS "/%s/pages_4k", vm) && read_number(&pages[1], KVM_DEBUGFS "/%s/pages_2m", vm) &&
	    read_number(&pages[2], KVM_DEBUGFS "/%s/pages_1g", vm)) {
		pending = format("%s,\"pages_4k\":%" PRIu64 ",\"pages_2m\":%" PRIu64 ",\"pages_1g\":%" PRIu64, pending, pages[0], pages[1], pages[2]);
		say_first("vm", "%" PRIu64 " entries of 4K, %" PRIu64 " of 2M, %" PRIu64 " of 1G%s", pages[0], pages[1], pages[2],
		    read_number(&faults, KVM_DEBUGFS "/%s/pf_taken", vm) ? format(", %" PRIu64 " faults", faults) : "");
		return pages[1] || pages[2] ? HUGE : SMALL;
	}
	/* an older kernel */
	if (read_number(&large, KVM_DEBUGFS "/%s/largepages", vm)) {
		pending = format("%s,\"large\":%" PRIu64, pending, large);
		say_first("vm", "%" PRIu64 " entries of 2M or 1G; this kernel does not count them by size", large);
		return large ? HUGE : SMALL;
	}
	say_first("vm", "this kernel does not count entries");
	return SMALL;
}

/* Whether a process has ended, with all its threads: the first one can also end before the others. */
static bool is_zombie(const char *pid)
{
	char *text = read_all(format("/proc/%s/status", pid)), *state = text ? strstr(text, "\nState:\tZ") : NULL;
	char *threads = state ? strstr(state, "\nThreads:\t") : NULL;

	return threads && strtol(threads + strlen("\nThreads:\t"), NULL, 10) <= 1;
}

static enum status check_process(const char *process)
{
	enum status status = SMALL;
	const char *pid = running_thread(process);
	char *maps = read_all(format("/proc/%s/maps", pid)), *line, *others = NULL;
	int error = errno, vms = 0, possible = 0, has, is;
	struct mapping mapping;
	struct dirent *entry;
	uint64_t size = 0;
	bool file = false;
	DIR *dir;

	elsewhere = pid;
	set_text("kind", "process");
	set_number("pid", strtoull(process, NULL, 10));
	if (is_zombie(process))
		fail("give the pid of a VMM that runs", "process %s has ended, and its parent has not yet awaited it (zombie)", process);
	if (!maps && (error == ENOENT || error == ESRCH))
		fail("give the pid of a VMM that runs", "there is no process %s", process);
	if (!maps)
		fail(geteuid() ? "root can read them" : "root can read them outside of a container", "process %s: its maps cannot be read: %s", process, strerror(error));

	/* Says which of its memory can be DAX, and whether the process may lock as much. */
	while ((line = strsep(&maps, "\n"))) {
		if (parse_mapping(&mapping, line))
			size += say_mapping(pid, &mapping, &file);
	}
	if (size)
		say_memlock(pid, size, file);
	else
		say("mappings", "none is known to be DAX memory that is shared, of 2M or more");
	has = count_descriptors(pid, NULL, NULL);
	if (!has)
		fail("give the pid of the VMM itself", "process %s has no VM: none of its descriptors is one", process);
	dir = opendir(format("%s" KVM_DEBUGFS, root));
	if (!dir)
		fail(!geteuid() && errno == ENOENT ? "mount -t debugfs debugfs /sys/kernel/debug" : "root can read it when debugfs is mounted and KVM is loaded",
		     KVM_DEBUGFS ": %s", strerror(errno));
	while ((entry = readdir(dir))) {
		is = has_vm(pid, entry->d_name);
		if (is < 0) {
			others = others ? format("%s, %s", others, entry->d_name) : strdup(entry->d_name);
			possible++;
		}
		if (is <= 0)
			continue;
		vms++;
		if (say_vm(entry->d_name) == HUGE)
			status = HUGE;
	}
	closedir(dir);
	if (possible && possible > has - vms && has > vms) {
		say_first("which vm", "not known: debugfs names it by a thread that has ended or is in another PID namespace; it is one of %s", others);
		return status;
	}
	while (has > vms && (line = strsep(&others, ", "))) {
		if (!*line)
			continue;
		vms++;
		if (say_vm(line) == HUGE)
			status = HUGE;
	}
	if (!vms && has > 0)
		fail("ls " KVM_DEBUGFS " lists them", "process %s has a VM, but debugfs calls it by another process, which has made it and handed it on", process);
	if (!vms)
		fail(NULL, "process %s has no VM", process);
	return status;
}

static const char usage[] =
	"usage: kvm-dax-check [--for VMM] [--json] [--] PATH\n"
	"         what a guest gets whose memory is PATH: a device-dax node, a file on a DAX\n"
	"         file system, or a folder there, in which a file is to be made\n"
	"       kvm-dax-check [--json] -p PID\n"
	"         what a running guest has, given the pid of its VMM; needs root\n"
	"  --for VMM      print the line for qemu (the default), libvirt, cloud-hypervisor or kata\n"
	"  --json         print one JSON object\n"
	"  -p, --pid PID  the process that is the VMM\n"
	"  -h, --help     print this\n"
	"  --version      print the version\n"
	"Ends with 0 if there are huge pages (2M or 1G), with 3 if PATH can be used, but is\n"
	"mapped by 4K, or by what is not known yet, with 1 and the reason if it cannot be used,\n"
	"and with 2 on wrong usage.\n";

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "for", required_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "pid", required_argument, NULL, 'p' }, { "version", no_argument, NULL, 'v' }, { 0 },
	};
	const char *pid = NULL, *wrong = NULL;
	bool chosen = false;	/* --for is given */
	int option, paths;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "C");
	while ((option = getopt_long(argc, argv, "hp:", options, NULL)) >= 0) {
		if (option == 'f') {
			for (vmm = vmms; vmm->name && strcmp(vmm->name, optarg); vmm++)
				;
			chosen = true;
			if (!vmm->name)
				wrong = format("--for %s: there is no line for that", quote(optarg));
		} else if (option == 'j') {
			json = true;
		} else if (option == 'p') {
			if (pid)
				wrong = "there is more than one -p; give one";
			pid = optarg;
			while (*pid == '0' && pid[1])
				pid++;
		} else if (option == 'v') {
			puts("kvm-dax-check " VERSION);
			return written(HUGE);
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? written(HUGE) : USAGE;
		}
	}
	paths = argc - optind;
	if (pid && (!*pid || pid[strspn(pid, "0123456789")] || strlen(pid) > 10))
		wrong = format("-p %s: that is no pid", quote(pid));
	else if (pid && paths)
		wrong = "give a path or -p PID, not both";
	else if (pid && chosen && !wrong)
		wrong = "--for is only for a path; a running guest has its memory already";
	else if (!pid && !paths && argc > 1 && !wrong)
		wrong = "no path given";
	else if (!pid && paths > 1)
		wrong = format("there are %d paths; give one", paths);
	if (wrong)
		fprintf(stderr, "kvm-dax-check: %s\n", wrong);
	if (wrong || argc < 2) {
		fputs(usage, stderr);
		return USAGE;
	}
	finish(pid ? check_process(pid) : check_path(argv[optind]));
}
