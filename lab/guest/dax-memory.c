// SPDX-License-Identifier: GPL-2.0
/*
 * Maps DAX memory and writes to it.  Takes its path, and what to do next:
 *
 *   poison          lets a page fail; expects the signal, and that the memory around it works
 *   numa            prints how many of its pages, and of 2M of shared anonymous memory, numa_maps counts as a node's
 *   vfio DEVICE     maps it for a PCI device, prints the kB charged, waits for a line, unmaps it, prints the kB left, waits again
 *   iommufd DEVICE  the same with IOMMUFD, which maps the file instead of an address
 *   cold            uses MADV_COLD; expects that writing to it again takes no page fault
 *   protect         takes away and gives back all access to it; expects the old content
 *   protect-read    the same, while another process reads it, as a debugger does
 *   protect-poison  the same, while a page of it fails
 *   read            reads it by GUP, as another process would; expects that page_flags.ko shows no more references
 *   faults          writes to each page of a file, and prints how many page faults that takes
 *   fork-guarded    forks with guards in the same mapping; expects that page_flags.ko shows no fewer references when the child has ended
 *   userfaultfd     registers it for asynchronous write protection, and ends that
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define ANON (2UL << 20)
#define IOVA (1UL << 32)

/* Of the kernel's newer headers. */
#define MADV_GUARD_INSTALL 102
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

/* Of linux/iommufd.h, which the host may lack. */
#define IOMMU_VFIO_IOAS _IO(';', 0x88)
#define IOMMU_VFIO_IOAS_GET 0
#define IOMMU_IOAS_MAP_FILE _IO(';', 0x8f)
#define IOMMU_IOAS_MAP_FIXED_IOVA 1
#define IOMMU_IOAS_MAP_WRITEABLE 2
#define IOMMU_IOAS_MAP_READABLE 4

struct iommu_vfio_ioas {
	uint32_t size, ioas_id;
	uint16_t op, reserved;
};

struct iommu_ioas_map_file {
	uint32_t size, flags, ioas_id;
	int32_t fd;
	uint64_t start, length, iova;
};

/*
 * The page that fails is not in the middle of a huge page.  With the memmap in
 * RAM, a 1G page has another folio there than at its start, without an owner.
 */
#define BROKEN (8 * PAGE)

static volatile sig_atomic_t code;
static volatile uintptr_t where;
static volatile int bits;	/* low bits of the address without a meaning, because all of a huge page fails */

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	code = info->si_code;
	where = (uintptr_t)info->si_addr;
	bits = info->si_addr_lsb;
}

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "dax-memory: %s: %s: %s\n", path, what, strerror(errno));
	return 1;
}

