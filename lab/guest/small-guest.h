/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest without a kernel, which writes to one word per step in its memory.  It is
 * in protected mode: without paging or, if the program asks for it, with pages of 1G.
 * Its addresses are physical ones in both cases.  Each program
 * that includes this file has one such guest.  With interrupts on, KVM also has the
 * interrupt controllers, as for any guest with a kernel.  Only then may KVM queue
 * page faults as asynchronous ones.  No device sends interrupts.  The guest ends by
 * "out", because KVM with these controllers handles "hlt" itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
#define GIB (1UL << 30)
#define CODE PAGE		/* guest physical addresses */
#define PAGE_TABLES (CODE + PAGE)	/* one of level 4, then one of level 3 */
#define MEMORY GIB

static const char *path;	/* of the memory */
static bool interrupts;		/* set it before open_guest() */
static bool paging;		/* likewise.  Without it, shadow paging maps by 2M at most */
static int kvm, vm, vcpu;
static struct kvm_run *run;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s: %s\n", program_invocation_short_name, path, what, strerror(errno));
	exit(1);
}

static int do_ioctl(int fd, unsigned long request, const char *what, void *arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		fail(what);
	return ret;
}

#define DO_IOCTL(fd, request, arg) do_ioctl(fd, request, #request, (void *)(arg))

/* Maps @size bytes of the path from @offset on, for reading and writing. */
static inline void *map_path(size_t size, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		fail("open");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (memory == MAP_FAILED)
		fail("mmap");
	close(fd);
	return memory;
}

/* Makes a new file without a name, in the folder of the path. */
static inline int new_file(void)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s", path);
	fd = open(dirname(name), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("O_TMPFILE");
	return fd;
}

/* Reserves addresses; returns the first multiple of 1G, which has 1G behind it. */
static inline char *reserve_gib(void)
{
	char *room = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		fail("mmap of room");
	return (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));
}

/* The value of @name in a file such as /proc/self/status, in KiB. */
static inline long kib_of(const char *file, const char *name)
{
	FILE *lines = fopen(file, "r");
	size_t length = strlen(name);
	char line[256];
	long kib = -1;

	if (!lines)
		fail(file);
	while (kib < 0 && fgets(line, sizeof(line), lines))
		if (!strncmp(line, name, length) && line[length] == ':')
			kib = atol(line + length + 1);
	fclose(lines);
	if (kib < 0) {
		errno = ENOENT;
		fail(name);
	}
	return kib;
}

/* The page frame that is mapped at @memory. */
static inline unsigned long frame_of(const volatile void *memory)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)memory / PAGE * sizeof(entry)) != sizeof(entry))
		fail("/proc/self/pagemap");
	close(fd);
	if (!(entry >> 63)) {
		errno = ENXIO;
		fail("/proc/self/pagemap: not present");
	}
	return entry & ((1UL << 55) - 1);
}

/* Makes the memory's memslot, changes its flags, or with @size 0 deletes it; returns the result of the ioctl. */
static inline int set_slot(void *memory, uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region arg = {
		.slot = 1,
		.flags = flags,
		.guest_phys_addr = MEMORY,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &arg);
}

/* Sets long mode, in which the guest's code of 32 bits runs as before, and KVM's page table for it may have 1G. */
static inline void turn_paging_on(int fd, struct kvm_sregs *sregs)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} *cpuid = calloc(1, sizeof(*cpuid));

	if (!cpuid)
		fail("calloc");
	cpuid->head.nent = 256;
	DO_IOCTL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
	DO_IOCTL(fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	sregs->cr0 |= 0x80000030;	/* PG, NE, ET */
	sregs->cr3 = PAGE_TABLES;
	sregs->cr4 |= 0x20;		/* PAE */
	sregs->efer = 0x500;		/* LMA, LME */
}

