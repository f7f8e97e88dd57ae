// SPDX-License-Identifier: GPL-2.0
/*
 * The facts of make demo besides page table entries; each command prints one line:
 *
 *   pages FILE|PFN COUNT [REFERENCES]
 *                            of COUNT pages, from the first page of a file on or
 *                            from a page frame on: how many are PG_reserved, how
 *                            many have more references than given (0 if not), and
 *                            the largest number of references, by page_flags.ko
 *   assign DEVICE BYTES BDF  maps memory for the PCI device by VFIO, and prints by
 *                            how many kB VmLck has grown
 *   full FILE BYTES          lets a guest with an interrupt controller in the kernel
 *                            write to all of the file, one word per 2M; prints how
 *                            it ends, or that it takes far more faults than that
 *   clone-fails FOLDER       makes a file and a clone of it, lets a page of the file
 *                            fail, and prints what the process that maps it is told
 *   fsync-after-punch FILE   writes to the first page of a file of 4M by a mapping,
 *                            punches a hole into the last 2M, calls fsync(), and
 *                            prints nothing
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "small-guest.h"
#include "vfio-container.h"

#define SZ_2M (2UL << 20)
#define IOVA 0x100000000ULL	/* above the window of the interrupts */
#define LOOPS 1000		/* faults; a guest that ends takes one per word, and few more */

/* Maps the first page of the file, and returns its page frame; the mapping stays. */
static unsigned long first_frame(void)
{
	volatile char *memory = map_path(PAGE, 0);

	*memory = 1;
	return frame_of(memory);
}

static int pages(unsigned long count, int idle)
{
	unsigned long pfn = path[0] == '/' ? first_frame() : strtoul(path, NULL, 0);
	unsigned long reserved = 0, held = 0;
	int most = 0;

	for (unsigned long i = 0; i < count; i++) {
		int fd = open("/sys/kernel/debug/page_flags", O_RDWR), is_reserved, refs;
		char text[512] = "", *at;

		if (fd < 0 || dprintf(fd, "%lu\n", pfn + i) < 0 || pread(fd, text, sizeof(text) - 1, 0) < 0)
			fail("/sys/kernel/debug/page_flags");
		close(fd);
		at = strstr(text, "count=");
		if (sscanf(text, "reserved=%d", &is_reserved) != 1 || !at || sscanf(at, "count=%d", &refs) != 1) {
			fprintf(stderr, "demo-facts: page %#lx: %s\n", pfn + i, text);
			return 1;
		}
		reserved += is_reserved;
		held += refs > idle;
		if (refs > most)
			most = refs;
	}
	printf("reserved=%lu held=%lu most=%d\n", reserved, held, most);
	return 0;
}

static int assign(size_t size, const char *bdf)
{
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, .iova = IOVA, .size = size,
	};
	char name[PATH_MAX];
	int container;
	long before;

	dma.vaddr = (uintptr_t)map_path(size, 0);
	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	container = open_container(name, NULL);
	before = kib_of("/proc/self/status", "VmLck");
	DO_IOCTL(container, VFIO_IOMMU_MAP_DMA, &dma);
	printf("charged=%ld\n", kib_of("/proc/self/status", "VmLck") - before);
	/* The mapping for the device ends with the process. */
	return 0;
}

/* The faults of this VM so far, or its exits on kernels that do not count faults. */
static unsigned long faults(void)
{
	static const char *const names[] = { "pf_taken", "exits" };
	unsigned long number = 0;
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		FILE *file;

		snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm, names[i]);
		file = fopen(name, "r");
		if (!file)
			continue;
		if (fscanf(file, "%lu", &number) != 1)
			fail(name);
		fclose(file);
		return number;
	}
	fail("/sys/kernel/debug/kvm");
	return 0;
}

static void *watch(void *unused)
{
	const unsigned long first = faults();

	(void)unused;
	while (faults() - first < LOOPS)
		usleep(10000);
	printf("loops\n");
	fflush(stdout);
	_exit(0);
}

static int full(uint64_t size)
{
	void *memory = map_path(size, 0);
	pthread_t thread;

	/* KVM can handle page faults asynchronously if the guest takes interrupts. */
	interrupts = true;
	open_guest();
	if (set_slot(memory, size, 0))
		fail("KVM_SET_USER_MEMORY_REGION");
	errno = pthread_create(&thread, NULL, watch, NULL);
	if (errno)
		fail("pthread_create");
	if (!run_guest(size, SZ_2M) || errno == EIO)
		printf("exit=%u\n", run->exit_reason);
	else
		printf("errno=%s\n", strerrorname_np(errno));
	fflush(stdout);
	_exit(0);
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const char told[] = "told=SIGBUS\n", other[] = "told=another SIGBUS\n";

	(void)sig;
	(void)context;
	if (info->si_code == BUS_MCEERR_AR)
		_exit(write(STDOUT_FILENO, told, sizeof(told) - 1) < 0);
	_exit(write(STDOUT_FILENO, other, sizeof(other) - 1) < 0);
}

static int clone_fails(void)
{
	const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	int fd = open(path, O_TMPFILE | O_RDWR, 0600), clone = open(path, O_TMPFILE | O_RDWR, 0600), status;
	static char data[PAGE];
	volatile char *memory;
	pid_t child;

	if (fd < 0 || clone < 0)
		fail("O_TMPFILE");
	if (pwrite(fd, data, PAGE, 0) != PAGE)
		fail("write");
	DO_IOCTL(clone, FICLONE, (long)fd);
	fflush(stdout);
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		sigaction(SIGBUS, &action, NULL);
		memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory == MAP_FAILED)
			fail("mmap");
		(void)*memory;
		if (madvise((void *)memory, PAGE, MADV_HWPOISON)) {
			printf("errno=%s\n", strerrorname_np(errno));
			fflush(stdout);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("killed=%d\n", WTERMSIG(status));
	return 0;
}

static int fsync_after_punch(void)
{
	volatile char *memory = map_path(2 * SZ_2M, 0);
	int fd = open(path, O_RDWR);

	if (fd < 0)
		fail(path);
	*memory = 1;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SZ_2M, PAGE))
		fail("fallocate");
	if (fsync(fd))
		fail("fsync");
	return 0;
}

int main(int argc, char **argv)
{
	path = argc > 2 ? argv[2] : "";
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "pages"))
		return pages(strtoul(argv[3], NULL, 0), argc == 5 ? atoi(argv[4]) : 0);
	if (argc == 5 && !strcmp(argv[1], "assign"))
		return assign(strtoul(argv[3], NULL, 0), argv[4]);
	if (argc == 4 && !strcmp(argv[1], "full"))
		return full(strtoul(argv[3], NULL, 0));
	if (argc == 3 && !strcmp(argv[1], "clone-fails"))
		return clone_fails();
	if (argc == 3 && !strcmp(argv[1], "fsync-after-punch"))
		return fsync_after_punch();
	fprintf(stderr, "usage: demo-facts pages FILE|PFN COUNT [REFERENCES] | assign DEVICE BYTES BDF | full FILE BYTES |"
		" clone-fails FOLDER | fsync-after-punch FILE\n");
	return 2;
}
