// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the kernel's first allocation in a call fail, then repeats the call with
 * the second one, and so on until there are no more.  These are allocations of
 * slabs and pages and, if the kernel can do that, copies from and to user space.
 * The calls are those that the series changes, on DAX memory.  Whatever a call
 * returns, the memory keeps its content, and the call succeeds when it is
 * repeated.  When it is undone, no pin and no charge is left.
 * MADV_HWPOISON is left out: what fails may be the copy of the registers when its
 * signal handler returns.  Binding a driver is left out, because x86 warns if it
 * cannot allocate struct pages, on the stock kernel, too.
 *
 * Takes the path of the memory, its size in MiB and, to map it for one, a PCI
 * device that VFIO has.  Prints for each call its name, how often it returned an
 * error, and how many failures it was given.
 */
#define _GNU_SOURCE
#include <libgen.h>
#include <linux/fs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "small-guest.h"

#define GUEST_PAGES 4		/* to which the guest writes */
#define MAX_FAILURES 20000	/* far more than any call has */
#define MADV_POPULATE_WRITE_ 23	/* the C library may lack it */

static size_t size;
static int dax, fail_nth, container = -1;
static char *memory, *place;	/* where it is mapped, and where mremap() moves it */
static uint64_t iova;		/* its address for the device */

static void put(const char *file, const char *words)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, words, strlen(words)) != (ssize_t)strlen(words))
		fail(file);
	close(fd);
}

/* The number after @word in @file; 0 if there is no such line. */
static long number(const char *file, const char *word)
{
	FILE *lines = fopen(file, "r");
	char line[256];
	long value = 0;

	if (!lines)
		fail(file);
	while (fgets(line, sizeof(line), lines)) {
		if (!strncmp(line, word, strlen(word)))
			value = atol(line + strlen(word));
	}
	fclose(lines);
	return value;
}

/* The pins of the whole machine.  Kernels before v5.7 do not count them. */
static long pins(void)
{
	/* Each CPU adds its own count to the total only now and then. */
	put("/proc/sys/vm/stat_refresh", "1");
	return number("/proc/vmstat", "nr_foll_pin_acquired ") - number("/proc/vmstat", "nr_foll_pin_released ");
}

static long charged(void)
{
	return number("/proc/self/status", "VmLck:");
}

/*
 * The calls, the state that each call expects, and how to undo it
 */

static void map(void)
{
	if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dax, 0) != memory)
		fail("mmap");
}

static void map_touched(void)
{
	map();
	memory[0] = memory[size - 1] = 'x';
}

/* Uses another device address each time, so that the IOMMU needs page tables. */
static void map_for_device(void)
{
	static unsigned int times;

	map_touched();
	iova = (4 + times++ % 256) * GIB;
}

static int nothing(void)
{
	return 0;
}

static int vfio_map(void)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &arg);
}

static int vfio_unmap(void)
{
	struct vfio_iommu_type1_dma_unmap arg = { .argsz = sizeof(arg), .iova = iova, .size = size };

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg);
}

static void map_for_vfio(void)
{
	map_for_device();
	if (vfio_map())
		fail("VFIO_IOMMU_MAP_DMA");
}

