// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the lab's machine.
 *
 * Enters the host's root, which is read-only over 9p, under a tmpfs for writes.
 * Runs one job in it, and reports on a channel of its own.  In a machine without
 * virtio, the initramfs itself is the root, and the channels are serial ports.
 *
 * The kernel passes unknown words of its command line as the environment:
 *   LAB_JOB=<file>       the shell script to run
 *   LAB_TERMINAL=1       its input and output are the host's terminal
 *   LAB_SECONDS=<n>      how long the job may print nothing; 0: for ever
 *   LAB_MODULES=<dir>    the folder that holds this kernel's lib/modules
 *   LAB_LAYER=1          the files shared as "layer" lie over the host's files
 *   LAB_ALONE=1          the initramfs holds all files, the channels are serial
 *   LAB_BACKINGS=<list>  for the job: what the NVDIMMs become
 *   LAB_CPUS=<list>      for the job: the CPUs that it runs on, if not all
 *   LAB_RANGES=<list>    for the job: where the backings begin without NVDIMMs
 *
 * The job also gets LAB_TROUBLE, the strings for which the kernel log is
 * searched, one per line, and LAB_ASKED_FOR, the string that is no trouble.
 *
 * The verdict is written last, after the job has ended and the kernel log was
 * searched.  A machine that dies before that has no verdict, which is a failure.
 *
 * The strings are those of lab/machine/trouble, which is /trouble in the initramfs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/serial.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	STATUS_KERNEL_LOG = 70,		/* the kernel's log has trouble, or lockdep is off */
	STATUS_TIMEOUT = 124,
};

enum { POWER_OFF_SECONDS = 30 };	/* usually a few are enough */
enum { LEAK_SECONDS = 6 };	/* kmemleak reports nothing that is younger than 5 */
/*
 * How long to wait for an event of the kernel.  Usually the ports are there at once.
 * On a busy host, the next event may take minutes; no event says that none will come.
 */
enum { PORT_SECONDS = 600 };

/* The strings of lab/machine/trouble, in the order of the file. */
static const char trouble_path[] = "/trouble";
enum { PATTERNS = 128 };
static char *trouble[PATTERNS], *asked_for;
static size_t troubles;

/* The port for the job's output. */
static int output;

static void say(const char *format, ...)
{
	va_list args;

	fputs("init: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* What the console has not sent is lost when the power goes off. */
	tcdrain(STDERR_FILENO);
}

static void sysrq(char key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	if (fd >= 0 && write(fd, &key, 1) != 1)
		say("sysrq %c: %s", key, strerror(errno));
	close(fd);
}

/* A device that is never free prevents the power-off.  Then reset the machine, which also ends the emulator. */
static void power_off(void)
{
	if (!fork()) {
		sync();
		reboot(RB_POWER_OFF);
		_exit(1);
	}
	sleep(POWER_OFF_SECONDS);
	sysrq('b');
	for (;;)
		pause();
}

/* Ends the machine without a verdict, which the host counts as a failure. */
static void die(const char *what)
{
	say("%s: %s", what, strerror(errno));
	if (getpid() != 1)
		exit(1);
	power_off();
}

static void mount_at(const char *type, const char *source, const char *target,
		     unsigned long flags, const char *options)
{
	if (mkdir(target, 0755) && errno != EEXIST)
		die(target);
	if (mount(source, target, type, flags, options))
		die(target);
}

static void mount_shared(const char *tag, const char *target)
{
	mount_at("9p", tag, target, MS_RDONLY,
		 "trans=virtio,version=9p2000.L,msize=262144,cache=loose");
}

/*
 * Loads the modules without which the host's files can't be reached.  Only a
 * distribution's kernel needs any; lab/machine/initramfs.sh lists them.
 */
static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "r");
	char path[256];
	int fd;

	while (order && fgets(path, sizeof(path), order)) {
		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die(path);
		close(fd);
	}
	if (order)
		fclose(order);
}

