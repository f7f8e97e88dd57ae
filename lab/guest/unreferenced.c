// SPDX-License-Identifier: GPL-2.0
/*
 * Sets the reference count of the first page of some memory to 0, by page_flags.ko.
 * A driver leaves it so while its page is not allocated, or while it is unbound.
 * Then a guest with this memory writes to one of its pages: at first, while dirty
 * pages are logged, and when they no longer are.  KVM must map that page without
 * taking or dropping a reference of a page that has none.  The memory is device-dax,
 * or a BAR with struct pages, which is mapped by pfn.
 *
 * Takes the path of the memory, its size, where in it the guest writes, and "off" or
 * "on" for the guest's interrupts.  A BAR also needs the number of its first page
 * frame, because pagemap does not show what is mapped by pfn.  Prints the reference counts of the first page: before, each
 * time the guest has mapped its page, and without the memslot.  Also prints how many
 * huge pages KVM has, if KVM shows that.  Ends with 1 if one of these but the first
 * is not 0, if the guest does not run, or if the log is wrong.  Restores the first
 * page's count.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "small-guest.h"

static const char page_flags[] = "/sys/kernel/debug/page_flags";

/* Chooses the page, and sets its reference count if @count is not negative. */
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

/* v5.4 drops its reference after it has mapped the page.  What can still be seen is that the page is huge. */
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

/* Whether KVM has logged the page at @at of the memory as dirty, and no other page. */
static bool only_dirty(unsigned long size, unsigned long at)
{
	unsigned char bitmap[(2 << 20) / PAGE / 8] = {}, want[sizeof(bitmap)] = {};
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	if (size / PAGE / 8 > sizeof(bitmap)) {
		errno = E2BIG;
		fail("KVM_GET_DIRTY_LOG");
	}
	want[at / PAGE / 8] = 1 << at / PAGE % 8;
	DO_IOCTL(vm, KVM_GET_DIRTY_LOG, &log);
	return !memcmp(bitmap, want, sizeof(bitmap));
}

/* Lets the guest write to @word, which is at @at of the memory; prints an error if it does not. */
static bool guest_writes(volatile uint32_t *word, unsigned long at, const char *when)
{
	*word = 1;
	if (run_from((struct kvm_regs){ .rip = CODE, .rdi = MEMORY + at, .rsi = MEMORY + at + 1, .rdx = PAGE })) {
		printf("KVM_RUN fails %s: %s\n", when, strerror(errno));
		return false;
	}
	if (*word != MEMORY + at) {
		printf("the host reads %#x %s, the guest has written %#lx\n", *word, when, MEMORY + at);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *when;
		uint32_t flags;
	} slots[] = {
		{ "at first", 0 },
		{ "while dirty pages are logged", KVM_MEM_LOG_DIRTY_PAGES },
		{ "when dirty pages are no longer logged", 0 },
	};
	int i, had, with[3] = {}, huge = 0, after;
	unsigned long size, at, pfn;
	volatile uint32_t *word;
	bool good = true;
	char *memory;

	if (argc < 5 || argc > 6 || (strcmp(argv[4], "on") && strcmp(argv[4], "off"))) {
		fprintf(stderr, "usage: unreferenced PATH BYTES AT on|off [PFN]\n");
		return 2;
	}
	interrupts = !strcmp(argv[4], "on");
	path = argv[1];
	size = strtoul(argv[2], NULL, 0);
	at = strtoul(argv[3], NULL, 0);
	memory = map_path(size, 0);
	word = (volatile uint32_t *)(memory + at);
	*word = 1;
	pfn = argc > 5 ? strtoul(argv[5], NULL, 0) : frame_of(memory);
	had = count_of(pfn);

	open_guest();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	set_count(pfn, 0);
	for (i = 0; i < 3 && good; i++) {
		/* The first time, the memslot is as it was made. */
		if (i && set_slot(memory, size, slots[i].flags)) {
			printf("KVM_SET_USER_MEMORY_REGION fails %s: %s\n", slots[i].when, strerror(errno));
			good = false;
			break;
		}
		good = guest_writes(word, at, slots[i].when);
		with[i] = count_of(pfn);
		huge += huge_pages();
		if (good && slots[i].flags && !only_dirty(size, at)) {
			printf("the dirty log has not just the page that the guest has written to\n");
			good = false;
		}
	}
	/* Removes what KVM has mapped; that is done when the call returns. */
	if (set_slot(NULL, 0, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	after = count_of(pfn);
	set_count(pfn, had);
	if (good)
		printf("interrupts=%s had=%d mapped=%d logged=%d unlogged=%d after=%d huge=%d\n", argv[4], had, with[0], with[1], with[2], after, huge);
	return !good || with[0] || with[1] || with[2] || after || huge;
}
