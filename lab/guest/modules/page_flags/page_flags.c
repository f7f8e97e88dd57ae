// SPDX-License-Identifier: GPL-2.0
/*
 * Show the flags of any page, ZONE_DEVICE or not
 *
 * "echo PFN > /sys/kernel/debug/page_flags" chooses a page frame; each read shows
 * its page as it is then; "echo PFN COUNT" also gives it so many references, as
 * a driver does that hands out its pages.  /proc/kpageflags has nothing to say of device memory,
 * and what holds a memmap is mapped nowhere, so that gup_test cannot get at it.
 */

#include <linux/debugfs.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

static struct dentry *flags_dentry;
static unsigned long flags_pfn;

static int flags_show(struct seq_file *seq, void *unused)
{
	unsigned long pfn = READ_ONCE(flags_pfn);
	struct page *page;

	if (!pfn_valid(pfn)) {
		seq_puts(seq, "no page\n");
		return 0;
	}
	page = pfn_to_page(pfn);
	/* The memmap of a device that has gone, where it stays; CONFIG_DEBUG_VM sees to that. */
	if (PagePoisoned(page)) {
		seq_puts(seq, "poisoned page\n");
		return 0;
	}
	/* v5.4 names the flags, but does not show their number. */
	seq_printf(seq, "reserved=%d zone_device=%d online=%d count=%d flags=%#lx %pGp\n",
		   PageReserved(page), is_zone_device_page(page),
		   !!pfn_to_online_page(pfn), page_count(page),
		   *(unsigned long *)&page->flags, &page->flags);
	return 0;
}

static ssize_t flags_write(struct file *file, const char __user *buf, size_t size,
			   loff_t *pos)
{
	unsigned long pfn;
	char words[48];
	int fields, count;

	if (size >= sizeof(words))
		return -EINVAL;
	if (copy_from_user(words, buf, size))
		return -EFAULT;
	words[size] = '\0';
	fields = sscanf(words, "%lu %d", &pfn, &count);
	if (fields < 1)
		return -EINVAL;
	if (fields > 1) {
		if (!pfn_valid(pfn) || PagePoisoned(pfn_to_page(pfn)))
			return -ENOENT;
		set_page_count(pfn_to_page(pfn), count);
	}
	WRITE_ONCE(flags_pfn, pfn);
	return size;
}

static int flags_open(struct inode *inode, struct file *file)
{
	return single_open(file, flags_show, NULL);
}

static const struct file_operations flags_fops = {
	.owner = THIS_MODULE,
	.open = flags_open,
	.read = seq_read,
	.write = flags_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init flags_init(void)
{
	flags_dentry = debugfs_create_file("page_flags", 0600, NULL, NULL, &flags_fops);
	return PTR_ERR_OR_ZERO(flags_dentry);
}

static void __exit flags_exit(void)
{
	debugfs_remove(flags_dentry);
}

module_init(flags_init);
module_exit(flags_exit);
MODULE_DESCRIPTION("Show the flags of any page");
MODULE_LICENSE("GPL");
