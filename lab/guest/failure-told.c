// SPDX-License-Identifier: GPL-2.0
/*
 * Three processes map the same DAX memory, each at an address of its own: one
 * that has asked to be told early of a memory failure, as QEMU does, one that
 * has not, and one whose madvise() has a page of it fail.  The last one gets
 * SIGBUS with BUS_MCEERR_AR, the first one with BUS_MCEERR_AO, both with the
 * address that the page has there; the other one gets none, or on older kernels
 * the same; and each of them reads what was written before, as the page can be
 * had again.
 *
 * Takes the path of the memory, how many bytes of it to map, and early if only
 * the one that has asked is told, or all; prints who was told of what.  Ends
 * with 1 if it was not so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define FAILS (3 * PAGE)	/* the page that does */
#define TIMEOUT 60		/* seconds for a signal that will not come */

static const char *path;
static size_t size;
static int all_are_told;

static void fail(const char *what)
{
	fprintf(stderr, "failure-told: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

static char *map(void)
{
	int fd = open(path, O_RDWR);
	char *memory;

	if (fd < 0)
		fail("open");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/* How a signal differs from what it has to be, or NULL. */
static const char *differs(const siginfo_t *got, int code, const char *address)
{
	if (got->si_signo != SIGBUS)
		return "another signal than SIGBUS";
	if (got->si_code != code)
		return "SIGBUS with another code";
	/* With the size of the mapping: of a page of 2M or 1G all has failed. */
	if (((uintptr_t)got->si_addr ^ (uintptr_t)address) >> got->si_addr_lsb)
		return "SIGBUS with another address";
	return NULL;
}

/* Has the memory mapped until it is told of a failure, or that there was one; ends with 1 unless that is as it has to be. */
static int mapper(int early, int ready, int over)
{
	const struct timespec none = { 0, 0 }, long_time = { TIMEOUT, 0 };
	const char *name = early ? "early" : "late", *why;
	const int told = early || all_are_told;
	siginfo_t got = { 0 };
	sigset_t bus;
	char *memory, c;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	sigprocmask(SIG_BLOCK, &bus, NULL);
	if (early && prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0))
		fail("PR_MCE_KILL");
	/* Elsewhere than the others. */
	mmap(NULL, size * (2 + early), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memory = map();
	if (memory[FAILS] != 'x' || write(ready, "r", 1) != 1)
		fail("reading");
	if (read(over, &c, 1) != 1)
		fail("waiting");

	if (sigtimedwait(&bus, &got, told ? &long_time : &none) < 0)
		why = told ? "it is not told" : NULL;
	else
		why = told ? differs(&got, BUS_MCEERR_AO, memory + FAILS) : "it is told";
	if (!why && memory[FAILS] != 'x')
		why = "the memory has changed";
	printf("%s %s: %s\n", path, name, why ? why : told ? "BUS_MCEERR_AO" : "not told");
	fflush(stdout);
	return why != NULL;
}

static siginfo_t signalled;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	signalled = *info;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	int ready[2], over[2], status, bad = 0;
	const char *why;
	char *memory, c;

	if (argc != 4 || (strcmp(argv[3], "early") && strcmp(argv[3], "all"))) {
		fprintf(stderr, "usage: failure-told PATH BYTES early|all\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0);
	all_are_told = !strcmp(argv[3], "all");
	memory = map();
	memory[FAILS] = 'x';
	if (pipe(ready) || pipe(over))
		fail("pipe");
	for (int early = 0; early < 2; early++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid)
			exit(mapper(early, ready[1], over[0]));
		if (read(ready[0], &c, 1) != 1)
			fail("a process that maps the memory");
	}

	sigaction(SIGBUS, &action, NULL);
	if (madvise(memory + FAILS, PAGE, MADV_HWPOISON))
		fail("MADV_HWPOISON");
	why = differs(&signalled, BUS_MCEERR_AR, memory + FAILS);
	if (!why && memory[FAILS] != 'x')
		why = "the memory has changed";
	printf("%s failing: %s\n", path, why ? why : "BUS_MCEERR_AR");
	fflush(stdout);
	if (write(over[1], "oo", 2) != 2)
		fail("telling that it is over");
	while (wait(&status) > 0)
		bad |= status;
	return why || bad;
}
