// SPDX-License-Identifier: GPL-2.0
/*
 * An arm64 guest without a kernel, whose code and data lie in DAX memory.
 * Prints one TAP line per case, and counts what KVM maps at stage 2 by a probe
 * on kvm_pgtable_stage2_map().
 *
 * Only the vectors and the translation table lie in ordinary memory.  So a
 * guest that cannot execute from DAX memory reports that, instead of taking the
 * same abort again and again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef __aarch64__
int main(void)
{
	puts("1..0 # SKIP this guest is of arm64");
	return 4;
}
#else

enum { PAGE = 4096, BLOCK = 2 << 20, SIZE = 64 << 20, PAGES = SIZE / PAGE, BLOCKS = SIZE / BLOCK };
enum { PER_BLOCK = BLOCK / PAGE, GIB = 1 << 30 };
/*
 * A guest whose registers are the same at so many looks in a row has stopped.  One
 * that goes on is only slow.  A case usually ends before the first look.
 */
enum { LOOKS = 10 };
#ifndef LOOK
#define LOOK 18	/* seconds between two looks */
#endif

/* Guest physical addresses, which are also the virtual ones, because the table maps one to one. */
#define REPORT	0x10000000UL	/* no memory: a write to it ends a command */
#define VECTORS	0x40000000UL
#define MEMORY	0x80000000UL
#define LARGE	0xc0000000UL	/* the same memory again, 1G of it */
#define TABLE	(VECTORS + PAGE)
/* Code and mailbox are in the first 2M of MEMORY; what the commands write to begins at the second 2M. */
#define CODE	MEMORY
#define MAILBOX	(MEMORY + PAGE)
#define DATA	(MEMORY + BLOCK)
#define DATA_PAGES (PAGES - PER_BLOCK)

enum command { WRITE, READ, ACCESS, EXECUTE, COUNT };

struct mailbox {
	uint64_t command, start, end, step, value;
	uint64_t result, stop, rounds;
};

/*
 * The guest's code: a loop that executes commands.  x20 is the mailbox, x21 is
 * REPORT.  The result is in the mailbox before the write that makes KVM return.
 */
