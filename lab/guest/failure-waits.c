// SPDX-License-Identifier: GPL-2.0
/*
 * A page of a DAX file fails while dax_entry.ko holds the lock of its entry.  (A
 * page fault holds it while the file system looks for the block.)  The task that
 * must tell the users of the page waits for the lock.  Checks that
 *
 *   others   meanwhile, blocks can be allocated for another file
 *   killed   the waiting task can be killed, as long as the failure is injected
 *   told     if not killed, it is told once, as soon as the entry is unlocked
 *
 * Takes the path of the file, on XFS, whose content is lost.  Prints 1 or 0 for
 * each of these, and ends with 1 if one of them is 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define SIZE (2UL << 20)
#define PATIENCE 60	/* seconds for what has no reason to wait */

static const char entry[] = "/sys/kernel/debug/dax_entry";
static const char *path;
static int file, beside;

static void fail(const char *what)
{
	fprintf(stderr, "failure-waits: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

static int say(const char *word)
{
	int fd = open(entry, O_WRONLY), err = 0;

	if (fd < 0)
		fail(entry);
	if (write(fd, word, strlen(word)) < 0)
		err = errno;
	close(fd);
	return err;
}

static volatile sig_atomic_t told, code;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told++;
	code = info->si_code;
}

/* Lets page @index fail after a byte has come; ends with 0 if it was told once. */
static int fails(unsigned long index, int ready, int go)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0);
	char c = 'r';

	if (memory == MAP_FAILED)
		fail("mmap");
	sigaction(SIGBUS, &action, NULL);
	memory[index * PAGE] = 'x';
	if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		fail("pipe");
	if (madvise(memory + index * PAGE, PAGE, MADV_HWPOISON))
		fail("MADV_HWPOISON");
	return told != 1 || code != BUS_MCEERR_AR;
}

/* Whether a child has ended within PATIENCE seconds; then sets its status. */
static int ended(pid_t pid, int *status)
{
	struct pollfd fd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int is;

	if (fd.fd < 0)
		fail("pidfd_open");
	is = poll(&fd, 1, PATIENCE * 1000) == 1;
	close(fd.fd);
	return is && waitpid(pid, status, 0) == pid;
}

/* Waits until the child sleeps in the kernel, where only the locked entry can make it wait. */
static void wait_until_it_waits(pid_t pid)
{
	char name[64], line[256] = "";
	FILE *stat;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	for (int i = 0; i < PATIENCE * 100; i++) {
		stat = fopen(name, "r");
		if (!stat || !fgets(line, sizeof(line), stat))
			fail(name);
		fclose(stat);
		if (strstr(line, ") D "))
			return;
		if (strstr(line, ") Z "))
			break;
		usleep(10000);
	}
	fprintf(stderr, "failure-waits: %s: the failure does not wait for the entry: %s\n", path, line);
	exit(1);
}

/* Starts a child that lets the page fail while its entry is locked. */
static pid_t start(unsigned long index)
{
	int ready[2], go[2], err;
	char word[32], c = 'g';
	pid_t pid;

	if (pipe(ready) || pipe(go))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid)
		_exit(fails(index, ready[1], go[0]));
	if (read(ready[0], &c, 1) != 1)
		fail("the process whose memory fails");
	snprintf(word, sizeof(word), "%lu", index);
	err = say(word);
	if (err == ENOSYS) {
		kill(pid, SIGKILL);
		printf("# SKIP the kernel does not export dax_lock_mapping_entry()\n");
		exit(0);
	}
	if (err || write(go[1], &c, 1) != 1) {
		errno = err;
		fail("locking the entry");
	}
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	wait_until_it_waits(pid);
	return pid;
}

static pid_t allocate(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fallocate(beside, 0, 0, SIZE) != 0);
	if (pid < 0)
		fail("fork");
	return pid;
}

int main(int argc, char **argv)
{
	int others, killed, was_told, status, other_status = -1, killed_status = -1;
	char name[256];
	pid_t pid, other;

	if (argc != 2) {
		fprintf(stderr, "usage: failure-waits FILE\n");
		return 2;
	}
	path = argv[1];
	file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	/* dax_entry.ko locks an entry of the file that is the standard input. */
	if (file < 0 || dup2(file, 0) || fallocate(file, 0, 0, SIZE))
		fail("making the file");
	/* XFS puts it into the same allocation group.  Since v6.15, fallocate() waits for locked entries of its own file. */
	snprintf(name, sizeof(name), "%s.beside", path);
	beside = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (beside < 0 || unlink(name))
		fail("making the file beside it");

	pid = start(3);
	other = allocate();
	others = ended(other, &other_status) && !other_status;
	kill(pid, SIGKILL);
	killed = ended(pid, &killed_status) && WIFSIGNALED(killed_status);
	if (say("unlock"))
		fail("unlocking the entry");
	if (!others)
		waitpid(other, NULL, 0);
	if (!killed)
		waitpid(pid, NULL, 0);

	pid = start(5);
	if (say("unlock"))
		fail("unlocking the entry");
	was_told = ended(pid, &status) && !status;
	printf("others=%d killed=%d told=%d\n", others, killed, was_told);
	return !others || !killed || !was_told;
}
