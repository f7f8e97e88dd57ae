// SPDX-License-Identifier: GPL-2.0
/*
 * Has pages of a file fail whose blocks another file shares.  Takes the folder,
 * which must be on a DAX file system that can share blocks, how often a page is
 * to fail, and what happens to the other file meanwhile:
 *
 *   copied  it is written to, so that each write has a block allocated, and is
 *           made to share the blocks again
 *   closed  it is deleted, and another one is made
 *
 * Prints how often a page has failed, and the other file has been copied or
 * closed.  Ends with 1 if nothing happens for 30 seconds, or something fails,
 * as after a shutdown.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (64 * PAGE)
#define PATIENCE 30	/* seconds */

static struct counts {
	atomic_ulong failures, rounds;
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

static void run(unsigned long nr, void *(*other)(void *))
{
	static char data[SIZE];
	pthread_t thread;
	char *memory;

	fd = open_file();
	memset(data, 1, SIZE);
	if (pwrite(fd, data, SIZE, 0) != SIZE)
		fail("write");
	memory = map(fd, PROT_READ);
	signal(SIGBUS, ignore);
	if (pthread_create(&thread, NULL, other, NULL))
		fail("pthread_create");
	for (; counts->failures < nr; counts->failures++)
		if (madvise(memory + random() % (SIZE / PAGE) * PAGE, PAGE, MADV_HWPOISON))
			fail("MADV_HWPOISON");
}

int main(int argc, char **argv)
{
	unsigned long seen = 0, now;
	int status, idle = 0;
	pid_t pid, ended;

	if (argc != 4 || (strcmp(argv[3], "copied") && strcmp(argv[3], "closed"))) {
		fprintf(stderr, "usage: shared-failure FOLDER FAILURES copied|closed\n");
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
		run(strtoul(argv[2], NULL, 0), strcmp(argv[3], "copied") ? closed : copied);
		_exit(0);
	}
	/* What hangs in the kernel cannot be waited for. */
	while (!(ended = waitpid(pid, &status, WNOHANG)) && idle < PATIENCE) {
		sleep(1);
		now = counts->failures + counts->rounds;
		idle = now == seen ? idle + 1 : 0;
		seen = now;
	}
	printf("%s failures=%lu rounds=%lu%s\n", argv[3], counts->failures, counts->rounds,
	       ended ? "" : ", and then nothing");
	return !ended || !WIFEXITED(status) || WEXITSTATUS(status);
}