#define HIDDEN __attribute__((visibility("hidden")))	/* otherwise they are looked up through a GOT */
extern char guest_begin[] HIDDEN, guest_end[] HIDDEN, vectors_begin[] HIDDEN, vectors_end[] HIDDEN;
asm(
"	.pushsection .rodata\n"
"	.globl	guest_begin, guest_end, vectors_begin, vectors_end\n"
"	.balign	4096\n"
"guest_begin:\n"
"	ldp	x0, x1, [x20]\n"		/* command, start */
"	ldp	x2, x3, [x20, #16]\n"		/* end, step */
"	ldr	x4, [x20, #32]\n"		/* value */
"	mov	x5, xzr\n"			/* result */
"	cmp	x0, #1\n"
"	b.lo	.Lwrite\n"
"	b.eq	.Lread\n"
"	cmp	x0, #3\n"
"	b.lo	.Laccess\n"
"	b.eq	.Lexecute\n"
".Lcount:\n"					/* adds 1 to a word of each page, until it is told to stop */
"	mov	x7, x1\n"
"1:	ldr	x8, [x7]\n"
"	add	x8, x8, #1\n"
"	str	x8, [x7]\n"
"	add	x7, x7, x3\n"
"	cmp	x7, x2\n"
"	b.lo	1b\n"
"	add	x5, x5, #1\n"
"	str	x5, [x20, #56]\n"
"	dmb	ish\n"
"	ldr	x8, [x20, #48]\n"
"	cbz	x8, .Lcount\n"
"	b	.Ldone\n"
".Lwrite:\n"
"	add	x8, x4, x1\n"
"	str	x8, [x1]\n"
"	add	x1, x1, x3\n"
"	cmp	x1, x2\n"
"	b.lo	.Lwrite\n"
"	b	.Ldone\n"
".Lread:\n"					/* the result is the number of wrong words */
"	ldr	x8, [x1]\n"
"	add	x9, x4, x1\n"
"	cmp	x8, x9\n"
"	cinc	x5, x5, ne\n"
"	add	x1, x1, x3\n"
"	cmp	x1, x2\n"
"	b.lo	.Lread\n"
"	b	.Ldone\n"
".Laccess:\n"					/* the result has a bit for each access that went wrong */
"	str	x4, [x1, #1]\n"
"	ldr	x8, [x1, #1]\n"
"	cmp	x8, x4\n"
"	cset	x5, ne\n"
"	add	x9, x1, #4093\n"		/* across the end of the page */
"	str	x4, [x9]\n"
"	ldr	x8, [x9]\n"
"	cmp	x8, x4\n"
"	cset	x9, ne\n"
"	orr	x5, x5, x9, lsl #1\n"
"	add	x9, x1, #64\n"
"	str	xzr, [x9]\n"
"	mov	x10, #1000\n"
"1:	ldaxr	x8, [x9]\n"
"	add	x8, x8, x4\n"
"	stlxr	w11, x8, [x9]\n"
"	cbz	w11, 2f\n"
"	sub	x10, x10, #1\n"
"	cbnz	x10, 1b\n"
"2:	ldr	x8, [x9]\n"
"	cmp	x8, x4\n"
"	cset	x9, ne\n"
"	orr	x5, x5, x9, lsl #2\n"
"	mrs	x9, dczid_el0\n"		/* clear a part of the second page */
"	and	x9, x9, #15\n"
"	mov	x10, #4\n"
"	lsl	x10, x10, x9\n"
"	add	x11, x1, #4096\n"
"	add	x12, x11, x10\n"
"	mov	x13, x11\n"
"3:	str	x4, [x13], #8\n"
"	cmp	x13, x12\n"
"	b.lo	3b\n"
"	str	x4, [x12]\n"
"	dc	zva, x11\n"
"	mov	x9, xzr\n"
"4:	ldr	x8, [x11], #8\n"
"	orr	x9, x9, x8\n"
"	cmp	x11, x12\n"
"	b.lo	4b\n"
"	ldr	x8, [x12]\n"
"	eor	x8, x8, x4\n"
"	orr	x9, x9, x8\n"
"	cmp	x9, xzr\n"
"	cset	x9, ne\n"
"	orr	x5, x5, x9, lsl #3\n"
"	b	.Ldone\n"
".Lexecute:\n"					/* writes a function to each page, and calls it */
"	ldr	x9, 6f\n"
"	str	x9, [x1]\n"
"	dc	cvau, x1\n"
"	dsb	ish\n"
"	ic	ivau, x1\n"
"	dsb	ish\n"
"	isb\n"
"	mov	x0, x4\n"
"	blr	x1\n"
"	add	x8, x4, #1\n"
"	cmp	x0, x8\n"
"	cinc	x5, x5, ne\n"
"	add	x1, x1, x3\n"
"	cmp	x1, x2\n"
"	b.lo	.Lexecute\n"
".Ldone:\n"
"	str	x5, [x20, #40]\n"
"	dmb	ish\n"
"	str	w5, [x21]\n"
"	b	guest_begin\n"
"	.balign	8\n"
"6:	add	x0, x0, #1\n"
"	ret\n"
"guest_end:\n"
/* An exception is reported: ESR_EL1, FAR_EL1 and ELR_EL1 go to REPORT + 8, + 16 and + 24. */
"	.balign	2048\n"
"vectors_begin:\n"
"	.rept	16\n"
"	mov	x21, #0x10000000\n"
"	mrs	x22, esr_el1\n"
"	str	x22, [x21, #8]\n"
"	mrs	x22, far_el1\n"
"	str	x22, [x21, #16]\n"
"	mrs	x22, elr_el1\n"
"	str	x22, [x21, #24]\n"
"	b	.\n"
"	.balign	128\n"
"	.endr\n"
"vectors_end:\n"
"	.popsection\n");

static const char *name, *path;
static bool is_file, is_device, small;
static int fd = -1, kvm, vm, vcpu;
static struct kvm_run *run;
static char *memory;
static volatile struct mailbox *mailbox;
static jmp_buf failed;
static pthread_t main_thread;
static char why[300], thread_why[300];
static char measured[100];	/* for the line of a case that passes */
static volatile bool thread_ended;
static volatile pid_t in_kvm;	/* the thread that runs the vCPU, or 0 */
static int number, failures;

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list args;

	bool in_main = pthread_equal(pthread_self(), main_thread);

	va_start(args, format);
	vsnprintf(in_main ? why : thread_why, sizeof(why), format, args);
	va_end(args);
	if (in_kvm == gettid())
		in_kvm = 0;
	if (in_main)
		longjmp(failed, 1);
	thread_ended = true;
	pthread_exit(thread_why);
}

