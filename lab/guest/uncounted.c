// SPDX-License-Identifier: GPL-2.0
/*
 * Truncates the last page of a file of 2M while MADV_DONTNEED empties the page table
 * that maps it, again and again.  The truncation begins up to a millisecond after the
 * other thread, a microsecond later in each round.  The kernel logs "Bad page cache"
 * if it removes a page from the page cache that is still counted as mapped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096UL
#define SIZE	(2UL << 20)

static atomic_long begun, emptied;
static long rounds;
static char *memory;

static long nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *empty(void *unused)
{
	for (long round = 1; round <= rounds; round++) {
		while (begun < round)
			;
		if (madvise(memory, SIZE, MADV_DONTNEED)) {
			perror("madvise");
			exit(1);
		}
		emptied = round;
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	long start;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: uncounted FILE ROUNDS\n");
		return 2;
	}
	rounds = atol(argv[2]);
	fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || unlink(argv[1]) || ftruncate(fd, SIZE)) {
		perror(argv[1]);
		return 1;
	}
	/* The mapping fills one page table. */
	memory = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED)
		memory += -(unsigned long)memory % SIZE;
	if (memory == MAP_FAILED ||
	    mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    pthread_create(&thread, NULL, empty, NULL)) {
		perror("mmap or pthread_create");
		return 1;
	}
	for (long round = 1; round <= rounds; round++) {
		for (unsigned long at = 0; at < SIZE; at += PAGE)
			memory[at] = 1;
		start = nanoseconds();
		begun = round;
		while (nanoseconds() - start < round % 1000 * 1000)
			;
		if (ftruncate(fd, SIZE - PAGE) || ftruncate(fd, SIZE)) {
			perror("ftruncate");
			return 1;
		}
		while (emptied < round)
			;
		if (round % 5000 == 0)
			printf("rounds=%ld\n", round), fflush(stdout);
	}
	pthread_join(thread, NULL);
	return 0;
}
