// SPDX-License-Identifier: GPL-2.0
/*
 * Prints how much the page tables of KVM and of the process grow while a guest
 * writes to each page of 1 GiB of memory.  Takes the path of the memory.
 */
#define _GNU_SOURCE
#include "small-guest.h"

/* The size of all guests' page tables, in KiB, including what CPUs have not yet added to the total. */
static long kib_of_guests(void)
{
	static const char refresh[] = "/proc/sys/vm/stat_refresh";
	int fd = open(refresh, O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		fail(refresh);
	close(fd);
	return kib_of("/proc/meminfo", "SecPageTables");
}

int main(int argc, char **argv)
{
	long host, guest;
	void *memory;

	if (argc != 2) {
		fprintf(stderr, "usage: page-tables PATH\n");
		return 2;
	}
	path = argv[1];
	open_guest();
	memory = map_path(GIB, 0);
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	host = kib_of("/proc/self/status", "VmPTE");
	guest = kib_of_guests();
	if (run_guest(GIB, PAGE))
		fail("KVM_RUN");
	printf("%s: %ld KiB more in the host (VmPTE), %ld KiB more in KVM (SecPageTables)\n", path,
	       kib_of("/proc/self/status", "VmPTE") - host, kib_of_guests() - guest);
	return 0;
}
