/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: types and locks of itme.ko
 *
 * Three paths:
 *
 *   fault     file -> residency -> mover -> backing
 *   hint      ioctl | fadvise | madvise -> hint -> residency -> mover
 *   demotion  pressure | budget -> policy -> mover
 *
 * Locks, outermost first:
 *
 *   inode lock               names in a directory, attributes and ACLs of an inode
 *   pending_mutex            netlink_plan.c; plans that have come in part, by socket
 *   mounted_lock             netlink.c; spinlock, none taken inside: which file system
 *   fs->budget_lock          mutex; one change of budgets or nodes at a time
 *   folio lock               page cache identity of a folio, as anywhere in mm
 *   fs->lock                 spinlock; chunk state, queues, streams, pins
 *   inode->i_lock            taken by igrab() under fs->lock
 *   mapping->i_pages         xa_lock, as anywhere in mm; recycle.c, folio locked
 *   ring_lock                event.c: what is to be told to listeners
 *   attr_lock                xattr.c; rwlock; lists of attributes
 *   fs->quota_lock           spinlock; what files may take, struct itme_quota
 *   charge_lock              tier.c; spinlock; use against budget of a tier
 *   areas.lock               area.c; spinlock; which areas there are, units taken
 *
 *   areas.mutex              area.c; areas come and go. Inside: the inode lock of the
 *                            file that is an area; none of ours but areas.lock
 *   itme_table_mutex         table.c; parts of tables of native files are added. None of
 *                            ours inside but fs->quota_lock
 *   writeout.one             mutex; a part is written beside reads; none inside
 *
 * fs->lock is taken in process context only: completions of I/O go through a
 * work item. Nothing sleeps or takes a folio lock under it.
 *
 * A chunk in transit (ITME_FILLING, ITME_BUSY) belongs to the one who put it
 * there, until that one puts it back to ITME_ABSENT or ITME_RESIDENT. That
 * stands where other file systems take mapping->invalidate_lock: a page comes into
 * the page cache and goes from it, and so into being and out of it, by the owner of
 * its chunk only, but for what the kernel takes. The content of imported files never
 * changes, and that of native ones changes in the page cache, so whoever finds an
 * uptodate folio may use it whatever the state of its chunk is.
 *
 * Lifetimes: a work item that names an inode holds a reference on it (igrab),
 * and fs->inflight counts it; unmount waits for that count to be zero before it
 * lets go of the inodes. The inode holds the lower file until it is evicted.
 */
#ifndef ITME_H
#define ITME_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/pagemap.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <linux/itme.h>

#include "area.h"
#include "lookahead.h"
#include "plan.h"
#include "policy.h"
#include "quota.h"
#include "stats.h"
#include "stream.h"
#include "writeout.h"

#define ITME_CHUNK_MIN_SHIFT	16
#define ITME_CHUNK_MAX_SHIFT	21
#define ITME_CHUNK_MAX_PAGES	(1UL << (ITME_CHUNK_MAX_SHIFT - PAGE_SHIFT))
/* Chunks of a segment of the table of a native file, see table.c. */
#define ITME_SEG_CHUNKS		120
#define ITME_SEG_PAGES		(ITME_SEG_CHUNKS * ITME_CHUNK_MAX_PAGES)
/*
 * Chunks have numbers of 32 bits, and so has the one after the last of any segment: who
 * goes over them counts one further.
 */
#define ITME_MAX_BYTES		((loff_t)rounddown(U32_MAX - 1, ITME_SEG_CHUNKS) << \
				 ITME_CHUNK_MAX_SHIFT)
/* Below this the ring cannot stream. */
#define ITME_MIN_BUDGET		(4 * ITME_CHUNK_MAX_PAGES)
/* WILLNEEDs and their like that wait for their turn; further ones come to nothing. */
#define ITME_HINT_QUEUE		256
/* Fills that these may add to: enough for a drive, few enough for a reader. */
#define ITME_HINT_DEPTH		32

