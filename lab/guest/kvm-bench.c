// SPDX-License-Identifier: GPL-2.0
/*
 * Counts what it takes to give memory of one kind to a guest: page faults, and the
 * instructions of the whole machine.  These are the instructions of the kernel, of
 * KVM, of the guest, and of this program.
 *
 * The counter is the CPU's time-stamp counter.  It counts instructions if the
 * emulator advances its clock by one for each, and if the CPU is never idle.  QEMU
 * does that with -icount shift=0, and Bochs with sync=none.
 *
 * Takes a name of the memory, its path (- for memory without a file) and its MiB.
 * Then come the number of vCPUs that share the work, how often to measure, and what
 * (see usage()).  Prints lines of "row", name, MiB, vCPUs, figure, pages,
 * faults, instructions, spread and sections.  Instructions are the median of the
 * repetitions.  The spread is the difference between the largest and the smallest
 * one, in percent of the median.  The sections are those of the last repetition,
 * numbered from 1: between readings 1 and 2 of the clock, 3 and 4, and so on.  A
 * minus says that the section was subtracted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <x86intrin.h>

#define SMALL 4096UL
#define HUGE (2UL << 20)
#define GIGANTIC (1UL << 30)
#define MAX_VCPUS 8
#define MAX_ZEROED (256UL << 20)	/* one instruction zeroes 8 bytes, so more would take long */
#define NR_ROWS 32
#define MAX_REPETITIONS 99
#define MAX_SECTIONS 8

/* Guest physical addresses: page tables, code, and the measured memory. */
#define PML4 0x1000UL
#define PDPT 0x2000UL
#define CODE 0x3000UL
#define LOW_SIZE 0x4000UL
#define MEMORY (4UL << 30)

enum code { WRITE = 0, CHASE = 0x40 };

/* rdi: the first page, rsi: the end, rdx: the step */
static const uint8_t write_code[] = {
	0x48, 0x39, 0xf7,	/* 1: cmp %rsi, %rdi */
	0x73, 0x08,		/* jae 2f */
	0x48, 0x89, 0x3f,	/* mov %rdi, (%rdi) */
	0x48, 0x01, 0xd7,	/* add %rdx, %rdi */
	0xeb, 0xf3,		/* jmp 1b */
	0xf4,			/* 2: hlt */
};

/* rdi: the first link, rsi: how many links to follow */
static const uint8_t chase_code[] = {
	0x48, 0x8b, 0x3f,	/* 1: mov (%rdi), %rdi */
	0x48, 0xff, 0xce,	/* dec %rsi */
	0x75, 0xf8,		/* jne 1b */
	0xf4,			/* hlt */
};

struct vm {
	int fd;
	unsigned int nr_vcpus;
	int vcpu[MAX_VCPUS];
	struct kvm_run *run[MAX_VCPUS];
	uint8_t *low;
	uint64_t gpa, size;
	void *memory;
};

/* What is measured: faults of KVM, or of the host if the row is the host's. */
struct cost {
	int64_t instructions;	/* a difference of two counts may be negative */
	uint64_t faults, pages;
	int sections[MAX_SECTIONS];	/* 0 marks the end */
};

static struct row {
	const char *name;
	uint64_t faults, pages;
	unsigned int nr;
	int64_t instructions[MAX_REPETITIONS];
	int sections[MAX_SECTIONS];
} rows[NR_ROWS];

static const char *name, *path;
static uint64_t page_size;	/* the largest by which the host can map this memory */
static int kvm, run_size;
static int hugetlb_fd = -1;	/* a hugetlbfs file, which keeps its pages as a DAX file does */
static unsigned int nr_vcpus = 1;
static int readings;	/* of the clock */

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kvm-bench: %s: ", name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int do_ioctl(int fd, unsigned long request, const char *what, void *arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		fail("%s: %s", what, strerror(errno));
	return ret;
}

#define DO_IOCTL(fd, request, arg) do_ioctl(fd, request, #request, (void *)(uintptr_t)(arg))

