// SPDX-License-Identifier: GPL-2.0
/*
 * Maps the first 1G page of a device of device-dax, which nobody has written to
 * since the machine was started.  Prints how many of its 4K pages are not zero,
 * which are the pages of others.  Ends with 1 if there are any.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define GB (1UL << 30)
#define PAGE 4096UL

int main(int argc, char **argv)
{
	unsigned long used = 0;
	const uint64_t *memory;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: unaligned-device DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	memory = mmap(NULL, GB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	for (unsigned long at = 0; at < GB; at += PAGE) {
		for (unsigned long i = 0; i < PAGE / sizeof(*memory); i++) {
			if (memory[at / sizeof(*memory) + i]) {
				used++;
				break;
			}
		}
	}
	printf("bound, pages of others: %lu of %lu\n", used, GB / PAGE);
	return used != 0;
}
