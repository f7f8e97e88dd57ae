// SPDX-License-Identifier: GPL-2.0
/*
 * Three processes map the same DAX memory, each at another address.  The first
 * has asked to be told early of memory failures, as QEMU does.  The second has
 * not.  The third makes a page fail by madvise().  The third gets SIGBUS with
 * BUS_MCEERR_AR, the first SIGBUS with BUS_MCEERR_AO, each with its own address
 * of the page.  The second gets no signal or, on older kernels, the same as the
 * first.  All of them can then read what was written before, because the page
 * can be used again.  Each process has a guest that has written to all of the
 * memory, and that must be able to do so again.
 *
 * Takes the path of the memory, how many bytes to map, and "early" if only the
 * process that asked is told, or "all".  Then come "off" or "on" for the guests'
 * interrupts, and optionally the offset of the mapping.  Prints who was told of
 * what.  Ends with 1 if that was wrong.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "small-guest.h"

#define WORD 8			/* offset in a page at which the processes write, but not the guests */
#define TIMEOUT 60		/* seconds to wait for a signal that does not come */

static size_t size, fails, offset;	/* fails: the offset of the page that fails */
static int all_are_told;

/* Writes to at most 512 pages, so that 1G does not take long. */
static int guest_writes(void)
{
	return run_guest(size, size < 512 * PAGE ? PAGE : size / 512);
}

/* Each process that maps the memory has a guest there. */
static void open_guest_in(void *memory)
{
	open_guest();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	if (guest_writes())
		fail("KVM_RUN before the failure");
}

/* Returns what is wrong with the memory, or NULL. */
static const char *goes_on(const char *memory)
{
	static char said[64];

	if (memory[fails + WORD] != 'x')
		return "the memory has changed";
	if (!guest_writes())
		return NULL;
	snprintf(said, sizeof(said), "KVM_RUN fails: %s", strerror(errno));
	return said;
}

/* Returns how a signal differs from the expected one, or NULL. */
static const char *differs(const siginfo_t *got, int code, const char *address)
{
	if (got->si_signo != SIGBUS)
		return "another signal than SIGBUS";
	if (got->si_code != code)
		return "SIGBUS with another code";
	/* The address is exact to the size of the mapping, because all of a 2M or 1G page fails. */
	if (((uintptr_t)got->si_addr ^ (uintptr_t)address) >> got->si_addr_lsb)
		return "SIGBUS with another address";
	return NULL;
}

/* Maps the memory until it is told of a failure, or that there was one; returns 1 if it was told wrongly. */
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
	/* Map the memory at another address than the other processes. */
	mmap(NULL, size * (2 + early), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memory = map_path(size, offset);
	open_guest_in(memory);
	if (memory[fails + WORD] != 'x' || write(ready, "r", 1) != 1)
		fail("reading");
	if (read(over, &c, 1) != 1)
		fail("waiting");

	if (sigtimedwait(&bus, &got, told ? &long_time : &none) < 0)
		why = told ? "it is not told" : NULL;
	else
		why = told ? differs(&got, BUS_MCEERR_AO, memory + fails) : "it is told";
	if (!why)
		why = goes_on(memory);
	printf("%s %s, interrupts=%s: %s\n", path, name, interrupts ? "on" : "off", why ? why : told ? "BUS_MCEERR_AO" : "not told");
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

	if (argc < 5 || argc > 6 || (strcmp(argv[3], "early") && strcmp(argv[3], "all")) ||
	    (strcmp(argv[4], "off") && strcmp(argv[4], "on"))) {
		fprintf(stderr, "usage: failure-told PATH BYTES early|all off|on [OFFSET]\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0);
	all_are_told = !strcmp(argv[3], "all");
	interrupts = !strcmp(argv[4], "on");
	offset = argc > 5 ? strtoul(argv[5], NULL, 0) : 0;
	/* v5.4 tells of each page only once.  With an offset, the page is one whose address is in the next 2M. */
	fails = (interrupts ? 5 : 3) * PAGE + (offset ? 2UL << 20 : 0);
	memory = map_path(size, offset);
	memory[fails + WORD] = 'x';
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

	open_guest_in(memory);
	sigaction(SIGBUS, &action, NULL);
	if (madvise(memory + fails, PAGE, MADV_HWPOISON))
		fail("MADV_HWPOISON");
	why = differs(&signalled, BUS_MCEERR_AR, memory + fails);
	if (!why)
		why = goes_on(memory);
	printf("%s failing, interrupts=%s: %s\n", path, interrupts ? "on" : "off", why ? why : "BUS_MCEERR_AR");
	fflush(stdout);
	if (write(over[1], "oo", 2) != 2)
		fail("telling that it is over");
	while (wait(&status) > 0)
		bad |= status;
	return why || bad;
}
