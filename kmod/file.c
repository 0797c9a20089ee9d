// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: files: fault, read, and the page cache operations
 *
 * A fault or read looks for the folio; if it is there and uptodate it is used.
 * If not, a fill is begun or joined, and the task waits, killably. Chunks that
 * nobody has used since their fill are not mapped by fault-around: the first use
 * comes through fault(), which moves the read-ahead on.
 */
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/migrate.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>

#include "event.h"
#include "itme.h"
#include "native.h"
#include "plan.h"
#include "trace.h"
#include "trigger.h"

/*
 * The use of pages of a chunk has to wait for it. What triggers say is read meanwhile,
 * but not before it, as the drive may serve what comes first.
 */
bool itme_demand(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	u32 idx = itme_chunk_of(ino, first);
	bool begun = itme_chunk_begin_fill(ino, idx, true, true);

	itme_triggers_touch(ino, first, end, begun);
	return !begun || itme_fill(ino, idx, true, ITME_TIER_DRAM);
}

/* Wait for a fill, and for what it came to; stall time is counted here only. */
int itme_wait_filled(struct itme_inode *ino, u32 idx)
{
	u64 start = ktime_get_ns();
	int err = itme_chunk_wait(ino, idx);
	u64 ns = ktime_get_ns() - start;

	if (!err)
		err = itme_chunk_error(ino, idx);
	itme_count_stall(ino, ns);
	itme_event_stall(ino, idx, ns);
	trace_itme_stall(ino, idx, err, ns);
	return err;
}

/* Pages of a chunk that is there are used. */
void itme_touch(struct itme_inode *ino, pgoff_t first, pgoff_t end, bool random)
{
	u32 idx = itme_chunk_of(ino, first);

	itme_triggers_touch(ino, first, end, false);
	if (itme_chunk_untouched(ino, idx))
		itme_prefetch(ino, itme_chunk_touch(ino, idx, random));
	else
		itme_chunk_young(ino, idx);
}

struct folio *itme_folio_get(struct itme_inode *ino, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);

	if (IS_ERR(folio))
		return NULL;
	if (folio_test_uptodate(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/* The folio of a page, locked and in the page cache, or NULL. */
struct folio *itme_folio_lock(struct itme_inode *ino, pgoff_t index)
{
	struct folio *folio = itme_folio_get(ino, index);

	if (!folio)
		return NULL;
	/* Held for the time of a drop or of a migration by the kernel. */
	folio_lock(folio);
	if (folio->mapping == ino->vfs.i_mapping && folio_contains(folio, index) &&
	    folio_test_uptodate(folio))
		return folio;
	folio_unlock(folio);
	folio_put(folio);
	return NULL;
}

static vm_fault_t map_locked(struct vm_fault *vmf, struct itme_inode *ino, struct folio *folio)
{
	pgoff_t end = DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE);

	if (vmf->pgoff >= end) {
		folio_unlock(folio);
		folio_put(folio);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = folio_file_page(folio, vmf->pgoff);
	return VM_FAULT_LOCKED;
}

/* Locked; a hole of a native file is made. -EAGAIN: it will be there later. */
static int fault_page(struct itme_inode *ino, pgoff_t index, struct folio **folio)
{
	struct itme_want want = { .order = itme_max_order(ino) };
	int err;

	if (ino->native) {
		err = itme_page_lock(ino, index, &want, folio);
		if (want.made == 1)
			itme_lru_drain();
		return err;
	}
	*folio = itme_folio_lock(ino, index);
	if (*folio)
		return 0;
	return itme_demand(ino, index, index + 1) ? -EAGAIN : -ENOMEM;
}

/* A private copy is of one page, and who reads at random wants no others. */
static bool maps_around(const struct vm_fault *vmf)
{
	return !(vmf->flags & FAULT_FLAG_WRITE) && !(vmf->vma->vm_flags & VM_RAND_READ) &&
	       !uffd_disable_fault_around(vmf->vma);
}

/*
 * All of the chunk that is there, as far as the mapping and the page table of the
 * fault go, so that its use costs one fault. Not of a neighbour, whose first use would
 * then not be seen.
 *
 * Return: VM_FAULT_NOPAGE when what was faulted for is mapped
 */
static vm_fault_t map_chunk(struct vm_fault *vmf, struct itme_inode *ino, u32 idx,
			    pgoff_t start, pgoff_t end)
{
	pgoff_t slot = pte_index(vmf->address);
	u64 first = max3(itme_chunk_start(ino, idx), vmf->vma->vm_pgoff,
			 vmf->pgoff - min(vmf->pgoff, slot));
	u64 next = min3(itme_chunk_start(ino, idx + 1),
			vmf->vma->vm_pgoff + vma_pages(vmf->vma),
			vmf->pgoff - slot + PTRS_PER_PTE);

	first = max(first, start);
	next = min3(next, end, DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE));
	if (first >= next)
		return 0;
	itme_triggers_clip(ino, vmf->pgoff, &first, &next);
	return filemap_map_pages(vmf, first, next - 1);
}

/*
 * The wait is done without the mmap lock where the caller allows it, so that
 * other threads can map and unmap meanwhile. The fault is then tried again, and
 * an error that the wait found is reported by that second try. Not every caller
 * says that it tries again (populate starts anew), so where the last fill has
 * failed, the wait is done with the lock, and its result is reported.
 */
static vm_fault_t itme_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct itme_inode *ino = itme_i(file_inode(file));
	bool random = vmf->vma->vm_flags & VM_RAND_READ;
	bool around = maps_around(vmf);
	vm_fault_t major = 0, mapped;
	struct folio *folio;
	bool failed;
	u32 idx;

	if (vmf->pgoff >= DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE))
		return VM_FAULT_SIGBUS;
	idx = itme_chunk_of(ino, vmf->pgoff);
	failed = itme_chunk_error(ino, idx);
	if (failed && vmf->flags & FAULT_FLAG_TRIED && !ino->native) {
		folio = itme_folio_lock(ino, vmf->pgoff);
		return folio ? map_locked(vmf, ino, folio) : VM_FAULT_SIGBUS;
	}

	for (;;) {
		int err = fault_page(ino, vmf->pgoff, &folio);

		if (!err) {
			itme_touch(ino, vmf->pgoff, vmf->pgoff + 1, random);
			if (!around)
				return map_locked(vmf, ino, folio) | major;
			folio_unlock(folio);
			folio_put(folio);
			mapped = map_chunk(vmf, ino, idx, 0, ULONG_MAX);
			if (mapped)
				return mapped | major;
			/* It has a memory error, or has just left. */
			around = false;
			continue;
		}
		if (err != -EAGAIN)
			return major | (err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS);
		if (!major)
			count_vm_event(PGMAJFAULT);
		major = VM_FAULT_MAJOR;
		if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
			return VM_FAULT_RETRY | major;
		if (fault_flag_allow_retry_first(vmf->flags) && !failed) {
			get_file(file);
			release_fault_lock(vmf);
			itme_wait_filled(ino, idx);
			fput(file);
			return VM_FAULT_RETRY | major;
		}
		err = itme_wait_filled(ino, idx);
		if (err)
			return VM_FAULT_SIGBUS | major;
	}
}