/* Makes vCPU @id; returns its file descriptor, and in @shared its kvm_run. */
static inline int open_vcpu(int id, struct kvm_run **shared)
{
	const struct kvm_segment flat = {
		.limit = 0xffffffff, .present = 1, .s = 1, .db = 1, .g = 1, .type = 3,
	};
	int fd = DO_IOCTL(vm, KVM_CREATE_VCPU, (long)id);
	struct kvm_sregs sregs;

	*shared = mmap(NULL, DO_IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*shared == MAP_FAILED)
		fail("mmap of the vCPU");
	DO_IOCTL(fd, KVM_GET_SREGS, &sregs);
	sregs.cr0 |= 1;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.cs = flat;
	sregs.cs.type = 11;
	sregs.cs.selector = 8;
	if (paging)
		turn_paging_on(fd, &sregs);
	DO_IOCTL(fd, KVM_SET_SREGS, &sregs);
	/* With interrupt controllers, only the first vCPU would run. */
	if (interrupts)
		DO_IOCTL(fd, KVM_SET_MP_STATE, &(struct kvm_mp_state){ KVM_MP_STATE_RUNNABLE });
	return fd;
}

/* Makes the guest; returns the page of its code, as the host maps it. */
static inline void *open_guest(void)
{
	/* edi: the first word, which gets its address plus eax; esi: the end; edx: the step */
	static const uint8_t code[] = {
		0x8d, 0x1c, 0x07,	/* 1: lea (%edi, %eax), %ebx */
		0x89, 0x1f,		/* mov %ebx, (%edi) */
		0x01, 0xd7,		/* add %edx, %edi */
		0x39, 0xf7,		/* cmp %esi, %edi */
		0x72, 0xf5,		/* jb 1b */
		0xe6, 0x80,		/* out %al, $0x80 */
	};
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = CODE, .memory_size = paging ? 3 * PAGE : PAGE,
	};
	uint64_t *tables;
	void *page;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	vm = DO_IOCTL(kvm, KVM_CREATE_VM, 0);
	DO_IOCTL(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (interrupts)
		DO_IOCTL(vm, KVM_CREATE_IRQCHIP, 0);
	page = mmap(NULL, slot.memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		fail("mmap of the code");
	memcpy(page, code, sizeof(code));
	if (paging) {
		tables = page + (PAGE_TABLES - CODE);
		tables[0] = (PAGE_TABLES + PAGE) | 3;		/* W, P */
		for (int i = 0; i < 4; i++)
			tables[512 + i] = i * GIB | 0xe3;	/* D, A, PS, W, P */
	}
	slot.userspace_addr = (uintptr_t)page;
	DO_IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &slot);
	vcpu = open_vcpu(0, &run);
	return page;
}

/*
 * Runs the vCPU of @fd from where @regs says to its end.  Returns -1 with errno if it
 * does not come there; errno is EIO if the guest did something else.
 */
static inline int run_vcpu_from(int fd, const struct kvm_run *shared, struct kvm_regs regs)
{
	regs.rflags = interrupts ? 0x202 : 2;
	if (ioctl(fd, KVM_SET_REGS, &regs))
		return -1;
	do {
		if (ioctl(fd, KVM_RUN, 0) && errno != EINTR)
			return -1;
	} while (shared->exit_reason == KVM_EXIT_INTR);
	if (shared->exit_reason == KVM_EXIT_HLT || shared->exit_reason == KVM_EXIT_IO)
		return 0;
	/* Perhaps memory was missing, and KVM took the access for something else. */
	errno = EIO;
	return -1;
}

static inline int run_from(struct kvm_regs regs)
{
	return run_vcpu_from(vcpu, run, regs);
}

/* Lets the guest write to all of its memory, one word per @step bytes; returns as run_from() does. */
static inline int run_guest(uint64_t size, uint64_t step)
{
	return run_from((struct kvm_regs){ .rip = CODE, .rdi = MEMORY, .rsi = MEMORY + size, .rdx = step });
}

/* What KVM counts for this VM under @name, e.g. pages_1g. */
static inline unsigned long statistic(const char *name)
{
	unsigned long value;
	char place[96];
	FILE *from;

	snprintf(place, sizeof(place), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm, name);
	from = fopen(place, "r");
	if (!from || fscanf(from, "%lu", &value) != 1)
		fail(place);
	fclose(from);
	return value;
}