/* A number that sysfs has of a device-dax node, or 0 if it has none, or if this is a file. */
static unsigned long device_number(int fd, const char *name)
{
	long number = 0;
	char path[80];
	struct stat st;
	FILE *file;

	if (fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return 0;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/%s", major(st.st_rdev), minor(st.st_rdev), name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%li", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/* The alignment of a device-dax node; 2M for a file. */
static size_t alignment(int fd)
{
	unsigned long align;
	struct stat st;

	if (fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return 2UL << 20;
	align = device_number(fd, "align");
	if (!align)
		align = device_number(fd, "../dax_region/align");	/* v5.4 */
	return align && align < 2UL << 20 ? 2UL << 20 : align;
}

/* How many pages of the mapping at @address numa_maps counts as a node's memory, or -1. */
static long node_pages(const volatile void *address)
{
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	char line[4096], *word;
	long pages, sum = -1;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (strtoul(line, NULL, 16) != (uintptr_t)address)
			continue;
		sum = 0;
		for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
			if (sscanf(word, "N%*u=%ld", &pages) == 1)
				sum += pages;
		}
		break;
	}
	if (maps)
		fclose(maps);
	return sum;
}

static int numa(const volatile char *dax)
{
	char *anon = mmap(NULL, ANON, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (anon == MAP_FAILED)
		return fail("mmap", "anonymous memory");
	memset(anon, 1, ANON);
	printf("dax=%ld anon=%ld\n", node_pages(dax), node_pages(anon));
	return 0;
}

/* A fault for which the file system converts blocks counts as a major fault. */
static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Writes to each page of the file. */
static int write_faults(int fd, const char *path)
{
	volatile char *memory;
	struct stat st;
	long faults;
	off_t i;

	if (fstat(fd, &st))
		return fail("fstat", path);
	memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail("mmap", path);
	faults = page_faults();
	for (i = 0; i < st.st_size; i += PAGE)
		memory[i] = 1;
	printf("faults=%ld\n", page_faults() - faults);
	return 0;
}

static int cold(volatile char *memory, size_t size, const char *path)
{
	long faults;
	size_t i;

	if (madvise((void *)memory, size, MADV_COLD))
		return fail("madvise", path);
	faults = page_faults();
	for (i = 0; i < size; i += PAGE)
		memory[i] = 2;
	faults = page_faults() - faults;
	printf("faults=%ld\n", faults);
	return faults != 0;
}

/* The page faults of a child so far, including those for a page that it reads from another process. */
static long faults_of(pid_t child)
{
	long faults = 0;
	char path[40];
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	stat = fopen(path, "r");
	if (stat) {
		if (fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %ld", &faults) != 1)
			faults = 0;
		fclose(stat);
	}
	return faults;
}

/* Makes a child read a byte at @address by /proc/PID/mem, as a debugger always may.  One page fault is enough for that. */
static int read_by_child(const volatile char *address, const char *path)
{
	const long many = 10000;
	char mem[40], byte;
	pid_t child;
	int status;

	snprintf(mem, sizeof(mem), "/proc/%d/mem", getpid());
	child = fork();
	if (child < 0)
		return fail("fork", path);
	if (!child) {
		int fd = open(mem, O_RDONLY);

		if (fd < 0 || ptrace(PTRACE_SEIZE, getppid(), 0, 0) || pread(fd, &byte, 1, (uintptr_t)address) != 1)
			_exit(fail(mem, path));
		_exit(byte != 1);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		if (faults_of(child) < many)
			continue;
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		fprintf(stderr, "dax-memory: %s: reading a byte by %s has taken %ld page faults, and goes on\n", path, mem, many);
		return 1;
	}
	if (status) {
		fprintf(stderr, "dax-memory: %s: a child has not read by %s what the memory holds\n", path, mem);
		return 1;
	}
	return 0;
}

static int protect(volatile char *memory, size_t size, const char *path, int read)
{
	size_t i;

	if (mprotect((void *)memory, size, PROT_NONE))
		return fail("mprotect", path);
	if (read && read_by_child(memory + size / 2, path))
		return 1;
	if (mprotect((void *)memory, size, PROT_READ | PROT_WRITE))
		return fail("mprotect", path);
	for (i = 0; i < size; i += PAGE) {
		if (memory[i] != 1) {
			fprintf(stderr, "dax-memory: %s: page %zu has lost what it held\n", path, i / PAGE);
			return 1;
		}
		memory[i] = 2;
	}
	printf("size=%zu\n", size);
	return 0;
}

/* The number of the page frame at @address, without the flags above it; 0 if there is none. */
static uint64_t page_frame(const volatile char *address)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	pread(pagemap, &entry, sizeof(entry), (uintptr_t)address / PAGE * sizeof(entry));
	close(pagemap);
	return entry & ((1ULL << 55) - 1);
}

/* Lets the page at @address fail while nobody may access it.  madvise() would not find the page then. */
static int poison_protected(volatile char *memory, size_t size, volatile char *address, const char *path)
{
	const char *offline = "/sys/devices/system/memory/hard_offline_page";
	uint64_t frame = page_frame(address);
	FILE *file = fopen(offline, "w");

	if (!file)
		return fail(offline, path);
	if (mprotect((void *)memory, size, PROT_NONE))
		return fail("mprotect", path);
	fprintf(file, "%#llx\n", (unsigned long long)frame * PAGE);
	if (fclose(file))
		return fail(offline, path);
	return mprotect((void *)memory, size, PROT_READ | PROT_WRITE) ? fail("mprotect", path) : 0;
}

/* The reference count of a page, or -1 with errno set. */
static long references_of(uint64_t frame)
{
	long count = -1;
	char said[256];
	FILE *flags;

	flags = fopen("/sys/kernel/debug/page_flags", "r+");
	if (!flags)
		return -1;
	fprintf(flags, "%llu\n", (unsigned long long)frame);
	rewind(flags);
	if (!fgets(said, sizeof(said), flags) || !strstr(said, "count=") ||
	    sscanf(strstr(said, "count="), "count=%ld", &count) != 1)
		errno = ENODATA;
	fclose(flags);
	return count;
}

static long references(const volatile char *address) { return references_of(page_frame(address)); }

/* Also reads from the middle of a huge page on, and up to the middle of one. */
static int read_by_gup(volatile char *memory, size_t size, const char *path)
{
	size_t pages = size / PAGE, first, i, differ = 0;
	long *before = calloc(pages, sizeof(*before)), after;
	char *copy = malloc(size);

	if (!before || !copy)
		return fail("malloc", path);
	for (i = 0; i < pages; i++) {
		*(volatile size_t *)(memory + i * PAGE) = i;
		before[i] = references(memory + i * PAGE);
		if (before[i] < 0)
			return fail("page_flags", path);
	}
	for (first = 0; first < 16; first += 5) {
		struct iovec to = { copy, size - 2 * first * PAGE };
		struct iovec from = { (char *)memory + first * PAGE, to.iov_len };

		if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)to.iov_len)
			return fail("process_vm_readv", path);
		for (i = first; i < pages - first; i++) {
			if (*(size_t *)(copy + (i - first) * PAGE) != i) {
				fprintf(stderr, "dax-memory: %s: page %zu reads as page %zu\n", path, i,
					*(size_t *)(copy + (i - first) * PAGE));
				return 1;
			}
		}
	}
	for (i = 0; i < pages; i++) {
		after = references(memory + i * PAGE);
		if (after != before[i] && !differ++)
			fprintf(stderr, "dax-memory: %s: page %zu has %ld references, and had %ld before it was read\n",
				path, i, after, before[i]);
	}
	printf("pages=%zu differ=%zu\n", pages, differ);
	return differ != 0;
}

