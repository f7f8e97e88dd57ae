// SPDX-License-Identifier: GPL-2.0
/*
 * Init of the demo's guest: writes to nearly all of the guest's memory, says so
 * on the console, and waits to be killed.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* Left free for page tables and the kernel's own needs. */
#define KEEP_FREE (32UL << 20)
#define PAGE 4096UL

int main(void)
{
	struct sysinfo info;
	unsigned long free_bytes, size;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (sysinfo(&info)) {
		perror("touch-memory: sysinfo");
		return 1;
	}

	free_bytes = info.freeram * info.mem_unit;
	if (free_bytes <= KEEP_FREE) {
		printf("touch-memory: only %lu KiB are free, more than %lu KiB needed: give the guest more memory\n",
		       free_bytes >> 10, KEEP_FREE >> 10);
		return 1;
	}

	size = free_bytes - KEEP_FREE;
	volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		perror("touch-memory: mmap");
		return 1;
	}

	/* Huge pages cause fewer faults in the guest, for speed; its kernel still writes to every page. */
	madvise((void *)memory, size, MADV_HUGEPAGE);
	for (unsigned long offset = 0; offset < size; offset += PAGE)
		memory[offset] = 1;

	printf("touched %lu MiB\n", size >> 20);
	for (;;)
		pause();
}
