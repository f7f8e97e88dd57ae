// SPDX-License-Identifier: GPL-2.0
/*
 * Lets a guest write to each page of DAX memory.  Then checks the entries of
 * KVM's page table that map it, as the module kvm_leaves shows them.  All must
 * have the same size, the right page frames, and the memory type write-back.
 *
 * Takes the path of the memory, its MiB, and the expected page size of the
 * entries: 4k, 2m or 1g.
 *
 * The right page frames do not come from KVM: a device's address is in sysfs, and
 * a file's pages are in the host's page table.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "small-guest.h"

#define LEAVES "/sys/kernel/debug/kvm_leaves"
#define NR_MEMTYPES 8

/* The first page frame of a device; 0 for a file. */
static uint64_t device_pfn(int fd)
{
	unsigned long long resource;
	char name[80];
	struct stat st;
	FILE *file;

	if (fstat(fd, &st))
		fail("fstat");
	if (!S_ISCHR(st.st_mode))
		return 0;
	snprintf(name, sizeof(name), "/sys/dev/char/%u:%u/resource", major(st.st_rdev), minor(st.st_rdev));
	file = fopen(name, "r");
	if (!file || fscanf(file, "%llx", &resource) != 1)
		fail(name);
	fclose(file);
	return resource / PAGE;
}

/* KVM's count of the VM's faults, which has another name in older kernels. */
static unsigned long faults(void)
{
	static const char *const names[] = { "pf_taken", "pf_fixed" };
	unsigned long count;
	char name[80];
	FILE *file;
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm, names[i]);
		file = fopen(name, "r");
		if (!file)
			continue;
		if (fscanf(file, "%lu", &count) != 1)
			fail(name);
		fclose(file);
		return count;
	}
	fail(name);
	return 0;
}

static uint64_t host_pfn(const char *address)
{
	static int fd = -1;
	uint64_t entry;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)address / PAGE * sizeof(entry)) != sizeof(entry))
		fail("pagemap");
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

static bool is_intel(void)
{
	char line[4096];
	bool found = false;
	FILE *file = fopen("/proc/cpuinfo", "r");

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "flags", 5) && strstr(line, " vmx ");
	if (file)
		fclose(file);
	return found;
}

int main(int argc, char **argv)
{
	/* EPT's number for write-back, or its index in the PAT that Linux sets. */
	const unsigned int write_back = is_intel() ? 6 : 0;
	uint64_t size, i, base, first = 0, pages[3] = {}, memtypes[NR_MEMTYPES] = {};
	char line[256], *memory;
	int fd, expected;
	FILE *leaves;

	if (argc != 4) {
		fprintf(stderr, "usage: guest-leaves PATH MIB 4k|2m|1g\n");
		return 2;
	}
	path = argv[1];
	size = strtoull(argv[2], NULL, 0) << 20;
	expected = !strcmp(argv[3], "4k") ? 0 : !strcmp(argv[3], "2m") ? 1 : 2;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("open");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	base = device_pfn(fd);
	open_guest();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	if (run_guest(size, PAGE))
		fail("KVM_RUN");

	leaves = fopen(LEAVES, "r+");
	if (!leaves || fprintf(leaves, "%d leaves\n", getpid()) < 0 || fflush(leaves))
		fail(LEAVES);
	rewind(leaves);
	while (fgets(line, sizeof(line), leaves)) {
		unsigned long long gfn, pfn, spte, want;
		unsigned int level, memtype;

		if (sscanf(line, "leaf %u %llx %llx %llx %u", &level, &gfn, &pfn, &spte, &memtype) != 5 || gfn < MEMORY / PAGE)
			continue;
		if (level < 1 || level > 3 || memtype >= NR_MEMTYPES)
			fail(line);
		i = gfn - MEMORY / PAGE;
		want = base ? base + i : host_pfn(memory + i * PAGE);
		if (pfn != want) {
			fprintf(stderr, "guest-leaves: %s: page %#lx is mapped at level %u to page frame %#llx, expected %#llx\n",
				path, i, level, pfn, want);
			return 1;
		}
		if (!i)
			first = spte;
		pages[level - 1]++;
		memtypes[memtype]++;
	}
	fclose(leaves);

	printf("pages_4k=%lu pages_2m=%lu pages_1g=%lu faults=%lu", pages[0], pages[1], pages[2], faults());
	for (i = 0; i < NR_MEMTYPES; i++) {
		if (memtypes[i])
			printf(" memtype%lu=%lu", i, memtypes[i]);
	}
	printf(" first_entry=%#lx\n", first);
	fflush(stdout);

	if (pages[expected] != size >> (12 + 9 * expected)) {
		fprintf(stderr, "guest-leaves: %s: expected %lu entries of %s\n", path, size >> (12 + 9 * expected), argv[3]);
		return 1;
	}
	if (memtypes[write_back] != pages[expected]) {
		fprintf(stderr, "guest-leaves: %s: expected all entries to be write-back, memtype%u\n", path, write_back);
		return 1;
	}
	for (i = 0; i < size; i += PAGE) {
		if (*(uint32_t *)(memory + i) != (uint32_t)(MEMORY + i)) {
			fprintf(stderr, "guest-leaves: %s: at %#lx is not what the guest wrote\n", path, i);
			return 1;
		}
	}
	return 0;
}
