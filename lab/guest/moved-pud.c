// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a mapped 1G page of device-dax, and moves it to another address by
 * mremap().  Then maps anonymous memory at the old address, which must read as
 * zeroes, whatever the TLB still has.  The new address must have what was written.
 *
 * Takes the device.  Prints what is at both addresses.  Ends with 1 if it is wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define GB (1UL << 30)
#define WRITTEN 0x5a

static void *map(void *at, size_t size, int prot, int flags, int fd)
{
	void *memory = mmap(at, size, prot, flags, fd, 0);

	if (memory == MAP_FAILED) {
		perror("moved-pud: mmap()");
		_exit(1);
	}
	return memory;
}

int main(int argc, char **argv)
{
	volatile char *old, *new;
	int found, moved, fd;
	char *room;

	if (argc != 2) {
		fprintf(stderr, "usage: moved-pud DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	old = map(NULL, GB, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	room = map(NULL, 2 * GB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	room = (char *)(((uintptr_t)room + GB - 1) & -GB);
	*old = WRITTEN;
	new = mremap((void *)old, GB, GB, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (new == MAP_FAILED) {
		perror("moved-pud: mremap()");
		return 1;
	}
	map((void *)old, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	found = *old;
	moved = *new;
	printf("old address: %s, new address: %s\n", found == WRITTEN ? "device-dax" : found ? "something else" : "zeroes",
	       moved == WRITTEN ? "device-dax" : "something else");
	return found || moved != WRITTEN;
}
