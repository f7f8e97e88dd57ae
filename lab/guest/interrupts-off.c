// SPDX-License-Identifier: GPL-2.0
/*
 * Measures how long interrupts are off while a file of 1 GiB gets its mapping and
 * loses it again:
 *
 *   fault     write to one byte in each page of the mapping
 *   fsync     write the file back
 *   byte      write it back once more, after a write to one byte
 *   truncate  to nothing
 *
 * "fault" leaves 512 dirty entries of 2M, or one of 1G; "byte" one of either size.
 *
 * Takes the file, whose blocks must have been written, and 1g or 2m, by which it is
 * to be mapped.  Prints the page faults, the time, and the longest time with interrupts
 * off, each for the whole step.  The kernel's irqsoff tracer tells it, and where they
 * were turned off.  Runs on one CPU, so that no other work is measured.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define GIB (1UL << 30)

static const char *size;

static void fail(const char *what)
{
	fprintf(stderr, "interrupts-off: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set(const char *name, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/%s", name);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		fail(path);
	close(fd);
}

/* Where interrupts were turned off in the longest trace, without its address. */
static void print_where(void)
{
	FILE *trace = fopen("/sys/kernel/tracing/trace", "r");
	char line[256], name[128];

	while (trace && fgets(line, sizeof(line), trace)) {
		if (sscanf(line, "# => started at: %127s", name) != 1)
			continue;
		printf(" where=%s", name);
		break;
	}
	if (trace)
		fclose(trace);
}

static unsigned long max_latency(void)
{
	FILE *file = fopen("/sys/kernel/tracing/tracing_max_latency", "r");
	unsigned long us;

	if (!file || fscanf(file, "%lu", &us) != 1)
		fail("tracing_max_latency");
	fclose(file);
	return us;
}

static struct timespec began;
static long faults;

static long faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void begin(void)
{
	set("tracing_on", "0");
	set("tracing_max_latency", "0");
	set("tracing_on", "1");
	faults = faults_so_far();
	clock_gettime(CLOCK_MONOTONIC, &began);
}

static void end(const char *step)
{
	struct timespec ended;

	clock_gettime(CLOCK_MONOTONIC, &ended);
	faults = faults_so_far() - faults;
	set("tracing_on", "0");
	printf("%s %s faults=%ld us=%ld off_us=%lu", size, step, faults,
	       (ended.tv_sec - began.tv_sec) * 1000000 + (ended.tv_nsec - began.tv_nsec) / 1000, max_latency());
	print_where();
	printf("\n");
	fflush(stdout);
	if (!strcmp(size, "1g") && !strcmp(step, "fault") && faults != 1) {
		fprintf(stderr, "interrupts-off: the file is not mapped by 1G\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	volatile char *memory;
	unsigned long step;
	cpu_set_t cpus;
	char *room;
	int file;

	if (argc != 3 || (strcmp(argv[2], "1g") && strcmp(argv[2], "2m"))) {
		fprintf(stderr, "usage: interrupts-off FILE 1g|2m\n");
		return 2;
	}
	size = argv[2];
	step = !strcmp(size, "1g") ? GIB : 2 * MIB;
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail(argv[1]);
	/* At an address that is a multiple of @step, and of no more. */
	room = mmap(NULL, 3 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		fail("mmap of room");
	room = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));
	memory = mmap(room + step % GIB, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("sched_setaffinity");
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	set("tracing_cpumask", "1");
	set("current_tracer", "irqsoff");

	begin();
	for (unsigned long at = 0; at < GIB; at += step)
		memory[at] = 1;
	end("fault");
	begin();
	if (fsync(file))
		fail("fsync");
	end("fsync");
	memory[0] = 2;
	begin();
	if (fsync(file))
		fail("fsync of one byte");
	end("byte");
	begin();
	if (ftruncate(file, 0))
		fail("ftruncate");
	end("truncate");

	set("current_tracer", "nop");
	return 0;
}
