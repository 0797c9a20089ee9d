// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: plans at work: touches move cursors
 *
 * The path of a touch: file -> itme_plan_touch() -> a worker, see ahead.c -> residency
 * -> fill.
 */
#include "event.h"
#include "itme.h"
#include "plan.h"
#include "trigger.h"

/* A pass that took longer says nothing about the next one, 1/ITME_HZ s. */
#define CYCLE_MAX	(600 * ITME_HZ)
/* Touches after which older ones count half. */
#define JUDGE_TOUCHES	128
/* Threads that share the work, at most: so many uses may come out of order. */
#define THREADS		8
/* A plan that was learned is dropped for that many, if they are a quarter of all. */
#define MISSES_MIN	16

/* Has all been read that there is room for? Asked when the first of it has been used. */
static bool is_full(struct itme_fs *fs, long chunk)
{
	return !fs->asked && !atomic_read(&fs->prefetches) &&
	       itme_chunk_issue_room(fs) < 2 * chunk;
}

/* A cursor has moved from @from: a stage may have been entered, a pass ended. */
static void moved(struct itme_plan *plan, struct itme_cursor *c, u32 from)
{
	u32 last = c->pos ? c->pos - 1 : plan->seq.length - 1;
	u32 stage = itme_sequence_at(&plan->seq, last)->stage;
	u32 now = itme_now();

	if (stage != plan->stage || c->pos < from)
		itme_event_stage(plan->id, stage);
	plan->stage = stage;
	if (c->pos >= from)
		return;
	plan->passes++;
	itme_plans_passed(plan);
	plan->cycle = min_t(u32, itme_age(plan->passed, now), CYCLE_MAX);
	plan->passed = now;
}

/*
 * Is this the use that was to come next? What lies between must be in memory and in
 * use already, as otherwise its use would have been seen; but for threads that share
 * the work.
 */
static bool in_order(struct itme_plan *plan, const struct itme_cursor *c)
{
	const struct itme_sequence *seq = &plan->seq;
	u32 back = min_t(u32, c->skipped, ITME_LOOK_MAX) + 1;
	u32 missed = 0;

	for (u32 i = back; i > 1; i--) {
		u32 pos = c->pos >= i ? c->pos - i : c->pos + (seq->length - i);
		const struct itme_run *run = itme_sequence_at(seq, pos);
		struct itme_inode *ino = xa_load(&plan->fs->objects, run->object);
		const struct itme_chunk *chunk;

		if (!ino)
			continue;
		chunk = itme_chunk_at(ino, run->start + (pos - run->at));
		missed += chunk->state == ITME_ABSENT || chunk->flags & ITME_C_UNTOUCHED;
	}
	return missed <= THREADS;
}

/* A plan that was learned is trusted once it has been right, dropped once it is wrong. */
static void judge(struct itme_plan *plan, bool fits)
{
	if (fits)
		plan->fits++;
	else
		plan->misses++;
	if (plan->fits + plan->misses > JUDGE_TOUCHES) {
		plan->fits /= 2;
		plan->misses /= 2;
	}
	if (plan->cursors.score == ITME_FIT_MAX && !plan->trusted) {
		plan->trusted = true;
		itme_plans_share(plan->fs);
	}
	if (plan->learned && plan->misses >= MISSES_MIN && 3 * plan->misses > plan->fits) {
		WRITE_ONCE(plan->condemned, true);
		itme_learn_again(plan->fs, plan->learned);
		itme_plan_kick(plan);
	}
}

/*
 * Is it time to read ahead? A few chunks at a time, while others are on their way: to
 * wake a worker costs as much as to begin a read.
 */
static bool is_time(const struct itme_plan *plan, const struct itme_cursor *c)
{
	long chunk = max(1L, plan->chunk);
	long batch = clamp(itme_chunk_ring(plan->fs) / (4 * chunk), 1L, (long)ITME_PLAN_BATCH);

	return c->lead < 2 * batch || itme_chunk_issue_room(plan->fs) >= batch * chunk;
}

/**
 * itme_plan_touch - a chunk is used for the first time since it was read
 * @ino: file
 * @idx: chunk
 * @named: by a trigger: it comes in no order that could be learned, and a plan that does
 *	not know it is not wrong for that
 *
 * Under fs->lock, in the context of the process.
 *
 * Return: true when a plan reads ahead for it, so that nobody else has to
 */
