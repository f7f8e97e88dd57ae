// SPDX-License-Identifier: GPL-2.0
/*
 * A guest executes an instruction and reads a word in each 2M of its memory, while
 * the memslot is deleted and made again.  The word is the address of the 2M.  The
 * guest reads it from the memory or, without a memslot, from user space, which
 * answers with the same word.  Anything else was never the guest's.
 *
 * With nx_huge_pages, the instructions make KVM map the memory by smaller pages
 * than the host does.
 *
 * Takes the path of 1 GiB of memory, and how often to delete the memslot.  Prints
 * how often it was deleted, how many words were read, and how many of them came
 * from user space.  Ends with 1 at the first wrong word.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "small-guest.h"

#define STEP (2UL << 20)

static atomic_ulong rounds, answered;
static atomic_bool stop, wrong;

/* The guest's program, in a page of its own; esi: the end of the memory */
static const uint8_t program[] = {
	0xbf, 0x00, 0x00, 0x00, 0x40,		/* mov $MEMORY, %edi */
	0xff, 0xd7,				/* 1: call *%edi */
	0x8b, 0x87, 0x00, 0x10, 0x00, 0x00,	/* mov PAGE(%edi), %eax */
	0x39, 0xf8,				/* cmp %edi, %eax */
	0x75, 0x0b,				/* jne 2f */
	0x81, 0xc7, 0x00, 0x00, 0x20, 0x00,	/* add $STEP, %edi */
	0x39, 0xf7,				/* cmp %esi, %edi */
	0x72, 0xea,				/* jb 1b */
	0xf4,					/* hlt */
	0xe6, 0x10,				/* 2: out %al, $16 */
};

static void *run_vcpu(void *unused)
{
	const struct kvm_regs start = {
		.rip = CODE, .rsp = CODE + PAGE, .rsi = MEMORY + GIB, .rflags = 2,
	};
	struct kvm_regs regs;
	uint32_t answer;

	DO_IOCTL(vcpu, KVM_SET_REGS, &start);
	while (!stop) {
		if (ioctl(vcpu, KVM_RUN, 0) && errno != EINTR)
			fail("KVM_RUN");
		switch (run->exit_reason) {
		case KVM_EXIT_HLT:
			rounds++;
			DO_IOCTL(vcpu, KVM_SET_REGS, &start);
			break;
		case KVM_EXIT_MMIO:
			answer = run->mmio.phys_addr - PAGE;
			memcpy(run->mmio.data, &answer, sizeof(answer));
			answered++;
			break;
		case KVM_EXIT_INTERNAL_ERROR:
			if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
				fail("KVM_EXIT_INTERNAL_ERROR");
			/* Without a memslot there is no instruction.  Start again, so that no exception is left. */
			DO_IOCTL(vcpu, KVM_SET_REGS, &start);
			break;
		case KVM_EXIT_INTR:
			break;
		case KVM_EXIT_IO:
			DO_IOCTL(vcpu, KVM_GET_REGS, &regs);
			printf("at %#llx the guest has read %#llx\n", regs.rdi + PAGE, regs.rax);
			wrong = true;
			return unused;
		default:
			fprintf(stderr, "slot-gone: the guest has exited for reason %u\n", run->exit_reason);
			exit(1);
		}
	}
	return unused;
}

int main(int argc, char **argv)
{
	unsigned long deleted = 0, times, before;
	pthread_t thread;
	uint8_t *memory;

	if (argc != 3) {
		fprintf(stderr, "usage: slot-gone PATH TIMES\n");
		return 2;
	}
	path = argv[1];
	times = strtoul(argv[2], NULL, 0);
	memory = map_path(GIB, 0);
	for (uint64_t at = 0; at < GIB; at += STEP) {
		uint32_t word = MEMORY + at;

		memory[at] = 0xc3;	/* ret */
		memcpy(memory + at + PAGE, &word, sizeof(word));
	}

	memcpy(open_guest(), program, sizeof(program));
	if (set_slot(memory, GIB, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	errno = pthread_create(&thread, NULL, run_vcpu, NULL);
	if (errno)
		fail("pthread_create");
	while (deleted < times && !wrong) {
		/* First delete the memslot when all is mapped, and then at any time while it is mapped again. */
		for (before = rounds; rounds == before && !wrong; )
			;
		if (set_slot(memory, 0, 0) || set_slot(memory, GIB, 0))
			fail("KVM_SET_USER_MEMORY_REGION");
		for (int i = rand() % 2000; i; i--)
			atomic_load(&rounds);
		if (set_slot(memory, 0, 0) || set_slot(memory, GIB, 0))
			fail("KVM_SET_USER_MEMORY_REGION");
		deleted += 2;
	}
	stop = true;
	pthread_join(thread, NULL);
	printf("%s deleted=%lu read=%lu from_user_space=%lu\n", path, deleted, rounds * (GIB / STEP), answered);
	return wrong;
}
