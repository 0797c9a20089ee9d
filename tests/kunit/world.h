/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: a file system in small, for tests of the module's own code
 *
 * The types, locks and queues are those of kmod/, and so is the code that is under
 * test. What it calls of the rest (fill.c, mover.c, super.c) is faked in fakes.c:
 * memory is a number, a read takes no time. There is no mount and no file.
 */
#ifndef ITME_KUNIT_WORLD_H
#define ITME_KUNIT_WORLD_H

#include <kunit/test.h>

#include "itme.h"

/* One chunk is 16 pages, so that pages and chunks cannot be mixed up unseen. */
#define CHUNK_SHIFT	16
#define CHUNK_PAGES	(1L << (CHUNK_SHIFT - PAGE_SHIFT))

#define DRAM	ITME_TIER_DRAM
#define CXL	ITME_TIER_CXL
#define NVME	ITME_TIER_NVME

#define WORLD_FILES	2

/**
 * struct world_chunk - what the fakes know of a chunk
 * @owner: 1 while somebody has it in transit; see world_own()
 * @pages: charged to @tier for it
 * @tier: where its memory is
 * @held: something holds its memory, so that it can neither leave nor move
 */
struct world_chunk {
	atomic_t owner;
	long pages;
	int tier;
	bool held;
};

struct world_file {
	struct itme_inode ino;
	struct world_chunk *chunk;
};

/**
 * struct world - a file system and its files
 * @test: the test
 * @fs: as after a mount
 * @file: imported files
 * @nr_files: of them
 * @fill_error: fills fail with it, nothing of the chunk is there then
 * @fill_later: fills stay as they are, until world_end_fill()
 * @dwell: transits take time
 * @fills: fills begun
 * @evicts: calls of itme_evict()
 * @evict_nothing: itme_evict() finds nobody
 * @double_owner: how often a chunk was given to a second owner
 */
struct world {
	struct kunit *test;
	struct itme_fs fs;
	struct world_file file[WORLD_FILES];
	int nr_files;
	int fill_error;
	bool fill_later;
	bool dwell;
	atomic_t fills;
	atomic_t evicts;
	bool evict_nothing;
	atomic_t double_owner;
};

/* For the suites: .init and .exit; the world is test->priv. */
int world_init(struct kunit *test);
void world_exit(struct kunit *test);

/* A file of @bytes; the test fails if there is no memory for it. */
struct itme_inode *world_file(struct world *w, u64 bytes);
void world_budget(int tier, long chunks);

struct world_chunk *world_chunk(struct itme_inode *ino, u32 idx);

/* Who begins a transit owns the chunk until its end; two owners at once are counted. */
void world_own(struct itme_inode *ino, u32 idx);
void world_disown(struct itme_inode *ino, u32 idx);

/* A chunk resident in a tier, by a fill that was waited for, or not. */
void world_resident(struct itme_inode *ino, u32 idx, int tier);
void world_prefetched(struct itme_inode *ino, u32 idx, int tier);
/* The same, and used once. */
void world_used(struct itme_inode *ino, u32 idx, int tier);
/* The second half of a fill, see fill_later. */
void world_end_fill(struct itme_inode *ino, u32 idx, bool demand, int tier);
/* A chunk in any state; @state is reached by the calls the module makes. */
void world_state(struct itme_inode *ino, u32 idx, enum itme_state state);

/* The tier whose queues it is on. */
int world_tier(struct itme_inode *ino, u32 idx);
/* References that are held on an inode beside the world's own. */
int world_refs(struct itme_inode *ino);

/*
 * What is wrong with the queues, or NULL. Takes fs->lock for all of it. So many threads
 * may be pinning: until it is moved, a chunk counts as pinned where it was.
 */
const char *world_wrong(struct world *w, int pinning);
/* That, once nobody owns anything any more: accounting, counters, references. */
const char *world_wrong_at_rest(struct world *w);

/* Of the test that is running. */
#define EXPECT_WORLD_RIGHT(w)	KUNIT_EXPECT_STREQ(test, world_wrong(w, 0) ?: "", "")
#define EXPECT_WORLD_AT_REST(w)	KUNIT_EXPECT_STREQ(test, world_wrong_at_rest(w) ?: "", "")

/* Module parameters: longer, and other random numbers. */
bool world_soak(void);
u64 world_seed(void);

#endif /* ITME_KUNIT_WORLD_H */
