// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: prefetches that somebody waits for and lets go of: ITME_IOC_PREFETCH, ITME_IOC_WAIT
 *
 * A prefetch is a list of chunks in the order wanted, behind a descriptor. A worker begins
 * their fills; as these end, another one goes on along the list over what has come to
 * rest. At its end the prefetch is done, and who polls is woken. Closing the descriptor
 * ends it early, and what was filled for it and is unused is made the first to leave.
 *
 * Lifetimes: the descriptor holds the itmefs file, so unmount sees that as any open one.
 * While it is under way, a prefetch is in the list of its file, and holds the inode and
 * fs->inflight also after the descriptor was closed.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "itme.h"

/* Chunks looked at with fs->lock held. */
#define LOOK_MAX	256

/**
 * struct prefetch - what is behind a descriptor
 * @ref: of the descriptor, of the list, of each work that is queued
 * @node: in ino->prefetches, under fs->lock as all up to @closed
 * @next: position whose fill is to be begun next
 * @end: after the last one
 * @settled: positions from the first on that have come to rest
 * @waits_for: chunk at @settled
 * @done: nothing is under way; not in the list any more
 * @closed: so is the descriptor
 * @ino: file, held
 * @file: through which; held until the descriptor is closed
 * @begin: begins the fills
 * @settle: when one has ended
 * @wait: woken when it is done
 * @left: chunks that may still be brought in, by tier
 * @mine: bit for each position that was filled for this
 * @nr: of @span
 * @span: chunks wanted
 */
struct prefetch {
	refcount_t ref;
	struct list_head node;
	u32 next;
	u32 end;
	u32 settled;
	u32 waits_for;
	bool done;
	bool closed;
	struct itme_inode *ino;
	struct file *file;
	struct work_struct begin;
	struct work_struct settle;
	wait_queue_head_t wait;
	u32 left[ITME_MEM_TIERS];
	unsigned long *mine;
	u32 nr;
	struct prefetch_span {
		u32 start;
		u32 nr;
		u64 at;
	} span[] __counted_by(nr);
};

static void prefetch_put(struct prefetch *p)
{
	if (!refcount_dec_and_test(&p->ref))
		return;
	iput(&p->ino->vfs);
	kvfree(p->mine);
	kvfree(p);
}

static u32 chunk_at(const struct prefetch *p, u32 pos)
{
	u32 low = 0, high = p->nr;

	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (p->span[mid].at <= pos)
			low = mid;
		else
			high = mid;
	}
	return p->span[low].start + (pos - p->span[low].at);
}

/* It is done, and the descriptor closed: nobody will use what has come for it. */
static void let_go(struct prefetch *p)
{
	for (u32 pos = 0; pos < p->end; pos++) {
		if (test_bit(pos, p->mine))
			itme_chunk_release(p->ino, chunk_at(p, pos));
		if (!(pos % LOOK_MAX))
			cond_resched();
	}
}

/*
 * Over what has come to rest. Return: true once, when that was the last of it; @closed
 * is then whether the descriptor has been closed before
 */
static bool go_on(struct prefetch *p, bool *more, bool *closed)
{
	struct itme_fs *fs = p->ino->fs;
	bool done;

	*more = false;
	spin_lock(&fs->lock);
	for (u32 left = LOOK_MAX; p->settled < p->next; p->settled++) {
		p->waits_for = chunk_at(p, p->settled);
		if (itme_chunk_at(p->ino, p->waits_for)->state == ITME_FILLING)
			break;
		*more = !left--;
		if (*more)
			break;
	}
	done = p->settled == p->end && !p->done;
	if (done) {
		list_del_init(&p->node);
		/* Who sees it without the lock sees @end and @mine as they are now, too. */
		smp_store_release(&p->done, true);
	}
	*closed = p->closed;
	spin_unlock(&fs->lock);
	return done;
}

static void settle(struct prefetch *p)
{
	struct itme_inode *ino = p->ino;
	struct itme_fs *fs = ino->fs;
	bool more, closed, done;

	do {
		done = go_on(p, &more, &closed);
		cond_resched();
	} while (more);
	if (!done)
		return;
	wake_up_all(&p->wait);
	/* If it is closed later, prefetch_release() does this. */
	if (closed)
		let_go(p);
	itme_hint_end(ino);
	prefetch_put(p);
	itme_fs_put(fs);
}