/* Makes a writable root of the host's files, and makes it the new "/". */
static void enter_host_root(void)
{
	const char *layers = "lowerdir=/lab/host,upperdir=/lab/written,workdir=/lab/work";

	mount_at("tmpfs", "tmpfs", "/lab", 0, "size=75%");
	mount_shared("host", "/lab/host");
	if (getenv("LAB_LAYER")) {
		mount_shared("layer", "/lab/layer");
		layers = "lowerdir=/lab/layer:/lab/host,upperdir=/lab/written,workdir=/lab/work";
	}
	if (mkdir("/lab/written", 0755) || mkdir("/lab/work", 0755))
		die("/lab");
	mount_at("overlay", "overlay", "/lab/root", 0, layers);

	if (chdir("/lab/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		die("entering the host's root");
}

static void mount_kernel_filesystems(void)
{
	mount_at("proc", "proc", "/proc", 0, NULL);
	mount_at("sysfs", "sysfs", "/sys", 0, NULL);
	mount_at("devtmpfs", "devtmpfs", "/dev", 0, NULL);
	mount_at("devpts", "devpts", "/dev/pts", 0, "ptmxmode=0666");
	mount_at("tmpfs", "tmpfs", "/dev/shm", 0, "mode=1777");
	mount_at("tmpfs", "tmpfs", "/run", 0, "mode=0755");
	mount_at("debugfs", "debugfs", "/sys/kernel/debug", 0, NULL);
	mount_at("tracefs", "tracefs", "/sys/kernel/tracing", 0, NULL);

	if (symlink("/proc/self/fd", "/dev/fd") && errno != EEXIST)
		die("/dev/fd");
}

/* Links this kernel's modules to where modprobe looks for them. */
static void link_modules(void)
{
	const char *modules = getenv("LAB_MODULES");
	char target[256], link[256];
	struct utsname system;

	if (!modules || uname(&system))
		return;
	snprintf(target, sizeof(target), "%s/lib/modules/%s", modules,
		 system.release);
	snprintf(link, sizeof(link), "/lib/modules/%s", system.release);
	if (mkdir("/lib/modules", 0755) && errno != EEXIST)
		die("/lib/modules");
	if (symlink(target, link) && errno != EEXIST)
		die(link);
}

/* Opens a serial port in raw mode, which passes on what is written unchanged. */
static int open_serial(const char *path)
{
	struct termios modes;
	int fd;

	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &modes))
		return -1;
	cfmakeraw(&modes);
	cfsetspeed(&modes, B115200);
	return tcsetattr(fd, TCSANOW, &modes) ? -1 : fd;
}

