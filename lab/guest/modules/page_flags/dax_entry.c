// SPDX-License-Identifier: GPL-2.0
/*
 * Lock the DAX entry of a page of a file
 *
 * "echo INDEX > /sys/kernel/debug/dax_entry", with the file as standard input,
 * locks the entry of that page, as a page fault does while its file system looks
 * for the block; "echo unlock" unlocks it.  Where the kernel does not export what
 * it takes, as without the series, writing fails with ENOSYS.
 */

#include <linux/dax.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>

typedef dax_entry_t lock_fn(struct address_space *mapping, unsigned long index,
			    struct page **page, unsigned int state);
typedef void unlock_fn(struct address_space *mapping, unsigned long index,
		       dax_entry_t cookie);

static DEFINE_MUTEX(mutex);
static struct dentry *entry_dentry;
static struct file *locked_file;
static unsigned long locked_index;
static dax_entry_t cookie;

static int lock_entry(unsigned long index)
{
	lock_fn *lock;
	struct page *page;
	int err = -ENOENT;

	if (cookie)
		return -EBUSY;
	lock = (lock_fn *)__symbol_get("dax_lock_mapping_entry");
	if (!lock)
		return -ENOSYS;
	locked_file = fget(0);
	if (!locked_file) {
		err = -EBADF;
		goto out;
	}
	locked_index = index;
	cookie = lock(locked_file->f_mapping, index, &page, TASK_KILLABLE);
	if (cookie)
		return 0;
	fput(locked_file);
out:
	__symbol_put("dax_lock_mapping_entry");
	return err;
}

static int unlock_entry(void)
{
	unlock_fn *unlock;

	if (!cookie)
		return 0;
	unlock = (unlock_fn *)__symbol_get("dax_unlock_mapping_entry");
	if (!unlock)
		return -ENOSYS;
	unlock(locked_file->f_mapping, locked_index, cookie);
	__symbol_put("dax_unlock_mapping_entry");
	__symbol_put("dax_lock_mapping_entry");
	fput(locked_file);
	cookie = 0;
	return 0;
}

static ssize_t entry_write(struct file *file, const char __user *buf, size_t size,
			   loff_t *pos)
{
	unsigned long index;
	char word[32];
	int err;

	if (size >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, buf, size))
		return -EFAULT;
	word[size] = '\0';
	mutex_lock(&mutex);
	if (!strcmp(strim(word), "unlock"))
		err = unlock_entry();
	else
		err = kstrtoul(strim(word), 0, &index) ?: lock_entry(index);
	mutex_unlock(&mutex);
	return err ?: size;
}

static const struct file_operations entry_fops = {
	.owner = THIS_MODULE,
	.write = entry_write,
	.llseek = noop_llseek,
};

static int __init entry_init(void)
{
	entry_dentry = debugfs_create_file("dax_entry", 0200, NULL, NULL, &entry_fops);
	return PTR_ERR_OR_ZERO(entry_dentry);
}

static void __exit entry_exit(void)
{
	debugfs_remove(entry_dentry);
	unlock_entry();
}

module_init(entry_init);
module_exit(entry_exit);
MODULE_DESCRIPTION("Lock the DAX entry of a page of a file");
MODULE_LICENSE("GPL");
