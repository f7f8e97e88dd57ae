// SPDX-License-Identifier: GPL-2.0
/*
 * Punches holes into a DAX file while one thread writes to all of it.  Another one
 * reads it through a pipe, which takes the pages by GUP.  A hole punch waits
 * until only page tables refer to a page.  It must not wait for page tables that
 * are filled again meanwhile.  Prints how many holes it has punched.  If a hole
 * takes many rounds of the writer, it stops both threads.  If the hole punch then
 * sleeps on, nobody is left to wake it: the program prints where it waits, and ends
 * with 1.  As long as it goes on, it says so on standard error, because the host
 * ends a machine that prints nothing for long.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (4UL << 20)
#define HOLE (64UL << 10)
#define PIPE (64L << 10)

/* Most holes take few rounds, because the writer waits for the lock that fallocate() holds. */
#define ROUNDS 1000
/* A hole punch that sleeps in so many looks in a row, 10 ms apart, hangs.  On a slow host it would be seen to wait for a CPU. */
#define LOOKS 1000
#ifndef SAY
#define SAY 300	/* after so many seconds it says that it goes on */
#endif

static volatile char *memory;
static atomic_ulong rounds = 1, began;	/* began is 0 while no hole is punched */
static atomic_int going;

static void *write_all(void *unused)
{
	unsigned long i;

	(void)unused;
	while (going) {
		for (i = 0; i < SIZE; i += PAGE)
			memory[i] = 1;
		rounds++;
	}
	return NULL;
}

/* The pipe refers to the pages until they are read from it, as direct I/O does until the disk has them. */
static void *read_all(void *unused)
{
	static char copy[PIPE];
	unsigned long offset;
	int ends[2];

	(void)unused;
	if (pipe(ends))
		goto failed;
	for (offset = 0; going; offset = (offset + PIPE) % SIZE) {
		struct iovec from = { (char *)memory + offset, PIPE };

		if (vmsplice(ends[1], &from, 1, 0) != PIPE || read(ends[0], copy, PIPE) != PIPE)
			goto failed;
	}
	close(ends[0]);
	close(ends[1]);
	return NULL;
failed:
	fprintf(stderr, "punch-waits: reading by a pipe: %s\n", strerror(errno));
	exit(2);
}

static void start(pthread_t *threads)
{
	going = 1;
	if (pthread_create(&threads[0], NULL, write_all, NULL) || pthread_create(&threads[1], NULL, read_all, NULL)) {
		fprintf(stderr, "punch-waits: no thread: %s\n", strerror(errno));
		exit(2);
	}
}

/* Reads a file below /proc of the main thread, which punches the holes. */
static const char *of_puncher(const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", getpid(), name);
	fd = open(path, O_RDONLY);
	got = fd < 0 ? 0 : read(fd, text, size - 1);
	text[got > 0 ? got : 0] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* Returns whether the main thread sleeps.  It does not if it waits for a CPU. */
static int sleeps(void)
{
	static const char state[] = "\nState:\t";
	static char text[8192];
	const char *line;

	line = strstr(of_puncher("status", text, sizeof(text)), state);
	return line && strchr("SD", line[strlen(state)]);
}

/* Returns whether the hole punch sleeps for good.  The other threads end, or wait for a lock that it holds. */
static int hangs(void)
{
	int looks = 0;

	while (began && looks < LOOKS) {
		usleep(10000);
		looks = sleeps() ? looks + 1 : 0;
	}
	return looks == LOOKS;
}

static void *watch(void *punches)
{
	unsigned long since, seen = 0, now;
	static char stack[4096];
	pthread_t threads[2];
	time_t said = time(NULL);

	start(threads);
	for (;;) {
		usleep(10000);
		now = *(volatile unsigned long *)punches;
		if (now != seen && time(NULL) - said >= SAY) {
			fprintf(stderr, "punch-waits: it goes on, after %lu holes\n", now);
			said = time(NULL);
			seen = now;
		}
		since = began;
		if (!since || rounds - since < ROUNDS)
			continue;
		going = 0;
		if (hangs()) {
			printf("stuck after punches=%lu\n%s", *(volatile unsigned long *)punches,
			       of_puncher("stack", stack, sizeof(stack)));
			fflush(stdout);
			_exit(1);
		}
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		start(threads);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long punches = 0, wanted;
	pthread_t thread;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: punch-waits FILE TIMES\n");
		return 2;
	}
	wanted = strtoul(argv[2], NULL, 0);
	fd = open(argv[1], O_RDWR);
	memory = fd < 0 ? MAP_FAILED : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "punch-waits: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	memset((void *)memory, 1, SIZE);
	if (pthread_create(&thread, NULL, watch, &punches)) {
		fprintf(stderr, "punch-waits: no thread: %s\n", strerror(errno));
		return 2;
	}
	while (punches < wanted) {
		began = rounds;
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SIZE / 2, HOLE)) {
			fprintf(stderr, "punch-waits: fallocate: %s\n", strerror(errno));
			return 2;
		}
		began = 0;
		punches++;
	}
	printf("punches=%lu\n", punches);
	fflush(stdout);
	_exit(0);
}
