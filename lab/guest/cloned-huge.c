// SPDX-License-Identifier: GPL-2.0
/*
 * Reads 2M of a DAX file at once, and has the file cloned, before or after that.
 * Then writes to single pages, each of which gets a block of its own: to page 1 by a
 * mapping that is not aligned to 2M, and to page 2 by one that is.  If the page cache
 * has an entry of 2M by then, the kernel must split it.  Where it can't, the write
 * gets SIGBUS.  At last, a write(2) replaces all pages, which needs no split.
 *
 * Takes a folder on a DAX file system that can share blocks, and "before" or "after".
 * Prints by which size the file was mapped when it was read, and what became of the
 * writes.  Ends with 1 if the kernel did otherwise than that, or if the clone has
 * changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (2UL << 20)
#define OLD 'o'
#define NEW 'n'

static const char *folder;
static char content[SIZE];
static sigjmp_buf failed;

static void fail(const char *what)
{
	fprintf(stderr, "cloned-huge: %s: %s: %s\n", folder, what, strerror(errno));
	exit(1);
}

static void wrong(const char *what)
{
	fprintf(stderr, "cloned-huge: %s: %s\n", folder, what);
	exit(1);
}

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(failed, 1);
}

static int open_file(void)
{
	int fd = open(folder, O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		fail("O_TMPFILE");
	return fd;
}

static void write_all(int fd, char byte)
{
	memset(content, byte, SIZE);
	if (pwrite(fd, content, SIZE, 0) != (ssize_t)SIZE)
		fail("write(2)");
}

static bool all_are(const char *bytes, char byte)
{
	return bytes[0] == byte && !memcmp(bytes, bytes + 1, SIZE - 1);
}

/* Maps the file @shift bytes behind a multiple of 2M. */
static volatile char *map_at(int fd, size_t shift)
{
	char *room = mmap(NULL, 3 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;

	if (room == MAP_FAILED)
		fail("mmap");
	at = (char *)(((uintptr_t)room + SIZE - 1) & ~(SIZE - 1)) + shift;
	if (mmap(at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		fail("mmap of the file");
	return at;
}

static void share(int fd, int clone)
{
	struct file_clone_range range = { .src_fd = fd };

	if (ioctl(clone, FICLONERANGE, &range))
		fail("FICLONERANGE");
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Writes to the page; returns what became of that. */
static const char *write_to(volatile char *page)
{
	if (sigsetjmp(failed, 1))
		return "SIGBUS";
	*page = NEW;
	return "written";
}

int main(int argc, char **argv)
{
	volatile char *aligned, *shifted;
	const char *first, *second;
	int fd, clone;
	bool after, huge;
	long before;

	if (argc != 3 || (strcmp(argv[2], "before") && strcmp(argv[2], "after"))) {
		fprintf(stderr, "usage: cloned-huge FOLDER before|after\n");
		return 2;
	}
	folder = argv[1];
	after = !strcmp(argv[2], "after");
	fd = open_file();
	clone = open_file();
	if (fallocate(fd, 0, 0, SIZE))
		fail("fallocate");
	write_all(fd, OLD);
	aligned = map_at(fd, 0);
	shifted = map_at(fd, PAGE);

	if (!after)
		share(fd, clone);
	(void)aligned[0];
	before = faults();
	(void)aligned[PAGE];
	huge = faults() == before;
	if (after)
		share(fd, clone);

	signal(SIGBUS, on_sigbus);
	first = write_to(shifted + PAGE);
	second = write_to(aligned + 2 * PAGE);
	printf("%s cloned %s: read by %s, page 1: %s, page 2: %s\n", folder, argv[2], huge ? "2M" : "4K", first, second);
	fflush(stdout);

	/* A write that got SIGBUS has changed nothing. */
	if (pread(fd, content, SIZE, 0) != (ssize_t)SIZE)
		fail("read(2)");
	if (content[PAGE] != (first[0] == 'S' ? OLD : NEW) || content[2 * PAGE] != (second[0] == 'S' ? OLD : NEW))
		wrong("the file has not what was written to the mappings");
	content[PAGE] = content[2 * PAGE] = OLD;
	if (!all_are(content, OLD))
		wrong("pages that nobody wrote to have changed");
	write_all(fd, NEW);
	if (!all_are((const char *)aligned, NEW) || !all_are((const char *)shifted, NEW))
		wrong("the mappings have not what write(2) wrote");
	if (pread(clone, content, SIZE, 0) != (ssize_t)SIZE)
		fail("read(2) of the clone");
	if (!all_are(content, OLD))
		wrong("the clone has changed");
	return 0;
}
