// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: where the bytes of a file lie, read off the page cache itself
 */
#include <linux/sched/signal.h>

#include "itme.h"
#include "native.h"

/* The next page that is there, after a hole that begins at @index; else @end. */
static pgoff_t hole_end(struct itme_inode *ino, pgoff_t index, pgoff_t end)
{
	unsigned long there = index + 1;

	if (there < end && xa_find(&ino->vfs.i_mapping->i_pages, &there, end - 1, XA_PRESENT))
		return there;
	return end;
}

/**
 * itme_query_chunk - where a chunk lies
 * @ino: file
 * @idx: chunk
 * @res: bytes by tier and in large folios are added
 *
 * Return: its byte of the map, ITME_MAP_*
 */
u8 itme_query_chunk(struct itme_inode *ino, u32 idx, struct itme_residency *res)
{
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = index + itme_chunk_pages(ino, idx);
	/* Pages of native files count as a whole, also beyond its end; holes do not. */
	u64 left = ino->native ? ITME_CHUNK_MAX_PAGES << PAGE_SHIFT : itme_chunk_bytes(ino, idx);
	struct itme_chunk c = itme_chunk_peek(ino, idx);
	u64 bytes[ITME_TIER_NR] = {};
	int first = ITME_TIER_NVME;
	u8 map;

	while (index < end) {
		struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);
		int tier = ITME_TIER_NVME;
		u64 n;

		if (IS_ERR(folio)) {
			pgoff_t next = hole_end(ino, index, end);

			n = (u64)itme_pages_stored(ino, index, next) << PAGE_SHIFT;
			index = next;
		} else {
			n = folio_size(folio);
			index = folio_next_index(folio);
			if (folio_test_uptodate(folio))
				tier = itme_tier_of(folio_nid(folio));
			/* Not all of it, if it has come while the walk was in its middle. */
			if (tier != ITME_TIER_NVME && folio_test_pmd_mappable(folio))
				res->large += min(n, left);
			folio_put(folio);
		}
		n = min(n, left);
		left -= n;
		bytes[tier] += n;
		if (first == ITME_TIER_NVME)
			first = tier;
	}

	map = first;
	for (int tier = 0; tier < ITME_TIER_NR; tier++) {
		res->bytes[tier] += bytes[tier];
		if (tier != first && bytes[tier])
			map |= ITME_MAP_PARTIAL;
	}
	if (c.state == ITME_FILLING || c.state == ITME_BUSY)
		map |= ITME_MAP_FILLING;
	if (c.flags & ITME_C_PINNED)
		map |= ITME_MAP_PINNED;
	if (c.state == ITME_RESIDENT && c.flags & ITME_C_RING)
		map |= ITME_MAP_STREAM;
	if (c.state == ITME_RESIDENT && c.flags & ITME_C_UNTOUCHED && c.flags & ITME_C_PREFETCH)
		map |= ITME_MAP_PREFETCHED;
	if (c.flags & (ITME_C_EIO | ITME_C_ENOMEM))
		map |= ITME_MAP_ERROR;
	return map;
}

/**
 * itme_query_bytes - how much of a file lies where
 * @ino: file
 * @bytes: out, by tier; a hole of a written file is nowhere
 *
 * Takes as long as there are folios, however large the file is.
 *
 * Return: 0, or -EINTR when the task is being killed
 */
int itme_query_bytes(struct itme_inode *ino, u64 *bytes)
{
	u64 size = i_size_read(&ino->vfs), there = 0;
	pgoff_t end = DIV_ROUND_UP_ULL(size, PAGE_SIZE);
	pgoff_t index = 0;

	memset(bytes, 0, ITME_TIER_NR * sizeof(*bytes));
	while (index < end) {
		struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);
		u64 from = (u64)index << PAGE_SHIFT;

		if (IS_ERR(folio)) {
			index = hole_end(ino, index, end);
			continue;
		}
		index = folio_next_index(folio);
		if (folio_test_uptodate(folio)) {
			u64 n = min((u64)index << PAGE_SHIFT, size) - from;

			bytes[itme_tier_of(folio_nid(folio))] += n;
			there += n;
		}
		folio_put(folio);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (ino->native)
		size = min(size, (u64)READ_ONCE(ino->charged) << PAGE_SHIFT);
	bytes[ITME_TIER_NVME] = size - min(size, there);
	return 0;
}

/**
 * itme_query_object - what a file is made of
 * @ino: file
 * @obj: filled, but for the path
 */
void itme_query_object(struct itme_inode *ino, struct itme_object *obj)
{
	struct timespec64 mtime;
	struct inode *lower;

	*obj = (struct itme_object){
		.id = ino->id,
		.size = i_size_read(&ino->vfs),
		.chunk_size = 1U << ino->chunk_shift,
		.opens = READ_ONCE(ino->opens),
	};
	if (mapping_mapped(ino->vfs.i_mapping))
		obj->flags |= ITME_OBJECT_MAPPED;
	if (!itme_linked(ino))
		obj->flags |= ITME_OBJECT_REMOVED;
	if (!ino->lower) {
		obj->flags |= ITME_OBJECT_NATIVE;
		return;
	}
	lower = file_inode(ino->lower);
	mtime = inode_get_mtime(lower);
	obj->lower_ino = lower->i_ino;
	obj->lower_dev = new_encode_dev(lower->i_sb->s_dev);
	if (!lower->i_nlink)
		obj->flags |= ITME_OBJECT_UNLINKED;
	if (i_size_read(lower) != i_size_read(&ino->vfs) ||
	    !timespec64_equal(&mtime, &ino->lower_mtime))
		obj->flags |= ITME_OBJECT_CHANGED;
}
