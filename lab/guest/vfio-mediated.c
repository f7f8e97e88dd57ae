// SPDX-License-Identifier: GPL-2.0
/*
 * A VFIO device without hardware, that of vfio_pins.ko, pins memory page by page,
 * as mediated devices do.  Each page must be charged to the user while it is
 * pinned, and must have no more references afterwards than before:
 *
 *   pin     pin 512 pages, and unpin them
 *   unmap   pin 512 pages, and remove the mapping, which makes the driver unpin them
 *
 * Takes the path of the memory.  Prints what was charged.  Ends with 1 at the first
 * failure.
 */
#define _GNU_SOURCE
#include "small-guest.h"
#include "vfio-container.h"

#define PAGES 512UL
#define SIZE (16UL << 20)
#define IOVA (4UL << 20)

static int container, device;
static unsigned long first_frame;

static void wrong(const char *what, long is, long right)
{
	printf("%s: %s %ld, expected %ld\n", path, what, is, right);
	exit(1);
}

static void tell(const char *command, unsigned long first, unsigned long pages)
{
	char text[64];
	int length = snprintf(text, sizeof(text), first || pages ? "%s %lu %lu" : "%s", command, first, pages);

	if (write(device, text, length) != length)
		fail(command);
}

/* The sum of the references of the pages that are to be pinned. */
static long references(void)
{
	char text[32] = "";

	tell("count", first_frame, PAGES);
	if (read(device, text, sizeof(text) - 1) < 0)
		fail("read");
	return atol(text);
}

/* What is charged to RLIMIT_MEMLOCK, in pages. */
static long charged(void)
{
	return kib_of("/proc/self/status", "VmLck") / 4;
}

static void open_device(void)
{
	int group;

	container = open_container("/sys/devices/platform/vfio_pins/iommu_group", &group);
	device = DO_IOCTL(group, VFIO_GROUP_GET_DEVICE_FD, "vfio_pins");
}

static void map(void *memory)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = SIZE,
	};

	DO_IOCTL(container, VFIO_IOMMU_MAP_DMA, &arg);
}

static void unmap(void)
{
	struct vfio_iommu_type1_dma_unmap arg = { .argsz = sizeof(arg), .iova = IOVA, .size = SIZE };

	DO_IOCTL(container, VFIO_IOMMU_UNMAP_DMA, &arg);
}

int main(int argc, char **argv)
{
	long references_before, charged_before, is;
	char *memory;
	int by_unmap;

	if (argc != 2) {
		fprintf(stderr, "usage: vfio-mediated PATH\n");
		return 2;
	}
	path = argv[1];
	memory = map_path(SIZE, 0);
	memset(memory, 1, SIZE);
	first_frame = frame_of(memory);
	open_device();
	references_before = references();
	charged_before = charged();
	for (by_unmap = 0; by_unmap < 2; by_unmap++) {
		map(memory);
		/* The mapping itself pins nothing: the device pins memory when it needs it. */
		is = charged() - charged_before;
		if (is)
			wrong("pages charged by the mapping:", is, 0);
		tell("pin", IOVA, PAGES);
		is = charged() - charged_before;
		if (is != (long)PAGES)
			wrong("pages charged:", is, PAGES);
		is = references() - references_before;
		if (is <= 0)
			wrong("references more while pinned:", is, PAGES);
		if (!by_unmap)
			tell("unpin", 0, 0);
		unmap();
		is = references() - references_before;
		if (is)
			wrong("references left:", is, 0);
		is = charged() - charged_before;
		if (is)
			wrong("pages still charged:", is, 0);
	}
	printf("charged=%ld\n", PAGES);
	return 0;
}
