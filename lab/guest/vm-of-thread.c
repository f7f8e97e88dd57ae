// SPDX-License-Identifier: GPL-2.0
/*
 * A process whose second thread makes a VM.  It prints "made".  With an argument,
 * it lets that thread end, and prints "ended" instead.  Then it waits for a line.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int vm = -1;
static int made[2], end[2];	/* pipes */

static void *make_vm(void *unused)
{
	char byte = 0;

	vm = ioctl(open("/dev/kvm", O_RDWR), KVM_CREATE_VM, 0);
	if (write(made[1], &byte, 1) != 1 || read(end[0], &byte, 1) < 0)
		return made;
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char byte;

	(void)argv;
	if (pipe(made) || pipe(end) || pthread_create(&thread, NULL, make_vm, NULL) || read(made[0], &byte, 1) != 1 || vm < 0) {
		perror("vm-of-thread");
		return 1;
	}
	if (argc > 1) {
		close(end[1]);
		pthread_join(thread, NULL);
	}
	puts(argc > 1 ? "ended" : "made");
	fflush(stdout);
	getchar();
	return 0;
}