/* The kB that the kernel charges this process: VmLck for type 1, VmPin for IOMMUFD. */
static long charged(const char *key)
{
	FILE *status = fopen("/proc/self/status", "r");
	size_t length = strlen(key);
	char line[256];
	long kb = -1;

	while (kb < 0 && status && fgets(line, sizeof(line), status))
		if (!strncmp(line, key, length))
			sscanf(line + length, ": %ld", &kb);
	if (status)
		fclose(status);
	return kb;
}

/* Has IOMMUFD map all of the file. */
static int map_file(int iommufd, int fd, size_t size)
{
	struct iommu_vfio_ioas ioas = { .size = sizeof(ioas), .op = IOMMU_VFIO_IOAS_GET };
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE,
		.fd = fd,
		.length = size,
		.iova = IOVA,
	};

	if (ioctl(iommufd, IOMMU_VFIO_IOAS, &ioas))
		return -1;
	map.ioas_id = ioas.ioas_id;
	return ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

/*
 * What VFIO has pinned stays mapped for the device, even if the memory's own
 * driver is unbound meanwhile.  With @by_file, an iommufd takes the place of
 * type 1's container.  It pins memory only for a device that is open, and keeps
 * the file open until the memory is unmapped.
 */
static int vfio(int fd, volatile char *memory, size_t size, const char *device, int by_file)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = IOVA, .size = size };
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = size,
	};
	const char *way = by_file ? "/dev/iommu" : "/dev/vfio/vfio", *key = by_file ? "VmPin" : "VmLck";
	int container = open(way, O_RDWR), group;
	char path[128], link[128] = "";

	if (container < 0)
		return fail("open", way);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return fail("iommu_group", device);
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(link));
	group = open(path, O_RDWR);
	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) || ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return fail("VFIO", device);
	if (by_file && ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device) < 0)
		return fail("VFIO_GROUP_GET_DEVICE_FD", device);
	if (by_file ? map_file(container, fd, size) : ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		return fail(by_file ? "IOMMU_IOAS_MAP_FILE" : "VFIO_IOMMU_MAP_DMA", device);
	/* If a device-dax node is open when its driver is unbound, it cannot be opened after the driver is bound again. */
	munmap((void *)memory, size);
	close(fd);
	printf("mapped_kb=%ld\n", charged(key));
	fflush(stdout);
	getchar();
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) || unmap.size != size)
		return fail("VFIO_IOMMU_UNMAP_DMA", device);
	printf("unmapped_kb=%ld\n", charged(key));
	fflush(stdout);
	getchar();
	return 0;
}

