// SPDX-License-Identifier: GPL-2.0
/*
 * A guest changes each entry of its page table and executes INVLPG for it, while
 * the host maps other memory in place of the guest's.  With shadow paging, KVM
 * maps such a page at once, if the host maps it writable.  When the host is done,
 * the guest reads all of its memory.  It must not see the earlier memory, which is
 * no longer its own.
 *
 * The guest's memory is the end of a larger mapping by 4K.  The host clears the
 * page table entries of that mapping one by one, those of the guest last.
 *
 * Takes the path of memory that can be mapped by 4K, half its size in MiB, and how
 * often to map the other half.  Prints how often it was mapped, and how often the
 * guest read a word of the earlier memory.  Ends with 1 if that happened.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "small-guest.h"

#define MIB (1UL << 20)
#define WINDOW (4 * MIB)	/* what one page table of the guest maps */
#define TABLES (2 * PAGE)	/* the page directory, and the page table of the memory */
#define PD_SIZE_4M 0x80
#define PRESENT_WRITABLE 3

static pthread_barrier_t barrier;
static unsigned long stale, times;
static unsigned int half;	/* the half that is mapped */
static atomic_bool sweeping;
static uint64_t sweep_ns;	/* how long the guest took for all of its memory */

/* edi: the first page; esi: the end; ebp: the page table entry of the first page */
static const uint8_t sweep[] = {
	0x81, 0x75, 0x00, 0x00, 0x02, 0x00, 0x00, /* 1: xorl $0x200, (%ebp) */
	0x0f, 0x01, 0x3f,			/* invlpg (%edi) */
	0x83, 0xc5, 0x04,			/* add $4, %ebp */
	0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,	/* add $PAGE, %edi */
	0x39, 0xf7,				/* cmp %esi, %edi */
	0x72, 0xe9,				/* jb 1b */
	0xf4,					/* hlt */
};

/* edi: the first page; esi: the end; ebx: what each word has besides its address */
static const uint8_t look[] = {
	0x8b, 0x07,				/* 1: mov (%edi), %eax */
	0x31, 0xd8,				/* xor %ebx, %eax */
	0x39, 0xf8,				/* cmp %edi, %eax */
	0x75, 0x0b,				/* jne 2f */
	0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,	/* add $PAGE, %edi */
	0x39, 0xf7,				/* cmp %esi, %edi */
	0x72, 0xee,				/* jb 1b */
	0xf4,					/* hlt */
	0xe6, 0x10,				/* 2: out %al, $16 */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000UL + now.tv_nsec;
}

/* Runs the guest at @code of its own page, with @ebx; returns whether it has come to the end. */
static bool run_code(uint64_t code, uint32_t ebx)
{
	const struct kvm_regs regs = {
		.rip = code, .rdi = MEMORY, .rsi = MEMORY + WINDOW, .rbp = TABLES + PAGE, .rbx = ebx,
	};

	if (!run_from(regs))
		return true;
	if (errno != EIO || run->exit_reason != KVM_EXIT_IO)
		fail("KVM_RUN");
	return false;
}

static void *run_vcpu(void *unused)
{
	struct kvm_regs regs;
	uint64_t start;

	for (unsigned long i = 0; i < times; i++) {
		pthread_barrier_wait(&barrier);
		start = now_ns();
		sweeping = true;
		run_code(CODE, 0);
		sweep_ns = now_ns() - start;
		pthread_barrier_wait(&barrier);
		/* Now the other half is mapped, and stays mapped. */
		if (run_code(CODE + sizeof(sweep), half))
			continue;
		DO_IOCTL(vcpu, KVM_GET_REGS, &regs);
		if (regs.rax != (regs.rdi ^ 1)) {
			fprintf(stderr, "invlpg: at %#llx the guest has read %#llx, which was never there\n",
				regs.rdi, regs.rax ^ half);
			exit(1);
		}
		stale++;
	}
	return unused;
}

/* Makes the guest's page tables, which map its first 4M, where they lie, and its memory. */
static void make_tables(void)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 2, .guest_phys_addr = TABLES, .memory_size = 2 * PAGE,
	};
	struct kvm_sregs sregs;
	uint32_t *tables;

	tables = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tables == MAP_FAILED)
		fail("mmap of the page tables");
	tables[0] = PRESENT_WRITABLE | PD_SIZE_4M;
	tables[MEMORY / WINDOW] = (TABLES + PAGE) | PRESENT_WRITABLE;
	for (unsigned int i = 0; i < WINDOW / PAGE; i++)
		tables[PAGE / sizeof(*tables) + i] = (MEMORY + i * PAGE) | PRESENT_WRITABLE;
	slot.userspace_addr = (uintptr_t)tables;
	DO_IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &slot);
	DO_IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr3 = TABLES;
	sregs.cr4 |= 1 << 4;	/* PSE */
	sregs.cr0 |= 1U << 31;	/* PG */
	DO_IOCTL(vcpu, KVM_SET_SREGS, &sregs);
}

int main(int argc, char **argv)
{
	uint8_t *memory, *code;
	uint64_t size, start, wait;
	pthread_t thread;
	int fd;

	if (argc != 4) {
		fprintf(stderr, "usage: invlpg PATH MIB TIMES\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0) * MIB;
	times = strtoul(argv[3], NULL, 0);
	fd = open(path, O_RDWR);
	if (fd < 0)
		fail("open");

	/* Place it 4K off a multiple of 2M, so that nothing can be mapped larger than 4K. */
	memory = mmap(NULL, size + 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap of the place");
	memory = (void *)(((uintptr_t)memory & -(2 * MIB)) + 2 * MIB + PAGE);
	for (half = 0; half < 2; half++) {
		if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, half * size) == MAP_FAILED)
			fail("mmap");
		for (uint64_t at = 0; at < WINDOW; at += PAGE) {
			uint32_t word = (MEMORY + at) ^ half;

			memcpy(memory + size - WINDOW + at, &word, sizeof(word));
		}
	}
	half = 1;

	code = open_guest();
	memcpy(code, sweep, sizeof(sweep));
	memcpy(code + sizeof(sweep), look, sizeof(look));
	make_tables();
	if (set_slot(memory + size - WINDOW, WINDOW, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	if (!run_code(CODE + sizeof(sweep), half)) {
		fprintf(stderr, "invlpg: %s: the guest has not read what was written\n", path);
		return 1;
	}
	pthread_barrier_init(&barrier, NULL, 2);
	errno = pthread_create(&thread, NULL, run_vcpu, NULL);
	if (errno)
		fail("pthread_create");
	for (unsigned long i = 0; i < times; i++) {
		for (uint64_t at = 0; at < size; at += PAGE)
			*(volatile uint8_t *)(memory + at) = memory[at];
		wait = sweep_ns ? rand() % sweep_ns : 0;
		sweeping = false;
		pthread_barrier_wait(&barrier);
		while (!sweeping)
			;
		for (start = now_ns(); now_ns() - start < wait; )
			;
		if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, !half * size) == MAP_FAILED)
			fail("mmap");
		half = !half;
		pthread_barrier_wait(&barrier);
	}
	pthread_join(thread, NULL);
	printf("%s mapped=%lu stale=%lu\n", path, times, stale);
	return stale != 0;
}
