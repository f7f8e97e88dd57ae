// SPDX-License-Identifier: GPL-2.0
/*
 * Count the leaf entries of a KVM guest's nested page table, by memslot
 *
 * "echo PID > /sys/kernel/debug/kvm_leaves" chooses a process that has a virtual
 * machine; "PID leaves" asks for each leaf as well.  Each read looks the process
 * up again and walks the table as it is then.  ESRCH: there is no such process.
 * ENXIO: it has no virtual machine.
 *
 * KVM's own statistics count a whole VM, are absent from old kernels, and are
 * kept by the code under test.  The walk touches neither the guest's memory nor
 * the host's page table.
 */

#include <linux/debugfs.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#define LEAVES_TABLE_BITS	9
#define LEAVES_MAX_LEVEL	3
#define LEAVES_MEMTYPES		8

static struct dentry *leaves_dentry;

static DEFINE_MUTEX(leaves_mutex);	/* protects the next two, held while printing */
static pid_t leaves_pid;
static bool leaves_list;

/* The page table that a vCPU runs on, and whose memslots it maps (1: SMM's) */
struct leaves_root {
	hpa_t hpa;
	int level;
	bool direct;
	int as_id;
};

/* A VM's file, with a reference, and its number in the table of open files */
struct leaves_file {
	struct file *file;
	unsigned int fd;
};

#ifdef KVM_HAVE_MMU_RWLOCK
#define leaves_lock(kvm)	write_lock(&(kvm)->mmu_lock)
#define leaves_unlock(kvm)	write_unlock(&(kvm)->mmu_lock)
#define leaves_yield(kvm)	cond_resched_rwlock_write(&(kvm)->mmu_lock)

/* SPTE_MMU_PRESENT_MASK, private to KVM */
static bool leaves_present(u64 spte)
{
	return spte & BIT_ULL(11);
}

static void leaves_get_root(struct kvm_vcpu *vcpu, struct leaves_root *root)
{
	struct kvm_mmu *mmu = &vcpu->arch.root_mmu;

	root->hpa = READ_ONCE(mmu->root.hpa);
	root->level = mmu->root_role.level;
	root->direct = mmu->root_role.direct;
	root->as_id = !!mmu->root_role.smm;
}
#else	/* v5.4 */
#define leaves_lock(kvm)	spin_lock(&(kvm)->mmu_lock)
#define leaves_unlock(kvm)	spin_unlock(&(kvm)->mmu_lock)
#define leaves_yield(kvm)	cond_resched_lock(&(kvm)->mmu_lock)

/* SPTE_MMIO_MASK, private to KVM, marks entries that map nothing. */
static bool leaves_present(u64 spte)
{
	return spte && (spte & (3ULL << 52)) != 3ULL << 52;
}

static void leaves_get_root(struct kvm_vcpu *vcpu, struct leaves_root *root)
{
	struct kvm_mmu *mmu = &vcpu->arch.root_mmu;

	root->hpa = READ_ONCE(mmu->root_hpa);
	root->level = mmu->shadow_root_level;
	root->direct = mmu->direct_map;
	root->as_id = !!mmu->mmu_role.base.smm;
}
#endif

/**
 * leaves_lookup - find the entry that maps a guest frame
 * @root: a valid root of a nested page table
 * @gfn: the guest frame
 * @sptep: the entry
 *
 * The caller holds mmu_lock, for write where there is a choice: nobody links,
 * unlinks or frees a table then.  KVM's lockless fault path may still change an
 * entry's permissions, hence the single read.
 *
 * Return: the level of the entry, negative if it is not present.
 */
static int leaves_lookup(const struct leaves_root *root, gfn_t gfn, u64 *sptep)
{
	u64 *table = __va(root->hpa);
	int level = root->level;

	for (;; level--) {
		*sptep = READ_ONCE(table[(gfn >> (LEAVES_TABLE_BITS * (level - 1))) &
					 (BIT(LEAVES_TABLE_BITS) - 1)]);
		if (!leaves_present(*sptep))
			return -level;
		if (level == 1 || (level <= LEAVES_MAX_LEVEL && *sptep & _PAGE_PSE))
			return level;
		table = __va(*sptep & PTE_PFN_MASK);
	}
}