/* Opens the virtio serial port of that name, which the host reads; fails with ENODEV if there is none. */
static int find_virtio(const char *name)
{
	struct dirent *entry;
	char path[300], found[64];
	DIR *ports;
	FILE *file;

	ports = opendir("/sys/class/virtio-ports");
	while (ports && (entry = readdir(ports))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (!fgets(found, sizeof(found), file))
			found[0] = '\0';
		fclose(file);
		found[strcspn(found, "\n")] = '\0';
		if (strcmp(found, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		closedir(ports);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	if (ports)
		closedir(ports);
	errno = ENODEV;
	return -1;
}

/*
 * Waits for the port, and opens it.  The driver learns of its ports and their names
 * from the host after it is bound, which may be after the kernel has booted.
 */
static int open_virtio(const char *name)
{
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct timeval limit = { .tv_sec = PORT_SECONDS };
	char event[4096];
	int events, port;

	events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (events < 0 || setsockopt(events, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    bind(events, (struct sockaddr *)&all, sizeof(all)))
		die("the kernel's events");
	for (;;) {
		port = find_virtio(name);
		if (port >= 0 || errno != ENODEV)
			break;
		/* Events are lost if there are more than fit, and ENOBUFS then counts as an event. */
		if (recv(events, event, sizeof(event), 0) < 0 && errno != ENOBUFS) {
			errno = ENODEV;
			break;
		}
	}
	close(events);
	return port;
}

static int open_port(const char *name)
{
	if (!getenv("LAB_ALONE"))
		return open_virtio(name);
	return open_serial(strcmp(name, "verdict") ? "/dev/ttyS1" : "/dev/ttyS2");
}

/* Reads the strings.  A run whose log cannot be searched gets no verdict. */
static void read_trouble(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[1024], *pattern, *reason;

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		pattern = strchr(line, '\t');
		reason = pattern ? strchr(pattern + 1, '\t') : NULL;
		errno = EINVAL;
		if (!reason || reason == pattern + 1)
			die(path);
		*pattern++ = '\0';
		*reason = '\0';
		pattern = strdup(pattern);
		if (pattern && !strcmp(line, "trouble") && troubles < PATTERNS)
			trouble[troubles++] = pattern;
		else if (pattern && !strcmp(line, "asked-for") && !asked_for)
			asked_for = pattern;
		else
			die(path);
	}
	fclose(file);
	if (!troubles || !asked_for)
		die(path);
}

/* Whether the line tells of trouble, and no test has caused it on purpose. */
static bool is_trouble(const char *text)
{
	size_t i;

	if (strstr(text, asked_for))
		return false;
	for (i = 0; i < troubles; i++) {
		if (strstr(text, trouble[i]))
			return true;
	}
	return false;
}

/* For make check, on the host: prints the lines of standard input that are trouble. */
static int try_trouble(const char *path)
{
	char line[1024];

	read_trouble(path);
	while (fgets(line, sizeof(line), stdin)) {
		if (is_trouble(line))
			fputs(line, stdout);
	}
	return 0;
}

/* Lets the job search a part of the log itself. */
static void hand_over_trouble(void)
{
	size_t i, length;
	char *patterns;
	FILE *lines;

	lines = open_memstream(&patterns, &length);
	if (!lines)
		die("open_memstream");
	for (i = 0; i < troubles; i++)
		fprintf(lines, "%s%s", i ? "\n" : "", trouble[i]);
	if (fclose(lines) || setenv("LAB_TROUBLE", patterns, 1) || setenv("LAB_ASKED_FOR", asked_for, 1))
		die("LAB_TROUBLE");
	free(patterns);
}

/* Starts the job with its output on the host's standard output. */
static pid_t start_job(const char *job)
{
	bool terminal = getenv("LAB_TERMINAL");
	int input;
	pid_t pid;

	output = terminal ? open("/dev/hvc0", O_RDWR) : open_port("output");
	if (output < 0)
		die("the port for the job's output");
	input = terminal ? output : open("/dev/null", O_RDONLY);
	if (input < 0)
		die("/dev/null");

	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid)
		return pid;

	setsid();
	if (terminal)
		ioctl(output, TIOCSCTTY, 1);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	hand_over_trouble();
	setenv("HOME", "/root", 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	execl("/bin/bash", "bash", job, NULL);
	_exit(127);
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* How many bytes the machine has sent by its ports, including the job's output. */
static unsigned long sent(void)
{
	static const char folder[] = "/sys/kernel/debug/virtio-ports";
	struct serial_icounter_struct counts;
	unsigned long sum = 0, bytes;
	struct dirent *port;
	char line[512];
	DIR *ports;
	FILE *file;

	if (!ioctl(output, TIOCGICOUNT, &counts))
		return counts.tx;
	ports = opendir(folder);
	while (ports && (port = readdir(ports))) {
		snprintf(line, sizeof(line), "%s/%s", folder, port->d_name);
		file = port->d_name[0] == '.' ? NULL : fopen(line, "r");
		while (file && fgets(line, sizeof(line), file)) {
			if (sscanf(line, "bytes_sent: %lu", &bytes) == 1)
				sum += bytes;
		}
		if (file)
			fclose(file);
	}
	if (ports)
		closedir(ports);
	return sum;
}

/* Returns the exit status of @job, or STATUS_TIMEOUT if it prints nothing for @seconds.  A job that prints is only slow. */
static int wait_for_job(pid_t job, long seconds)
{
	const struct timespec second = { .tv_sec = 1 };
	time_t deadline = now() + seconds;
	unsigned long seen = sent();
	sigset_t child;
	int status;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != job)
				continue;
			if (WIFEXITED(status))
				return WEXITSTATUS(status);
			return 128 + WTERMSIG(status);
		}
		if (seconds && now() >= deadline && sent() != seen) {
			deadline = now() + seconds;
			seen = sent();
		}
		if (seconds && now() >= deadline) {
			say("the job is still running, and has said nothing for %ld s", seconds);
			sysrq('w');
			sysrq('l');
			kill(-1, SIGKILL);
			return STATUS_TIMEOUT;
		}
		sigtimedwait(&child, NULL, &second);
	}
}

/*
 * Makes kmemleak look for memory that nothing points to.  The kernel's log gets
 * the number of leaks, and the console each of them.  kmemleak takes memory that
 * has changed since the last scan for used, so the first scan finds nothing.
 */
static void find_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char leaks[4096];
	ssize_t len;
	int fd, i;

	fd = open(path, O_RDWR);
	if (fd < 0 && errno == ENOENT)
		return;
	sleep(LEAK_SECONDS);
	for (i = 0; i < 2; i++) {
		if (write(fd, "scan", 4) != 4)
			say("%s: %s", path, strerror(errno));
	}
	lseek(fd, 0, SEEK_SET);
	while ((len = read(fd, leaks, sizeof(leaks))) > 0)
		fwrite(leaks, 1, len, stderr);
	close(fd);
}