/* fork() copies the page tables of shared memory only if there are guards in its mapping. */
static int fork_guarded(int fd, size_t size, const char *path)
{
	volatile char *memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long before, after;
	uint64_t frame;
	pid_t child;

	if (memory == MAP_FAILED)
		return fail("mmap", path);
	memory[0] = 1;
	/* pagemap tells nothing of 1G on a stock kernel, and unmaps it. */
	frame = device_number(fd, "resource") / PAGE;
	if (!frame)
		frame = page_frame(memory);
	if (!frame)
		return fail("no page frame", path);
	if (madvise((void *)(memory + size), size, MADV_GUARD_INSTALL))
		return fail("MADV_GUARD_INSTALL", path);
	before = references_of(frame);
	child = fork();
	if (!child)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		return fail("fork", path);
	after = references_of(frame);
	if (before < 0 || after < 0)
		return fail("page_flags", path);
	if (after != before) {
		fprintf(stderr, "dax-memory: %s: %ld references before fork(), %ld after the child's end\n", path, before, after);
		return 1;
	}
	printf("references=%ld\n", after);
	return 0;
}

/* To end the protection of a huge page must not make the kernel warn, which fails the machine. */
static int protect_by_userfaultfd(volatile char *memory, size_t size, const char *path)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };
	struct uffdio_register range = { .range = { (uintptr_t)memory, size }, .mode = UFFDIO_REGISTER_MODE_WP };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return fail("userfaultfd", path);
	close(fd);
	memory[0] = 2;
	printf("registered=%zu\n", size);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: dax-memory PATH [poison | numa | cold | protect | protect-read | protect-poison | read | faults |\n"
		"                        fork-guarded | userfaultfd | vfio PCI-DEVICE | iommufd PCI-DEVICE]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	volatile char *memory, *broken;
	size_t size, i;
	int fd;

	if (argc < 2)
		return usage();
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		return fail("open", argv[1]);
	if (argc > 2 && !strcmp(argv[2], "faults"))
		return write_faults(fd, argv[1]);
	size = alignment(fd);
	if (!size)
		return fail("align", argv[1]);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (memory == MAP_FAILED)
		return fail("mmap", argv[1]);
	for (i = 0; i < size; i += PAGE)
		memory[i] = 1;
	if (argc < 3) {
		printf("written=%zu\n", size);
		return 0;
	}
	if (!strcmp(argv[2], "numa"))
		return numa(memory);
	if (!strcmp(argv[2], "cold"))
		return cold(memory, size, argv[1]);
	if (!strcmp(argv[2], "protect") || !strcmp(argv[2], "protect-read"))
		return protect(memory, size, argv[1], !strcmp(argv[2], "protect-read"));
	if (!strcmp(argv[2], "fork-guarded"))
		return fork_guarded(fd, size, argv[1]);
	if (!strcmp(argv[2], "userfaultfd"))
		return protect_by_userfaultfd(memory, size, argv[1]);
	if (!strcmp(argv[2], "read"))
		return read_by_gup(memory, size, argv[1]);
	if ((!strcmp(argv[2], "vfio") || !strcmp(argv[2], "iommufd")) && argc > 3)
		return vfio(fd, memory, size, argv[3], !strcmp(argv[2], "iommufd"));
	sigaction(SIGBUS, &action, NULL);
	broken = memory + BROKEN;
	if (!strcmp(argv[2], "protect-poison")) {
		broken += PAGE;
		if (poison_protected(memory, size, broken, argv[1]))
			return 1;
	} else if (strcmp(argv[2], "poison")) {
		return usage();
	} else if (madvise((void *)broken, PAGE, MADV_HWPOISON)) {
		return fail("madvise", argv[1]);
	}
	/* The address is exact to 1 << bits bytes, which is the size of the mapping. */
	if (code != BUS_MCEERR_AR || bits < 12 || 1UL << bits > size || where >> bits != (uintptr_t)broken >> bits) {
		fprintf(stderr, "dax-memory: %s: SIGBUS code %d at %#lx, exact to %d bits, expected code %d at %p\n", argv[1],
			code, where, bits, BUS_MCEERR_AR, (void *)broken);
		return 1;
	}
	memory[0] = 2;
	memory[size - PAGE] = 2;
	printf("signal=BUS_MCEERR_AR bits=%d\n", bits);
	return 0;
}
