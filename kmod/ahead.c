// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: plans at work: cursors are read ahead for
 *
 * The worker goes on from what it has seen to, chunk by chunk in the order of use,
 * until the ring has no room for more; the next chunk of the ring that is used gives
 * room for the next one, and its touch starts the worker again. So a plan is clocked
 * by the use of what it reads, and stops by itself when the use stops.
 */
#include "itme.h"
#include "plan.h"
#include "trigger.h"

/* Touches by others after which who did not move has gone, if room is wanted. */
#define GONE_TOUCHES	6

/*
 * The next chunk of a cursor that is to be read, and has room in the ring. What is
 * there or under way is passed over.
 *
 * Return: its file, held; NULL with @more when there may be one further on
 */
static struct itme_inode *next_chunk(struct itme_plan *plan, struct itme_cursor *c, u32 *idx,
				     bool *more)
{
	const struct itme_sequence *seq = &plan->seq;
	struct itme_fs *fs = plan->fs;
	long room = itme_chunk_issue_room(fs);
	u32 left = ITME_LOOK_MAX;

	*more = false;
	while (c->run && c->lead < itme_sequence_ahead(seq, c)) {
		u64 sum = (u64)c->pos + c->lead;
		u32 pos = sum >= seq->length ? sum - seq->length : sum;
		const struct itme_run *run = itme_sequence_at(seq, pos);
		struct itme_inode *ino = xa_load(&fs->objects, run->object);
		long pages;

		if (!left--) {
			*more = true;
			return NULL;
		}
		*idx = run->start + (pos - run->at);
		if (!ino) {
			c->lead = min(c->lead + run->nr - (pos - run->at),
				      itme_sequence_ahead(seq, c));
			continue;
		}
		pages = itme_chunk_pages(ino, *idx);
		if (plan->lookahead && (u64)c->lead * pages >= plan->lookahead)
			return NULL;
		if (itme_chunk_at(ino, *idx)->state == ITME_ABSENT) {
			if (pages > room)
				return NULL;
			if (igrab(&ino->vfs)) {
				c->lead++;
				return ino;
			}
		}
		c->lead++;
	}
	return NULL;
}

/* Is a chunk among what a cursor other than @c has had read ahead? */
static bool others_want(const struct itme_cursor *c, const struct itme_inode *ino, u32 idx)
{
	const struct itme_plan *plan;

	list_for_each_entry(plan, &ino->fs->plans, node) {
		if (!itme_plan_names(plan, ino->id))
			continue;
		for (int i = 0; i < ITME_CURSORS; i++) {
			const struct itme_cursor *other = &plan->cursors.cursor[i];
			u32 distance;

			if (other != c && other->run &&
			    itme_sequence_find(&plan->seq, ino->id, idx, other->pos, other->lead,
					       &distance))
				return true;
		}
	}
	return false;
}

/*
 * Nobody is where a cursor is: what has been read ahead for it leaves as what has been
 * used does. Of much only the first part, and the cursor stays for the rest.
 */
static void give_up(struct itme_plan *plan, struct itme_cursor *c)
{
	const struct itme_sequence *seq = &plan->seq;
	u32 n = min(c->lead, ITME_LOOK_MAX);

	lockdep_assert_held(&plan->fs->lock);
	for (u32 i = 0; i < n; i++) {
		u64 sum = (u64)c->pos + i;
		u32 pos = sum >= seq->length ? sum - seq->length : sum;
		const struct itme_run *run = itme_sequence_at(seq, pos);
		struct itme_inode *ino = xa_load(&plan->fs->objects, run->object);
		u32 idx = run->start + (pos - run->at);

		if (ino && !others_want(c, ino, idx))
			itme_chunk_give_up(ino, idx);
	}
	if (n == c->lead) {
		*c = (struct itme_cursor){};
		return;
	}
	c->lead -= n;
	c->pos = ((u64)c->pos + n) % seq->length;
}

/*
 * Is there anybody to read ahead for? Who has no file of it open has gone, or tells us
 * where he is.
 */
static bool is_followed(const struct itme_plan *plan)
{
	return !plan->condemned && (plan->opens || plan->stepped);
}

/* Of those not seen in this round, the one with the least ahead, or NULL. */
static struct itme_cursor *hungriest(struct itme_fs *fs, struct itme_plan **of)
{
	struct itme_cursor *best = NULL;
	struct itme_plan *plan;

	list_for_each_entry(plan, &fs->plans, node) {
		if (!is_followed(plan))
			continue;
		for (int i = 0; i < ITME_CURSORS; i++) {
			struct itme_cursor *c = &plan->cursors.cursor[i];

			if (!c->run || c->round == fs->plan_round ||
			    (best && c->lead >= best->lead))
				continue;
			best = c;
			*of = plan;
		}
	}
	return best;
}

/* The cursor of somebody who has jumped, most likely, as he has not been seen since. */
static struct itme_cursor *idle_cursor(struct itme_plan *plan, const struct itme_cursor *hungry)
{
	struct itme_cursors *all = &plan->cursors;
	struct itme_cursor *idle = NULL;

	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];

		if (c != hungry && c->run && c->lead && all->clock - c->used >= GONE_TOUCHES &&
		    (!idle || all->clock - c->used > all->clock - idle->used))
			idle = c;
	}
	return idle;
}

