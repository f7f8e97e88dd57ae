/* SPDX-License-Identifier: GPL-2.0 */
/* VFIO's type 1 for programs that include small-guest.h */
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>

/*
 * Opens a container with the group to which @link, an iommu_group in /sys, points.
 * Returns the container, and in @group the group's file if @group is not NULL.
 */
static int open_container(const char *link, int *group)
{
	char to[PATH_MAX] = "", name[PATH_MAX];
	int container, one;

	if (readlink(link, to, sizeof(to) - 1) < 0)
		fail(link);
	snprintf(name, sizeof(name), "/dev/vfio/%s", basename(to));
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	one = open(name, O_RDWR | O_CLOEXEC);
	if (container < 0 || one < 0)
		fail(name);
	DO_IOCTL(one, VFIO_GROUP_SET_CONTAINER, &container);
	DO_IOCTL(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
	if (group)
		*group = one;
	return container;
}