static vm_fault_t itme_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct itme_inode *ino = itme_i(file_inode(vmf->vma->vm_file));
	u32 idx = itme_chunk_of(ino, vmf->pgoff);

	if (idx >= ino->nr_chunks || itme_chunk_untouched(ino, idx) ||
	    itme_triggers_armed(ino, vmf->pgoff))
		return 0;
	itme_chunk_young(ino, idx);
	if (maps_around(vmf))
		return map_chunk(vmf, ino, idx, 0, ULONG_MAX);
	return map_chunk(vmf, ino, idx, start, end + 1);
}

static const struct vm_operations_struct itme_vm_ops = {
	.fault		= itme_fault,
	.map_pages	= itme_map_pages,
};

int itme_mmap(struct file *file, struct vm_area_struct *vma)
{
	file_accessed(file);
	vma->vm_ops = &itme_vm_ops;
	if (!mapping_mapped(file->f_mapping))
		itme_event_object_mapped(itme_i(file_inode(file)));
	return 0;
}

/* The folio of a page, uptodate and held; waits for it. Up to @end it is used, too. */
static struct folio *demand_folio(struct itme_inode *ino, pgoff_t index, pgoff_t end,
				  bool nowait)
{
	u32 idx = itme_chunk_of(ino, index);

	for (;;) {
		struct folio *folio = itme_folio_get(ino, index);
		int err;

		if (folio)
			return folio;
		if (nowait) {
			/* So that the next try finds it. */
			itme_prefetch(ino, (struct itme_range){ idx, 1 });
			itme_triggers_touch(ino, index, end, false);
			return ERR_PTR(-EAGAIN);
		}
		if (!itme_demand(ino, index, end))
			return ERR_PTR(-ENOMEM);
		err = itme_wait_filled(ino, idx);
		if (err)
			return ERR_PTR(err);
	}
}

/* The page after those of a chunk that are read. */
static pgoff_t read_end(const struct itme_inode *ino, u32 idx, loff_t pos, size_t len)
{
	u64 end = min_t(u64, pos + len, (u64)(idx + 1) << ino->chunk_shift);

	return DIV_ROUND_UP_ULL(end, PAGE_SIZE);
}

static ssize_t itme_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct itme_inode *ino = itme_i(file_inode(file));
	bool random = file->f_mode & FMODE_RANDOM;
	loff_t size = i_size_read(&ino->vfs);
	u32 touched = U32_MAX;
	ssize_t done = 0;
	int err = 0;

	while (iov_iter_count(to) && iocb->ki_pos < size) {
		pgoff_t index = iocb->ki_pos >> PAGE_SHIFT;
		u32 idx = itme_chunk_of(ino, index);
		pgoff_t end = read_end(ino, idx, iocb->ki_pos, iov_iter_count(to));
		struct folio *folio;
		size_t offset, n;

		folio = demand_folio(ino, index, end, iocb->ki_flags & IOCB_NOWAIT);
		if (IS_ERR(folio)) {
			err = PTR_ERR(folio);
			break;
		}
		if (idx != touched)
			itme_touch(ino, index, end, random);
		touched = idx;

		offset = offset_in_folio(folio, iocb->ki_pos);
		n = min_t(u64, folio_size(folio) - offset, size - iocb->ki_pos);
		n = copy_folio_to_iter(folio, offset, n, to);
		folio_put(folio);
		if (!n) {
			err = -EFAULT;
			break;
		}
		iocb->ki_pos += n;
		done += n;
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		cond_resched();
	}
	file_accessed(file);
	return done ?: err;
}

