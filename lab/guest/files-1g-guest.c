// SPDX-License-Identifier: GPL-2.0
/*
 * A guest whose memory is 1 GiB of a DAX file, in one written extent at a multiple
 * of 1G.  KVM must map it by one entry, which takes one page fault.  That must be so
 * again after each of these:
 *
 *   write     the guest has written to each page
 *   look      others have read smaps, pagemap and numa_maps
 *   fsync     the file has been written back
 *   log       dirty logging was on; the log has the pages that the guest wrote to, and
 *             no others
 *   dontneed  all was removed from the host's page table
 *   slot      the memslot was deleted, and made again
 *   exec      the guest has run an instruction there.  If KVM forbids that in huge pages,
 *             it must not have an entry of 1G then.
 *   vfio      VFIO has refused to map it for a device, and has charged nothing
 *
 * Whatever happens to the file, the guest must write to the file, and to nothing else:
 *
 *   clone     a clone keeps what the guest wrote before
 *   punch     a hole of 4K, then one of 2M
 *   shift     4K in the middle collapse, and what is behind moves; then a hole of 4K moves
 *             it back
 *   truncate  KVM_RUN fails with EFAULT beyond the end, and works before it
 *
 * Takes the path of the file; the expected mapping: 1g or, to test the rest of the
 * program, 2m; and the PCI address of a device that is bound to vfio-pci.  Prints a line
 * for each item; ends with 1 at the first failure.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>

#include "small-guest.h"
#include "vfio-container.h"

#define MIB (1UL << 20)
#define PAGES (GIB / PAGE)
#define MIDDLE (200 * 2 * MIB + 77 * PAGE)
#define LAST 11			/* offset of the last instruction of the guest's code */

static const char *stage;
static int file;
static char *memory;
static void *code;		/* of the guest, as the host maps it */
static bool by_1g;
static uint32_t words[PAGES];	/* the expected first word of each page */
static uint32_t generation;
static unsigned long faults_before;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	printf("%s: ", stage);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

/* The guest writes new words to the pages from @begin to @end; returns -1 with errno if it cannot. */
static int write_pages(uint64_t begin, uint64_t end)
{
	int ret;

	generation += 2;
	ret = run_from((struct kvm_regs){
		.rip = CODE, .rdi = MEMORY + begin, .rsi = MEMORY + end, .rdx = PAGE, .rax = generation,
	});
	for (uint64_t at = begin; !ret && at < end; at += PAGE)
		words[at / PAGE] = MEMORY + at + generation;
	return ret;
}

static void must_write(uint64_t begin, uint64_t end)
{
	if (write_pages(begin, end))
		wrong("the guest cannot write from %#lx to %#lx: %s, exit reason %u", begin, end, strerror(errno),
		      run->exit_reason);
}

/* @end is the end of the file. */
static void must_not_write(uint64_t end)
{
	if (!write_pages(end, end + PAGE))
		wrong("the guest writes behind the end of the file");
	if (errno != EFAULT)
		wrong("behind the end KVM_RUN fails with %s, exit reason %u", strerror(errno), run->exit_reason);
}

/* Reads the file by read(2), and not where KVM has mapped it. */
static void check_file(uint64_t end)
{
	uint32_t word;

	for (uint64_t at = 0; at < end; at += PAGE) {
		if (pread(file, &word, sizeof(word), at) != sizeof(word))
			fail("pread");
		if (word != words[at / PAGE])
			wrong("at %#lx the file has %#x, the guest has written %#x", at, word, words[at / PAGE]);
	}
}

/* One entry must map the memory, after at most @max_faults page faults. */
static void check_entries(unsigned long max_faults)
{
	unsigned long huge = statistic("pages_2m"), gigantic = statistic("pages_1g");
	unsigned long faults = statistic("pf_taken") - faults_before;

	printf("%s pages_2m=%lu pages_1g=%lu faults=%lu\n", stage, huge, gigantic, faults);
	fflush(stdout);
	if (by_1g && (gigantic != 1 || huge))
		wrong("1 GiB is mapped by %lu x 1G and %lu x 2M", gigantic, huge);
	if (by_1g && faults > max_faults)
		wrong("%lu page faults, expected %lu at most", faults, max_faults);
}

static void begin(const char *name)
{
	stage = name;
	faults_before = statistic("pf_taken");
}

static void read_whole(const char *name)
{
	static char text[1 << 16];
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void read_pagemap(void)
{
	static uint64_t entries[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, entries, sizeof(entries), (uintptr_t)memory / PAGE * 8) != sizeof(entries))
		fail("/proc/self/pagemap");
	close(fd);
	for (unsigned long i = 0; i < PAGES; i++) {
		if (!(entries[i] >> 63) || ((entries[i] ^ (entries[0] + i)) << 9))
			wrong("pagemap has %#lx for page %lu, %#lx for page 0", entries[i], i, entries[0]);
	}
}