/**
 * struct itme_tier_mem - nodes and budget of a memory tier
 * @nodes: nodes folios are taken from; set at mount, then constant
 * @budget: pages ITME may hold; written under fs->budget_lock
 * @used: pages held. Raised before a folio is allocated, lowered when it has
 *	left the page cache, whoever took it out (free_folio).
 */
struct itme_tier_mem {
	nodemask_t nodes;
	atomic_long_t budget;
	atomic_long_t used;
};

/* There is one itmefs a machine, so budgets are the machine's. See tier.c. */
extern struct itme_tier_mem itme_tiers[ITME_MEM_TIERS];

/**
 * struct itme_fs - the mounted file system
 * @sb: its super block
 * @lock: see above
 * @queues: resident chunks by tier, under @lock
 * @asked: pages of chunks whose fill has begun and that have no place in a queue yet,
 *	under @lock
 * @plans: plans, under @lock
 * @last_plan: number of the newest plan
 * @plan_round: of who reads ahead for plans, see there
 * @triggers: those of @plans, an RCU list, written under @lock
 * @lookahead: how the ring has done in this pass, under @lock
 * @stray: file that was used last without a plan that is trusted; under @lock
 * @stray_at: when, 1/ITME_HZ s
 * @learn: who makes plans of touches
 * @objects: inodes by number, until evicted; seen and erased under @lock
 * @next_id: where the search for a free number starts
 * @budget_lock: see above
 * @pages_wait: woken when a chunk has come to rest or left, or a budget changed;
 *	who waits also looks by himself now and then, as the kernel frees pages too
 * @inflight: work items that hold an inode
 * @prefetches: those of them that fill and are not waited for
 * @starving: fills that are waited for and find no room
 * @reads: reads under way, of lower files and swap areas
 * @areas: swap areas
 * @writeout: who writes to them ahead of need
 * @willneeds: those of them that work on a WILLNEED, a prefetch, or a HOT that nobody
 *	waits for
 * @inflight_wait: woken when @inflight or @prefetches falls
 * @stopping: no new work; unmount is under way
 * @offlining: a block of memory goes offline
 * @demand_wq: fills somebody waits for
 * @prefetch_wq: fills nobody waits for
 * @hint_wq: WILLNEEDs and prefetches, a few at a time
 * @heat_wq: HOTs, which may wait for fills
 * @plan_wq: plans that read ahead, prefetches that have come in
 * @done_wq: completions of reads; never blocked by a fill that waits for room
 * @done: reads of plans that are done; who reads ahead next sees to them
 * @done_work: or this does, a little later
 * @waiters: tasks that wait for chunks to come to rest
 * @evict_wq: makes room for the shrinker
 * @evict_work: the worker of @evict_wq
 * @evict_want: pages it was asked for
 * @evict_done: pages it has freed since the mount
 * @sample_work: looks which chunks are in use, promotes
 * @rotation: time between two looks of the sampler at a chunk, 1/ITME_HZ s, by tier
 * @sampled_read: bytes read when the sampler last looked
 * @counters: since the mount
 * @mode: of the root directory, at mount
 * @uid: likewise
 * @gid: likewise
 * @quota: what all written files together take
 * @quota_lock: protects it, those below it, and the shares of inodes
 * @inodes: inodes, and names of them beyond the first
 * @inodes_max: most that there may be; those of imports do not fail for it
 * @small: bytes of kernel memory that inodes have for attributes and the like
 * @tables: likewise, for where the pages of written files are
 * @reserve: files have room promised up to their end; set at mount, then constant
 * @last_ino: newest inode number
 */
