// SPDX-License-Identifier: GPL-2.0
/*
 * A guest writes to each page of 1 GiB of its memory: how much the page tables of
 * its process grow meanwhile, and those of KVM.  Takes the path of the memory.
 */
#define _GNU_SOURCE
#include "small-guest.h"

/* What the page tables of all guests take, in KiB, with what each CPU has counted for itself so far. */
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