static void test_log(void)
{
	static uint64_t bits[PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };
	unsigned long logged = 0;

	begin("log");
	if (set_slot(memory, GIB, KVM_MEM_LOG_DIRTY_PAGES))
		fail("KVM_MEM_LOG_DIRTY_PAGES");
	must_write(0, 3 * PAGE);
	must_write(MIDDLE, MIDDLE + 600 * PAGE);
	must_write(GIB - PAGE, GIB);
	DO_IOCTL(vm, KVM_GET_DIRTY_LOG, &log);
	for (unsigned long i = 0; i < PAGES; i++) {
		bool is = bits[i / 64] >> i % 64 & 1, was = i < 3 || i == PAGES - 1 ||
			(i >= MIDDLE / PAGE && i < MIDDLE / PAGE + 600);

		if (is != was)
			wrong("page %lu is %sin the log", i, is ? "" : "not ");
		logged += is;
	}
	if (statistic("pages_1g"))
		wrong("a 1G entry while dirty pages are logged");
	/* Write again to a page that was in the log: it must be logged again. */
	must_write(MIDDLE, MIDDLE + PAGE);
	DO_IOCTL(vm, KVM_GET_DIRTY_LOG, &log);
	if (!(bits[MIDDLE / PAGE / 64] >> MIDDLE / PAGE % 64 & 1))
		wrong("a page that was in the log is not noticed again");
	if (set_slot(memory, GIB, 0))
		fail("no dirty log");
	check_file(GIB);
	faults_before = statistic("pf_taken");
	must_write(0, GIB);
	check_entries(2);
	check_file(GIB);
	printf("log logged=%lu\n", logged);
}

static bool huge_pages_are_nx(void)
{
	static const char name[] = "/sys/module/kvm/parameters/nx_huge_pages";
	FILE *from = fopen(name, "r");
	int value = from ? fgetc(from) : EOF;

	if (value == EOF)
		fail(name);
	fclose(from);
	return value == 'Y';
}

static void test_exec(void)
{
	const uint64_t at = MIDDLE + 64;

	begin("exec");
	memcpy(memory + at, code, 64);
	if (run_from((struct kvm_regs){ .rip = MEMORY + at + LAST }))
		wrong("the guest cannot run from %#lx: %s, exit reason %u", at, strerror(errno), run->exit_reason);
	if (!huge_pages_are_nx()) {
		check_entries(0);
	} else {
		if (statistic("pages_1g"))
			wrong("a 1G entry of memory that the guest runs from");
		printf("exec pages_1g=0\n");
	}
	must_write(0, GIB);
	check_file(GIB);
}

static void test_vfio(const char *device)
{
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.size = GIB,
	};
	char group[PATH_MAX];
	int container;
	long locked;

	begin("vfio");
	snprintf(group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", device);
	container = open_container(group, NULL);
	locked = kib_of("/proc/self/status", "VmLck");
	if (!ioctl(container, VFIO_IOMMU_MAP_DMA, &dma))
		wrong("a file is mapped for a device");
	if (errno != EOPNOTSUPP)
		wrong("VFIO_IOMMU_MAP_DMA fails with %s, expected EOPNOTSUPP", strerror(errno));
	if (kib_of("/proc/self/status", "VmLck") != locked)
		wrong("%ld kB stay charged, expected %ld", kib_of("/proc/self/status", "VmLck"), locked);
	must_write(0, GIB);
	check_entries(0);
	check_file(GIB);
}

static void test_clone(void)
{
	static uint32_t old[PAGES];
	int clone = new_file();
	uint32_t word;

	begin("clone");
	if (ioctl(clone, FICLONE, file))
		fail("FICLONE");
	memcpy(old, words, sizeof(old));
	must_write(0, PAGE);
	must_write(MIDDLE, MIDDLE + 10 * PAGE);
	must_write(GIB - PAGE, GIB);
	if (statistic("pages_1g"))
		wrong("a 1G entry of blocks that are shared");
	check_file(GIB);
	for (uint64_t at = 0; at < GIB; at += PAGE) {
		if (pread(clone, &word, sizeof(word), at) != sizeof(word))
			fail("pread of the clone");
		if (word != old[at / PAGE])
			wrong("at %#lx the clone has %#x, the file had %#x", at, word, old[at / PAGE]);
	}
	close(clone);
	printf("clone pages_1g=0\n");
}