struct itme_fs {
	struct super_block *sb;
	spinlock_t lock;
	struct itme_queues queues[ITME_MEM_TIERS];
	long asked;
	struct list_head plans;
	u32 last_plan;
	u32 plan_round;
	struct list_head triggers;
	struct itme_lookahead lookahead;
	u32 stray;
	u32 stray_at;
	struct itme_learn *learn;
	struct xarray objects;
	u32 next_id;
	struct mutex budget_lock;
	wait_queue_head_t pages_wait;
	atomic_t inflight;
	atomic_t prefetches;
	atomic_t starving;
	atomic_t reads;
	struct itme_areas areas;
	struct itme_writeout writeout;
	atomic_t willneeds;
	wait_queue_head_t inflight_wait;
	bool stopping;
	bool offlining;
	struct workqueue_struct *demand_wq;
	struct workqueue_struct *prefetch_wq;
	struct workqueue_struct *hint_wq;
	struct workqueue_struct *heat_wq;
	struct workqueue_struct *plan_wq;
	struct workqueue_struct *done_wq;
	struct llist_head done;
	struct delayed_work done_work;
	atomic_t waiters;
	struct workqueue_struct *evict_wq;
	struct work_struct evict_work;
	atomic_long_t evict_want;
	atomic_long_t evict_done;
	struct delayed_work sample_work;
	u32 rotation[ITME_MEM_TIERS];
	u64 sampled_read;
	struct itme_counters counters;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	struct itme_quota quota;
	spinlock_t quota_lock;
	atomic_long_t inodes;
	long inodes_max;
	atomic_long_t small;
	atomic_long_t tables;
	bool reserve;
	atomic64_t last_ino;
};

/**
 * struct itme_inode - an inode; if it is a regular file, an object
 * @vfs: the inode
 * @fs: the file system
 * @id: number in fs->objects, 0 if it is no regular file
 * @native: a written file: it has no lower file
 * @counted: in fs->inodes
 * @own_quota: a directory: @quota was made for it
 * @chunk_shift: log2 of the chunk size in bytes
 * @nr_chunks: chunks of the file; of a native one they follow its size
 * @chunks: their state, under fs->lock; of a native file NULL
 * @segs: likewise of a native file, see table.c
 * @lower: the lower file, open O_DIRECT for reading, writers denied
 * @lower_mtime: when it was last written, at import
 * @lower_mount: where it was mounted then, see path.c
 * @last_name: path that it had before it lost its last name; under the inode lock
 * @quota: what the file, or what is made in the directory, counts for; changes for an
 *	empty directory only, under its inode lock
 * @charged: pages that it has, under fs->quota_lock
 * @tables: pages of @segs that count as pages of the file, under fs->quota_lock
 * @units: of swap areas that @charged can take, under fs->quota_lock
 * @reserved: page up to which whatever does not exist is promised; written under
 *	fs->quota_lock and the inode lock
 * @promised: what is promised for that, under fs->quota_lock
 * @allot_first: first page that fallocate(2) is about to make, under fs->quota_lock
 * @allot_end: page after the last of those, likewise
 * @allotted: what is promised for them beyond @reserved, likewise
 * @small: its part of fs->small, under the inode lock
 * @attrs: extended attributes, see xattr.c
 * @planned: plans that name it; written under fs->lock
 * @sources: plans with triggers of which it has a source; written under fs->lock
 * @targets: plans with triggers of which it has a target, under fs->lock
 * @opens: open file descriptions; written under fs->lock
 * @hints: those of fs->willneeds that are for this file
 * @prefetches: of ITME_IOC_PREFETCH, while they are under way; under fs->lock
 * @streams: sequential readers, under fs->lock
 * @stored: what of a native file is on swap areas, struct itme_stored by chunk; changed
 *	by the owner of the chunk, under fs->lock
 * @counters: since the import
 */
