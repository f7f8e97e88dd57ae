// SPDX-License-Identifier: GPL-2.0
/*
 * Punches holes into a DAX file while a thread writes to all of it and another one
 * has it read by GUP, as a guest's page faults and direct I/O do.  A hole is
 * punched when nobody but page tables refers to a page any more; whoever waits for
 * that must not wait for page tables that are filled again meanwhile.  Prints how
 * often it was done; when one takes longer than many rounds of the writer, what it
 * waits for, and ends with 1.
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
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (4UL << 20)
#define HOLE (64UL << 10)

/* A hole takes the writer a round or two, as it waits for the lock that the punch holds. */
#define ROUNDS 2000

static volatile char *memory;
static atomic_ulong rounds, began;	/* 0 while no hole is punched */

static void *write_all(void *unused)
{
	unsigned long i;

	(void)unused;
	for (;;) {
		for (i = 0; i < SIZE; i += PAGE)
			memory[i] = 1;
		rounds++;
	}
	return NULL;
}

static void *read_all(void *unused)
{
	char *copy = malloc(SIZE);
	struct iovec to = { copy, SIZE }, from = { (char *)memory, SIZE };

	(void)unused;
	while (copy && process_vm_readv(getpid(), &to, 1, &from, 1, 0) == SIZE)
		;
	fprintf(stderr, "punch-waits: process_vm_readv: %s\n", strerror(errno));
	exit(2);
}

static void *watch(void *punches)
{
	char stack[4096] = "";
	unsigned long since;
	ssize_t size;
	int fd;

	for (;;) {
		usleep(10000);
		since = began;
		if (!since || rounds - since < ROUNDS)
			continue;
		printf("stuck after punches=%lu rounds=%lu\n", *(volatile unsigned long *)punches, rounds - since);
		/* The thread that punches is the first one. */
		fd = open("/proc/self/stack", O_RDONLY);
		size = fd < 0 ? 0 : read(fd, stack, sizeof(stack) - 1);
		fwrite(stack, 1, size > 0 ? size : 0, stdout);
		fflush(stdout);
		_exit(1);
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
	memory = fd < 0 ? MAP_FAILED : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "punch-waits: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	memset((void *)memory, 1, SIZE);
	if (pthread_create(&thread, NULL, write_all, NULL) || pthread_create(&thread, NULL, read_all, NULL) ||
	    pthread_create(&thread, NULL, watch, &punches)) {
		fprintf(stderr, "punch-waits: no thread: %s\n", strerror(errno));
		return 2;
	}
	while (punches < wanted) {
		began = rounds + !rounds;
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