/* That of a plan which nobody follows any more. */
static struct itme_cursor *left_cursor(struct itme_fs *fs, struct itme_plan **of)
{
	struct itme_plan *plan;

	list_for_each_entry(plan, &fs->plans, node) {
		if (is_followed(plan))
			continue;
		for (int i = 0; i < ITME_CURSORS; i++) {
			struct itme_cursor *c = &plan->cursors.cursor[i];

			*of = plan;
			if (c->run && c->lead)
				return c;
		}
	}
	return NULL;
}

/* One that nobody has come for. Return: false when there is none */
static bool give_up_stale(struct itme_fs *fs, u32 patience)
{
	struct itme_chunk *c = itme_policy_stale(&fs->queues[ITME_TIER_DRAM].ring, itme_now(),
						 patience);
	struct itme_inode *ino = c ? xa_load(&fs->objects, c->object) : NULL;
	u32 idx;

	/* Without one, the inode is being evicted. */
	if (!ino)
		return false;
	idx = itme_chunk_idx(ino, c);
	/* Somebody is still on his way to it, and rests. */
	if (patience < ITME_STALE && others_want(NULL, ino, idx))
		return false;
	itme_chunk_give_up(ino, idx);
	return true;
}

/**
 * itme_plans_make_way - somebody is to be read ahead for, and the ring is full
 * @fs: file system
 * @patience: after which what no cursor leads to has nobody who comes for it, 1/ITME_HZ s
 *
 * If that is with what was read for somebody who has gone, or with what nobody has come
 * for, some of that leaves as what has been used does. Under fs->lock.
 *
 * Return: false when there is nothing of the kind
 */
bool itme_plans_make_way(struct itme_fs *fs, u32 patience)
{
	struct itme_plan *plan;
	struct itme_cursor *left = left_cursor(fs, &plan);

	lockdep_assert_held(&fs->lock);
	if (!left)
		return give_up_stale(fs, patience);
	give_up(plan, left);
	return true;
}

/* The same for a cursor that has nothing ahead, before which another one has stopped. */
static bool make_way(struct itme_plan *plan, const struct itme_cursor *hungry)
{
	struct itme_cursor *idle = idle_cursor(plan, hungry);

	if (!idle)
		return itme_plans_make_way(plan->fs, ITME_STALE);
	give_up(plan, idle);
	return true;
}

/*
 * The next chunk to be read for any cursor of any plan, the one that has the least ahead
 * before the others: who is used most would have all of the room, else. Return: as
 * next_chunk()
 */
static struct itme_inode *next_of_all(struct itme_fs *fs, u32 *idx, bool *more)
{
	struct itme_plan *plan;
	struct itme_inode *ino;
	struct itme_cursor *c;

	*more = false;
	fs->plan_round++;
	while ((c = hungriest(fs, &plan))) {
		ino = next_chunk(plan, c, idx, more);
		if (ino || *more)
			return ino;
		if (c->lead || !make_way(plan, c))
			c->round = fs->plan_round;
	}
	return NULL;
}

/* Return: false when @fill could not begin */
bool itme_batch_add(struct itme_batch *batch, struct fill *fill)
{
	if (!fill)
		return false;
	if (batch->nr == ITME_PLAN_BATCH)
		for (unsigned int i = 0; i < ITME_PLAN_BATCH; i++)
			itme_fill_queue(batch->fill[i]);
	if (batch->nr < ITME_PLAN_BATCH)
		batch->fill[batch->nr] = fill;
	else
		itme_fill_queue(fill);
	batch->nr++;
	return true;
}

/* By a worker of one's own. */
void itme_batch_run(struct itme_batch *batch)
{
	if (batch->nr <= ITME_PLAN_BATCH)
		for (unsigned int i = 0; i < batch->nr; i++)
			itme_fill_run(batch->fill[i]);
	batch->nr = 0;
}

static void read_ahead(struct itme_fs *fs)
{
	struct itme_batch batch = {};
	struct itme_inode *ino;
	bool more = false, ok;
	u32 idx;

	do {
		spin_lock(&fs->lock);
		ino = next_of_all(fs, &idx, &more);
		spin_unlock(&fs->lock);
		ok = true;
		if (ino) {
			if (itme_chunk_begin_fill(ino, idx, false, false))
				ok = itme_batch_add(&batch, itme_fill_plan(ino, idx));
			itme_inode_put(ino);
		}
		cond_resched();
	} while (ok && (ino || more) && !READ_ONCE(fs->stopping));
	itme_batch_run(&batch);
}

void itme_plan_work(struct work_struct *work)
{
	struct itme_plan *plan = container_of(work, struct itme_plan, work);
	struct itme_fs *fs = plan->fs;

	if (READ_ONCE(plan->condemned))
		itme_plan_execute(plan);
	if (plan->triggers)
		itme_triggers_work(fs, plan->triggers);
	itme_fills_done(fs);
	read_ahead(fs);
	itme_plan_put(plan);
	itme_fs_put(fs);
}

/* Under fs->lock, so that the plan is in the list, which has a reference. */
void itme_plan_kick(struct itme_plan *plan)
{
	if (!itme_fs_get(plan->fs))
		return;
	refcount_inc(&plan->ref);
	if (!queue_work(plan->fs->plan_wq, &plan->work)) {
		refcount_dec(&plan->ref);
		itme_fs_put(plan->fs);
	}
}