static int move(void)
{
	return mremap(memory, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED ? -1 : 0;
}

static int move_back(void)
{
	return mremap(place, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == MAP_FAILED ? -1 : 0;
}

static int protect(void)
{
	return mprotect(memory, size, PROT_READ);
}

static int populate(void)
{
	return madvise(memory, size, MADV_POPULATE_WRITE_);
}

/* A page fault of user space does not fail when memory runs out, but is repeated. */
static int touch(void)
{
	memory[0] = memory[size - 1] = 'x';
	return 0;
}

static int make_slot(void)
{
	return set_slot(memory, size, 0);
}

static int delete_slot(void)
{
	return set_slot(memory, 0, 0);
}

static int log_slot(void)
{
	return set_slot(memory, size, KVM_MEM_LOG_DIRTY_PAGES);
}

static int run_guest_pages(void)
{
	return run_guest(size, size / GUEST_PAGES);
}

static void map_for_guest(void)
{
	map_touched();
	if (make_slot())
		fail("KVM_SET_USER_MEMORY_REGION");
}

/* Checks and clears what the guest has written, and deletes the memslot. */
static int check_guest(void)
{
	for (int i = 0; i < GUEST_PAGES; i++) {
		uint32_t word = MEMORY + size / GUEST_PAGES * i;

		if (memcmp(memory + size / GUEST_PAGES * i, &word, sizeof(word))) {
			errno = EIO;
			return -1;
		}
		memset(memory + size / GUEST_PAGES * i, 0, sizeof(word));
	}
	return delete_slot();
}

static void map_for_running(void)
{
	map_for_guest();
	if (run_guest_pages())
		fail("KVM_RUN");
}

static void map_for_logged(void)
{
	map_for_running();
	if (log_slot())
		fail("KVM_MEM_LOG_DIRTY_PAGES");
}

/* Whether one page fault maps all of it. */
static bool is_one_page(void)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	map_touched();
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt + after.ru_majflt == before.ru_minflt + before.ru_majflt + 1;
}

/* Splits a VMA into two, and merges them again.  A single page of a device cannot be split. */
static int split(void)
{
	return madvise(memory, size / 2, MADV_DONTFORK);
}

static int merge(void)
{
	return madvise(memory, size, MADV_DOFORK);
}

static void map_split(void)
{
	map_touched();
	if (split())
		fail("MADV_DONTFORK");
}

/* Returns a file that shares all blocks of the memory, whose pages have their numbers; -1 if files cannot share blocks. */
static int clone_file(void)
{
	static int fd = -1;
	char folder[128];

	if (fd >= 0) {
		close(fd);
	} else {
		map_touched();
		for (size_t page = 0; page < size / PAGE; page++)
			((uint32_t *)(memory + page * PAGE))[1] = page;
		if (fsync(dax))
			fail("fsync");
	}
	snprintf(folder, sizeof(folder), "%s", path);
	fd = open(dirname(folder), O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		fail("O_TMPFILE");
	return ioctl(fd, FICLONE, dax) ? -1 : fd;
}

/* The page cache has the pages of the clone as 2M entries, but page faults must map single pages. */
static void map_clone(void)
{
	int fd = clone_file();

	if (fd < 0)
		fail("FICLONE");
	if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != memory)
		fail("mmap");
	(void)*(volatile char *)memory;
	if (madvise(memory, size, MADV_DONTNEED) || madvise(memory, size, MADV_NOHUGEPAGE))
		fail("madvise");
}

/* Gives one page a block of its own. */
static int copy_block(void)
{
	return madvise(memory + PAGE, PAGE, MADV_POPULATE_WRITE_);
}

static int check_clone(void)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		if (((uint32_t *)(memory + page * PAGE))[1] != page) {
			errno = EIO;
			return -1;
		}
	}
	return 0;
}

static const struct call {
	const char *name;
	void (*before)(void);
	int (*call)(void);
	int (*undo)(void);
	bool vfio;
} calls[] = {
	{ "vfio_map", map_for_device, vfio_map, vfio_unmap, true },
	{ "vfio_unmap", map_for_vfio, vfio_unmap, nothing, true },
	{ "mremap", map_touched, move, move_back, false },
	{ "mprotect", map_touched, protect, nothing, false },
	{ "touch", map, touch, nothing, false },
	{ "populate", map, populate, nothing, false },
	{ "split", map_touched, split, merge, false },
	{ "merge", map_split, merge, merge, false },
	{ "slot", map_touched, make_slot, delete_slot, false },
	{ "run", map_for_guest, run_guest_pages, check_guest, false },
	{ "log", map_for_running, log_slot, delete_slot, false },
	{ "log_off", map_for_logged, make_slot, delete_slot, false },
	{ "copy_block", map_clone, copy_block, check_clone, false },
};

static void expect(const struct call *call, long nth, bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fail-nth: %s: %s, failure %ld: %s\n", path, call->name, nth, what);
	exit(1);
}

/* What map_touched() wrote must be there, except where the guest writes. */
static bool keeps_content(const struct call *call)
{
	return memory[size - 1] == 'x' && (memory[0] == 'x' || call->before == map_for_guest || call->before == map_for_running ||
					   call->before == map_for_logged);
}

/* Makes the call with its nth allocation or copy failing; returns whether it had so many. */
static bool make_call(const struct call *call, long nth, int *err)
{
	char words[16];

	snprintf(words, sizeof(words), "%ld", nth);
	if (pwrite(fail_nth, words, strlen(words), 0) < 0)
		fail("fail-nth");
	*err = call->call() ? errno : 0;
	/* Read how many are left to count.  If this read is what fails, the call had fewer. */
	memset(words, 0, sizeof(words));
	if (pread(fail_nth, words, sizeof(words) - 1, 0) <= 0)
		words[0] = '1';
	/* This copy may be what fails, and then the next one succeeds. */
	if (pwrite(fail_nth, "0", 1, 0) < 0 && pwrite(fail_nth, "0", 1, 0) < 0)
		fail("fail-nth");
	return !atoi(words);
}