static void settle_work(struct work_struct *work)
{
	struct prefetch *p = container_of(work, struct prefetch, settle);
	struct itme_fs *fs = p->ino->fs;

	settle(p);
	prefetch_put(p);
	itme_fs_put(fs);
}

/**
 * itme_prefetch_filled - a fill has ended
 * @ino: file
 * @idx: chunk
 *
 * Under fs->lock.
 */
void itme_prefetch_filled(struct itme_inode *ino, u32 idx)
{
	struct itme_fs *fs = ino->fs;
	struct prefetch *p;

	lockdep_assert_held(&fs->lock);
	list_for_each_entry(p, &ino->prefetches, node) {
		if (p->settled == p->next || p->waits_for != idx)
			continue;
		/* Also while unmount waits: what is in the list holds one already. */
		atomic_inc(&fs->inflight);
		refcount_inc(&p->ref);
		if (!queue_work(fs->plan_wq, &p->settle)) {
			refcount_dec(&p->ref);
			atomic_dec(&fs->inflight);
		}
	}
}

/* Return: false when no more are to be begun */
static bool begin_one(struct prefetch *p, u32 pos)
{
	int tier = p->left[ITME_TIER_DRAM] ? ITME_TIER_DRAM : ITME_TIER_CXL;
	struct itme_inode *ino = p->ino;
	struct itme_fs *fs = ino->fs;
	u32 idx = chunk_at(p, pos);

	wait_event_idle(fs->inflight_wait, atomic_read(&fs->prefetches) < ITME_HINT_DEPTH ||
			READ_ONCE(fs->stopping) || READ_ONCE(p->closed));
	if (READ_ONCE(fs->stopping) || READ_ONCE(p->closed))
		return false;
	if (p->left[tier] && itme_chunk_begin_fill(ino, idx, false, !itme_whole(ino, idx))) {
		p->left[tier]--;
		__set_bit(pos, p->mine);
		itme_fill(ino, idx, false, tier);
	}
	return true;
}

static void begin_work(struct work_struct *work)
{
	struct prefetch *p = container_of(work, struct prefetch, begin);
	struct itme_fs *fs = p->ino->fs;
	u32 end = p->end;
	u32 pos = 0;

	for (; pos < end && begin_one(p, pos); pos++) {
		spin_lock(&fs->lock);
		if (p->settled == p->next)
			p->waits_for = chunk_at(p, pos);
		p->next = pos + 1;
		spin_unlock(&fs->lock);
		cond_resched();
	}
	spin_lock(&fs->lock);
	p->end = pos;
	spin_unlock(&fs->lock);
	settle(p);
	prefetch_put(p);
	itme_fs_put(fs);
}

static bool is_done(const struct prefetch *p)
{
	/* Pairs with the release in go_on(). */
	return smp_load_acquire(&p->done);
}