struct itme_inode {
	struct inode vfs;
	struct itme_fs *fs;
	u32 id;
	u32 nr_chunks;
	u8 chunk_shift;
	bool native;
	bool counted;
	bool own_quota;
	u32 planned;
	u32 sources;
	u32 targets;
	u32 opens;
	atomic_t hints;
	struct list_head prefetches;
	struct itme_chunk *chunks;
	struct xarray segs;
	struct file *lower;
	struct timespec64 lower_mtime;
	char *lower_mount;
	char *last_name;
	struct itme_quota *quota;
	long charged;
	long tables;
	long units;
	pgoff_t reserved;
	struct itme_share promised;
	pgoff_t allot_first;
	pgoff_t allot_end;
	struct itme_share allotted;
	long small;
	struct list_head attrs;
	struct itme_streams streams;
	struct xarray stored;
	struct itme_counters counters;
};

static inline struct itme_inode *itme_i(struct inode *inode)
{
	return container_of(inode, struct itme_inode, vfs);
}

/* Of its page cache; the host of that may be another inode, see host.c. */
static inline struct itme_inode *itme_of(struct address_space *mapping)
{
	return itme_i(container_of(mapping, struct inode, i_data));
}

static inline struct itme_fs *itme_sb(struct super_block *sb)
{
	return sb->s_fs_info;
}

extern struct itme_chunk itme_no_chunk;
struct itme_chunk *itme_chunk_find(const struct itme_inode *ino, u32 idx);
u32 itme_chunk_number(const struct itme_chunk *c);
u16 *itme_chunk_count(const struct itme_chunk *c);

/* A hole of a native file has no chunk: &itme_no_chunk then, which is ABSENT. */
static inline struct itme_chunk *itme_chunk_at(const struct itme_inode *ino, u32 idx)
{
	return likely(ino->chunks) ? &ino->chunks[idx] : itme_chunk_find(ino, idx);
}

static inline u32 itme_chunk_idx(const struct itme_inode *ino, const struct itme_chunk *c)
{
	return likely(ino->chunks) ? c - ino->chunks : itme_chunk_number(c);
}

/* Of the largest folio that it may have. */
static inline unsigned int itme_max_order(const struct itme_inode *ino)
{
	unsigned int order = ino->chunk_shift - PAGE_SHIFT;

	return ino->native ? min_t(unsigned int, order, ITME_WRITTEN_ORDER) : order;
}

static inline u32 itme_chunk_of(const struct itme_inode *ino, pgoff_t index)
{
	return index >> (ino->chunk_shift - PAGE_SHIFT);
}

static inline pgoff_t itme_chunk_start(const struct itme_inode *ino, u32 idx)
{
	return (pgoff_t)idx << (ino->chunk_shift - PAGE_SHIFT);
}

/* Pages of a chunk; the last one of an imported file may be short. */
static inline unsigned long itme_chunk_pages(const struct itme_inode *ino, u32 idx)
{
	pgoff_t end = DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE);

	/* May have pages beyond the end of the file. */
	if (ino->native)
		return 1UL << (ino->chunk_shift - PAGE_SHIFT);
	return min(itme_chunk_start(ino, idx + 1), end) - itme_chunk_start(ino, idx);
}

/* Bytes of it; of a native file those that were in memory when it was last at rest. */
static inline u64 itme_chunk_bytes(const struct itme_inode *ino, u32 idx)
{
	if (ino->native) {
		struct itme_chunk *c = itme_chunk_at(ino, idx);

		return c == &itme_no_chunk ? 0 : (u64)*itme_chunk_count(c) << PAGE_SHIFT;
	}
	return min_t(u64, i_size_read(&ino->vfs), (u64)(idx + 1) << ino->chunk_shift) -
	       ((u64)idx << ino->chunk_shift);
}

/* Has it a name? Any context; that may change any time. */
static inline bool itme_linked(const struct itme_inode *ino)
{
	return READ_ONCE(ino->vfs.i_nlink);
}

/*
 * The page cache has one reference a page, each mapping one, the caller one. Any
 * more is somebody's who uses the memory: GUP, for O_DIRECT, RDMA or a GPU.
 */