bool itme_plan_touch(struct itme_inode *ino, u32 idx, bool named)
{
	struct itme_fs *fs = ino->fs;
	struct itme_plan *plan;
	bool followed = false;
	bool trusted = false;
	bool known = named;

	lockdep_assert_held(&fs->lock);
	itme_triggers_go_on(fs);
	if (!ino->planned) {
		itme_plans_stray(fs, ino->id);
		if (!named)
			itme_learn_touch(ino, idx);
		return false;
	}
	list_for_each_entry(plan, &fs->plans, node) {
		u32 from[ITME_CURSORS];
		struct itme_cursor *c;
		enum itme_fit fit;
		bool fits, believed = false;

		if (plan->condemned || !itme_plan_names(plan, ino->id))
			continue;
		for (int i = 0; i < ITME_CURSORS; i++)
			from[i] = plan->cursors.cursor[i].pos;
		trusted |= plan->trusted && plan->seq.cyclic;
		fit = itme_cursors_touch(&plan->cursors, &plan->seq, ino->id, idx, &c);
		if (fit == ITME_FIT_UNKNOWN && named)
			continue;
		fits = fit == ITME_FIT_LATE || (fit == ITME_FIT_EXPECTED && in_order(plan, c));
		known |= fit != ITME_FIT_UNKNOWN || plan->learned;
		plan->jumps += !fits;
		/* What is ahead is not for who is elsewhere. */
		if (fit == ITME_FIT_JUMP)
			fs->lookahead.full = false;
		if (fit != ITME_FIT_UNKNOWN)
			believed = itme_cursors_judge(&plan->cursors, c, fits);
		judge(plan, fits);
		if (!believed)
			continue;
		if (fit == ITME_FIT_EXPECTED)
			moved(plan, c, from[c - plan->cursors.cursor]);
		fs->lookahead.full |= is_full(fs, plan->chunk);
		if (is_time(plan, c))
			itme_plan_kick(plan);
		followed = true;
	}
	if (!trusted)
		itme_plans_stray(fs, ino->id);
	if (!known)
		itme_learn_touch(ino, idx);
	return followed;
}

/**
 * itme_plan_step - who goes through a plan says that he enters a stage
 * @fs: file system
 * @id: number of the plan
 * @stage: the stage
 *
 * Return: 0; -ENOENT no such plan, -ERANGE no such stage
 */
int itme_plan_step(struct itme_fs *fs, u32 id, u32 stage)
{
	struct itme_plan *plan;
	int err = -ENOENT;

	spin_lock(&fs->lock);
	plan = itme_plan_find(fs, id);
	if (plan)
		err = stage < plan->stages ? 0 : -ERANGE;
	if (!err) {
		itme_cursors_step(&plan->cursors, &plan->seq,
				  itme_sequence_stage(&plan->seq, stage));
		plan->stage = stage;
		plan->stepped = true;
		itme_event_stage(id, stage);
		itme_plan_kick(plan);
	}
	spin_unlock(&fs->lock);
	return err;
}

/**
 * itme_plan_missed - there was no room for a chunk that was to be read ahead
 * @ino: file
 * @idx: chunk
 *
 * Under fs->lock.
 */
void itme_plan_missed(struct itme_inode *ino, u32 idx)
{
	struct itme_plan *plan;

	lockdep_assert_held(&ino->fs->lock);
	if (ino->planned)
		list_for_each_entry(plan, &ino->fs->plans, node)
			itme_cursors_missed(&plan->cursors, &plan->seq, ino->id, idx);
}

/**
 * itme_plan_late - somebody waits for a chunk that is being read ahead
 * @ino: file
 * @c: chunk
 *
 * Under fs->lock.
 */
void itme_plan_late(struct itme_inode *ino, const struct itme_chunk *c)
{
	u8 passes = ITME_C_RING | ITME_C_COLD;

	lockdep_assert_held(&ino->fs->lock);
	/* What triggers have read says nothing of how far ahead the plans are. */
	if (ino->planned && (c->flags & passes) == passes)
		itme_lookahead_dry(&ino->fs->lookahead);
}
