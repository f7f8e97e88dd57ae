// SPDX-License-Identifier: GPL-2.0
/*
 * Maps three 1G pages of device-dax.  madvise() makes two VMAs of them, with two
 * pages and one, and then moves their boundary into the larger VMA.  By a 1G page,
 * the driver allows that.  By 4K, into a page, the driver refuses it if it is
 * asked, as it refuses to split a VMA there.
 *
 * Takes "left" or "right", which is the VMA that is to lose the part, and the
 * device.  Prints "refused", or by how much the boundary has moved.  Ends with 1
 * unless it was refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GB (1UL << 30)

/* Returns the end of the VMA that has @address, or 0. */
static unsigned long vma_end(unsigned long address)
{
	unsigned long start, end, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= address && address < end)
			found = end;
	}
	if (maps)
		fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	unsigned long first, boundary, end;
	char *memory, *part;
	int fd, left;

	if (argc != 3 || (strcmp(argv[1], "left") && strcmp(argv[1], "right"))) {
		fprintf(stderr, "usage: moved-boundary left|right DEVICE\n");
		return 2;
	}
	left = !strcmp(argv[1], "left");

	fd = open(argv[2], O_RDWR);
	memory = mmap(NULL, 3 * GB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "moved-boundary: cannot map 3 GiB of %s\n", argv[2]);
		return 1;
	}
	memory[0] = 1;
	memory[GB] = 1;
	memory[2 * GB] = 1;
	first = (unsigned long)memory;

	/* First the page at the end of the VMA that is to gain, and then the middle one. */
	boundary = first + (left ? 2 : 1) * GB;
	if (madvise(memory + (left ? 2 * GB : 0), GB, MADV_DONTFORK) || vma_end(first) != boundary) {
		fprintf(stderr, "moved-boundary: there are no two VMAs\n");
		return 1;
	}
	boundary = first + (left ? 1 : 2) * GB;
	if (madvise(memory + GB, GB, MADV_DONTFORK) || vma_end(first) != boundary) {
		fprintf(stderr, "moved-boundary: the boundary was not moved by a page\n");
		return 1;
	}

	part = (char *)boundary - (left ? 4096 : 0);
	errno = 0;
	if (madvise(part, 4096, MADV_DONTFORK) && errno != EINVAL) {
		perror("moved-boundary: madvise() of 4K");
		return 1;
	}
	end = vma_end(first);
	if (errno == EINVAL && end == boundary) {
		printf("%s: refused\n", argv[1]);
		return 0;
	}
	printf("%s: the boundary has moved by %ld\n", argv[1], (long)(end - boundary));
	fflush(stdout);
	return 1;
}
