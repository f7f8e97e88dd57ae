// SPDX-License-Identifier: GPL-2.0
/*
 * Takes the first page of some mapped memory its references, by page_flags.ko, as
 * a driver does while nobody has allocated its page, or while it is unbound; then
 * a guest whose memory this is writes to a page of it.  KVM must map that page,
 * without taking, or giving back, a reference to one that has none.  The
 * memory is a BAR with struct pages, which is mapped by pfn, or device-dax.
 *
 * Takes the path of the memory, its size, where in it the guest writes, and of a
 * BAR the number of its first page, as pagemap says nothing of what is mapped by pfn.
 * Prints the reference counts of the first page before that, while the guest has
 * the other one mapped, and when its memslot is gone, and how many huge pages KVM
 * has, as far as it says so; ends with 1 if any of the latter differs from 0, or
 * if the guest does not run.  The page gets back what it had.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "small-guest.h"

static const char page_flags[] = "/sys/kernel/debug/page_flags";

/* Chooses the page, and gives it so many references if that is not negative. */
static void set_count(unsigned long pfn, int count)
{
	FILE *file = fopen(page_flags, "w");

	if (!file || fprintf(file, count < 0 ? "%lu\n" : "%lu %d\n", pfn, count) < 0 || fclose(file))
		fail(page_flags);
}

static int count_of(unsigned long pfn)
{
	FILE *file;
	int count;

	set_count(pfn, -1);
	file = fopen(page_flags, "r");
	if (!file || fscanf(file, "reserved=%*d zone_device=1 online=%*d count=%d", &count) != 1)
		fail("page_flags has no page of a device");
	fclose(file);
	return count;
}

/* v5.4 puts the reference after it has mapped the page: what is left to see is that the page is huge. */
static int huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/debug/kvm/largepages", "r");
	int number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &number) != 1)
		fail("largepages");
	fclose(file);
	return number;
}

int main(int argc, char **argv)
{
	unsigned long size, at, pfn;
	int had, with, huge, after, err = 0;
	volatile uint32_t *word;
	char *memory;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: unreferenced PATH BYTES AT [PFN]\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0);
	at = strtoul(argv[3], NULL, 0);
	memory = map_path(size, 0);
	word = (volatile uint32_t *)(memory + at);
	*word = 1;
	pfn = argc > 4 ? strtoul(argv[4], NULL, 0) : frame_of(memory);
	had = count_of(pfn);

	open_guest();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	set_count(pfn, 0);
	if (run_from((struct kvm_regs){ .rip = CODE, .rdi = MEMORY + at, .rsi = MEMORY + at + 1, .rdx = PAGE }))
		err = errno;
	with = count_of(pfn);
	huge = huge_pages();
	/* Deletes what KVM has mapped, and is done with it when it returns. */
	if (set_slot(NULL, 0, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	after = count_of(pfn);
	set_count(pfn, had);
	if (err)
		printf("KVM_RUN fails: %s\n", strerror(err));
	else if (*word != MEMORY + at)
		printf("the host reads %#x, the guest has written %#lx\n", *word, MEMORY + at);
	else
		printf("had=%d mapped=%d after=%d huge=%d\n", had, with, after, huge);
	return err || *word != MEMORY + at || with || after || huge;
}