static void test_punch(uint64_t at, uint64_t size)
{
	begin("punch");
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size))
		fail("FALLOC_FL_PUNCH_HOLE");
	memset(words + at / PAGE, 0, size / PAGE * sizeof(*words));
	if (statistic("pages_1g"))
		wrong("a 1G entry of a file with a hole");
	must_write(at - PAGE, at);
	must_write(at + size, at + size + PAGE);
	check_file(GIB);
	must_write(at, at + size);
	check_file(GIB);
	printf("punch size=%lu\n", size);
}

static void test_shift(uint64_t at, uint64_t size)
{
	uint64_t left = GIB - size;

	begin("shift");
	if (fallocate(file, FALLOC_FL_COLLAPSE_RANGE, at, size))
		fail("FALLOC_FL_COLLAPSE_RANGE");
	memmove(words + at / PAGE, words + (at + size) / PAGE, (left - at) / PAGE * sizeof(*words));
	check_file(left);
	must_write(at - PAGE, at + 3 * PAGE);
	must_write(left - PAGE, left);
	check_file(left);
	must_not_write(left);
	if (fallocate(file, FALLOC_FL_INSERT_RANGE, at, size))
		fail("FALLOC_FL_INSERT_RANGE");
	memmove(words + (at + size) / PAGE, words + at / PAGE, (left - at) / PAGE * sizeof(*words));
	memset(words + at / PAGE, 0, size / PAGE * sizeof(*words));
	check_file(GIB);
	if (statistic("pages_1g"))
		wrong("a 1G entry of a file with a hole");
	must_write(0, GIB);
	check_file(GIB);
	printf("shift size=%lu\n", size);
}

static void test_truncate(uint64_t size)
{
	begin("truncate");
	if (ftruncate(file, size))
		fail("ftruncate");
	must_write(0, size);
	check_file(size);
	must_not_write(size);
	if (ftruncate(file, GIB))
		fail("ftruncate");
	memset(words + size / PAGE, 0, (GIB - size) / PAGE * sizeof(*words));
	check_file(GIB);
	must_write(0, GIB);
	check_file(GIB);
	printf("truncate size=%lu\n", size);
}

int main(int argc, char **argv)
{
	if (argc != 4 || (strcmp(argv[2], "1g") && strcmp(argv[2], "2m"))) {
		fprintf(stderr, "usage: files-1g-guest FILE 1g|2m DEVICE\n");
		return 2;
	}
	path = argv[1];
	by_1g = !strcmp(argv[2], "1g");
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail("open");
	memory = mmap(reserve_gib(), GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	paging = true;
	interrupts = true;	/* then KVM may also handle faults as asynchronous ones */
	code = open_guest();
	stage = "begin";
	/* Run only the last instruction of the code, to map its page: now only the memory takes faults. */
	if (run_from((struct kvm_regs){ .rip = CODE + LAST }))
		fail("a guest that ends at once");
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");

	begin("write");
	must_write(0, GIB);
	check_entries(1);
	check_file(GIB);

	begin("look");
	for (int i = 0; i < 1000; i++) {
		read_whole("/proc/self/smaps");
		read_whole("/proc/self/smaps_rollup");
		read_whole("/proc/self/numa_maps");
		/* pagemap has an entry for each 4K, which an emulator copies slowly. */
		if (i % 100 == 0)
			read_pagemap();
	}
	must_write(0, GIB);
	check_entries(0);
	check_file(GIB);

	for (int i = 0; i < 3; i++) {
		begin("fsync");
		if (fsync(file))
			fail("fsync");
		if (statistic("pages_1g") || statistic("pages_2m"))
			wrong("KVM still has writable entries of a file that has been written back");
		/* A fault that KVM takes while the host makes the page writable may be taken again. */
		must_write(MIDDLE, MIDDLE + PAGE);
		must_write(0, GIB);
		check_entries(2);
		check_file(GIB);
	}

	test_log();

	begin("dontneed");
	if (madvise(memory, GIB, MADV_DONTNEED))
		fail("MADV_DONTNEED");
	if (statistic("pages_1g") || statistic("pages_2m"))
		wrong("KVM still maps what the host does not");
	must_write(0, GIB);
	check_entries(1);
	check_file(GIB);

	begin("slot");
	if (set_slot(memory, 0, 0) || set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	must_write(0, GIB);
	/* With KVM_X86_QUIRK_SLOT_ZAP_ALL, the guest's code and two page tables have lost their entries, too. */
	check_entries(4);
	check_file(GIB);

	test_vfio(argv[3]);

	test_exec();

	/* From here on, the file has more than one extent. */
	test_clone();
	test_punch(MIDDLE, PAGE);
	test_punch(100 * 2 * MIB, 2 * MIB);
	test_shift(MIDDLE, PAGE);
	test_truncate(MIDDLE);
	return 0;
}