/* EPT's memory type of a leaf, or the index into the PAT in AMD's nested table */
static unsigned int leaves_memtype(u64 spte, int level)
{
	u64 pat = level == 1 ? _PAGE_PAT : _PAGE_PAT_LARGE;

	if (boot_cpu_has(X86_FEATURE_VMX))
		return (spte >> 3) & 7;

	return (spte & pat ? 4 : 0) | (spte & _PAGE_PCD ? 2 : 0) | (spte & _PAGE_PWT ? 1 : 0);
}

/**
 * leaves_show_slot - print the leaves that map a memslot, and their numbers
 * @m: where to print
 * @vcpu: the vCPU whose root to walk
 * @slot: the memslot, kept by the caller's read side of kvm->srcu
 * @as_id: the address space of @slot
 *
 * Each lookup starts at the root, so that mmu_lock can be dropped in between;
 * the counts are of one moment if the guest is idle meanwhile.  A vCPU switches
 * its root without the lock, but whoever frees a root holds it, so the root is
 * read anew for each lookup.
 */
static void leaves_show_slot(struct seq_file *m, struct kvm_vcpu *vcpu,
			     const struct kvm_memory_slot *slot, int as_id)
{
	unsigned long pages[LEAVES_MAX_LEVEL] = {}, memtypes[LEAVES_MEMTYPES] = {};
	gfn_t gfn = slot->base_gfn;
	struct leaves_root root;
	int i;

	leaves_lock(vcpu->kvm);
	while (gfn < slot->base_gfn + slot->npages && !seq_has_overflowed(m)) {
		unsigned int memtype;
		int level;
		u64 spte;

		leaves_get_root(vcpu, &root);
		if (!VALID_PAGE(root.hpa) || root.as_id != as_id)
			break;

		level = leaves_lookup(&root, gfn, &spte);
		if (level > 0) {
			memtype = leaves_memtype(spte, level);
			memtypes[memtype]++;
			pages[level - 1]++;
			if (leaves_list)
				seq_printf(m, "leaf %d %#llx %#llx %#llx %u\n", level, gfn,
					   (spte & PTE_PFN_MASK) >> PAGE_SHIFT, spte, memtype);
		}
		gfn = round_up(gfn + 1, 1ULL << (LEAVES_TABLE_BITS * (abs(level) - 1)));
		leaves_yield(vcpu->kvm);
	}
	leaves_unlock(vcpu->kvm);

	seq_printf(m, "%d %d %#llx %lu %#lx", slot->id, as_id, slot->base_gfn, slot->npages,
		   slot->userspace_addr);
	for (i = 0; i < LEAVES_MAX_LEVEL; i++)
		seq_printf(m, " %lu", pages[i]);
	for (i = 0; i < LEAVES_MEMTYPES; i++)
		seq_printf(m, " %lu", memtypes[i]);
	seq_putc(m, '\n');
}

/**
 * leaves_show_vm - print the memslots of a VM
 * @m: where to print
 * @kvm: the VM, kept alive by the caller; its vCPUs live as long as it does
 *
 * Only the address space that vCPU 0 is in has its table at hand.  A table that
 * is direct and has four levels or more is a nested one; those of shadow paging
 * have three, or are indexed by guest virtual address.
 */
static void leaves_show_vm(struct seq_file *m, struct kvm *kvm)
{
	struct kvm_vcpu *vcpu = kvm_get_vcpu(kvm, 0);
	struct kvm_memslots *slots;
	struct leaves_root root;
	int idx;

	if (!vcpu) {
		seq_puts(m, "# no vCPU yet, so no table\n");
		return;
	}

	leaves_get_root(vcpu, &root);
	if (!root.direct || root.level <= LEAVES_MAX_LEVEL) {
		seq_printf(m, "# shadow: not counted, the table %s\n", root.direct ?
			   "has three levels" : "maps guest virtual addresses");
		return;
	}
	if (!VALID_PAGE(root.hpa)) {
		seq_puts(m, "# no table: vCPU 0 has not run since it was dropped\n");
		return;
	}

	idx = srcu_read_lock(&kvm->srcu);
	slots = __kvm_memslots(kvm, root.as_id);
	{
#ifdef kvm_for_each_memslot_in_gfn_range
		struct kvm_memslot_iter iter;

		kvm_for_each_memslot_in_gfn_range(&iter, slots, 0, ~0ULL)
			leaves_show_slot(m, vcpu, iter.slot, root.as_id);
#else	/* v5.4 */
		struct kvm_memory_slot *slot;

		kvm_for_each_memslot(slot, slots)
			leaves_show_slot(m, vcpu, slot, root.as_id);
#endif
	}
	srcu_read_unlock(&kvm->srcu, idx);
}