static int do_ioctl(int file, unsigned long request, const char *what, void *arg)
{
	int ret = ioctl(file, request, arg);

	if (ret < 0)
		fail("%s: %s", what, strerror(errno));
	return ret;
}

static void write_file(const char *file, const char *text)
{
	int to = open(file, O_WRONLY | O_TRUNC);

	if (to < 0 || write(to, text, strlen(text)) != (ssize_t)strlen(text))
		fail("%s: %s", file, strerror(errno));
	close(to);
}

#define TRACING "/sys/kernel/tracing/"

static unsigned int device_bit = 8;	/* in enum kvm_pgtable_prot */

static void probe(void)
{
	struct utsname system;

	/* Since v7, two bits say who can execute memory, which moves this one. */
	if (!uname(&system) && atoi(system.release) >= 7)
		device_bit = 16;
	if (access(TRACING "events/lab/stage2", F_OK))
		write_file(TRACING "kprobe_events",
			   "p:lab/stage2 kvm_pgtable_stage2_map addr=%x1:x64 size=%x2:x64 prot=%x4:x32\n");
	write_file(TRACING "buffer_size_kb", "8192");
}

static void count_from_now(void)
{
	write_file(TRACING "events/lab/stage2/enable", "1");
	write_file(TRACING "trace", "");
}

struct entries {
	unsigned int in_4k, in_2m, other, device;
};

/*
 * The entries mapped since count_from_now() for the @bytes of guest memory from
 * @start on, 1G at most.  Of an address that was mapped twice, the last one counts.
 */
static struct entries counted_in(unsigned long start, size_t bytes)
{
	static unsigned char seen[GIB / PAGE];	/* 1: 4K, 2: 2M, 3: another size; plus 16 for Device memory */
	struct entries entries = {};
	unsigned long addr, size;
	unsigned int prot, i;
	char line[400], *at;
	FILE *trace;

	write_file(TRACING "events/lab/stage2/enable", "0");
	memset(seen, 0, sizeof(seen));
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		fail(TRACING "trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), trace)) {
		at = strstr(line, "addr=");
		if (!at || sscanf(at, "addr=%lx size=%lx prot=%x", &addr, &size, &prot) != 3)
			continue;
		if (addr < start || addr >= start + bytes)
			continue;
		seen[(addr - start) / PAGE] = (size == PAGE ? 1 : size == BLOCK ? 2 : 3) | (prot & device_bit ? 16 : 0);
	}
	fclose(trace);
	for (i = 0; i < bytes / PAGE; i++) {
		entries.in_4k += (seen[i] & 15) == 1;
		entries.in_2m += (seen[i] & 15) == 2;
		entries.other += (seen[i] & 15) == 3;
		entries.device += seen[i] >> 4;
	}
	return entries;
}

static struct entries counted(void)
{
	return counted_in(MEMORY, SIZE);
}

static void expect(const char *when, struct entries is, unsigned int in_4k, unsigned int in_2m)
{
	if (is.in_4k != in_4k || is.in_2m != in_2m || is.other || is.device)
		fail("%s: 4K=%u 2M=%u other=%u, of which Device=%u; expected: 4K=%u 2M=%u, none of Device",
		     when, is.in_4k, is.in_2m, is.other, is.device, in_4k, in_2m);
	snprintf(measured, sizeof(measured), " pages_4k=%u pages_2m=%u device=%u", is.in_4k, is.in_2m, is.device);
}

static void set_reg(uint64_t id, uint64_t value, const char *what)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	do_ioctl(vcpu, KVM_SET_ONE_REG, what, &reg);
}

#define CORE(field) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.field))
#define SET(field, value) set_reg(CORE(field), value, #field)
#define SET_SYSTEM(op0, op1, crn, crm, op2, value, what) set_reg(ARM64_SYS_REG(op0, op1, crn, crm, op2), value, what)

static void map_memory(char *at, size_t offset, size_t size)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

	if (mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, offset) == MAP_FAILED)
		fail("mmap of %s: %s", path, strerror(errno));
	if (fd < 0)
		madvise(at, size, MADV_HUGEPAGE);
}

static void set_memory(unsigned int slot, uint32_t flags, uint64_t address, void *at, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = address, .memory_size = size, .userspace_addr = (uintptr_t)at,
	};

	do_ioctl(vm, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region);
}