static inline bool itme_folio_unused(struct folio *folio)
{
	int refs = folio_ref_count(folio);

	/*
	 * Who unmaps it gives up the mapping, tells whether it was dirty, then drops the
	 * reference of the mapping. Were the mappings counted first, one that goes in between
	 * would make up for a reference of somebody else. And whoever asks for dirty after
	 * this is told by those whose reference was not seen any more. Pairs with the
	 * atomic_dec_and_test() of folio_put().
	 */
	smp_rmb();
	return refs <= folio_nr_pages(folio) + folio_mapcount(folio) + 1;
}

/* super.c */
int itme_super_init(void);
void itme_super_exit(void);
bool itme_fs_get(struct itme_fs *fs);
void itme_fs_put(struct itme_fs *fs);

/* inode.c */
int itme_inode_cache_init(void);
void itme_inode_cache_exit(void);
struct inode *itme_inode_alloc(struct super_block *sb);
void itme_inode_free(struct inode *inode);
void itme_inode_evict(struct inode *inode);
int itme_import_file(struct file *dir, struct file *lower, const char *name, u32 chunk_size);
void itme_inode_put(struct itme_inode *ino);
int itme_object_add(struct itme_inode *ino);
struct itme_inode *itme_object_find(struct itme_fs *fs, const char *name);
const char *itme_object_path(struct itme_inode *ino, char *buf, int len);
char *itme_object_name(struct itme_inode *ino);
void itme_object_keep_name(struct itme_inode *ino, struct dentry *dentry);

/* native.c */
int itme_native_init(struct itme_inode *ino);
int itme_native_setsize(struct itme_inode *ino, loff_t size);

/* file.c */
extern const struct file_operations itme_file_ops;
extern const struct address_space_operations itme_aops;
extern const struct address_space_operations itme_native_aops;
struct folio *itme_folio_get(struct itme_inode *ino, pgoff_t index);
struct folio *itme_folio_lock(struct itme_inode *ino, pgoff_t index);
bool itme_demand(struct itme_inode *ino, pgoff_t first, pgoff_t end);
int itme_wait_filled(struct itme_inode *ino, u32 idx);
void itme_touch(struct itme_inode *ino, pgoff_t first, pgoff_t end, bool random);
int itme_open(struct inode *inode, struct file *file);
int itme_release(struct inode *inode, struct file *file);
int itme_mmap(struct file *file, struct vm_area_struct *vma);

/* ioctl.c */
long itme_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* hint.c */
int itme_advise(struct itme_inode *ino, struct itme_advise *arg, bool wait);
int itme_fadvise(struct file *file, loff_t offset, loff_t len, int advice);
int itme_bring_in(struct itme_inode *ino, u32 idx, int tier);
bool itme_move_to(struct itme_inode *ino, u32 idx, int tier);
bool itme_hint_begin(struct itme_inode *ino);
void itme_hint_end(struct itme_inode *ino);
u32 itme_hint_bound(struct itme_inode *ino, int tier);

/* prefetch.c */
int itme_prefetch_open(struct file *file, struct itme_prefetch *arg);
void itme_prefetch_filled(struct itme_inode *ino, u32 idx);
int itme_wait(struct itme_inode *ino, struct itme_wait *arg);

/* heat.c */
int itme_heat(struct itme_inode *ino, struct itme_range range, int tier, bool wait, u64 *done);

/* query.c */
u8 itme_query_chunk(struct itme_inode *ino, u32 idx, struct itme_residency *res);
int itme_query_bytes(struct itme_inode *ino, u64 *bytes);
void itme_query_object(struct itme_inode *ino, struct itme_object *obj);

/* table.c */
extern struct mutex itme_table_mutex;
int itme_chunk_make(struct itme_inode *ino, u32 idx);
long itme_tables_missing(struct itme_inode *ino, pgoff_t first, pgoff_t end);
bool itme_chunk_next(struct itme_inode *ino, u32 *idx);
void itme_chunks_free(struct itme_inode *ino);

