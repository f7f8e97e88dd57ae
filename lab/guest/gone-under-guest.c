// SPDX-License-Identifier: GPL-2.0
/*
 * Takes device-dax memory away while a guest with two vCPUs writes to all of it
 * again and again, in three ways:
 *
 *   unbound   the driver is unbound from the device
 *   disabled  ndctl disables the namespace, which also removes the device
 *   unmapped  the memory is unmapped
 *
 * Before that, each vCPU must have written to all of the memory.  When the memory
 * is gone, KVM_RUN must fail with EFAULT on both vCPUs, and a vCPU that starts
 * again must not come to the end.  Then the guest must not be able to write to
 * any page.  If the host still maps the memory, an access must get SIGBUS with
 * BUS_ADRERR.
 *
 * When the memory is back, it must have what the guest wrote before, and the guest
 * must be able to write to it at once.  Every other time, that is a new guest
 * instead of the old one with the same memslot.  Two of every four times, all is
 * unmapped from the page tables first, so that the removal meets page faults.
 *
 * Takes the path of the device, how many MiB to use, the page size in KiB, and how
 * often to do each of the three.  Then come the driver's folder in
 * sysfs, the namespace, and "off" or "on" for interrupts.  Prints how often the
 * memory was taken away, and how often a vCPU wrote to all of it.  Ends with 1 at
 * the first failure.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "small-guest.h"

#define MIB (1UL << 20)
#define VCPUS 2

static struct vcpu {
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	unsigned long rounds;	/* since the memory is back */
	int err;		/* the error that has ended it, or 0 */
	bool ended;
} vcpus[VCPUS];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_bool gone;

static const char *driver, *namespace;
static char device[NAME_MAX + 1];
static uint64_t size, page_size;
static uint32_t generation;	/* part of what the guest writes: how often the memory has come back */
static unsigned long rounds;
static int dax = -1;
static uint8_t *memory;
static void *code;

static enum way { UNBOUND, DISABLED, UNMAPPED, WAYS } way;
static const char *const names[WAYS] = { "unbound", "disabled", "unmapped" };
static unsigned long done[WAYS];

static void summarize(void)
{
	printf("%s interrupts=%s unbound=%lu disabled=%lu unmapped=%lu rounds=%lu\n", path, interrupts ? "on" : "off",
	       done[UNBOUND], done[DISABLED], done[UNMAPPED], rounds);
}

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	printf("%s, %s, time %lu: ", path, names[way], done[way] + 1);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	summarize();
	exit(1);
}

/* The offset in a page at which a vCPU writes: differs between vCPUs, and from before the memory was taken away. */
static uint64_t word_of(const struct vcpu *v, uint32_t of_generation)
{
	return (v - vcpus) * 8 + of_generation % 2 * 4;
}

/* Lets the guest write to a word in each 4K from @begin to @end, with the vCPU. */
static int write_from(struct vcpu *v, uint64_t begin, uint64_t end)
{
	struct kvm_regs regs = {
		.rip = CODE, .rdi = MEMORY + begin + word_of(v, generation), .rsi = MEMORY + end, .rdx = PAGE,
		.rax = generation,
	};

	return run_vcpu_from(v->fd, v->run, regs);
}

/* Starts the vCPU until it fails, which it must when the memory is gone. */
static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	bool was_gone;

	do {
		was_gone = gone;
		v->err = write_from(v, 0, size) ? errno : 0;
		pthread_mutex_lock(&mutex);
		v->rounds += !v->err;
		v->ended = v->err;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&mutex);
	} while (!v->err && !was_gone);
	return NULL;
}

static void open_vcpus(void)
{
	code = open_guest();
	vcpus[0].fd = vcpu;
	vcpus[0].run = run;
	for (int i = 1; i < VCPUS; i++)
		vcpus[i].fd = open_vcpu(i, &vcpus[i].run);
}

static void close_vcpus(void)
{
	int shared = DO_IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	for (int i = 0; i < VCPUS; i++) {
		munmap(vcpus[i].run, shared);
		close(vcpus[i].fd);
	}
	close(vm);
	close(kvm);
	munmap(code, PAGE);
}

static void start(void)
{
	gone = false;
	generation++;
	for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
		v->rounds = 0;
		v->ended = false;
		errno = pthread_create(&v->thread, NULL, run_vcpu, v);
		if (errno)
			fail("pthread_create");
	}
}

/* Waits until each vCPU has written to all of the memory. */
static void wait_for_rounds(void)
{
	pthread_mutex_lock(&mutex);
	for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
		while (!v->rounds && !v->ended)
			pthread_cond_wait(&changed, &mutex);
		if (v->ended)
			wrong("KVM_RUN of vCPU %td fails while the memory is there: %s", v - vcpus, strerror(v->err));
	}
	pthread_mutex_unlock(&mutex);
}

/* Checks what the guest has written now, and before the memory was taken away. */
static void check_words(void)
{
	for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
		for (uint32_t g = generation > 1 ? generation - 1 : 1; g <= generation; g++) {
			for (uint64_t at = word_of(v, g); at < size; at += PAGE) {
				uint32_t word = *(volatile uint32_t *)(memory + at);

				if (word != MEMORY + at + g)
					wrong("at %#lx the host reads %#x, vCPU %td has written %#lx%s", at, word,
					      v - vcpus, MEMORY + at + g, g == generation ? "" : " before");
			}
		}
	}
}