/* Called by iterate_fd() with the table of open files locked */
static int leaves_match_file(const void *data, struct file *file, unsigned int fd)
{
	struct leaves_file *found = (struct leaves_file *)data;

	if (file_inode(file)->i_sb->s_magic != ANON_INODE_FS_MAGIC ||
	    strcmp(file->f_path.dentry->d_name.name, "kvm-vm"))
		return 0;

	found->file = get_file(file);
	found->fd = fd;
	return 1;
}

/* Find a process's first VM; the file, for the caller to fput(), keeps it alive. */
static int leaves_find_vm(pid_t nr, struct leaves_file *found)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	put_pid(pid);
	if (!task)
		return -ESRCH;

	found->file = NULL;
	task_lock(task);	/* keeps task->files */
	iterate_fd(task->files, 0, leaves_match_file, found);
	task_unlock(task);
	put_task_struct(task);

	return found->file ? 0 : -ENXIO;
}

static int leaves_show(struct seq_file *m, void *unused)
{
	struct leaves_file found;
	int ret;

	mutex_lock(&leaves_mutex);
	ret = leaves_find_vm(leaves_pid, &found);
	if (ret)
		goto unlock;

	seq_printf(m, "# pid %d fd %u, memory types mt0 to mt7 by %s\n", leaves_pid, found.fd,
		   boot_cpu_has(X86_FEATURE_VMX) ? "EPT's encoding" : "index into the PAT");
	seq_puts(m, "# slot as_id base_gfn npages userspace_addr pages_4k pages_2m pages_1g");
	seq_puts(m, " mt0 mt1 mt2 mt3 mt4 mt5 mt6 mt7\n");
	if (leaves_list)
		seq_puts(m, "# leaf level gfn pfn spte memtype\n");
	leaves_show_vm(m, found.file->private_data);
	fput(found.file);
unlock:
	mutex_unlock(&leaves_mutex);
	return ret;
}

static int leaves_open(struct inode *inode, struct file *file)
{
	return single_open(file, leaves_show, NULL);
}

static ssize_t leaves_write(struct file *file, const char __user *ubuf, size_t len, loff_t *ppos)
{
	char buf[32] = {}, word[8];
	struct leaves_file found;
	pid_t pid;
	int n, ret;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;

	n = sscanf(buf, "%d %7s", &pid, word);
	if (n < 1 || (n == 2 && strcmp(word, "leaves")))
		return -EINVAL;

	ret = leaves_find_vm(pid, &found);
	if (ret)
		return ret;
	fput(found.file);

	mutex_lock(&leaves_mutex);
	leaves_pid = pid;
	leaves_list = n == 2;
	mutex_unlock(&leaves_mutex);

	return len;
}

static const struct file_operations leaves_fops = {
	.owner = THIS_MODULE,
	.open = leaves_open,
	.read = seq_read,
	.write = leaves_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init leaves_init(void)
{
	leaves_dentry = debugfs_create_file("kvm_leaves", 0600, NULL, NULL, &leaves_fops);
	return PTR_ERR_OR_ZERO(leaves_dentry);
}

static void __exit leaves_exit(void)
{
	debugfs_remove(leaves_dentry);
}

module_init(leaves_init);
module_exit(leaves_exit);

MODULE_DESCRIPTION("Leaf entries of KVM guests' nested page tables, by memslot");
MODULE_LICENSE("GPL");
