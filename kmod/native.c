// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: written files: read, write, size, allocation
 *
 * The size, and that pages cease, are under the inode lock. That is taken for write(2),
 * truncate and fallocate, not for faults and read(2): these find pages one by one, see
 * make.c, and look at the size when they have one.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "itme.h"
#include "native.h"

static void set_size(struct itme_inode *ino, loff_t size)
{
	/*
	 * With the lock, whoever owns a chunk after this, or looks at one under the lock,
	 * sees it; who has owned one before has the chunk in the table, and is waited for.
	 */
	spin_lock(&ino->fs->lock);
	i_size_write(&ino->vfs, size);
	/* When it shrinks, only after the folios have left, see itme_beyond_end(). */
	if (size > i_size_read(ino->vfs.i_mapping->host))
		i_size_write(ino->vfs.i_mapping->host, size);
	ino->nr_chunks = DIV_ROUND_UP_ULL(size, 1ULL << ino->chunk_shift);
	spin_unlock(&ino->fs->lock);
}

static pgoff_t pages_of(loff_t size)
{
	return DIV_ROUND_UP(size, PAGE_SIZE);
}

/* What a mapping has written beyond the end of the file must not show when it grows. */
static int zero_tail(struct itme_inode *ino, loff_t from, loff_t to)
{
	return itme_page_zero(ino, from, min_t(loff_t, to, round_up(from, PAGE_SIZE)));
}

/* And so with pages beyond it, up to where the file is about to grow to. */
static int zero_beyond(struct itme_inode *ino, loff_t to)
{
	loff_t size = i_size_read(&ino->vfs);
	int err = zero_tail(ino, size, to);

	if (!err)
		itme_pages_zero(ino, pages_of(size), pages_of(to));
	return err;
}

static int grow(struct itme_inode *ino, loff_t size)
{
	int err = zero_beyond(ino, size);

	if (!err)
		err = itme_pages_reserve(ino, pages_of(size));
	if (!err)
		set_size(ino, size);
	return err;
}

static int shrink(struct itme_inode *ino, loff_t size)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t first = pages_of(size);
	int err;

	/* It may have to be read, and that may fail. */
	err = zero_tail(ino, size, LLONG_MAX);
	if (err)
		return err;
	set_size(ino, size);
	unmap_mapping_pages(mapping, first, 0, true);
	itme_pages_remove(ino, first, ULONG_MAX);
	/* Only now, as until then a fault that had begun before could make some. */
	itme_pages_reserve(ino, first);
	i_size_write(mapping->host, size);
	/* Private copies made meanwhile of what was still there. */
	unmap_mapping_pages(mapping, first, 0, true);
	/* What was written to the page meanwhile; one that cannot be read now was zeroed before. */
	zero_tail(ino, size, LLONG_MAX);
	return 0;
}

/**
 * itme_native_setsize - the size changes
 * @ino: written file, its inode lock held
 * @size: new size, checked against s_maxbytes and RLIMIT_FSIZE
 *
 * Return: 0 or -errno
 */
int itme_native_setsize(struct itme_inode *ino, loff_t size)
{
	/* Of the same size, too: what fallocate(2) has made beyond the end goes. */
	return size <= i_size_read(&ino->vfs) ? shrink(ino, size) : grow(ino, size);
}

static int punch(struct itme_inode *ino, loff_t from, loff_t to)
{
	pgoff_t first = DIV_ROUND_UP(from, PAGE_SIZE);
	pgoff_t end = to >> PAGE_SHIFT;
	int err;

	err = zero_tail(ino, from, to);
	if (!err && end >= first && to & ~PAGE_MASK)
		err = itme_page_zero(ino, max_t(loff_t, from, (loff_t)end << PAGE_SHIFT), to);
	if (err || end <= first)
		return err;
	unmap_mapping_pages(ino->vfs.i_mapping, first, end - first, false);
	itme_pages_remove(ino, first, end);
	return 0;
}

static int allocate(struct itme_inode *ino, int mode, loff_t from, loff_t to)
{
	bool extends = !(mode & FALLOC_FL_KEEP_SIZE) && to > i_size_read(&ino->vfs);
	int err = 0;

	if (extends)
		err = inode_newsize_ok(&ino->vfs, to);
	if (!err && mode & FALLOC_FL_ZERO_RANGE)
		err = punch(ino, from, to);
	/* What is new is zero. */
	if (!err && extends)
		err = zero_beyond(ino, to);
	if (!err && extends)
		err = itme_pages_reserve(ino, pages_of(to));
	if (!err)
		err = itme_pages_make(ino, from >> PAGE_SHIFT, pages_of(to));
	if (!err && extends)
		set_size(ino, to);
	/* If it has not grown after all. */
	itme_pages_reserve(ino, pages_of(i_size_read(&ino->vfs)));
	return err;
}