static int do_open(const char *file)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", file, strerror(errno));
	return fd;
}

static bool begins(const char *word)
{
	return !strncmp(name, word, strlen(word));
}

/* Adds a repetition to @row. */
static void record(const char *row, struct cost cost)
{
	struct row *r = rows;

	while (r < rows + NR_ROWS && r->name && strcmp(r->name, row))
		r++;
	if (r == rows + NR_ROWS)
		fail("more than %d rows", NR_ROWS);
	if (!r->name) {
		r->name = row;
		r->faults = cost.faults;
		r->pages = cost.pages;
	}
	if (cost.faults != r->faults || cost.pages != r->pages)
		fprintf(stderr, "kvm-bench: %s: %s: %" PRIu64 " faults and %" PRIu64 " pages, the first time %" PRIu64 " and %" PRIu64 "\n",
			name, row, cost.faults, cost.pages, r->faults, r->pages);
	r->instructions[r->nr++] = cost.instructions;
	memcpy(r->sections, cost.sections, sizeof(r->sections));
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Prints the median, because the timer adds to what is counted, and to what is subtracted. */
static void print_row(struct row *r, uint64_t size)
{
	int64_t median;
	int i;

	qsort(r->instructions, r->nr, sizeof(*r->instructions), compare);
	median = r->instructions[r->nr / 2];
	printf("row\t%s\t%" PRIu64 "\t%u\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%.3f\t", name, size >> 20, nr_vcpus, r->name,
	       r->pages, r->faults, median, median > 0 ? 100.0 * (r->instructions[r->nr - 1] - r->instructions[0]) / median : 0);
	for (i = 0; i < MAX_SECTIONS && r->sections[i]; i++)
		printf("%s%d", i ? " " : "", r->sections[i]);
	putchar('\n');
}

/* The only place that reads the clock; count-functions.c looks for it. */
__attribute__((noinline)) static uint64_t now(void)
{
	readings++;
	return __rdtsc();
}

static struct cost since(uint64_t start)
{
	struct cost cost = { .instructions = now() - start };

	cost.sections[0] = readings / 2;
	return cost;
}

/* Adds the instructions of @b to those of @a, or subtracts them. */
static void add(struct cost *a, int sign, const struct cost *b)
{
	int i = 0, j;

	a->instructions += sign * b->instructions;
	while (i < MAX_SECTIONS && a->sections[i])
		i++;
	for (j = 0; j < MAX_SECTIONS && b->sections[j]; j++) {
		if (i == MAX_SECTIONS)
			fail("more than %d sections", MAX_SECTIONS);
		a->sections[i++] = sign * b->sections[j];
	}
}

static struct cost minus(struct cost a, struct cost b)
{
	add(&a, -1, &b);
	a.faults -= b.faults;
	return a;
}

/* Maps @size bytes of the memory at a multiple of 1G, for which it reserves addresses. */
static void *map(uint64_t size)
{
	int flags = MAP_FIXED | MAP_SHARED, fd = -1;
	char *reserved, *memory;

	reserved = mmap(NULL, size + GIGANTIC, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	memory = (char *)(((uintptr_t)reserved + GIGANTIC - 1) & ~(GIGANTIC - 1));
	if (memory > reserved)
		munmap(reserved, memory - reserved);
	munmap(memory + size, reserved + GIGANTIC - memory);

	if (path)
		fd = do_open(path);
	else if (hugetlb_fd >= 0)
		fd = hugetlb_fd;
	else
		flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	if (mmap(memory, size, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		fail("mmap of %" PRIu64 " MiB: %s", size >> 20, strerror(errno));
	if (path)
		close(fd);
	if ((begins("thp") && madvise(memory, size, MADV_HUGEPAGE)) ||
	    (begins("anon") && madvise(memory, size, MADV_NOHUGEPAGE)))
		fail("madvise: %s", strerror(errno));
	return memory;
}

static uint64_t host_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Writes to each page of @memory from the host. */
static struct cost touch(void *memory, uint64_t size)
{
	uint64_t i, faults = host_faults(), start = now();
	struct cost cost;

	for (i = 0; i < size; i += page_size)
		*((volatile char *)memory + i) = 1;
	cost = since(start);
	cost.faults = host_faults() - faults;
	cost.pages = size / page_size;
	return cost;
}

static bool read_statistic(int vm, const char *statistic, uint64_t *value)
{
	char file[80];
	FILE *stream;

	snprintf(file, sizeof(file), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm, statistic);
	stream = fopen(file, "r");
	if (!stream)
		return false;
	if (fscanf(stream, "%" SCNu64, value) != 1)
		fail("%s has no number", file);
	fclose(stream);
	return true;
}

/* KVM's count of faults has another name in older kernels, and counts less there. */
static uint64_t guest_faults(int vm)
{
	uint64_t value;

	if (!read_statistic(vm, "pf_taken", &value) && !read_statistic(vm, "pf_fixed", &value))
		fail("KVM shows neither pf_taken nor pf_fixed in debugfs");
	return value;
}

/* The leaf entries of all sizes, for all the VM's memory; 0 on kernels that do not count them. */
static uint64_t guest_pages(int vm)
{
	uint64_t small, huge, gigantic;

	if (!read_statistic(vm, "pages_4k", &small) || !read_statistic(vm, "pages_2m", &huge) ||
	    !read_statistic(vm, "pages_1g", &gigantic))
		return 0;
	return small + huge + gigantic;
}

static void set_slot(struct vm *vm, unsigned int slot, uint32_t flags, uint64_t gpa, uint64_t size, void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	DO_IOCTL(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Sets 64-bit mode, in which 1G pages map each guest address to the same physical address. */
static void set_mode(int vcpu)
{
	const struct kvm_segment data = { .present = 1, .s = 1, .db = 1, .g = 1, .limit = 0xffffffff, .type = 3 };
	struct kvm_sregs sregs;
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} *cpuid = calloc(1, sizeof(*cpuid));

	if (!cpuid)
		fail("no memory");
	cpuid->head.nent = 256;
	DO_IOCTL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
	DO_IOCTL(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	DO_IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr0 = 0x80000031;		/* PG, NE, ET, PE */
	sregs.cr3 = PML4;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA, LME */
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.cs = data;
	sregs.cs.type = 11;
	sregs.cs.selector = 8;
	sregs.cs.db = 0;
	sregs.cs.l = 1;
	DO_IOCTL(vcpu, KVM_SET_SREGS, &sregs);
}

static void run_vcpu(struct vm *vm, unsigned int i, enum code code, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct kvm_regs regs = { .rip = CODE + code, .rdi = rdi, .rsi = rsi, .rdx = rdx, .rflags = 2 };

	DO_IOCTL(vm->vcpu[i], KVM_SET_REGS, &regs);
	do {
		if (ioctl(vm->vcpu[i], KVM_RUN, 0) && errno != EINTR)
			fail("KVM_RUN: %s", strerror(errno));
	} while (vm->run[i]->exit_reason == KVM_EXIT_INTR);
	if (vm->run[i]->exit_reason != KVM_EXIT_HLT)
		fail("the guest ended with exit %u, expected HLT", vm->run[i]->exit_reason);
}

/* Makes a VM whose vCPUs have run, so that its code and page tables cause no more faults. */
static void make_vm(struct vm *vm, void *memory, uint64_t size, uint64_t shift, unsigned int vcpus)
{
	unsigned int i;

	*vm = (struct vm) { .nr_vcpus = vcpus, .memory = memory, .gpa = MEMORY + shift, .size = size };
	vm->fd = DO_IOCTL(kvm, KVM_CREATE_VM, 0);
	DO_IOCTL(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	vm->low = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (vm->low == MAP_FAILED)
		fail("mmap of the guest's code: %s", strerror(errno));
	*(uint64_t *)(vm->low + PML4) = PDPT | 3;
	for (i = 0; i < 512; i++)
		((uint64_t *)(vm->low + PDPT))[i] = i * GIGANTIC | 0xe3;	/* D, A, PS, W, P */
	memcpy(vm->low + CODE + WRITE, write_code, sizeof(write_code));
	memcpy(vm->low + CODE + CHASE, chase_code, sizeof(chase_code));
	set_slot(vm, 0, 0, 0, LOW_SIZE, vm->low);
	set_slot(vm, 1, 0, vm->gpa, size, memory);
	for (i = 0; i < vcpus; i++) {
		vm->vcpu[i] = DO_IOCTL(vm->fd, KVM_CREATE_VCPU, i);
		vm->run[i] = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu[i], 0);
		if (vm->run[i] == MAP_FAILED)
			fail("mmap of a vCPU: %s", strerror(errno));
		set_mode(vm->vcpu[i]);
		run_vcpu(vm, i, WRITE, 0, 0, SMALL);
	}
}

static void end_vm(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		munmap(vm->run[i], run_size);
		close(vm->vcpu[i]);
	}
	close(vm->fd);
	munmap(vm->low, LOW_SIZE);
}

struct share {
	struct vm *vm;
	unsigned int vcpu;
	uint64_t step;
	pthread_barrier_t *barrier;
};

/* Lets a vCPU write to its share of the memory, together with the others. */
static void *write_share(void *argument)
{
	struct share *share = argument;
	struct vm *vm = share->vm;
	uint64_t part = vm->size / vm->nr_vcpus, start = vm->gpa + share->vcpu * part;

	if (share->barrier) {
		/* KVM waits for RCU when another thread than before runs a vCPU. */
		run_vcpu(vm, share->vcpu, WRITE, 0, 0, SMALL);
		pthread_barrier_wait(share->barrier);	/* all are ready */
		pthread_barrier_wait(share->barrier);	/* all may start */
	}
	run_vcpu(vm, share->vcpu, WRITE, start, start + part, share->step);
	if (share->barrier)
		pthread_barrier_wait(share->barrier);
	return NULL;
}

/* Lets the guest write once to each @step bytes of its memory. */
static struct cost pass(struct vm *vm, uint64_t step)
{
	uint64_t faults = guest_faults(vm->fd), start;
	pthread_barrier_t barrier;
	pthread_t threads[MAX_VCPUS];
	struct share shares[MAX_VCPUS];
	struct cost cost;
	unsigned int i;

	if (vm->nr_vcpus == 1) {
		shares[0] = (struct share) { vm, 0, step, NULL };
		start = now();
		write_share(shares);
		cost = since(start);
	} else {
		pthread_barrier_init(&barrier, NULL, vm->nr_vcpus + 1);
		for (i = 0; i < vm->nr_vcpus; i++) {
			shares[i] = (struct share) { vm, i, step, &barrier };
			if (pthread_create(&threads[i], NULL, write_share, &shares[i]))
				fail("no thread for a vCPU");
		}
		pthread_barrier_wait(&barrier);
		start = now();
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		cost = since(start);
		for (i = 0; i < vm->nr_vcpus; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&barrier);
	}
	cost.faults = guest_faults(vm->fd) - faults;
	return cost;
}

/*
 * What the guest's faults cost until it has written to each 4K: the cost of a
 * pass, less that of a pass without faults.  It begins with a pass over the pages
 * of the host, because the timer adds less if fewer instructions are subtracted.
 */
static struct cost fault_in(struct vm *vm)
{
	struct cost first = pass(vm, page_size), rest = pass(vm, SMALL), again;

	if (rest.faults) {
		again = pass(vm, SMALL);
		add(&first, 1, &rest);
		add(&first, -1, &again);
		first.faults += rest.faults + again.faults;
	}
	again = pass(vm, page_size);
	if (again.faults)
		fail("%" PRIu64 " faults in another pass over the same memory", again.faults);
	return minus(first, again);
}

/* Makes a VM, measures it, and ends it; @shift moves the guest's addresses against the host's. */
static struct cost populate(void *memory, uint64_t size, uint64_t shift)
{
	uint64_t pages;
	struct cost cost;
	struct vm vm;

	make_vm(&vm, memory, size, shift, nr_vcpus);
	pages = guest_pages(vm.fd);
	cost = fault_in(&vm);
	cost.pages = guest_pages(vm.fd) - pages;
	end_vm(&vm);
	return cost;
}

static void measure_touch(const char *row, void *memory, uint64_t size)
{
	struct cost first = touch(memory, size);

	record(row, minus(first, touch(memory, size)));
}

/*
 * Measures the host's own faults: on memory that has no pages yet, if there is
 * such memory, and on memory that has pages.  Also measures what it costs to zero
 * as much memory, because faults of the first kind do that.
 */
static void measure_host(uint64_t size)
{
	bool keeps_pages = path || hugetlb_fd >= 0;
	uint64_t start, count;
	void *memory, *at;
	struct cost zero;

	if (hugetlb_fd >= 0 && (ftruncate(hugetlb_fd, 0) || ftruncate(hugetlb_fd, size)))
		fail("ftruncate: %s", strerror(errno));
	memory = map(size);
	if (!path)
		measure_touch("host-first", memory, size);
	if (hugetlb_fd >= 0) {
		munmap(memory, size);
		memory = map(size);
	}
	if (keeps_pages)
		measure_touch("host-touch", memory, size);
	if (size <= MAX_ZEROED) {
		at = memory;
		count = size / 8;
		start = now();
		asm volatile("rep stosq" : "+D" (at), "+c" (count) : "a" (0) : "memory");
		zero = since(start);
		zero.pages = size / page_size;
		record("zeroing", zero);
	}
	munmap(memory, size);
}

/* Measures KVM's path including the host's own fault. */
static void measure_absent(uint64_t size)
{
	void *memory = map(size);

	record("guest-absent", populate(memory, size, 0));
	munmap(memory, size);
}

/* Measures KVM's path alone. */
static void measure_mapped(uint64_t size)
{
	void *memory = map(size);

	touch(memory, size);
	record("guest-mapped", populate(memory, size, 0));
	munmap(memory, size);
}

/*
 * Measures the level decision: how much less a fault costs if KVM need not ask
 * the host's page table.  That is so if the guest's and the host's addresses
 * differ modulo 2M, which excludes huge pages.  Only for pages of 4K.
 */
static void measure_level(uint64_t size)
{
	struct cost asked, not_asked;
	void *memory;

	if (page_size != SMALL)
		return;
	memory = map(size);
	touch(memory, size);
	/* The first faults on a page also move the page between the host's lists. */
	populate(memory, size, 0);
	populate(memory, size, 0);
	asked = populate(memory, size, 0);
	not_asked = populate(memory, size, SMALL);
	if (asked.faults != not_asked.faults)
		fail("%" PRIu64 " faults on aligned memory, %" PRIu64 " on misaligned", asked.faults, not_asked.faults);
	add(&asked, -1, &not_asked);
	record("level", asked);
	munmap(memory, size);
}

/* Measures all of dirty logging, until KVM maps the memory as before. */
static void measure_log(uint64_t size)
{
	struct kvm_dirty_log log = { .slot = 1 };
	void *memory = map(size);
	uint64_t pages, start, dirty = 0, i;
	struct cost cost, idle;
	struct vm vm;

	log.dirty_bitmap = malloc(size / SMALL / 8);
	if (!log.dirty_bitmap)
		fail("no memory");
	/* Touch the bitmap now; the log overwrites the content. */
	memset(log.dirty_bitmap, 0xff, size / SMALL / 8);
	touch(memory, size);
	make_vm(&vm, memory, size, 0, nr_vcpus);
	pages = guest_pages(vm.fd);	/* those of its code and page tables */
	pass(&vm, SMALL);
	idle = pass(&vm, SMALL);

	start = now();
	set_slot(&vm, 1, KVM_MEM_LOG_DIRTY_PAGES, vm.gpa, size, memory);
	cost = since(start);
	cost.pages = guest_pages(vm.fd) - pages;
	record("log-on", cost);

	cost = minus(pass(&vm, SMALL), idle);
	cost.pages = guest_pages(vm.fd) - pages;
	record("log-write", cost);

	start = now();
	DO_IOCTL(vm.fd, KVM_GET_DIRTY_LOG, &log);
	cost = since(start);
	cost.pages = guest_pages(vm.fd) - pages;
	record("log-harvest", cost);
	for (i = 0; i < size / SMALL / 64; i++)
		dirty += __builtin_popcountll(((uint64_t *)log.dirty_bitmap)[i]);
	if (dirty != size / SMALL)
		fail("the guest wrote to %" PRIu64 " pages, %" PRIu64 " are in the log", size / SMALL, dirty);

	start = now();
	set_slot(&vm, 1, 0, vm.gpa, size, memory);
	cost = since(start);
	cost.pages = guest_pages(vm.fd) - pages;
	record("log-off", cost);

	/* What is not huge again after a write to each page never becomes huge. */
	cost = fault_in(&vm);
	cost.pages = guest_pages(vm.fd) - pages;
	record("recover", cost);
	end_vm(&vm);
	free(log.dirty_bitmap);
	munmap(memory, size);
}

/* The guest follows links, one in each 4K, in an order in which neighbouring pages never follow each other. */
static void measure_chase(uint64_t size)
{
	uint64_t step = 7919, nr = size / SMALL, i, start, faults;
	char *memory = map(size);
	struct cost cost;
	struct vm vm;

	while (!(nr % step))
		step += 2;
	touch(memory, size);
	make_vm(&vm, memory, size, 0, 1);
	pass(&vm, SMALL);
	for (i = 0; i < nr; i++)
		*(uint64_t *)(memory + i * SMALL) = vm.gpa + (i + step) % nr * SMALL;
	faults = guest_faults(vm.fd);
	start = now();
	run_vcpu(&vm, 0, CHASE, vm.gpa, nr, 0);
	cost = since(start);
	cost.faults = guest_faults(vm.fd) - faults;
	cost.pages = nr;
	record("chase", cost);
	end_vm(&vm);
	munmap(memory, size);
}

/* Opens a container with the IOMMU of @device. */
static int make_container(const char *device, int *group, int *device_fd)
{
	char link[128], target[128];
	int container;
	ssize_t len;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", device);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		fail("%s: %s", link, strerror(errno));
	target[len] = '\0';
	snprintf(link, sizeof(link), "/dev/vfio/%s", strrchr(target, '/') + 1);
	container = do_open("/dev/vfio/vfio");
	*group = do_open(link);
	DO_IOCTL(*group, VFIO_GROUP_SET_CONTAINER, &container);
	DO_IOCTL(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
	*device_fd = DO_IOCTL(*group, VFIO_GROUP_GET_DEVICE_FD, device);
	return container;
}

static void measure_vfio(uint64_t size, const char *device)
{
	int group, device_fd, container = make_container(device, &group, &device_fd);
	void *memory = map(size);
	struct vfio_iommu_type1_dma_map dma_map = {
		.argsz = sizeof(dma_map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory, .iova = MEMORY, .size = size,
	};
	struct vfio_iommu_type1_dma_unmap dma_unmap = { .argsz = sizeof(dma_unmap), .iova = MEMORY, .size = size };
	struct cost cost;
	uint64_t start, i;
	int ret;

	/*
	 * VFIO maps neighbouring pages of anonymous memory together if they are also neighbours in physical memory.  That is chance.
	 * Touch every other page first, so that no pages are such neighbours.
	 */
	if (begins("anon"))
		for (i = 0; i < size; i += 2 * SMALL)
			*((volatile char *)memory + i) = 1;
	touch(memory, size);
	start = now();
	ret = ioctl(container, VFIO_IOMMU_MAP_DMA, &dma_map);
	cost = since(start);
	cost.pages = size / page_size;
	if (!ret) {
		record("vfio-map", cost);
		start = now();
		DO_IOCTL(container, VFIO_IOMMU_UNMAP_DMA, &dma_unmap);
		cost = since(start);
		cost.pages = size / page_size;
		record("vfio-unmap", cost);
	} else if (errno != EOPNOTSUPP || !begins("fsdax")) {
		/* VFIO does not pin pages of files on DAX file systems, so these have no row. */
		fail("VFIO_IOMMU_MAP_DMA: %s", strerror(errno));
	}
	munmap(memory, size);
	close(device_fd);
	close(group);
	close(container);
}

static int usage(void)
{
	fprintf(stderr, "usage: kvm-bench NAME PATH MIB VCPUS REPETITIONS WHAT...\n"
		"NAME: devdax-4k, devdax-2m, devdax-1g, fsdax-ext4, fsdax-xfs with a PATH, else with PATH -:\n"
		"      hugetlbfs-2m, hugetlbfs-1g, thp, anon\n"
		"WHAT: host, absent, mapped, level, log, chase, vfio=<PCI device>\n"
		"Before the repetitions comes a round that is not counted; with 0 of them that round is.\n");
	return 2;
}

int main(int argc, char **argv)
{
	unsigned int repetitions, i;
	uint64_t size;
	void *memory;
	int what;

	if (argc < 7)
		return usage();
	name = argv[1];
	path = strcmp(argv[2], "-") ? argv[2] : NULL;
	size = strtoull(argv[3], NULL, 0) << 20;
	nr_vcpus = strtoul(argv[4], NULL, 0);
	repetitions = strtoul(argv[5], NULL, 0);
	if (strstr(name, "-4k") || begins("anon"))
		page_size = SMALL;
	else
		page_size = strstr(name, "-1g") ? GIGANTIC : HUGE;
	if (!size || size % page_size || !nr_vcpus || nr_vcpus > MAX_VCPUS || repetitions > MAX_REPETITIONS)
		return usage();

	if (begins("hugetlbfs")) {
		hugetlb_fd = memfd_create("kvm-bench", MFD_CLOEXEC | MFD_HUGETLB | (unsigned int)__builtin_ctzl(page_size) << 26);
		if (hugetlb_fd < 0 || ftruncate(hugetlb_fd, size))
			fail("a file of %" PRIu64 " MiB: %s", size >> 20, strerror(errno));
		/* Allocate its pages before anything is measured. */
		memory = map(size);
		touch(memory, size);
		munmap(memory, size);
	}
	kvm = do_open("/dev/kvm");
	run_size = DO_IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	/* This program itself must not take faults during a measurement. */
	if (mlockall(MCL_CURRENT))
		fail("mlockall: %s", strerror(errno));

	/* The first round only warms up, if others follow. */
	for (i = 0; i <= repetitions; i++) {
		if (i == 1)
			memset(rows, 0, sizeof(rows));
		for (what = 6; what < argc; what++) {
			if (!strcmp(argv[what], "host"))
				measure_host(size);
			else if (!strcmp(argv[what], "absent"))
				measure_absent(size);
			else if (!strcmp(argv[what], "mapped"))
				measure_mapped(size);
			else if (!strcmp(argv[what], "level"))
				measure_level(size);
			else if (!strcmp(argv[what], "log"))
				measure_log(size);
			else if (!strcmp(argv[what], "chase"))
				measure_chase(size);
			else if (!strncmp(argv[what], "vfio=", 5))
				measure_vfio(size, argv[what] + 5);
			else
				return usage();
		}
	}
	for (struct row *r = rows; r < rows + NR_ROWS && r->name; r++)
		print_row(r, size);
	return 0;
}