int itme_open(struct inode *inode, struct file *file)
{
	if (file->f_mode & FMODE_WRITE && !itme_i(inode)->native)
		return -EROFS;
	file->f_mode |= FMODE_CAN_ODIRECT | FMODE_NOWAIT;
	itme_plans_opened(itme_i(inode), 1);
	return 0;
}

int itme_release(struct inode *inode, struct file *file)
{
	itme_plans_opened(itme_i(inode), -1);
	return 0;
}

const struct file_operations itme_file_ops = {
	.owner			= THIS_MODULE,
	.open			= itme_open,
	.release		= itme_release,
	.llseek			= generic_file_llseek,
	.read_iter		= itme_read_iter,
	.mmap			= itme_mmap,
	.get_unmapped_area	= thp_get_unmapped_area,
	.splice_read		= copy_splice_read,
	.fsync			= noop_fsync,
	.fadvise		= itme_fadvise,
	.unlocked_ioctl		= itme_ioctl,
	.compat_ioctl		= compat_ptr_ioctl,
};

/*
 * Asked before a folio leaves the page cache or is split, folio locked. One that
 * somebody uses stays, and is counted. So does a chunk that is pinned, unless it
 * is ITME that takes it, or its memory has gone bad.
 */
static bool itme_release_folio(struct folio *folio, gfp_t gfp)
{
	struct itme_inode *ino = itme_of(folio->mapping);

	/* That flag is in the second page; a bad single page does not come by here. */
	if (itme_chunk_kept(ino, itme_chunk_of(ino, folio->index)) &&
	    !(folio_test_large(folio) && folio_test_has_hwpoisoned(folio)))
		return false;
	return !itme_beyond_end(ino, folio) && itme_folio_unused(folio);
}

/* A folio has left the page cache, whoever took it out. */
static void itme_free_folio(struct folio *folio)
{
	itme_tier_uncharge(itme_tier_of(folio_nid(folio)), folio_nr_pages(folio));
}

/*
 * Memory has failed, folio locked and unmapped. What is dirty is nowhere else: it stays,
 * and whoever uses it gets an error, rather than zeroes or what was there before. What is
 * being stored is clean already, and has no copy yet, see settle() in store.c.
 */
static int native_error_remove_folio(struct address_space *mapping, struct folio *folio)
{
	struct itme_inode *ino = itme_of(mapping);

	if (folio_test_dirty(folio) ||
	    itme_in_transit(itme_chunk_peek(ino, itme_chunk_of(ino, folio->index)).state))
		return -EIO;
	return generic_error_remove_folio(mapping, folio);
}

/* The kernel moves a folio: compaction, NUMA balancing, move_pages(2), hot-remove. */
static int itme_migrate_folio(struct address_space *mapping, struct folio *dst,
			      struct folio *src, enum migrate_mode mode)
{
	int from = itme_tier_of(folio_nid(src));
	int to = itme_tier_of(folio_nid(dst));
	long nr = folio_nr_pages(src);
	int err;

	if (from != to) {
		/* NUMA balancing: which tier a chunk is on is not for it to say. */
		if (mode == MIGRATE_ASYNC)
			return -EAGAIN;
		/* Who insists, as hot-remove does, tries again, and then has room. */
		if (!itme_tier_charge(to, nr)) {
			if (to == ITME_TIER_DRAM)
				itme_pressure_want(itme_of(mapping)->fs, nr);
			return -EAGAIN;
		}
	}
	err = filemap_migrate_folio(mapping, dst, src, mode);
	if (from == to)
		return err;
	itme_tier_uncharge(err == MIGRATEPAGE_SUCCESS ? from : to, nr);
	if (err == MIGRATEPAGE_SUCCESS) {
		struct itme_inode *ino = itme_of(mapping);

		itme_chunk_follow(ino, itme_chunk_of(ino, dst->index), to);
	}
	return err;
}

const struct address_space_operations itme_aops = {
	.dirty_folio		= noop_dirty_folio,
	.release_folio		= itme_release_folio,
	.free_folio		= itme_free_folio,
	.migrate_folio		= itme_migrate_folio,
	.error_remove_folio	= generic_error_remove_folio,
};

const struct address_space_operations itme_native_aops = {
	.dirty_folio		= noop_dirty_folio,
	.write_begin		= itme_write_begin,
	.write_end		= itme_write_end,
	.release_folio		= itme_release_folio,
	.free_folio		= itme_free_folio,
	.migrate_folio		= itme_migrate_folio,
	.error_remove_folio	= native_error_remove_folio,
};