/* Makes a VM with one vCPU, which is ready to execute its first instruction, with its translation on. */
static void start(void)
{
	static char *place, *vectors;
	struct kvm_vcpu_init init;
	uint64_t *table;

	if (!place) {
		place = mmap(NULL, SIZE + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		vectors = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (place == MAP_FAILED || vectors == MAP_FAILED)
			fail("mmap: %s", strerror(errno));
		memory = (char *)(((uintptr_t)place + BLOCK - 1) & -(uintptr_t)BLOCK);
		memcpy(vectors, vectors_begin, vectors_end - vectors_begin);
	}
	map_memory(memory, 0, SIZE);
	memset(memory, 0, BLOCK);
	memcpy(memory, guest_begin, guest_end - guest_begin);
	__builtin___clear_cache(memory, memory + PAGE);
	__builtin___clear_cache(vectors, vectors + PAGE);
	mailbox = (struct mailbox *)(memory + (MAILBOX - MEMORY));
	/* Blocks of 1G: REPORT is a device, the others are Normal memory, write-back. */
	table = (uint64_t *)(vectors + PAGE);
	table[0] = 0UL << 30 | 1 | 1 << 10 | 1UL << 54 | 0 << 2;
	table[1] = 1UL << 30 | 1 | 1 << 10 | 3 << 8 | 1 << 2;
	table[2] = 2UL << 30 | 1 | 1 << 10 | 3 << 8 | 1 << 2;
	table[3] = 3UL << 30 | 1 | 1 << 10 | 3 << 8 | 1 << 2;

	vm = do_ioctl(kvm, KVM_CREATE_VM, "KVM_CREATE_VM", NULL);
	set_memory(0, 0, VECTORS, vectors, 2 * PAGE);
	set_memory(1, 0, MEMORY, memory, SIZE);
	vcpu = do_ioctl(vm, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", NULL);
	do_ioctl(vm, KVM_ARM_PREFERRED_TARGET, "KVM_ARM_PREFERRED_TARGET", &init);
	do_ioctl(vcpu, KVM_ARM_VCPU_INIT, "KVM_ARM_VCPU_INIT", &init);
	run = mmap(NULL, do_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE", NULL),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap of the vCPU: %s", strerror(errno));
	SET(pc, CODE);
	SET(pstate, 0x3c5);	/* EL1h, no interrupts */
	SET(regs[20], MAILBOX);
	SET(regs[21], REPORT);
	SET_SYSTEM(3, 0, 12, 0, 0, VECTORS, "VBAR_EL1");
	SET_SYSTEM(3, 0, 10, 2, 0, 0xff00, "MAIR_EL1");		/* 0: Device-nGnRnE, 1: Normal, write-back */
	SET_SYSTEM(3, 0, 2, 0, 0, TABLE, "TTBR0_EL1");
	/* 39 bits, 4K, tables inner shareable and write-back, no TTBR1, 40-bit physical addresses */
	SET_SYSTEM(3, 0, 2, 0, 2, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2UL << 32, "TCR_EL1");
	SET_SYSTEM(3, 0, 1, 0, 0, 0x30d00800 | 1 << 12 | 1 << 2 | 1, "SCTLR_EL1");	/* I, C, M */
}

static void stop(void)
{
	if (run && run != MAP_FAILED)
		munmap(run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL));
	if (vcpu > 0)
		close(vcpu);
	if (vm > 0)
		close(vm);
	run = NULL;
	vcpu = vm = 0;
}

static int run_vcpu(void)
{
	uint64_t said[3] = {}, value;
	unsigned int i;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, NULL) < 0) {
			if (errno != EINTR)
				return errno;
			continue;
		}
		if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write)
			fail("KVM_RUN: exit reason %u", run->exit_reason);
		if (run->mmio.phys_addr == REPORT)
			return 0;
		i = (run->mmio.phys_addr - REPORT) / 8 - 1;
		memcpy(&value, run->mmio.data, sizeof(value));
		if (i < 3)
			said[i] = value;
		if (i == 2)
			fail("the guest has taken an exception: ESR_EL1=%#lx FAR_EL1=%#lx ELR_EL1=%#lx", said[0], said[1], said[2]);
	}
}

/* Runs the vCPU until the command in the mailbox has ended; returns 0, or the error of KVM_RUN. */
static int go(void)
{
	int error;

	in_kvm = gettid();
	error = run_vcpu();
	in_kvm = 0;
	return error;
}

static void command(enum command what, uint64_t from, uint64_t to, uint64_t step, uint64_t value)
{
	mailbox->command = what;
	mailbox->start = from;
	mailbox->end = to;
	mailbox->step = step;
	mailbox->value = value;
	mailbox->result = -1;
	mailbox->stop = mailbox->rounds = 0;
	__sync_synchronize();
}