static long native_fallocate(struct file *file, int mode, loff_t from, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct itme_inode *ino = itme_i(inode);
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	inode_lock(inode);
	err = file_modified(file);
	if (!err && mode & FALLOC_FL_PUNCH_HOLE)
		err = punch(ino, from, from + len);
	else if (!err)
		err = allocate(ino, mode, from, from + len);
	inode_unlock(inode);
	return err;
}

/* Will a write up to page @end go to memory that has gone bad? */
static bool bad_within(struct folio *folio, pgoff_t index, pgoff_t end)
{
	bool bad = false;

	if (!itme_folio_poisoned(folio))
		return false;
	for (end = min(end, folio_next_index(folio)); !bad && index < end; index++)
		bad = itme_page_poisoned(folio, index);
	return bad;
}

/*
 * The page of a write, locked; not mapped over its old content if that has gone bad.
 * @fsdata: whether it is new
 */
int itme_write_begin(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
		     struct folio **folio, void **fsdata)
{
	struct itme_inode *ino = itme_of(mapping);
	loff_t end = max(i_size_read(&ino->vfs), pos + len);
	pgoff_t index = pos >> PAGE_SHIFT;
	struct itme_want want = {
		.start = index,
		.limit = pages_of(end),
		.order = ilog2(DIV_ROUND_UP(offset_in_page(pos) + len, PAGE_SIZE)),
	};

	for (;;) {
		int err = itme_page_lock(ino, index, &want, folio);

		if (err == -EAGAIN) {
			err = itme_wait_filled(ino, itme_chunk_of(ino, index));
			if (err)
				return err;
			continue;
		}
		if (err)
			return err;
		if (bad_within(*folio, index, DIV_ROUND_UP(pos + len, PAGE_SIZE))) {
			folio_unlock(*folio);
			folio_put(*folio);
			return -EIO;
		}
		itme_touch(ino, index, index + 1, file && file->f_mode & FMODE_RANDOM);
		*fsdata = (void *)want.made;
		return 0;
	}
}

int itme_write_end(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
		   unsigned int copied, struct folio *folio, void *fsdata)
{
	struct itme_inode *ino = itme_of(mapping);
	pgoff_t next = folio_next_index(folio);
	pgoff_t end;

	if (copied && pos + copied > i_size_read(&ino->vfs)) {
		/* All that comes with it is in the folio, and a hole before it is reserved. */
		if (ino->fs->reserve)
			itme_quota_reserve(ino, pages_of(pos + copied), NULL);
		set_size(ino, pos + copied);
	}
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
	/* Made for what did not come. */
	end = pages_of(i_size_read(&ino->vfs));
	if (copied < len && fsdata && next > end)
		itme_pages_remove(ino, max(end, (pgoff_t)(pos >> PAGE_SHIFT)), next);
	return copied;
}

static ssize_t native_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct itme_inode *ino = itme_i(inode);
	ssize_t ret;

	/* Room may have to be waited for. */
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		goto out;
	ret = file_modified(iocb->ki_filp);
	if (ret)
		goto out;
	if (iocb->ki_pos > i_size_read(inode)) {
		ret = zero_beyond(ino, iocb->ki_pos);
		/* The hole; what is written finds room as it comes, or it is cut short. */
		if (!ret)
			ret = itme_pages_reserve(ino, max_t(pgoff_t, ino->reserved,
							    iocb->ki_pos >> PAGE_SHIFT));
	}
	if (!ret)
		ret = generic_perform_write(iocb, from);
	/* Small writes make single pages. */
	itme_lru_drain();
	/* If nothing came after the hole. */
	itme_pages_reserve(ino, pages_of(i_size_read(inode)));
out:
	inode_unlock(inode);
	return ret;
}

/*
 * What is at @index: a folio that is held; NULL: a hole up to page @end; -EAGAIN: not
 * without waiting; else an error.
 */
static struct folio *read_page(struct itme_inode *ino, pgoff_t index, bool nowait, pgoff_t *end)
{
	u32 idx = itme_chunk_of(ino, index);

	for (;;) {
		struct folio *folio = itme_folio_get(ino, index);
		enum itme_page what;
		int err;

		if (folio)
			return folio;
		what = itme_page_look(ino, index, end);
		if (what == ITME_PAGE_HOLE)
			return NULL;
		if (what == ITME_PAGE_THERE)
			continue;
		if (nowait) {
			if (what == ITME_PAGE_STORED)
				itme_prefetch(ino, (struct itme_range){ idx, 1 });
			return ERR_PTR(-EAGAIN);
		}
		if (what == ITME_PAGE_STORED && !itme_demand(ino, index, index + 1))
			return ERR_PTR(-ENOMEM);
		err = itme_wait_filled(ino, idx);
		if (err)
			return ERR_PTR(err);
	}
}

