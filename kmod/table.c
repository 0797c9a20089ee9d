// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the chunks of a file
 *
 * An imported file never changes its size, so its chunks are one array. A native file
 * grows, and may have holes of any size: its chunks come in segments of a page each,
 * made when a page in them is first made. A segment stays where it is until the inode is
 * evicted, so that pointers to its chunks stand. A chunk without one is a hole.
 * All but that at the start of the file count as pages of it: somebody who writes a byte
 * here and there, and punches it again, has to find an end.
 */
#include <linux/gfp.h>
#include <linux/xarray.h>

#include "itme.h"
#include "quota.h"

/**
 * struct segment - chunks of a native file, a page
 * @chunk: side by side in the file
 * @pages: of each, those in memory when it was last at rest; under fs->lock
 * @first: number of the first one
 */
struct segment {
	struct itme_chunk chunk[ITME_SEG_CHUNKS];
	u16 pages[ITME_SEG_CHUNKS];
	u32 first;
};

static_assert(sizeof(struct segment) <= PAGE_SIZE);

/* Of a hole. Nobody writes to it: who changes a chunk looks at its state first. */
struct itme_chunk itme_no_chunk = {
	.node = LIST_HEAD_INIT(itme_no_chunk.node),
	.state = ITME_ABSENT,
	.young = 1,
};

static struct segment *segment_of(const struct itme_chunk *c)
{
	return (struct segment *)((unsigned long)c & PAGE_MASK);
}

struct itme_chunk *itme_chunk_find(const struct itme_inode *ino, u32 idx)
{
	struct segment *seg = xa_load((struct xarray *)&ino->segs, idx / ITME_SEG_CHUNKS);

	return seg ? &seg->chunk[idx % ITME_SEG_CHUNKS] : &itme_no_chunk;
}

u32 itme_chunk_number(const struct itme_chunk *c)
{
	struct segment *seg = segment_of(c);

	return seg->first + (c - seg->chunk);
}

u16 *itme_chunk_count(const struct itme_chunk *c)
{
	struct segment *seg = segment_of(c);

	return &seg->pages[c - seg->chunk];
}

/*
 * A segment is charged and in the table, or neither, for who holds it: so what is promised for
 * those that are missing is right.
 */
DEFINE_MUTEX(itme_table_mutex);

static int add_segment(struct itme_inode *ino, u32 nr)
{
	struct segment *seg;
	int err;

	err = itme_table_charge_page(ino, nr);
	if (err)
		return err;
	err = -ENOMEM;
	seg = (struct segment *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!seg)
		goto uncharge;
	seg->first = nr * ITME_SEG_CHUNKS;
	for (u32 i = 0; i < ITME_SEG_CHUNKS; i++) {
		INIT_LIST_HEAD(&seg->chunk[i].node);
		seg->chunk[i].object = ino->id;
	}
	err = xa_insert(&ino->segs, nr, seg, GFP_KERNEL_ACCOUNT);
	if (!err)
		return 0;
	free_page((unsigned long)seg);
uncharge:
	itme_table_uncharge_page(ino, nr);
	return err;
}

/**
 * itme_chunk_make - have a chunk in the table
 * @ino: native file
 * @idx: chunk
 *
 * Return: 0, -ENOSPC or -ENOMEM
 */
int itme_chunk_make(struct itme_inode *ino, u32 idx)
{
	u32 nr = idx / ITME_SEG_CHUNKS;
	int err = 0;

	if (!ino->native || xa_load(&ino->segs, nr))
		return 0;
	mutex_lock(&itme_table_mutex);
	/* Somebody else may have been faster. */
	if (!xa_load(&ino->segs, nr))
		err = add_segment(ino, nr);
	mutex_unlock(&itme_table_mutex);
	return err;
}

/**
 * itme_tables_missing - what the table has to get before a range is full
 * @ino: native file, itme_table_mutex held
 * @first: page
 * @end: page after the last
 *
 * Return: segments that are not there and that count, those of [first, end) that do not begin
 * before it; all of them when @first is where a segment begins
 */
long itme_tables_missing(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	unsigned long nr, from = max(1UL, DIV_ROUND_UP(first, ITME_SEG_PAGES));
	unsigned long to = DIV_ROUND_UP(end, ITME_SEG_PAGES);
	struct segment *seg;
	long missing;

	if (to <= from)
		return 0;
	missing = to - from;
	xa_for_each_range(&ino->segs, nr, seg, from, to - 1) {
		missing--;
		cond_resched();
	}
	return missing;
}

/**
 * itme_chunk_next - the next chunk that is in the table
 * @ino: file
 * @idx: chunk to begin with; set to the one found
 *
 * Return: false when there is none
 */
bool itme_chunk_next(struct itme_inode *ino, u32 *idx)
{
	unsigned long nr = *idx / ITME_SEG_CHUNKS;
	struct segment *seg;

	if (!ino->native)
		return *idx < ino->nr_chunks;
	seg = xa_find(&ino->segs, &nr, ULONG_MAX, XA_PRESENT);
	if (!seg)
		return false;
	*idx = max(*idx, seg->first);
	return true;
}

/* The inode goes. */
void itme_chunks_free(struct itme_inode *ino)
{
	struct segment *seg;
	unsigned long nr;

	kvfree(ino->chunks);
	if (!ino->native)
		return;
	xa_for_each(&ino->segs, nr, seg) {
		free_page((unsigned long)seg);
		itme_table_uncharge(ino->fs, PAGE_SIZE);
		cond_resched();
	}
	xa_destroy(&ino->segs);
}