static uint64_t do_command(enum command what, uint64_t from, uint64_t to, uint64_t step, uint64_t value)
{
	int error;

	command(what, from, to, step, value);
	error = go();
	if (error)
		fail("KVM_RUN: %s", strerror(error));
	return mailbox->result;
}

static uint64_t *word(unsigned int page)
{
	return (uint64_t *)(memory + BLOCK + (size_t)page * PAGE);
}

static void execute(void)
{
	uint64_t wrong = do_command(EXECUTE, DATA, MEMORY + SIZE, BLOCK / 2, 41);

	if (wrong)
		fail("%lu functions have returned something else", wrong);
}

/* KVM must map all memory by the host's page size, as Normal memory.  Of the first 2M, the guest uses two pages. */
static void size(void)
{
	unsigned int page;
	uint64_t wrong;

	count_from_now();
	do_command(WRITE, DATA, MEMORY + SIZE, PAGE, 7);
	expect("written", counted(), small ? 2 + DATA_PAGES : 0, small ? 0 : BLOCKS);
	wrong = do_command(READ, DATA, MEMORY + SIZE, PAGE, 7);
	if (wrong)
		fail("the guest reads %lu words otherwise than it has written them", wrong);
	for (page = 0; page < DATA_PAGES; page++)
		if (*word(page) != DATA + (uint64_t)page * PAGE + 7)
			fail("the host reads something else from page %u than the guest has written", page);
}

/*
 * Guest and host have 1G of the memory at multiples of 1G.  Nevertheless KVM must
 * map it by 2M at most.  The guest writes to a word of each 2M, and leaves out the
 * beginning, where its code and the mailbox are.  At least half of a file lies at
 * multiples of 2M.
 */
