/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: plans: what somebody knows about the order of use
 *
 * A plan is a sequence (sequence.h) with what it may hold and how far it reads
 * ahead, or a set of triggers (trigger.h), or both. It names files by number and holds
 * none of them: what it says of a file that is gone comes to nothing.
 *
 * In the steady state of a cyclic plan a part of its chunks stays in DRAM, another
 * one in CXL, and the rest passes through the ring, which is what MIN does (Belady
 * 1966) and what no bouncing needs. Which part a chunk is in is settled by its number
 * alone, see itme_plan_class().
 */
#ifndef ITME_PLAN_H
#define ITME_PLAN_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "sequence.h"

struct fill;
struct itme_chunk;
struct itme_fs;
struct itme_inode;
struct itme_triggers;

#define ITME_PLANS_MAX		64
#define ITME_PLAN_RUNS_MAX	65536
#define ITME_PLAN_NAME_MAX	63
/* As large as somebody asks for: it is no news if there is no memory for it. */
#define ITME_PLAN_GFP		(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
/* Chunks to be read that are worth a worker's while, at most. */
#define ITME_PLAN_BATCH		4
/* Chunks looked at with fs->lock held. */
#define ITME_LOOK_MAX		256U

/**
 * struct itme_batch - fills that are to be begun, in this order
 * @fill: the first ones
 * @nr: all of them
 *
 * Who follows a user has a few chunks to read each time: these he begins himself. Where
 * there are more, other workers begin them, side by side.
 */
struct itme_batch {
	struct fill *fill[ITME_PLAN_BATCH];
	unsigned int nr;
};

/**
 * enum itme_class - where a chunk belongs
 * @ITME_CLASS_NONE: no plan says
 * @ITME_CLASS_DRAM: stays in DRAM
 * @ITME_CLASS_CXL: stays in CXL, is read in place
 * @ITME_CLASS_STREAM: passes through DRAM
 */
enum itme_class {
	ITME_CLASS_NONE,
	ITME_CLASS_DRAM,
	ITME_CLASS_CXL,
	ITME_CLASS_STREAM,
};

/**
 * struct itme_plan - a plan
 * @node: in fs->plans, under fs->lock
 * @ref: the list's and, while it is queued or runs, @work's
 * @work: reads ahead
 * @fs: file system
 * @id: number; 0 while it is in no list
 * @name: for who looks at it; may be empty
 * @room: of @seq, for runs
 * @seq: what is used when, constant once the plan is in the list
 * @stages: of @seq
 * @triggers: or NULL
 * @objects: the files that it names, each once
 * @nr_objects: of them
 * @opens: of them, files that somebody has open; under fs->lock
 * @stepped: somebody has said where he is since the last one was closed; under fs->lock
 * @pages: of all its chunks, each counted once; constant, too
 * @chunk: the largest one, pages; constant, too
 * @lookahead: pages to be ahead at most; 0 as many as the ring has room for
 * @budget: pages of DRAM for what stays; 0 a fair share
 * @learned: process that it was learned from, 0 when somebody has set it
 * @cursors: who goes through it, under fs->lock, as all below
 * @share: of its chunks that stay, by tier, in 1/2^32
 * @stage: entered last
 * @passes: times that a cursor came to the end
 * @trusted: it says what stays: has been set, or has proven right
 * @condemned: to be dropped
 * @fits: touches that were expected, halved now and then
 * @misses: touches that were not, halved with @fits
 * @jumps: all that were not
 * @passed: when a pass ended last, 1/ITME_HZ s
 * @cycle: time of the last pass, 1/ITME_HZ s; 0 not known yet
 */
struct itme_plan {
	struct list_head node;
	refcount_t ref;
	struct work_struct work;
	struct itme_fs *fs;
	u32 id;
	char name[ITME_PLAN_NAME_MAX + 1];
	u32 room;
	struct itme_sequence seq;
	u32 stages;
	struct itme_triggers *triggers;
	u32 *objects;
	u32 nr_objects;
	u32 opens;
	bool stepped;
	u64 pages;
	long chunk;
	u64 lookahead;
	u64 budget;
	pid_t learned;
	struct itme_cursors cursors;
	u64 share[2];
	u32 stage;
	bool trusted;
	bool condemned;
	u32 fits;
	u32 misses;
	u64 passes;
	u64 jumps;
	u32 passed;
	u32 cycle;
};

/* plan.c */
struct itme_plan *itme_plan_alloc(struct itme_fs *fs, u32 max_runs);
int itme_plan_reserve(struct itme_plan *plan);
int itme_plan_add(struct itme_plan *plan, u32 stage, u32 object, u64 offset, u64 length);
void itme_plan_add_chunk(struct itme_plan *plan, u32 object, u32 idx);
void itme_plan_extend(struct itme_plan *plan);
int itme_plan_install(struct itme_plan *plan, u32 *id);
void itme_plan_put(struct itme_plan *plan);
int itme_plan_remove(struct itme_fs *fs, u32 id);
struct itme_plan *itme_plan_next(struct itme_fs *fs, u32 id);
void itme_plans_drop(struct itme_fs *fs);

void itme_plan_execute(struct itme_plan *plan);
enum itme_class itme_plan_class(struct itme_inode *ino, u32 idx, u32 *cycle);
void itme_plans_balance(struct itme_fs *fs);
void itme_plans_opened(struct itme_inode *ino, int n);
void itme_plans_forget(struct itme_fs *fs, u32 object);
/* Under fs->lock. */
struct itme_plan *itme_plan_find(struct itme_fs *fs, u32 id);
bool itme_plan_names(const struct itme_plan *plan, u32 object);
void itme_plans_stray(struct itme_fs *fs, u32 object);
void itme_plans_share(struct itme_fs *fs);
void itme_plans_passed(struct itme_plan *plan);

/* follow.c */
bool itme_plan_touch(struct itme_inode *ino, u32 idx, bool named);
int itme_plan_step(struct itme_fs *fs, u32 id, u32 stage);
void itme_plan_missed(struct itme_inode *ino, u32 idx);
void itme_plan_late(struct itme_inode *ino, const struct itme_chunk *c);

/* ahead.c */
bool itme_batch_add(struct itme_batch *batch, struct fill *fill);
void itme_batch_run(struct itme_batch *batch);
void itme_plan_work(struct work_struct *work);
/* Under fs->lock. */
bool itme_plans_make_way(struct itme_fs *fs, u32 patience);
void itme_plan_kick(struct itme_plan *plan);

/* learn.c */
int itme_learn_start(struct itme_fs *fs);
void itme_learn_stop(struct itme_fs *fs);
void itme_learn_touch(struct itme_inode *ino, u32 idx);
void itme_learn_again(struct itme_fs *fs, pid_t tgid);

#endif /* ITME_PLAN_H */
