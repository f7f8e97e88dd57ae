// SPDX-License-Identifier: GPL-2.0
/*
 * Lets pages of a file fail while their folio of 1G is made and reset.  One thread
 * maps the file by a page fault, which makes the folio.  Then it moves all blocks of
 * the file by 1G, and next time back: a hole of that size comes or goes before them.
 * That removes the DAX entry, and so resets the folio, but frees no block.  Another
 * thread lets one page after the other fail, by its physical address.  Half of them
 * are the first four, whose struct pages have the fields of the folio.
 *
 * Takes the file, which is 1 GiB of written blocks that can be mapped by 1G, and how
 * many failures to cause.  Prints
 *
 *   rounds    how often the folio was made and reset
 *   by_1g     how many of these rounds took one page fault for the whole GiB
 *   failures  how many failures there were
 *   no_file   for how many of them the kernel found no file that has the page
 *   told      how often this process, which has mapped it, was told
 *
 * Ends with 1 if no round was mapped by 1G, or it was never told.  What else can go
 * wrong, the kernel logs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096UL
#define GIB (1UL << 30)
#define PAGES (GIB / PAGE)

static const char offline[] = "/sys/devices/system/memory/hard_offline_page";
static int file;
static volatile char *memory;
static atomic_ulong failures, told;
static atomic_int stop;
static unsigned long rounds, by_1g;

static void fail(const char *what)
{
	fprintf(stderr, "failure-while-made: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void on_sigbus(int sig, siginfo_t *info, void *unused)
{
	(void)sig;
	(void)unused;
	if (info->si_code != BUS_MCEERR_AR && info->si_code != BUS_MCEERR_AO)
		_exit(3);
	told++;
}

/* Reads at both ends of the GiB; returns how many page faults this has taken. */
static long touch(volatile char *gib)
{
	struct rusage before, after;

	getrusage(RUSAGE_THREAD, &before);
	(void)gib[0];
	(void)gib[GIB - PAGE];
	getrusage(RUSAGE_THREAD, &after);
	return after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt;
}

static void *make_and_reset(void *unused)
{
	unsigned long seen;

	for (; !stop; rounds++) {
		by_1g += touch(memory + rounds % 2 * GIB) == 1;
		/* The first failure that ends may have begun before the page fault. */
		for (seen = failures; failures < seen + 2 && !stop;)
			sched_yield();
		if (fallocate(file, rounds % 2 ? FALLOC_FL_COLLAPSE_RANGE : FALLOC_FL_INSERT_RANGE, 0, GIB))
			fail("moving the blocks");
	}
	return unused;
}

static unsigned long frame_of(volatile char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry)) != sizeof(entry))
		fail("/proc/self/pagemap");
	close(fd);
	return entry & ((1UL << 55) - 1);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	unsigned long wanted, first, page, no_file = 0;
	char *room, address[32];
	pthread_t thread;
	int fd, length;

	if (argc != 3) {
		fprintf(stderr, "usage: failure-while-made FILE FAILURES\n");
		return 2;
	}
	wanted = strtoul(argv[2], NULL, 0);
	file = open(argv[1], O_RDWR);
	if (file < 0)
		fail(argv[1]);
	fd = open(offline, O_WRONLY);
	if (fd < 0)
		fail(offline);
	/* For both places that the blocks have in the file, and at a multiple of 1G. */
	room = mmap(NULL, 3 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		fail("mmap of room");
	room = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));
	memory = mmap(room, 2 * GIB, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	if (touch(memory) != 1) {
		fprintf(stderr, "failure-while-made: %s is not mapped by 1G\n", argv[1]);
		return 1;
	}
	first = frame_of(memory);
	if (!first || frame_of(memory + GIB - PAGE) != first + PAGES - 1)
		fail("the page frames of the file");

	sigaction(SIGBUS, &action, NULL);
	errno = pthread_create(&thread, NULL, make_and_reset, NULL);
	if (errno)
		fail("pthread_create");
	for (; failures < wanted; failures++) {
		page = random() % (random() % 2 ? 4 : PAGES);
		length = snprintf(address, sizeof(address), "%#lx", (first + page) * PAGE);
		if (pwrite(fd, address, length, 0) == length)
			continue;
		/* Without rmapbt; XFS with rmapbt does not tell. */
		if (errno != EBUSY)
			fail(offline);
		no_file++;
	}
	stop = 1;
	pthread_join(thread, NULL);
	printf("rounds=%lu by_1g=%lu failures=%lu no_file=%lu told=%lu\n", rounds, by_1g, failures, no_file, told);
	return !by_1g || !told;
}