/*
 * Copies to @report each line of trouble that the kernel has logged since it
 * booted: KASAN reports only once, which may have been at boot.  Returns the
 * number of these lines; a log that overran also counts.
 */
static int search_log(int log, FILE *report)
{
	char record[8192], *text;
	ssize_t len;
	int found = 0;

	for (;;) {
		len = read(log, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE) {
			fputs("kernel log: overran, lines are lost\n", report);
			found++;
			continue;
		}
		if (len <= 0)
			return found;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		if (!is_trouble(text))
			continue;
		fprintf(report, "kernel log: %s\n", text);
		found++;
	}
}

/*
 * Lockdep switches itself off after its first report, and also when it runs out
 * of room.  From then on its silence means nothing.  Returns whether it is off.
 */
static bool lockdep_is_off(void)
{
	FILE *stats = fopen("/proc/lockdep_stats", "r");
	char line[128];
	bool on = !stats;

	while (stats && fgets(line, sizeof(line), stats)) {
		if (!strncmp(line, " debug_locks:", 13))
			on = atoi(line + 13);
	}
	if (stats)
		fclose(stats);
	return !on;
}

int main(int argc, char **argv)
{
	const char *limit, *job;
	sigset_t child;
	FILE *verdict;
	int log, status, port, found;

	if (getpid() != 1) {
		if (argc == 2)
			return try_trouble(argv[1]);
		fputs("PID 1 of the lab's machine; on the host: init <patterns>, prints the lines of its input that they match\n", stderr);
		return 2;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);

	read_trouble(trouble_path);
	load_modules();
	if (!getenv("LAB_ALONE"))
		enter_host_root();
	mount_kernel_filesystems();
	link_modules();

	port = open_port("verdict");
	if (port < 0)
		die("the port for the verdict");
	verdict = fdopen(port, "w");
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* Skip the log of the boot there: Linux warns of the topology of the CPU that Bochs emulates. */
	if (log < 0 || (getenv("LAB_ALONE") && lseek(log, 0, SEEK_END) < 0))
		die("/dev/kmsg");

	job = getenv("LAB_JOB");
	if (!job) {
		errno = EINVAL;
		die("LAB_JOB");
	}
	/* Tells the host whether a machine that hangs has hung in its job, or before. */
	fputs("begun\n", verdict);
	fflush(verdict);
	limit = getenv("LAB_SECONDS");
	status = wait_for_job(start_job(job), limit ? atol(limit) : 0);

	if (status != STATUS_TIMEOUT)
		find_leaks();
	found = search_log(log, verdict);
	if (lockdep_is_off()) {
		fputs("kernel log: lockdep has switched itself off; the console says when\n", verdict);
		found++;
	}
	if (found && !status)
		status = STATUS_KERNEL_LOG;
	fprintf(verdict, "status %d\n", status);
	fflush(verdict);
	fsync(port);
	/* What a serial port has not sent is lost with the machine. */
	if (getenv("LAB_ALONE") && (tcdrain(output) || tcdrain(port)))
		die("sending the last output");
	power_off();
}