static void large(void)
{
	const uint64_t first = LARGE + BLOCK / 2, end = LARGE + GIB;
	struct entries entries;
	uint64_t wrong, i;
	char *place, *at;

	place = mmap(NULL, 2UL * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (place == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	at = (char *)(((uintptr_t)place + GIB - 1) & -(uintptr_t)GIB);
	map_memory(at, 0, GIB);
	set_memory(2, 0, LARGE, at, GIB);
	count_from_now();
	do_command(WRITE, first, end, BLOCK, 13);
	entries = counted_in(LARGE, GIB);
	wrong = do_command(READ, first, end, BLOCK, 13);
	for (i = first; i < end; i += BLOCK)
		wrong += *(uint64_t *)(at + (i - LARGE)) != i + 13;
	munmap(place, 2UL * GIB);
	if (wrong)
		fail("guest and host read %lu words otherwise than the guest has written them", wrong);
	if (is_file && entries.in_2m >= GIB / BLOCK / 2)
		expect("written", entries, GIB / BLOCK - entries.in_2m, entries.in_2m);
	else
		expect("written", entries, small ? GIB / BLOCK : 0, small ? 0 : GIB / BLOCK);
}

/* Without transparent huge pages of 1G, the kernel offers no device-dax of 1G. */
static void alignments(void)
{
	char file[100], said[80] = "", *word;
	struct stat status;
	size_t length;
	FILE *from;

	if (fstat(fd, &status))
		fail("fstat: %s", strerror(errno));
	/* The parent of the device is that of the namespace. */
	snprintf(file, sizeof(file), "/sys/dev/char/%u:%u/../supported_alignments", major(status.st_rdev), minor(status.st_rdev));
	from = fopen(file, "r");
	if (!from || !fgets(said, sizeof(said), from))
		fail("%s: %s", file, strerror(errno));
	fclose(from);
	if (!strstr(said, "2097152") || strstr(said, "1073741824"))
		fail("%s has: %s; expected: 2097152, and no 1073741824", file, strtok(said, "\n"));
	length = snprintf(measured, sizeof(measured), " offered");
	for (word = strtok(said, " \n"); word; word = strtok(NULL, " \n"))
		length += snprintf(measured + length, sizeof(measured) - length, "%c%s", length == 8 ? '=' : ',', word);
}

static void access_kinds(void)
{
	uint64_t wrong = do_command(ACCESS, DATA, DATA + PAGE, PAGE, 0x1122334455667788);

	if (wrong)
		fail("%s%s%s%swrong", wrong & 1 ? "unaligned " : "", wrong & 2 ? "across-pages " : "",
		     wrong & 4 ? "exclusive " : "", wrong & 8 ? "dc-zva " : "");
}

static unsigned int dirty(unsigned char *bitmap)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	unsigned int i, n = 0;

	memset(bitmap, 0, PAGES / 8);
	do_ioctl(vm, KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &log);
	for (i = PER_BLOCK; i < PAGES; i++)
		n += bitmap[i / 8] >> i % 8 & 1;
	return n;
}

/* While writes are logged, KVM maps written memory by 4K; after that, by the host's page size again. */
static void dirty_log(void)
{
	static unsigned char bitmap[PAGES / 8];
	unsigned int n, i;

	do_command(WRITE, DATA, MEMORY + SIZE, PAGE, 7);
	set_memory(1, KVM_MEM_LOG_DIRTY_PAGES, MEMORY, memory, SIZE);
	do_command(READ, DATA, MEMORY + SIZE, PAGE, 7);
	n = dirty(bitmap);
	if (n)
		fail("%u pages are dirty that were only read", n);
	count_from_now();
	do_command(WRITE, DATA + PAGE, MEMORY + SIZE, BLOCK, 9);
	n = counted().in_2m;
	if (n)
		fail("%u entries of 2M while writes are logged", n);
	n = dirty(bitmap);
	for (i = PER_BLOCK; i < PAGES; i++)
		if ((bitmap[i / 8] >> i % 8 & 1) != (i % PER_BLOCK == 1))
			fail("page %u is %sdirty", i, i % PER_BLOCK == 1 ? "not " : "");
	if (n != BLOCKS - 1)
		fail("%u pages are dirty, not %u", n, BLOCKS - 1);
	set_memory(1, 0, MEMORY, memory, SIZE);
	if (small)
		return;
	count_from_now();
	do_command(WRITE, DATA, MEMORY + SIZE, PAGE, 11);
	/* KVM may or may not map the guest's own code again. */
	n = counted().in_2m;
	if (n < BLOCKS - 1)
		fail("only %u of %u entries of 2M after writes were logged", n, BLOCKS - 1);
}

/* The thread that runs the counting vCPU; ends with 0, the errno of KVM_RUN, or the text of a failure. */
static void *counting(void *unused)
{
	long error = go();

	(void)unused;
	thread_ended = true;
	return (void *)error;
}

/* Waits for two more rounds, one of which is a full pass over all pages, or for the end of the thread. */
static void wait_for_rounds(void)
{
	uint64_t rounds = mailbox->rounds;

	while (mailbox->rounds < rounds + 2 && !thread_ended)
		usleep(1000);
}

/* Lets the guest continue counting from where it is. */
static void count_on(pthread_t *thread)
{
	thread_ended = false;
	if (pthread_create(thread, NULL, counting, NULL))
		fail("pthread_create");
	wait_for_rounds();
}

static void run_counting(pthread_t *thread)
{
	command(COUNT, DATA, MEMORY + SIZE, PAGE, 0);
	count_on(thread);
}

/* Ends the counting, which must not have failed; returns the number of rounds. */
static uint64_t stop_counting(pthread_t thread)
{
	void *ended;

	mailbox->stop = 1;
	if (pthread_join(thread, &ended) || ended)
		fail("KVM_RUN: %s", ended == thread_why ? thread_why : strerror((long)ended));
	return mailbox->result;
}

/* Punches pages of the file under the running guest: these become zero for it, and no others do. */
static void punch(void)
{
	unsigned int page, i, from, late = 0, pages[4] = { 0, 2 * PER_BLOCK, 5 * PER_BLOCK + 3, 9 * PER_BLOCK };
	unsigned int counts[4] = { PER_BLOCK, 2 * PER_BLOCK, 7, 1 };
	static bool punched[DATA_PAGES];
	uint64_t rounds, value;
	pthread_t thread;

	memset(punched, 0, sizeof(punched));
	for (page = 0; page < DATA_PAGES; page++)
		*word(page) = 1000000;
	run_counting(&thread);
	for (i = 0; i < 4; i++) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK + (off_t)pages[i] * PAGE, (off_t)counts[i] * PAGE))
			fail("fallocate: %s", strerror(errno));
		for (from = 0; from < counts[i]; from++)
			punched[pages[i] + from] = true;
	}
	wait_for_rounds();
	rounds = stop_counting(thread);
	for (page = 0; page < DATA_PAGES; page++) {
		if (pread(fd, &value, sizeof(value), BLOCK + (off_t)page * PAGE) != sizeof(value))
			fail("pread: %s", strerror(errno));
		if (value != *word(page))
			fail("page %u of the file is another than the one that is mapped", page);
		/* The guest may have been between its load and its store when a page was punched. */
		if (punched[page] && value > 1000000 && late++ < 4)
			continue;
		if (punched[page] ? !value || value > rounds : value != 1000000 + rounds)
			fail("page %u, %s, has %lu after %lu rounds", page, punched[page] ? "punched" : "left alone", value, rounds);
	}
}