static void put(const char *file, const char *word)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s/%s", driver, file);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, word, strlen(word)) != (ssize_t)strlen(word))
		wrong("%s of the driver does not take %s: %s", file, word, strerror(errno));
	close(fd);
}

static void ndctl(const char *verb)
{
	char command[256];
	int status;

	snprintf(command, sizeof(command), "said=$(ndctl %s-namespace %s 2>&1) || { echo \"$said\"; false; }", verb, namespace);
	fflush(stdout);
	status = system(command);
	if (status)
		wrong("ndctl %s-namespace %s ends with status %#x", verb, namespace, status);
}

static void take_away(void)
{
	switch (way) {
	case UNBOUND:
		put("unbind", device);
		break;
	case DISABLED:
		ndctl("disable");
		break;
	default:
		if (munmap(memory, size))
			fail("munmap");
	}
}

static void expect_gone(void)
{
	unsigned long nr = 0;

	for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
		errno = pthread_join(v->thread, NULL);
		if (errno)
			fail("pthread_join");
		rounds += v->rounds;
		if (!v->err)
			wrong("vCPU %td has begun anew, and has written to all of it", v - vcpus);
		if (v->err != EFAULT)
			wrong("KVM_RUN of vCPU %td fails with %s, exit reason %u", v - vcpus, strerror(v->err),
			      v->run->exit_reason);
	}
	for (uint64_t at = 0; at < size; at += page_size) {
		struct vcpu *v = &vcpus[nr++ % VCPUS];

		if (!write_from(v, at, at + PAGE))
			wrong("vCPU %td can still write at %#lx", v - vcpus, at);
		if (errno != EFAULT)
			wrong("at %#lx KVM_RUN of vCPU %td fails with %s, exit reason %u", at, v - vcpus,
			      strerror(errno), v->run->exit_reason);
	}
}

static sigjmp_buf access_failed;
static volatile sig_atomic_t is_access, code_of_signal;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!is_access) {
		signal(sig, SIG_DFL);
		return;
	}
	is_access = false;
	code_of_signal = info->si_code;
	siglongjmp(access_failed, 1);
}

static void expect_sigbus(uint64_t at)
{
	if (!sigsetjmp(access_failed, 1)) {
		is_access = true;
		*(volatile uint32_t *)(memory + at);
		is_access = false;
		wrong("the host can still read at %#lx", at);
	}
	if (code_of_signal != BUS_ADRERR)
		wrong("at %#lx the host gets SIGBUS with code %d", at, (int)code_of_signal);
}

/* Maps the memory at @place, or where the kernel chooses. */
static void map(void *place)
{
	if (dax < 0)
		dax = open(path, O_RDWR | O_CLOEXEC);
	if (dax < 0)
		wrong("open: %s", strerror(errno));
	memory = mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | (place ? MAP_FIXED_NOREPLACE : 0), dax, 0);
	if (memory == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
}

/* Closes the device before its driver is bound again: probing initializes what device-dax counts its users with. */
static void bring_back(bool to_new_guest)
{
	void *place = memory;

	if (way != UNMAPPED) {
		if (munmap(memory, size))
			fail("munmap");
		close(dax);
		dax = -1;
	}
	if (to_new_guest)
		close_vcpus();
	if (way == UNBOUND)
		put("bind", device);
	if (way == DISABLED)
		ndctl("enable");
	map(to_new_guest ? NULL : place);
	if (!to_new_guest)
		return;
	open_vcpus();
	if (set_slot(memory, size, 0))
		wrong("KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	char node[PATH_MAX];
	unsigned long times;

	if (argc != 8 || (strcmp(argv[7], "off") && strcmp(argv[7], "on"))) {
		fprintf(stderr, "usage: gone-under-guest DEVICE MIB KIB TIMES DRIVER NAMESPACE off|on\n");
		return 2;
	}
	path = argv[1];
	size = strtoul(argv[2], NULL, 0) * MIB;
	page_size = strtoul(argv[3], NULL, 0) * 1024;
	times = strtoul(argv[4], NULL, 0);
	driver = argv[5];
	namespace = argv[6];
	interrupts = !strcmp(argv[7], "on");
	if (!realpath(path, node))
		fail("realpath");
	snprintf(device, sizeof(device), "%s", strrchr(node, '/') + 1);
	sigaction(SIGBUS, &action, NULL);

	map(NULL);
	open_vcpus();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	for (way = 0; way < WAYS; way++) {
		while (done[way] < times) {
			start();
			wait_for_rounds();
			check_words();
			if (done[way] & 2 && madvise(memory, size, MADV_DONTNEED))
				fail("MADV_DONTNEED");
			take_away();
			gone = true;
			expect_gone();
			if (way != UNMAPPED) {
				expect_sigbus(0);
				expect_sigbus(size - PAGE);
			}
			bring_back(done[way] & 1);
			done[way]++;
		}
	}

	/* Check once more after the memory has come back the last time. */
	way = UNMAPPED;
	generation++;
	for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
		if (write_from(v, 0, size))
			wrong("KVM_RUN of vCPU %td fails at the end: %s", v - vcpus, strerror(errno));
		rounds++;
	}
	check_words();
	summarize();
	return 0;
}
