// SPDX-License-Identifier: GPL-2.0
/*
 * Lets pages of a file fail whose blocks another file shares.  Takes a folder on a
 * DAX file system that can share blocks, how many failures to cause, and what
 * happens to the other file:
 *
 *   copied  it is written to, so that each write allocates a block; then it shares
 *           the blocks again
 *   closed  it is deleted, and another one is made
 *   told    as copied, while another process, which is told early, reads the pages
 *           all the time; it may be told once of each failure
 *
 * Prints how many pages have failed, how often the other file was copied or closed,
 * and how often the other process was told.  Ends with 1 if everything stands still
 * (which is more than being slow), or if something fails, as after a shutdown.  Also
 * ends with 1 if the process was told more often than pages have failed.  As long as
 * pages fail, it says so on standard error, because the host ends a machine that
 * prints nothing for long.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (64 * PAGE)
/*
 * So many looks in a row without progress are a hang.  A look counts as five if
 * the CPUs also had nothing else to run.
 */
#define PATIENCE 3000
#define SAY 300	/* after so many seconds it says that it goes on */

static struct counts {
	atomic_ulong failures, rounds, told;
} *counts;
static const char *folder;
static int fd;

static void fail(const char *what)
{
	fprintf(stderr, "shared-failure: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int open_file(void)
{
	int new = open(folder, O_TMPFILE | O_RDWR, 0600);

	if (new < 0)
		fail(folder);
	return new;
}

static char *map(int file, int prot)
{
	char *memory = mmap(NULL, SIZE, prot, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static int share(int file)
{
	if (ioctl(file, FICLONE, fd))
		fail("FICLONE");
	return file;
}

static void *copied(void *unused)
{
	int other = share(open_file());
	volatile char *memory = map(other, PROT_READ | PROT_WRITE);

	(void)unused;
	for (;; counts->rounds++) {
		for (unsigned long offset = 0; offset < SIZE; offset += PAGE)
			memory[offset] = 1;
		share(other);
	}
	return NULL;
}

static void *closed(void *unused)
{
	(void)unused;
	for (;; counts->rounds++)
		close(share(open_file()));
	return NULL;
}

static void ignore(int sig)
{
	(void)sig;
}

static void is_told(int sig, siginfo_t *info, void *unused)
{
	(void)sig;
	(void)unused;
	if (info->si_code == BUS_MCEERR_AO || info->si_code == BUS_MCEERR_AR)
		counts->told++;
}

/* Starts another process, which reads the pages until this one ends. */
static void reader(void)
{
	struct sigaction action = { .sa_sigaction = is_told, .sa_flags = SA_SIGINFO };
	volatile char *memory;

	if (fork())
		return;
	memory = map(fd, PROT_READ);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || sigaction(SIGBUS, &action, NULL) ||
	    prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0))
		fail("reader");
	for (;;)
		for (unsigned long offset = 0; offset < SIZE; offset += PAGE)
			(void)memory[offset];
}

static void run(unsigned long nr, void *(*other)(void *), int told)
{
	static char data[SIZE];
	pthread_t thread;
	char *memory;

	fd = open_file();
	memset(data, 1, SIZE);
	if (pwrite(fd, data, SIZE, 0) != SIZE)
		fail("write");
	if (told)
		reader();
	memory = map(fd, PROT_READ);
	signal(SIGBUS, ignore);
	if (pthread_create(&thread, NULL, other, NULL))
		fail("pthread_create");
	for (; counts->failures < nr; counts->failures++)
		if (madvise(memory + random() % (SIZE / PAGE) * PAGE, PAGE, MADV_HWPOISON))
			fail("MADV_HWPOISON");
}

/* Whether only this process, which reads the number, is running. */
static bool cpus_are_idle(void)
{
	FILE *file = fopen("/proc/loadavg", "r");
	unsigned int runnable;

	if (!file)
		fail("/proc/loadavg");
	if (fscanf(file, "%*s %*s %*s %u/", &runnable) != 1)
		runnable = 0;
	fclose(file);
	return runnable == 1;
}

int main(int argc, char **argv)
{
	unsigned long seen = 0, now, told_of = 0;
	time_t said = time(NULL);
	int status, still = 0;
	pid_t pid, ended;

	if (argc != 4 || (strcmp(argv[3], "copied") && strcmp(argv[3], "closed") &&
			  strcmp(argv[3], "told"))) {
		fprintf(stderr, "usage: shared-failure FOLDER FAILURES copied|closed|told\n");
		return 2;
	}
	folder = argv[1];
	counts = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		fail("mmap");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		run(strtoul(argv[2], NULL, 0), strcmp(argv[3], "closed") ? copied : closed,
		    !strcmp(argv[3], "told"));
		_exit(0);
	}
	/* Poll, because a process that hangs in the kernel cannot be waited for. */
	while (!(ended = waitpid(pid, &status, WNOHANG)) && still < PATIENCE) {
		usleep(100000);
		now = counts->failures + counts->rounds;
		still = now != seen ? 0 : still + (cpus_are_idle() ? 5 : 1);
		seen = now;
		if (counts->failures != told_of && time(NULL) - said >= SAY) {
			told_of = counts->failures;
			said = time(NULL);
			fprintf(stderr, "shared-failure: it goes on, after %lu failures\n", told_of);
		}
	}
	printf("%s failures=%lu rounds=%lu told=%lu%s\n", argv[3], counts->failures,
	       counts->rounds, counts->told, ended ? "" : ", and then nothing");
	return counts->told > counts->failures + 1 || !ended || !WIFEXITED(status) || WEXITSTATUS(status);
}
