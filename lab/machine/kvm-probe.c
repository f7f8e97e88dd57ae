// SPDX-License-Identifier: GPL-2.0
/*
 * Tells whether /dev/kvm can run a guest: exit status 0 if a vCPU has executed one
 * instruction and halted.  That /dev/kvm can be opened proves nothing.  If it takes
 * too long, SIGALRM ends the program, which is no answer.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static int check(int ret, const char *what)
{
	if (ret < 0) {
		perror(what);
		exit(1);
	}
	return ret;
}

int main(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = PAGE };
	static const unsigned char code[] = { 0xb0, 0x2a, 0xf4 };	/* mov $42, %al; hlt */
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_run *run;
	int kvm, vm, vcpu;
	char *memory;

	/* A KVM that does not work may never return. */
	alarm(10);

	kvm = check(open("/dev/kvm", O_RDWR), "/dev/kvm");
	vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		check(-1, "mmap");
	memcpy(memory, code, sizeof(code));
	region.userspace_addr = (unsigned long)memory;
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

	vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = mmap(NULL, check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		check(-1, "mmap of the vCPU");
	check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
	check(ioctl(vcpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	if (run->exit_reason != KVM_EXIT_HLT || (regs.rax & 0xff) != 42) {
		fprintf(stderr, "KVM_RUN: exit reason %u, al %llu\n", run->exit_reason, regs.rax & 0xff);
		return 1;
	}
	return 0;
}
