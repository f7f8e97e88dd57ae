// SPDX-License-Identifier: GPL-2.0
/*
 * A device of VFIO without hardware behind it, as mediated devices are: its
 * driver pins pages one by one, when it needs them.  This one pins what is
 * written to it, and forgets it when the user takes the mapping away:
 *
 *   pin IOVA PAGES      by vfio_pin_pages()
 *   unpin               what was pinned last
 *   count FRAME PAGES   what is read then is the sum of the references of
 *                       these page frames
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#define MOST 512

struct vfio_pins {
	struct vfio_device vdev;
	struct mutex lock;	/* all below */
	dma_addr_t iova;
	unsigned long pinned;
	unsigned long references;
	struct page *pages[MOST];
};

static struct platform_device *device;

static void unpin(struct vfio_pins *of)
{
	if (of->pinned)
		vfio_unpin_pages(&of->vdev, of->iova, of->pinned);
	of->pinned = 0;
}

static int pin(struct vfio_pins *of, unsigned long iova, unsigned long pages)
{
	int ret;

	if (of->pinned || pages > MOST)
		return -EINVAL;
	ret = vfio_pin_pages(&of->vdev, iova, pages, IOMMU_READ | IOMMU_WRITE, of->pages);
	if (ret < 0)
		return ret;
	of->iova = iova;
	of->pinned = ret;
	return ret == pages ? 0 : -EIO;
}

static int count(struct vfio_pins *of, unsigned long frame, unsigned long pages)
{
	of->references = 0;
	for (; pages; frame++, pages--) {
		if (!pfn_valid(frame))
			return -ENXIO;
		of->references += page_ref_count(pfn_to_page(frame));
	}
	return 0;
}

static ssize_t vfio_pins_write(struct vfio_device *vdev, const char __user *from, size_t size, loff_t *at)
{
	struct vfio_pins *of = container_of(vdev, struct vfio_pins, vdev);
	unsigned long first, pages;
	char text[64];
	int ret = 0;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, size))
		return -EFAULT;
	text[size] = 0;
	mutex_lock(&of->lock);
	if (sscanf(text, "pin %lu %lu", &first, &pages) == 2)
		ret = pin(of, first, pages);
	else if (sscanf(text, "count %lu %lu", &first, &pages) == 2)
		ret = count(of, first, pages);
	else if (!strcmp(text, "unpin"))
		unpin(of);
	else
		ret = -EINVAL;
	mutex_unlock(&of->lock);
	return ret ? ret : size;
}

static ssize_t vfio_pins_read(struct vfio_device *vdev, char __user *to, size_t size, loff_t *at)
{
	struct vfio_pins *of = container_of(vdev, struct vfio_pins, vdev);
	char text[32];
	size_t length;

	mutex_lock(&of->lock);
	length = scnprintf(text, sizeof(text), "%lu\n", of->references);
	mutex_unlock(&of->lock);
	if (size < length)
		return -EINVAL;
	return copy_to_user(to, text, length) ? -EFAULT : length;
}

/* The user takes a mapping away, while it may be pinned. */
static void vfio_pins_unmapped(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct vfio_pins *of = container_of(vdev, struct vfio_pins, vdev);

	mutex_lock(&of->lock);
	if (of->pinned && of->iova < iova + length && iova < of->iova + of->pinned * PAGE_SIZE)
		unpin(of);
	mutex_unlock(&of->lock);
}

static int vfio_pins_init(struct vfio_device *vdev)
{
	mutex_init(&container_of(vdev, struct vfio_pins, vdev)->lock);
	return 0;
}

static void vfio_pins_close(struct vfio_device *vdev)
{
	struct vfio_pins *of = container_of(vdev, struct vfio_pins, vdev);

	mutex_lock(&of->lock);
	unpin(of);
	mutex_unlock(&of->lock);
}

static const struct vfio_device_ops operations = {
	.name = "vfio_pins",
	.init = vfio_pins_init,
	.close_device = vfio_pins_close,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
	.read = vfio_pins_read,
	.write = vfio_pins_write,
	.dma_unmap = vfio_pins_unmapped,
};

/* VFIO wants a device that has a driver. */
static int vfio_pins_probe(struct platform_device *parent)
{
	struct vfio_pins *of = vfio_alloc_device(vfio_pins, vdev, &parent->dev, &operations);
	int ret;

	if (IS_ERR(of))
		return PTR_ERR(of);
	ret = vfio_register_emulated_iommu_dev(&of->vdev);
	if (ret)
		vfio_put_device(&of->vdev);
	else
		platform_set_drvdata(parent, of);
	return ret;
}

static void vfio_pins_remove(struct platform_device *parent)
{
	struct vfio_pins *of = platform_get_drvdata(parent);

	vfio_unregister_group_dev(&of->vdev);
	vfio_put_device(&of->vdev);
}

static struct platform_driver driver = {
	.driver.name = "vfio_pins",
	.probe = vfio_pins_probe,
	.remove = vfio_pins_remove,
};

static int __init vfio_pins_start(void)
{
	int ret = platform_driver_register(&driver);

	if (ret)
		return ret;
	device = platform_device_register_simple("vfio_pins", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(device);
	}
	return 0;
}

static void __exit vfio_pins_end(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}

module_init(vfio_pins_start);
module_exit(vfio_pins_end);
MODULE_DESCRIPTION("A VFIO device that pins what it is told");
MODULE_LICENSE("GPL");