static void try(const struct call *call)
{
	long nth, failed = 0, pins_before = pins(), charged_before = charged();
	bool given = true;
	int err;

	for (nth = 1; given; nth++) {
		expect(call, nth, nth <= MAX_FAILURES, "there is no end of them");
		call->before();
		given = make_call(call, nth, &err);
		if (err) {
			failed++;
			expect(call, nth, given, strerror(err));
			expect(call, nth, keeps_content(call), "the memory has changed");
			expect(call, nth, !call->call(), "the next call fails, too");
		}
		expect(call, nth, !call->undo(), "it cannot be undone");
		expect(call, nth, keeps_content(call), "the memory has changed when all is undone");
		expect(call, nth, pins() == pins_before, "pins are left");
		expect(call, nth, charged() == charged_before, "a charge is left");
	}
	printf(" %s=%ld/%ld", call->name, failed, nth - 2);
	fflush(stdout);
}

static void inject(void)
{
	static const char *const what[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char file[96];

	for (size_t i = 0; i < sizeof(what) / sizeof(*what); i++) {
		snprintf(file, sizeof(file), "/sys/kernel/debug/%s", what[i]);
		/* v5.4 has no fail_usercopy. */
		if (i == 2 && access(file, F_OK))
			continue;
		snprintf(file, sizeof(file), "/sys/kernel/debug/%s/verbose", what[i]);
		put(file, "0");
		if (i == 2)
			continue;
		/* Also allocations that may wait, which are nearly all. */
		snprintf(file, sizeof(file), "/sys/kernel/debug/%s/ignore-gfp-wait", what[i]);
		put(file, "N");
	}
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	put("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	fail_nth = open("/proc/self/fail-nth", O_RDWR);
	if (fail_nth < 0)
		fail("/proc/self/fail-nth");
}

static void open_vfio(const char *device)
{
	char file[128], link[128] = "";
	int group;

	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/iommu_group", device);
	if (readlink(file, link, sizeof(link) - 1) < 0)
		fail(file);
	snprintf(file, sizeof(file), "/dev/vfio/%s", basename(link));
	group = open(file, O_RDWR);
	container = open("/dev/vfio/vfio", O_RDWR);
	if (group < 0 || container < 0)
		fail(file);
	DO_IOCTL(group, VFIO_GROUP_SET_CONTAINER, &container);
	DO_IOCTL(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
}

int main(int argc, char **argv)
{
	struct stat st;
	char *room;

	if (argc < 3) {
		fprintf(stderr, "usage: fail-nth PATH MIB [PCI-DEVICE]\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0) << 20;
	dax = open(path, O_RDWR);
	if (dax < 0 || fstat(dax, &st))
		fail("open");
	inject();
	interrupts = true;	/* then KVM may also handle faults as asynchronous ones */
	open_guest();
	if (argc > 3)
		open_vfio(argv[3]);

	/* Two places, each aligned to the largest page size. */
	room = mmap(NULL, 3 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		fail("mmap");
	memory = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));
	place = memory + GIB;

	if (size == GIB && !is_one_page()) {
		fprintf(stderr, "fail-nth: %s is not mapped by 1G\n", path);
		return 1;
	}
	printf("%s", path);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].vfio && container < 0)
			continue;
		/* A file system may answer any failure by SIGBUS; a device has no clones. */
		if (calls[i].call == (S_ISCHR(st.st_mode) ? copy_block : touch))
			continue;
		/* For a 1G page, each failure would make and remove 262144 entries, which takes too long. */
		if ((calls[i].call == log_slot || calls[i].before == map_for_logged || calls[i].call == copy_block) && size == GIB)
			continue;
		if ((calls[i].call == split || calls[i].call == merge) && size == GIB && S_ISCHR(st.st_mode))
			continue;
		map();
		/* Kernels before v5.14 lack the call, and some file systems lack clones. */
		if ((calls[i].call == populate && populate() && errno == EINVAL) ||
		    (calls[i].call == copy_block && clone_file() < 0)) {
			printf(" %s=none", calls[i].name);
			continue;
		}
		try(&calls[i]);
	}
	printf("\n");
	return 0;
}
