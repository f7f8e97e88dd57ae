// SPDX-License-Identifier: GPL-2.0
/*
 * Map a page frame for DMA as a device register, and unmap it
 *
 * "insmod dma_mmio.ko pfn=PFN" does it once; 0 stands for a page of System RAM.
 * No device transfers anything.  CONFIG_DMA_API_DEBUG counts in
 * /sys/kernel/debug/dma-api/error_count what it finds wrong.
 */

#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/platform_device.h>

static unsigned long pfn;
module_param(pfn, ulong, 0);
MODULE_PARM_DESC(pfn, "page frame, 0 for a page of System RAM");

static int dma_mmio_map(struct device *dev, unsigned long frame)
{
	dma_addr_t address;
	int err;

	address = dma_map_phys(dev, PFN_PHYS(frame), PAGE_SIZE, DMA_BIDIRECTIONAL,
			       DMA_ATTR_MMIO);
	err = dma_mapping_error(dev, address);
	if (!err)
		dma_unmap_phys(dev, address, PAGE_SIZE, DMA_BIDIRECTIONAL, DMA_ATTR_MMIO);
	return err;
}

static int __init dma_mmio_init(void)
{
	struct platform_device *device;
	struct page *page;
	int err;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	device = platform_device_register_simple("dma_mmio", PLATFORM_DEVID_NONE, NULL, 0);
	err = PTR_ERR_OR_ZERO(device);
	if (!err) {
		err = dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
		if (!err)
			err = dma_mmio_map(&device->dev, pfn ?: page_to_pfn(page));
		platform_device_unregister(device);
	}
	__free_page(page);
	return err;
}

static void __exit dma_mmio_exit(void)
{
}

module_init(dma_mmio_init);
module_exit(dma_mmio_exit);
MODULE_DESCRIPTION("Map a page frame for DMA as a device register");
MODULE_LICENSE("GPL");
