// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: triggers at work: what has fired is read
 *
 * In the order in which they have fired, each target from its beginning, as far as there
 * is room. If he who uses a source has to wait for it himself, that read goes first.
 */
#include <linux/rculist.h>

#include "itme.h"
#include "plan.h"
#include "trigger.h"

/* Who fired it has come to the targets by himself since. */
#define FIRED_STALE	ITME_HZ

static void count_dropped(struct itme_fs *fs, struct itme_triggers *set, u32 trigger)
{
	struct itme_inode *ino = xa_load(&fs->objects, set->trigger[trigger].object);

	set->dropped++;
	if (ino)
		itme_count(ino, ITME_HINTS_DROPPED, 1);
}

static void pop(struct itme_triggers *set)
{
	set->head = (set->head + 1) % ITME_FIRED_MAX;
	set->nr_fired--;
	if (set->nr_ready)
		set->nr_ready--;
}

void itme_trigger_fire(struct itme_triggers *set, u32 trigger)
{
	struct itme_fs *fs = set->plan->fs;

	lockdep_assert_held(&fs->lock);
	if (set->nr_fired == ITME_FIRED_MAX) {
		count_dropped(fs, set, set->fired[set->head].trigger);
		pop(set);
	}
	set->fired[(set->head + set->nr_fired++) % ITME_FIRED_MAX] = (struct itme_fired){
		.trigger = trigger,
		.since = itme_now(),
		.at = itme_now(),
	};
	set->fires++;
}

/* What has fired may be read. */
void itme_triggers_ready(struct itme_triggers *set)
{
	lockdep_assert_held(&set->plan->fs->lock);
	if (set->nr_ready == set->nr_fired)
		return;
	set->nr_ready = set->nr_fired;
	itme_plan_kick(set->plan);
}

/* A read that somebody waits for has been asked for: now what follows it may be. */
void itme_triggers_read(struct itme_fs *fs)
{
	struct itme_triggers *set;

	/* One that is added just now has not fired before it. */
	if (list_empty(&fs->triggers))
		return;
	spin_lock(&fs->lock);
	list_for_each_entry(set, &fs->triggers, node)
		itme_triggers_ready(set);
	spin_unlock(&fs->lock);
}

/* There may be room now for what has fired and waits for it. */
void itme_triggers_go_on(struct itme_fs *fs)
{
	struct itme_triggers *set;

	lockdep_assert_held(&fs->lock);
	list_for_each_entry(set, &fs->triggers, node)
		if (set->nr_ready)
			itme_plan_kick(set->plan);
}

/*
 * Has he who fired it come to the chunk by himself? It may have left again since: what is
 * read for nobody would hold the room of what is wanted.
 */
static bool was_used(const struct itme_fired *f, const struct itme_chunk *c)
{
	u32 stamp = READ_ONCE(c->stamp);

	return stamp && (s32)(stamp - f->at) > 0;
}

/* The next chunk to be read. Return: its file, held; NULL, with @more if it may go on */
static struct itme_inode *next_chunk(struct itme_fs *fs, struct itme_triggers *set, u32 *idx,
				     bool *more)
{
	u32 left = ITME_LOOK_MAX;

	*more = false;
	while (set->nr_ready && !list_empty(&set->plan->node)) {
		struct itme_fired *f = &set->fired[set->head];
		const struct itme_trigger *t = &set->trigger[f->trigger];
		const struct itme_target *target = &set->target[t->target + f->target];
		const struct itme_chunk *c;
		struct itme_inode *ino;

		if (!left--) {
			*more = true;
			return NULL;
		}
		if (f->target == t->nr) {
			pop(set);
			continue;
		}
		ino = xa_load(&fs->objects, target->object);
		if (!ino || f->chunk == target->nr) {
			f->target++;
			f->chunk = 0;
			continue;
		}
		*idx = target->start + f->chunk;
		c = itme_chunk_at(ino, *idx);
		if (c->state == ITME_ABSENT && !was_used(f, c)) {
			if ((long)itme_chunk_pages(ino, *idx) > itme_chunk_issue_room(fs)) {
				if (itme_plans_make_way(fs, FIRED_STALE))
					continue;
				if (itme_age(f->since, itme_now()) < FIRED_STALE)
					return NULL;
				count_dropped(fs, set, f->trigger);
				pop(set);
				continue;
			}
			f->since = itme_now();
			if (igrab(&ino->vfs)) {
				f->chunk++;
				return ino;
			}
		}
		f->chunk++;
	}
	return NULL;
}

/* Return: true if there may be more to read, and room for it */
static bool read_one(struct itme_fs *fs, struct itme_triggers *set, struct itme_batch *batch)
{
	struct itme_inode *ino;
	bool more;
	u32 idx;

	spin_lock(&fs->lock);
	ino = next_chunk(fs, set, &idx, &more);
	spin_unlock(&fs->lock);
	if (!ino)
		return more;
	more = true;
	if (itme_chunk_begin_fill(ino, idx, false, false))
		more = itme_batch_add(batch, itme_fill_begin(ino, idx, false, ITME_TIER_DRAM));
	itme_inode_put(ino);
	return more;
}

/**
 * itme_triggers_work - read what has fired, unmap what is armed
 * @fs: file system
 * @set: held by its plan, which the caller holds
 */
void itme_triggers_work(struct itme_fs *fs, struct itme_triggers *set)
{
	struct itme_batch batch = {};

	do {
		while (read_one(fs, set, &batch) && !READ_ONCE(fs->stopping))
			cond_resched();
		itme_batch_run(&batch);
		cond_resched();
	} while (itme_triggers_unmap(fs, set) && !READ_ONCE(fs->stopping));
}
