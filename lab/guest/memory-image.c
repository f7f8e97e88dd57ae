// SPDX-License-Identifier: GPL-2.0
/*
 * Searches an image that the kernel writes of its memory for DAX memory, which must
 * not be there, and for anonymous memory, which must.
 *
 * "hibernate PATH DISK" writes marks to 2M of both, hibernates, checks that they are
 * still there, and counts them on the disk.  "crash PATH KERNEL INITRAMFS WORDS"
 * writes marks and crashes this kernel; the crash kernel gets the words, and
 * MARKS=<marks>.  There, "look FILE MARKS" counts the marks in the dump.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (2UL << 20)
#define MAPPED (1UL << 30)	/* a multiple of every alignment; what is beyond the memory is never touched */

enum { DAX, ANON, KINDS };

struct mark {
	uint64_t words[4];
};

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "memory-image: %s: %s: %s\n", path, what, strerror(errno));
	return 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: memory-image hibernate PATH DISK | crash PATH KERNEL INITRAMFS WORDS | look FILE MARKS\n");
	return 2;
}

static void set(char *memory, const struct mark *mark)
{
	size_t page;

	for (page = 0; page < SIZE; page += PAGE)
		memcpy(memory + page, mark, sizeof(*mark));
}

/* Counts the pages that begin with the mark. */
static long count(const char *memory, size_t size, const struct mark *mark)
{
	long pages = 0;
	size_t page;

	for (page = 0; page < size; page += PAGE)
		pages += !memcmp(memory + page, mark, sizeof(*mark));
	return pages;
}

/*
 * Prints how many pages of each kind the file has: all anonymous ones must be there, and no DAX page.  A dump may have more
 * anonymous ones, because it also has the old content of memory from which the kernel has moved a page.
 */
static int look(const char *path, int flags, const struct mark *marks)
{
	static char chunk[1 << 20] __attribute__((aligned(4096)));
	const long expected = SIZE / PAGE;
	long dax = 0, anon = 0;
	ssize_t got = 0;
	int fd;

	fd = open(path, O_RDONLY | flags);
	while (fd >= 0 && (got = read(fd, chunk, sizeof(chunk))) > 0) {
		dax += count(chunk, got, &marks[DAX]);
		anon += count(chunk, got, &marks[ANON]);
	}
	if (fd < 0 || got < 0)
		return fail("read", path);
	printf("written=%ld image_dax=%ld image_anon=%ld\n", expected, dax, anon);
	return dax || anon < expected;
}

static int write_to(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(words);

	if (fd < 0 || write(fd, words, len) != len)
		return fail(words, path);
	close(fd);
	return 0;
}

static int hibernate(const char *dax, const char *anon, const char *disk,
		     const struct mark *marks)
{
	if (write_to("/sys/power/state", "disk"))
		return 1;
	if (count(dax, SIZE, &marks[DAX]) != SIZE / PAGE || count(anon, SIZE, &marks[ANON]) != SIZE / PAGE) {
		fprintf(stderr, "memory-image: memory is not what it was before\n");
		return 1;
	}
	/* The kernel has written the image past the disk's page cache. */
	return look(disk, O_DIRECT, marks);
}

static int crash(const char *kernel, const char *initramfs, const char *words,
		 const struct mark *marks)
{
	const unsigned char *byte = (const unsigned char *)marks;
	char line[2048];
	size_t i;
	int len;

	len = snprintf(line, sizeof(line), "%s MARKS=", words);
	for (i = 0; i < KINDS * sizeof(*marks); i++)
		len += snprintf(line + len, sizeof(line) - len, "%02x", byte[i]);
	if (syscall(SYS_kexec_file_load, open(kernel, O_RDONLY), open(initramfs, O_RDONLY), len + 1L, line,
		    (long)KEXEC_FILE_ON_CRASH))
		return fail("kexec_file_load", kernel);
	return write_to("/proc/sysrq-trigger", "c");
}

int main(int argc, char **argv)
{
	struct mark marks[KINDS];
	char *dax, *anon;
	size_t i;
	int fd;

	if (argc == 4 && !strcmp(argv[1], "look")) {
		for (i = 0; i < sizeof(marks); i++) {
			if (sscanf(argv[3] + 2 * i, "%2hhx", (unsigned char *)marks + i) != 1)
				return usage();
		}
		return look(argv[2], 0, marks);
	}
	if (argc < 4)
		return usage();
	if (getrandom(marks, sizeof(marks), 0) != sizeof(marks))
		return fail("getrandom", argv[2]);
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		return fail("open", argv[2]);
	dax = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (dax == MAP_FAILED)
		return fail("mmap", argv[2]);
	anon = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (anon == MAP_FAILED)
		return fail("mmap", "anonymous memory");
	set(dax, &marks[DAX]);
	set(anon, &marks[ANON]);
	if (!strcmp(argv[1], "hibernate") && argc == 4)
		return hibernate(dax, anon, argv[3], marks);
	if (!strcmp(argv[1], "crash") && argc == 6)
		return crash(argv[3], argv[4], argv[5], marks);
	return usage();
}
