// SPDX-License-Identifier: GPL-2.0
/*
 * Removes pages of a file of 2M while MADV_DONTNEED unmaps it, again and again.  It
 * begins a microsecond later than the other thread, two in the next round, and so on.
 * The kernel reports pages that are still counted as mapped.
 *
 * truncate: writes to each page first, and truncates the last one.  MADV_DONTNEED
 *           then also frees the page table.
 * punch:    writes to the first page, so that DAX memory is mapped by 2M, and punches
 *           out all of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096UL
#define SIZE	(2UL << 20)

static atomic_long begun, unmapped;
static long rounds;
static char *memory;

static long nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *unmap(void *unused)
{
	for (long round = 1; round <= rounds; round++) {
		while (begun < round)
			;
		if (madvise(memory, SIZE, MADV_DONTNEED)) {
			perror("madvise");
			exit(1);
		}
		unmapped = round;
	}
	return unused;
}

int main(int argc, char **argv)
{
	bool punch = argc == 4 && !strcmp(argv[3], "punch");
	long start, delays = punch ? 300 : 1000;
	pthread_t thread;
	int fd;

	if (argc != 4 || (!punch && strcmp(argv[3], "truncate"))) {
		fprintf(stderr, "usage: uncounted FILE ROUNDS truncate|punch\n");
		return 2;
	}
	rounds = atol(argv[2]);
	fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || unlink(argv[1]) || fallocate(fd, 0, 0, SIZE)) {
		perror(argv[1]);
		return 1;
	}
	/* Its own page table maps all of the file. */
	memory = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED)
		memory += -(unsigned long)memory % SIZE;
	if (memory == MAP_FAILED ||
	    mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    pthread_create(&thread, NULL, unmap, NULL)) {
		perror("mmap or pthread_create");
		return 1;
	}
	for (long round = 1; round <= rounds; round++) {
		for (unsigned long at = 0; at < SIZE; at += punch ? SIZE : PAGE)
			memory[at] = 1;
		start = nanoseconds();
		begun = round;
		while (nanoseconds() - start < round % delays * 1000)
			;
		if (punch ? fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) || fallocate(fd, 0, 0, SIZE) :
			    ftruncate(fd, SIZE - PAGE) || ftruncate(fd, SIZE)) {
			perror(argv[3]);
			return 1;
		}
		while (unmapped < round)
			;
		if (round % 1000 == 0)
			printf("%s: rounds=%ld\n", argv[3], round), fflush(stdout);
	}
	pthread_join(thread, NULL);
	return 0;
}
