/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: a chunk being filled, and the memory for it
 */
#ifndef ITME_FILL_H
#define ITME_FILL_H

#include <linux/bvec.h>
#include <linux/workqueue.h>

#include "itme.h"

/* Folios a request may have; the rest of a chunk goes with the next one. */
#define RUN_FOLIOS	64

/**
 * struct fill - a chunk being filled
 * @read: the request under way
 * @work: the next step
 * @done_work: what follows a read
 * @done: in fs->done
 * @parties: to the request under way: who has submitted it, and its completion. The
 *	last one to be done with it goes on, as file systems look at the kiocb once more
 *	after they have queued it
 * @ino: file, held
 * @idx: chunk
 * @tier: tier the memory comes from
 * @demand: somebody waited for it when it began
 * @lazy: its end need not be noted at once
 * @placed: @tier is settled
 * @fell_back: @tier is not the one that was wanted
 * @charged: pages charged to @tier and not allocated yet
 * @spare: memory of the chunk that has left for this one
 * @err: of the last read
 * @small: a folio smaller than the chunk had to do
 * @index: first page not looked at yet
 * @started: ktime, nanoseconds
 * @bytes: read
 * @bvec: of @read
 */
struct fill {
	struct itme_read read;
	struct work_struct work;
	struct work_struct done_work;
	struct llist_node done;
	atomic_t parties;
	struct itme_inode *ino;
	u32 idx;
	u8 tier;
	bool demand;
	bool lazy;
	bool placed;
	bool fell_back;
	bool small;
	int err;
	long charged;
	struct itme_spare spare;
	pgoff_t index;
	u64 started;
	u64 bytes;
	struct bio_vec bvec[RUN_FOLIOS];
};

static inline pgoff_t itme_fill_stop(const struct fill *fill)
{
	return itme_chunk_start(fill->ino, fill->idx) + itme_chunk_pages(fill->ino, fill->idx);
}

/* room.c */
int itme_fill_charge(struct fill *fill, bool whole);
struct folio *itme_fill_folio(struct fill *fill, pgoff_t index, pgoff_t end, bool may_wait,
			      pgoff_t *next);

#endif /* ITME_FILL_H */