/*
 * Waits for the end of a guest that has lost memory: a full pass over all pages has
 * to touch it.  A guest that makes such a pass is told to stop.  Returns the error of
 * KVM_RUN, which is then 0.
 */
static void *await_end(pthread_t thread)
{
	void *ended;

	wait_for_rounds();
	mailbox->stop = 1;
	if (pthread_join(thread, &ended))
		fail("pthread_join");
	mailbox->stop = 0;
	return ended;
}

/* Without a mapping in the host, KVM_RUN fails.  When it is back, the guest continues with the data that it wrote. */
static void unmapped(void)
{
	size_t half = SIZE / 2;
	pthread_t thread;
	unsigned int page;
	void *ended;

	for (page = 0; page < DATA_PAGES; page++)
		*word(page) = 1000000;
	run_counting(&thread);
	munmap(memory + half, half);
	ended = await_end(thread);
	if (ended != (void *)(long)EFAULT)
		fail("KVM_RUN without memory: %s, expected: %s", ended == thread_why ? thread_why : strerror((long)ended), strerror(EFAULT));
	map_memory(memory + half, half, half);
	mailbox->stop = 1;
	if (go())
		fail("KVM_RUN: %s", strerror(errno));
	for (page = 0; page < DATA_PAGES; page++)
		if (*word(page) != 1000000 + mailbox->result && (fd >= 0 || page < (half - BLOCK) / PAGE))
			fail("page %u has %lu after %lu rounds", page, *word(page), mailbox->result);
}

/* Truncates the file under the running guest: KVM_RUN fails.  When the file is extended again, the cut part is zero. */
static void truncated(void)
{
	const unsigned int kept = (SIZE / 2 - BLOCK) / PAGE;
	struct stat status;
	unsigned int page;
	pthread_t thread;
	uint64_t rounds;
	void *ended;

	if (fstat(fd, &status))
		fail("fstat: %s", strerror(errno));
	for (page = 0; page < DATA_PAGES; page++)
		*word(page) = 1000000;
	run_counting(&thread);
	if (ftruncate(fd, SIZE / 2))
		fail("ftruncate: %s", strerror(errno));
	ended = await_end(thread);
	if (ended != (void *)(long)EFAULT)
		fail("KVM_RUN beyond the end: %s, expected: %s", ended == thread_why ? thread_why : strerror((long)ended), strerror(EFAULT));
	if (ftruncate(fd, status.st_size))
		fail("ftruncate: %s", strerror(errno));
	count_on(&thread);
	rounds = stop_counting(thread);
	for (page = 0; page < DATA_PAGES; page++)
		if (page < kept ? *word(page) != 1000000 + rounds : !*word(page) || *word(page) > rounds)
			fail("page %u, %s, has %lu after %lu rounds", page, page < kept ? "left alone" : "cut off", *word(page), rounds);
}

static struct { volatile int number, code, lsb; void *volatile at; } bus;

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	bus.number++;
	bus.code = info->si_code;
	bus.lsb = info->si_addr_lsb;
	bus.at = info->si_addr;
}

/* Lets a page fail by madvise(): the caller gets the signal, and KVM maps the memory again, with the guest's data. */
static void memory_failure(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	char *at = (char *)word(3 * PER_BLOCK + 5);
	struct entries entries;
	uint64_t wrong;

	sigaction(SIGBUS, &action, NULL);
	do_command(WRITE, DATA, MEMORY + SIZE, PAGE, 7);
	bus.number = 0;
	count_from_now();
	if (madvise(at, PAGE, MADV_HWPOISON))
		fail("madvise: %s", strerror(errno));
	if (bus.number != 1 || bus.code != BUS_MCEERR_AR || bus.lsb < 12 || bus.lsb > 21 ||
	    (uintptr_t)bus.at >> bus.lsb != (uintptr_t)at >> bus.lsb)
		fail("%d SIGBUS, with code %d at %p, lsb %d; expected: code %d at %p", bus.number, bus.code, bus.at, bus.lsb, BUS_MCEERR_AR, at);
	wrong = do_command(READ, DATA, MEMORY + SIZE, PAGE, 7);
	if (wrong)
		fail("the guest reads %lu words otherwise than it has written them", wrong);
	entries = counted();
	if (!(entries.in_4k + entries.in_2m) || entries.other || entries.device)
		fail("after the failure KVM has made %u entries of 4K, %u of 2M, %u other, of which Device %u", entries.in_4k, entries.in_2m,
		     entries.other, entries.device);
}