/* queue.c; itme_queue_*() under fs->lock */
u32 itme_now(void);
struct itme_queue *itme_queue_of(struct itme_fs *fs, const struct itme_chunk *c);
void itme_queue_add(struct itme_inode *ino, struct itme_chunk *c);
void itme_queue_del(struct itme_inode *ino, struct itme_chunk *c);
void itme_queue_set_untouched(struct itme_inode *ino, struct itme_chunk *c, bool untouched);
void itme_queue_change_tier(struct itme_inode *ino, struct itme_chunk *c, int tier);
bool itme_queue_fits_main(struct itme_inode *ino, u32 idx);
bool itme_queue_spread_main(struct itme_inode *ino, u32 idx);
struct itme_inode *itme_queue_hold_inode(struct itme_fs *fs, const struct itme_chunk *c);
bool itme_chunk_fits_main(struct itme_inode *ino, u32 idx);
bool itme_chunk_set_cold(struct itme_inode *ino, u32 idx);
void itme_chunk_release(struct itme_inode *ino, u32 idx);
void itme_chunk_set_pages(struct itme_inode *ino, u32 idx, long pages);
bool itme_chunk_set_hot(struct itme_inode *ino, u32 idx, int tier);
int itme_chunk_pin(struct itme_inode *ino, u32 idx, int tier, bool *fresh);
bool itme_chunk_unpin(struct itme_inode *ino, u32 idx);
struct itme_inode *itme_chunk_sample(struct itme_fs *fs, int tier, u32 *idx, bool *touched,
				     u32 *heat);
void itme_chunk_classify(struct itme_inode *ino, u32 idx, enum itme_class class);
bool itme_chunk_may_hold(struct itme_inode *ino, u32 idx);
void itme_chunks_retry_held(struct itme_fs *fs);

/* residency.c */
bool itme_chunk_begin_fill(struct itme_inode *ino, u32 idx, bool demand, bool hole);
int itme_chunk_place(struct itme_inode *ino, u32 idx, int tier, enum itme_class class,
		     bool force_main);
void itme_chunk_replace(struct itme_inode *ino, u32 idx, int tier);
void itme_chunk_follow(struct itme_inode *ino, u32 idx, int tier);
void itme_chunk_end_fill(struct itme_inode *ino, u32 idx, bool resident, int err);
bool itme_chunk_begin_leave(struct itme_inode *ino, u32 idx);
void itme_chunk_take(struct itme_inode *ino, u32 idx);
void itme_chunk_end_leave(struct itme_inode *ino, u32 idx, int tier, bool held);
struct itme_inode *itme_chunk_begin_victim(struct itme_fs *fs, int tier, bool demand, u32 *idx);
struct itme_inode *itme_chunk_begin_colder(struct itme_fs *fs, int tier, u32 interval, u32 *idx);
int itme_chunk_wait(struct itme_inode *ino, u32 idx);
int itme_chunk_error(struct itme_inode *ino, u32 idx);
bool itme_chunk_kept(const struct itme_inode *ino, u32 idx);
struct itme_chunk itme_chunk_peek(struct itme_inode *ino, u32 idx);
void itme_chunks_forget(struct itme_inode *ino);

/* touch.c */
bool itme_chunk_untouched(const struct itme_inode *ino, u32 idx);
void itme_chunk_young(struct itme_inode *ino, u32 idx);
long itme_chunk_ring(struct itme_fs *fs);
long itme_chunk_issue_room(struct itme_fs *fs);
void itme_chunk_give_up(struct itme_inode *ino, u32 idx);
struct itme_range itme_chunk_touch(struct itme_inode *ino, u32 idx, bool random);
u32 itme_chunk_interval(struct itme_inode *ino, u32 idx);
bool itme_chunk_demotable(struct itme_inode *ino, u32 idx);

