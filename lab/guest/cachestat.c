// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a DAX file of 4M by a mapping, and prints what cachestat() says of it:
 * a DAX file has no pages in the page cache, and none that were evicted from it.
 * Ends with 1 if it says anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define SIZE (4UL << 20)

int main(int argc, char **argv)
{
	struct {
		uint64_t start, length;
	} all = { 0, 0 };
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} is;
	volatile char *memory;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: cachestat FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	for (unsigned long at = 0; at < SIZE; at += 4096)
		memory[at] = 1;
	if (syscall(SYS_cachestat, fd, &all, &is, 0)) {
		fprintf(stderr, "cachestat: %s: %s%s\n", argv[1], strerror(errno),
			errno == ENOSYS ? "; it came with v6.5, and needs CONFIG_CACHESTAT_SYSCALL=y" : "");
		return 1;
	}
	printf("%s: cached=%llu dirty=%llu writeback=%llu evicted=%llu recently_evicted=%llu\n", argv[1],
	       (unsigned long long)is.cached, (unsigned long long)is.dirty, (unsigned long long)is.writeback,
	       (unsigned long long)is.evicted, (unsigned long long)is.recently_evicted);
	return is.cached || is.dirty || is.writeback || is.evicted || is.recently_evicted;
}