/* Bytes copied; the size is looked at when the page has been found, see shrink(). */
static ssize_t read_some(struct kiocb *iocb, struct iov_iter *to, u32 *touched)
{
	struct itme_inode *ino = itme_i(file_inode(iocb->ki_filp));
	pgoff_t index = iocb->ki_pos >> PAGE_SHIFT;
	u32 idx = itme_chunk_of(ino, index);
	struct folio *folio;
	loff_t size, n;
	size_t offset;
	pgoff_t end;

	folio = read_page(ino, index, iocb->ki_flags & IOCB_NOWAIT, &end);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	size = i_size_read(&ino->vfs);
	n = min_t(loff_t, size - iocb->ki_pos, iov_iter_count(to));
	if (!folio) {
		n = min_t(loff_t, n, ((loff_t)end << PAGE_SHIFT) - iocb->ki_pos);
		return n <= 0 ? 0 : iov_iter_zero(n, to) ?: -EFAULT;
	}
	/* It has shrunk meanwhile: the end of the file. */
	if (n <= 0) {
		folio_put(folio);
		return 0;
	}
	if (idx != *touched)
		itme_touch(ino, index, index + 1, iocb->ki_filp->f_mode & FMODE_RANDOM);
	*touched = idx;
	offset = offset_in_folio(folio, iocb->ki_pos);
	n = min_t(loff_t, n, folio_size(folio) - offset);
	/* Page by page where one of them has gone bad. */
	if (folio_test_large(folio) && folio_test_has_hwpoisoned(folio))
		n = min_t(loff_t, n, PAGE_SIZE - offset_in_page(offset));
	if (itme_page_poisoned(folio, index))
		n = -EIO;
	else
		n = copy_folio_to_iter(folio, offset, n, to) ?: -EFAULT;
	folio_put(folio);
	return n;
}

static ssize_t native_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	u32 touched = U32_MAX;
	ssize_t done = 0;
	ssize_t n = 0;

	while (iov_iter_count(to) && iocb->ki_pos < i_size_read(file_inode(file))) {
		n = read_some(iocb, to, &touched);
		if (n <= 0)
			break;
		iocb->ki_pos += n;
		done += n;
		if (fatal_signal_pending(current)) {
			n = -EINTR;
			break;
		}
		cond_resched();
	}
	file_accessed(file);
	return done ?: min_t(ssize_t, n, 0);
}

/* The first byte at or after @pos that is data, or in a hole; the end counts as one. */
static loff_t seek(struct itme_inode *ino, loff_t pos, loff_t size, bool data)
{
	while (pos < size) {
		pgoff_t index = pos >> PAGE_SHIFT;
		u32 idx = itme_chunk_of(ino, index);
		pgoff_t next;
		int what = itme_page_wait(ino, index, &next);
		bool exists = what != ITME_PAGE_HOLE;

		if (what < 0 || fatal_signal_pending(current))
			return -EINTR;
		if (exists == data)
			return pos;
		if (exists) {
			next = index + 1;
		} else if (itme_chunk_at(ino, idx) == &itme_no_chunk) {
			if (!itme_chunk_next(ino, &idx))
				break;
			next = itme_chunk_start(ino, idx);
		}
		pos = (loff_t)next << PAGE_SHIFT;
		cond_resched();
	}
	return data ? -ENXIO : size;
}

static loff_t native_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t size;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek(file, offset, whence);
	inode_lock_shared(inode);
	size = i_size_read(inode);
	if (offset < 0 || offset >= size)
		offset = -ENXIO;
	else
		offset = seek(itme_i(inode), offset, size, whence == SEEK_DATA);
	inode_unlock_shared(inode);
	return offset < 0 ? offset : vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static const struct file_operations native_file_ops = {
	.owner			= THIS_MODULE,
	.open			= itme_open,
	.release		= itme_release,
	.llseek			= native_llseek,
	.read_iter		= native_read_iter,
	.write_iter		= native_write_iter,
	.mmap			= itme_mmap,
	.get_unmapped_area	= thp_get_unmapped_area,
	.splice_read		= copy_splice_read,
	.splice_write		= iter_file_splice_write,
	.fsync			= noop_fsync,
	.fallocate		= native_fallocate,
	.fadvise		= itme_fadvise,
	.unlocked_ioctl		= itme_ioctl,
	.compat_ioctl		= compat_ptr_ioctl,
};

/**
 * itme_native_init - make a new inode a written file
 * @ino: inode, with its mode, owner and quota, not an object yet
 *
 * Return: 0 or -errno
 */
int itme_native_init(struct itme_inode *ino)
{
	struct inode *inode = &ino->vfs;

	ino->native = true;
	ino->chunk_shift = ITME_CHUNK_MAX_SHIFT;
	xa_init_flags(&ino->segs, XA_FLAGS_ACCOUNT);
	inode->i_fop = &native_file_ops;
	inode->i_mapping->a_ops = &itme_native_aops;
	/* As for imported files, see new_import(). */
	mapping_set_unevictable(inode->i_mapping);
	mapping_set_release_always(inode->i_mapping);
	mapping_set_large_folios(inode->i_mapping);
	return itme_host_make(ino);
}