static const char *current;
static unsigned int still, unanswered, idle;	/* looks in a row */

/* Looks whether the guest goes on.  Only the thread that runs it can read its registers, as any other waits for that one. */
static void on_alarm(int signal)
{
	static const uint64_t ids[] = {
		CORE(pc), CORE(regs[1]), CORE(regs[5]), CORE(regs[7]), CORE(regs[8]), CORE(regs[10]), CORE(regs[13])
	};
	static uint64_t seen[sizeof(ids) / sizeof(ids[0])];
	uint64_t now[sizeof(ids) / sizeof(ids[0])] = {};
	static clock_t used;
	clock_t before = used;
	pid_t thread = in_kvm;
	unsigned int i;

	(void)signal;
	alarm(LOOK);
	used = clock();
	/* Without a guest, a process that takes no time waits, e.g. to punch a hole.  This handler takes far less than 10 ms. */
	idle = !thread && used - before < CLOCKS_PER_SEC / 100 ? idle + 1 : 0;
	if (thread == gettid()) {
		for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			struct kvm_one_reg reg = { .id = ids[i], .addr = (uintptr_t)&now[i] };

			ioctl(vcpu, KVM_GET_ONE_REG, &reg);
		}
		still = memcmp(now, seen, sizeof(now)) ? 0 : still + 1;
		memcpy(seen, now, sizeof(now));
		unanswered = 0;
	} else if (thread && !tgkill(getpid(), thread, SIGALRM)) {
		unanswered++;
	}
	if (still < LOOKS && unanswered < LOOKS && idle < LOOKS)
		return;
	if (idle == LOOKS) {
		dprintf(STDOUT_FILENO, "# the test waits in the kernel since %d looks, %d s apart\nnot ok %d %s %s\n", LOOKS, LOOK, number,
			name, current);
		_exit(1);
	}
	dprintf(STDOUT_FILENO, "# the guest is as it was %d looks ago, %d s apart%s, at %#lx\nnot ok %d %s %s\n", LOOKS, LOOK,
		unanswered ? ", and KVM_RUN takes no signal" : "", seen[0], number, name, current);
	_exit(1);
}

static void test(const char *what, void (*function)(void))
{
	number++;
	current = what;
	measured[0] = '\0';
	if (!setjmp(failed)) {
		start();
		still = unanswered = idle = 0;
		alarm(LOOK);
		function();
		printf("ok %d %s %s%s\n", number, name, what, measured);
	} else {
		printf("# %s\nnot ok %d %s %s\n", why, number, name, what);
		failures++;
	}
	alarm(0);
	stop();
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct stat status;

	if (argc != 2) {
		fprintf(stderr, "usage: arm64-guest PATH\nPATH: of device-dax, or of a file on a DAX file system, or anon\n");
		return 2;
	}
	path = argv[1];
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (!strncmp(path, "/dax/", 5)) {
		char *backing = strdup(path + 5);

		backing[strcspn(backing, "/")] = '\0';
		name = backing;
	}
	small = strstr(name, "-4k");
	main_thread = pthread_self();
	sigaction(SIGALRM, &action, NULL);
	if (setjmp(failed)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	if (strcmp(path, "anon")) {
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &status))
			fail("%s: %s", path, strerror(errno));
		is_file = S_ISREG(status.st_mode);
		is_device = S_ISCHR(status.st_mode);
	}
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		fail("/dev/kvm: %s", strerror(errno));
	probe();
	test("exec", execute);
	test("size", size);
	test("access", access_kinds);
	test("dirty-log", dirty_log);
	test("munmap", unmapped);
	/* The machine has not enough ordinary memory for that. */
	if (fd >= 0)
		test("1g", large);
	if (is_device)
		test("alignments", alignments);
	if (is_file) {
		test("punch", punch);
		test("truncate", truncated);
	}
	/* Must be the last case, because the failed page stays marked. */
	if (fd >= 0)
		test("memory-failure", memory_failure);
	printf("1..%d\n", number);
	return failures != 0;
}
#endif