static __poll_t prefetch_poll(struct file *file, struct poll_table_struct *table)
{
	struct prefetch *p = file->private_data;

	poll_wait(file, &p->wait, table);
	return is_done(p) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void count(struct prefetch *p, struct itme_prefetch_result *result)
{
	for (u32 pos = 0; pos < p->end; pos++) {
		u32 idx = chunk_at(p, pos);
		u64 bytes = itme_chunk_bytes(p->ino, idx);

		if (READ_ONCE(itme_chunk_at(p->ino, idx)->state) != ITME_ABSENT &&
		    itme_whole(p->ino, idx))
			result->bytes += bytes;
		else
			result->missing += bytes;
		if (itme_chunk_error(p->ino, idx) == -EIO)
			result->failed += bytes;
		if (!(pos % LOOK_MAX))
			cond_resched();
	}
}

static ssize_t prefetch_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct prefetch *p = file->private_data;
	struct itme_prefetch_result result = {};

	if (len < sizeof(result))
		return -EINVAL;
	if (!is_done(p) && file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	if (wait_event_interruptible(p->wait, is_done(p)))
		return -ERESTARTSYS;
	count(p, &result);
	return copy_to_user(buf, &result, sizeof(result)) ? -EFAULT : sizeof(result);
}

static int prefetch_release(struct inode *inode, struct file *file)
{
	struct prefetch *p = file->private_data;
	struct itme_fs *fs = p->ino->fs;
	struct file *through = p->file;
	bool done;

	spin_lock(&fs->lock);
	WRITE_ONCE(p->closed, true);
	done = p->done;
	spin_unlock(&fs->lock);
	/* Under way still, then who finds that it is done lets go. */
	if (done)
		let_go(p);
	else
		wake_up_all(&fs->inflight_wait);
	/* The file last: without it, and with nothing under way, unmount may come. */
	prefetch_put(p);
	fput(through);
	return 0;
}

/* No path leads from the descriptor to the file that it holds, so it is told here. */
static void prefetch_fdinfo(struct seq_file *seq, struct file *file)
{
	struct prefetch *p = file->private_data;
	char *name = itme_object_name(p->ino);

	seq_printf(seq, "itme-object:\t%u\nitme-name:\t", p->ino->id);
	seq_escape(seq, name ?: "", " \t\n\\");
	kfree(name);
	seq_printf(seq, "\nitme-done:\t%d\n", READ_ONCE(p->done));
}

static const struct file_operations prefetch_ops = {
	.owner		= THIS_MODULE,
	.llseek		= noop_llseek,
	.poll		= prefetch_poll,
	.read		= prefetch_read,
	.release	= prefetch_release,
	.show_fdinfo	= prefetch_fdinfo,
};

/* Chunks of a range; none when it is not one of the file. */
static int add_span(struct prefetch *p, u32 i, const struct itme_span *span)
{
	u64 size = i_size_read(&p->ino->vfs);
	struct prefetch_span *s = &p->span[i];
	u64 end;

	if (!span->length || span->offset >= size ||
	    check_add_overflow(span->offset, span->length, &end))
		return -EINVAL;
	s->start = span->offset >> p->ino->chunk_shift;
	s->nr = ((min(end, size) - 1) >> p->ino->chunk_shift) - s->start + 1;
	s->at = i ? s[-1].at + s[-1].nr : 0;
	return 0;
}

/*
 * As many of the first chunks as are there, under way, or fit; all that fits in the
 * tiers at most. Return: 0, -EINTR
 */
static int bound(struct prefetch *p, u32 tier)
{
	const struct prefetch_span *last = &p->span[p->nr - 1];
	u64 all = last->at + last->nr, most = 0, left = 0;

	for (u32 t = 0; t < ITME_MEM_TIERS; t++) {
		if (tier == t || tier == ITME_TIER_ANY)
			p->left[t] = itme_hint_bound(p->ino, t);
		left += p->left[t];
		most += atomic_long_read(&itme_tiers[t].budget) >>
			(p->ino->chunk_shift - PAGE_SHIFT);
	}
	all = min3(all, most, (u64)U32_MAX);
	for (p->end = 0; p->end < all; p->end++) {
		if (READ_ONCE(itme_chunk_at(p->ino, chunk_at(p, p->end))->state) == ITME_ABSENT &&
		    !left--)
			break;
		if (p->end % LOOK_MAX)
			continue;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Of the bytes that were asked for, those in the first p->end chunks. */
static u64 bytes_of(const struct prefetch *p, const struct itme_span *spans)
{
	u64 bytes = 0;

	for (u32 i = 0; i < p->nr && p->span[i].at < p->end; i++) {
		u64 end = (u64)(p->span[i].start + min_t(u64, p->span[i].nr,
							 p->end - p->span[i].at))
			  << p->ino->chunk_shift;

		end = min_t(u64, end, i_size_read(&p->ino->vfs));
		bytes += min(end - spans[i].offset, spans[i].length);
	}
	return bytes;
}

static struct prefetch *prefetch_alloc(struct itme_inode *ino, const struct itme_prefetch *arg,
				       u64 *bytes)
{
	struct itme_span *spans;
	struct prefetch *p;
	int err = 0;

	spans = memdup_array_user(u64_to_user_ptr(arg->spans), arg->count, sizeof(*spans));
	if (IS_ERR(spans))
		return ERR_CAST(spans);
	p = kvzalloc(struct_size(p, span, arg->count), GFP_KERNEL_ACCOUNT);
	if (!p) {
		kfree(spans);
		return ERR_PTR(-ENOMEM);
	}
	ihold(&ino->vfs);
	p->ino = ino;
	p->nr = arg->count;
	refcount_set(&p->ref, 1);
	INIT_LIST_HEAD(&p->node);
	init_waitqueue_head(&p->wait);
	INIT_WORK(&p->begin, begin_work);
	INIT_WORK(&p->settle, settle_work);
	for (u32 i = 0; i < p->nr && !err; i++)
		err = add_span(p, i, &spans[i]);
	if (!err)
		err = bound(p, arg->tier);
	if (!err) {
		p->mine = kvcalloc(BITS_TO_LONGS(p->end) ?: 1, sizeof(long), GFP_KERNEL_ACCOUNT);
		if (!p->mine)
			err = -ENOMEM;
	}
	*bytes = err ? 0 : bytes_of(p, spans);
	kfree(spans);
	if (!err)
		return p;
	prefetch_put(p);
	return ERR_PTR(err);
}

/* From here on it is under way, and nothing can fail. */
static void start(struct prefetch *p)
{
	struct itme_inode *ino = p->ino;
	struct itme_fs *fs = ino->fs;

	/* One each for the list and for the worker; the caller has got one. */
	refcount_add(2, &p->ref);
	atomic_inc(&fs->inflight);
	spin_lock(&fs->lock);
	list_add(&p->node, &ino->prefetches);
	spin_unlock(&fs->lock);
	queue_work(fs->hint_wq, &p->begin);
}

/**
 * itme_prefetch_open - ITME_IOC_PREFETCH
 * @file: of itmefs
 * @arg: checked, but for the ranges; @fd and @done are set
 *
 * Return: 0 or -errno, see struct itme_prefetch
 */
int itme_prefetch_open(struct file *file, struct itme_prefetch *arg)
{
	struct itme_inode *ino = itme_i(file_inode(file));
	struct file *handle;
	struct prefetch *p;
	int fd, err;

	p = prefetch_alloc(ino, arg, &arg->done);
	if (IS_ERR(p))
		return PTR_ERR(p);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto put;
	}
	err = -EAGAIN;
	if (!itme_fs_get(ino->fs))
		goto put_fd;
	if (!itme_hint_begin(ino))
		goto put_fs;
	handle = anon_inode_getfile("[itme-prefetch]", &prefetch_ops, p, O_RDONLY);
	if (IS_ERR(handle)) {
		err = PTR_ERR(handle);
		goto end_hint;
	}
	p->file = get_file(file);
	itme_count(ino, ITME_HINTS, 1);
	start(p);
	arg->fd = fd;
	fd_install(fd, handle);
	return 0;
end_hint:
	itme_hint_end(ino);
put_fs:
	itme_fs_put(ino->fs);
put_fd:
	put_unused_fd(fd);
put:
	prefetch_put(p);
	return err;
}

/* Nothing is about to change for the better. */
static bool at_rest(struct itme_inode *ino, u32 idx)
{
	u8 state = READ_ONCE(itme_chunk_at(ino, idx)->state);

	return state == ITME_RESIDENT || (state == ITME_ABSENT && !atomic_read(&ino->hints));
}

/**
 * itme_wait - ITME_IOC_WAIT
 * @ino: file
 * @arg: checked, but for the range; @done and @missing are set
 *
 * Return: 0 or -errno, see struct itme_wait
 */
int itme_wait(struct itme_inode *ino, struct itme_wait *arg)
{
	u64 size = i_size_read(&ino->vfs);
	ktime_t end = KTIME_MAX;
	u64 stop;
	u32 last;

	if (arg->offset >= size ||
	    check_add_overflow(arg->offset, arg->length ?: size - arg->offset, &stop))
		return -EINVAL;
	if (arg->timeout_ns >= 0)
		end = ktime_add_safe(ktime_get(), ns_to_ktime(arg->timeout_ns));
	last = (min(stop, size) - 1) >> ino->chunk_shift;
	arg->done = 0;
	arg->missing = 0;
	for (u32 idx = arg->offset >> ino->chunk_shift; itme_chunk_next(ino, &idx) && idx <= last;
	     idx++) {
		u64 bytes = itme_chunk_bytes(ino, idx);
		ktime_t left = end == KTIME_MAX ? end : ktime_sub(end, ktime_get());

		/* That the time is over is seen by what is not at rest. */
		if (!at_rest(ino, idx) && left > 0 &&
		    wait_event_interruptible_hrtimeout(ino->fs->pages_wait, at_rest(ino, idx),
						       left) == -ERESTARTSYS)
			return -EINTR;
		if (at_rest(ino, idx)) {
			if (READ_ONCE(itme_chunk_at(ino, idx)->state) != ITME_ABSENT &&
			    itme_whole(ino, idx))
				arg->done += bytes;
			else
				arg->missing += bytes;
		}
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
