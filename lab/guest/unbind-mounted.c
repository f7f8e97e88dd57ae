// SPDX-License-Identifier: GPL-2.0
/*
 * Uses a file on a DAX file system, as a process or as the memory of a guest.
 * Takes the path of the file, who writes to it, process or guest, and "off" or
 * "on" for the guest's interrupts.  Writes to each 4K of 2M, once at the start and
 * once for each line that it reads.  Prints "written" each time, or the error that
 * it got instead.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "small-guest.h"

#define SIZE (2UL << 20)

static sigjmp_buf failed;
static volatile int code;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	code = info->si_code;
	siglongjmp(failed, 1);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	bool is_guest;
	char line[16];
	char *memory;
	int fd;

	if (argc != 4 || (strcmp(argv[2], "process") && strcmp(argv[2], "guest")) ||
	    (strcmp(argv[3], "off") && strcmp(argv[3], "on"))) {
		fprintf(stderr, "usage: unbind-mounted FILE process|guest off|on\n");
		return 2;
	}
	path = argv[1];
	is_guest = !strcmp(argv[2], "guest");
	interrupts = !strcmp(argv[3], "on");
	fd = open(path, O_RDWR);
	if (fd < 0)
		fail("open");
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	close(fd);
	if (is_guest) {
		open_guest();
		if (set_slot(memory, SIZE, 0))
			fail("KVM_SET_USER_MEMORY_REGION");
	}
	sigaction(SIGBUS, &action, NULL);
	do {
		if (sigsetjmp(failed, 1)) {
			printf("SIGBUS, code %d\n", code);
		} else if (is_guest) {
			printf("%s\n", run_guest(SIZE, PAGE) ? strerror(errno) : "written");
		} else {
			for (unsigned long at = 0; at < SIZE; at += PAGE)
				*(volatile uint32_t *)(memory + at) = at;
			printf("written\n");
		}
		fflush(stdout);
	} while (fgets(line, sizeof(line), stdin));
	return 0;
}
