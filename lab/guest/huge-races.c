// SPDX-License-Identifier: GPL-2.0
/*
 * One thread reads a huge page of device-dax all the time.  Another one removes
 * the page from the page table by MADV_DONTNEED, or reads /proc/self/pagemap,
 * which splits a 1G page.  "cold" is no race: it calls MADV_COLD on the page a
 * hundred times, which only splits a 1G page.  The content must not change.
 *
 * Takes dontneed, pagemap or cold, the device, its page size in MiB, and how
 * many seconds to run.  Prints how often the page was removed, and how many of
 * its first words changed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WORDS 512
#define COLD_TIMES 100

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static volatile int stop;
static volatile uint64_t *memory;
static uint64_t entries[512 * 512];

static void *reader(void *unused)
{
	while (!stop)
		memory[WORDS];
	return unused;
}

int main(int argc, char **argv)
{
	unsigned long size, taken = 0, changed = 0;
	int fd, pagemap, is_pagemap, is_cold;
	pthread_t thread;
	time_t end;

	if (argc != 5) {
		fprintf(stderr, "usage: huge-races dontneed|pagemap|cold DEVICE MIB SECONDS\n");
		return 2;
	}
	is_pagemap = !strcmp(argv[1], "pagemap");
	is_cold = !strcmp(argv[1], "cold");
	size = strtoul(argv[3], NULL, 0) << 20;

	fd = open(argv[2], O_RDWR);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pagemap < 0 || memory == MAP_FAILED) {
		fprintf(stderr, "huge-races: cannot map %lu MiB of %s, or open /proc/self/pagemap\n",
			size >> 20, argv[2]);
		return 1;
	}
	for (int i = 0; i < WORDS; i++)
		memory[i] = 1;

	if (!is_cold)
		pthread_create(&thread, NULL, reader, NULL);
	for (end = time(NULL) + atoi(argv[4]); is_cold ? taken < COLD_TIMES : time(NULL) < end; taken++) {
		off_t at = (uintptr_t)memory / 4096 * 8;

		if (is_cold)
			memory[WORDS] = 1;
		if (is_pagemap ? pread(pagemap, entries, size / 4096 * 8, at) < 0 :
				 madvise((void *)memory, size, is_cold ? MADV_COLD : MADV_DONTNEED)) {
			perror("huge-races");
			return 1;
		}
	}
	stop = 1;
	if (!is_cold)
		pthread_join(thread, NULL);

	for (int i = 0; i < WORDS; i++)
		changed += memory[i] != 1;
	printf("%s %s taken=%lu changed=%lu\n", argv[1], argv[2], taken, changed);
	return changed != 0;
}
