/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: triggers: the first use of a source says that its targets will be used
 *
 * For what has no fixed order: which expert of a layer comes next only its first slice
 * tells. Triggers belong to a plan, and come and go with it.
 *
 * A trigger is *armed* until a use of its source is seen: then it *fires*, and its targets
 * are read ahead. It is armed again when a chunk of a target leaves memory, as before
 * that there would be nothing to do. What is mapped can be used unseen, so its source is
 * unmapped then. To read ahead is no use: triggers that lead to each other do not run
 * away.
 *
 * What is looked up at every fault is constant and read under RCU; all else is under
 * fs->lock.
 */
#ifndef ITME_TRIGGER_H
#define ITME_TRIGGER_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "stream.h"

struct itme_fs;
struct itme_inode;
struct itme_plan;

#define ITME_TRIGGERS_MAX	65536
#define ITME_TARGETS_MAX	131072
#define ITME_TARGETS_EACH	64
/* Fired triggers that wait for room; the oldest comes to nothing when there are more. */
#define ITME_FIRED_MAX		64

/**
 * struct itme_trigger - a source and what it says
 * @first: page of the source
 * @end: page after it
 * @reach: highest @end of this and of those before it, of the same file
 * @object: file of the source
 * @target: its first one
 * @nr: its targets
 */
struct itme_trigger {
	u64 first;
	u64 end;
	u64 reach;
	u32 object;
	u32 target;
	u32 nr;
};

/**
 * struct itme_target - chunks to be read ahead
 * @object: file
 * @start: the first
 * @nr: how many
 */
struct itme_target {
	u32 object;
	u32 start;
	u32 nr;
};

/* By file and chunk, for who asks which triggers a chunk is a target of. */
struct itme_target_key {
	u64 key;
	u32 end;
	u32 reach;
	u32 trigger;
};

/* Where a source begins or ends. */
struct itme_bound {
	u64 page;
	u32 object;
};

/**
 * struct itme_fired - a trigger whose targets are being read
 * @trigger: index
 * @target: of it, the one to go on with
 * @chunk: of that one
 * @since: when it fired or came on last, 1/ITME_HZ s
 * @at: when it fired
 */
struct itme_fired {
	u32 trigger;
	u32 target;
	u32 chunk;
	u32 since;
	u32 at;
};

/**
 * struct itme_triggers - those of a plan
 * @node: in fs->triggers, an RCU list written under fs->lock
 * @rcu: for the end
 * @plan: whose they are; valid under fs->lock while in the list
 * @trigger: @nr of them, by file and page
 * @nr: see there
 * @room: of @trigger
 * @target: @nr_targets of them, constant as all above once it is in the list
 * @nr_targets: see there
 * @target_room: of @target
 * @key: as many as @target, sorted
 * @bound: two for each trigger, sorted
 * @armed: bit for each trigger; written under fs->lock, read without
 * @unmap: bit for each trigger whose source is to be unmapped, under fs->lock as all below
 * @fired: a queue of @nr_fired from @head on
 * @head: see there
 * @nr_fired: see there
 * @nr_ready: of them, those that need not wait for a read that has to go before
 * @fires: how often one has fired
 * @dropped: how often not all of its targets were read
 */
struct itme_triggers {
	struct list_head node;
	struct rcu_head rcu;
	struct itme_plan *plan;
	struct itme_trigger *trigger;
	u32 nr;
	u32 room;
	struct itme_target *target;
	u32 nr_targets;
	u32 target_room;
	struct itme_target_key *key;
	struct itme_bound *bound;
	unsigned long *armed;
	unsigned long *unmap;
	struct itme_fired fired[ITME_FIRED_MAX];
	u32 head;
	u32 nr_fired;
	u32 nr_ready;
	u64 fires;
	u64 dropped;
};

/* trigger.c */
int itme_trigger_add(struct itme_plan *plan, u32 object, u64 offset, u64 length);
int itme_trigger_add_target(struct itme_plan *plan, u32 object, u64 offset, u64 length);
int itme_triggers_build(struct itme_triggers *set);
void itme_triggers_free(struct itme_triggers *set);
bool itme_triggers_unmap(struct itme_fs *fs, struct itme_triggers *set);
/* @first and @end are pages, @end is the one after the last. */
void itme_triggers_touch(struct itme_inode *ino, u64 first, u64 end, bool later);
bool itme_triggers_armed(struct itme_inode *ino, u64 page);
void itme_triggers_clip(struct itme_inode *ino, u64 page, u64 *first, u64 *end);
/* Under fs->lock. */
void itme_triggers_list(struct itme_fs *fs, struct itme_triggers *set);
void itme_triggers_unlist(struct itme_fs *fs, struct itme_triggers *set);
void itme_triggers_left(struct itme_inode *ino, u32 idx);
struct itme_range itme_triggers_range(struct itme_inode *ino, u32 idx);

/* fire.c */
void itme_triggers_read(struct itme_fs *fs);
void itme_triggers_work(struct itme_fs *fs, struct itme_triggers *set);
/* Under fs->lock. */
void itme_trigger_fire(struct itme_triggers *set, u32 trigger);
void itme_triggers_ready(struct itme_triggers *set);
void itme_triggers_go_on(struct itme_fs *fs);

#endif /* ITME_TRIGGER_H */