/* fill.c */
struct fill;
int itme_fill_init(void);
void itme_fill_exit(void);
struct fill *itme_fill_begin(struct itme_inode *ino, u32 idx, bool demand, int tier);
struct fill *itme_fill_plan(struct itme_inode *ino, u32 idx);
void itme_fill_queue(struct fill *fill);
void itme_fill_run(struct fill *fill);
void itme_fills_done(struct itme_fs *fs);
void itme_fills_done_work(struct work_struct *work);
void itme_fills_hasten(struct itme_fs *fs);
bool itme_fill(struct itme_inode *ino, u32 idx, bool demand, int tier);
void itme_lru_drain(void);
void itme_prefetch(struct itme_inode *ino, struct itme_range range);

/* recycle.c */
/**
 * struct itme_spare - a folio between two chunks
 * @folio: locked, in no page cache, charged to its tier; NULL when there is none
 * @pages: that it has, or has to have
 * @tier: likewise, the tier it is in
 */
struct itme_spare {
	struct folio *folio;
	long pages;
	int tier;
};

bool itme_spare_take(struct itme_spare *spare, struct itme_inode *ino, u32 idx);
struct folio *itme_spare_add(struct itme_spare *spare, struct itme_inode *ino, pgoff_t index);
void itme_spare_free(struct itme_spare *spare);

/* mover.c */
bool itme_whole(struct itme_inode *ino, u32 idx);
long itme_present(struct itme_inode *ino, u32 idx);
bool itme_held(struct itme_inode *ino, u32 idx);
bool itme_drop(struct itme_inode *ino, u32 idx, bool force);
bool itme_move(struct itme_inode *ino, u32 idx, int tier);
long itme_evict_to(struct itme_fs *fs, int tier, bool demand, struct itme_spare *spare);
long itme_evict(struct itme_fs *fs, int tier, bool demand);
bool itme_evict_colder(struct itme_fs *fs, int tier, u32 interval);
int itme_make_room(struct itme_fs *fs, int tier, long pages);

/* backing.c */
/**
 * struct itme_read - one read of the lower file into folios
 * @iocb: the request
 * @iter: where to
 * @done: called once, whatever happens, in any context
 * @bvec: the folios, @nr of them
 * @nr: number of @bvec
 * @pos: offset in the lower file, bytes
 * @len: bytes wanted; short only at the end of the file
 * @result: bytes read or -errno
 */
struct itme_read {
	struct kiocb iocb;
	struct iov_iter iter;
	void (*done)(struct itme_read *read);
	struct bio_vec *bvec;
	unsigned int nr;
	loff_t pos;
	size_t len;
	long result;
};

struct file *itme_backing_open(struct file *lower);
void itme_backing_close(struct file *lower);
void itme_backing_read(struct file *lower, struct itme_read *read);

/* path.c */
char *itme_mount_path(struct file *file);
char *itme_file_path(struct file *file, const char *mount, char *buf);

/* tier.c */
bool itme_tier_charge(int tier, long pages);
void itme_tier_uncharge(int tier, long pages);
int itme_tier_of(int nid);
struct folio *itme_tier_alloc(int tier, unsigned int order, bool hard);
struct folio *itme_tier_alloc_zeroed(int tier, unsigned int order, bool hard);
u64 itme_tier_capacity(const nodemask_t *nodes);
u64 itme_tier_free(const nodemask_t *nodes);
int itme_tier_check(int tier, u64 bytes, const nodemask_t *nodes, const char **why);
int itme_tier_set(struct itme_fs *fs, int tier, u64 bytes);
void itme_tier_info(struct itme_fs *fs, int tier, struct itme_tier_info *info);

static inline long itme_tier_room(int tier)
{
	return atomic_long_read(&itme_tiers[tier].budget) -
	       atomic_long_read(&itme_tiers[tier].used);
}

/* pressure.c */
int itme_pressure_start(struct itme_fs *fs);
void itme_pressure_stop(struct itme_fs *fs);
void itme_pressure_want(struct itme_fs *fs, long pages);

#endif /* ITME_H */
