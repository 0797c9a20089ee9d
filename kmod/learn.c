// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: plans that nobody had to make
 *
 * What a process touches is recorded (record.h). An order that comes again becomes a
 * plan on trial: it is read ahead for as soon as two touches follow each other as it
 * says, and what stays is chosen by it once it has proven right. A plan that does not
 * fit any more is dropped, and the process is recorded again, later the more often
 * that has happened.
 */
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "itme.h"
#include "record.h"

/* Fewer uses are no pass: chance alone brings one again so soon. */
#define PASS_MIN	64
/* Touches that are not recorded after a plan has failed, doubled each time. */
#define PAUSE_MIN	256
#define PAUSE_MAX	((u32)SZ_1M)

enum learner_state {
	LEARNER_FREE,
	LEARNER_RECORDS,
	/* The worker has it: it allocates @record, or makes a plan of it. */
	LEARNER_BUSY,
};

/**
 * struct itme_learner - a process whose touches are recorded
 * @tgid: the process
 * @state: enum learner_state
 * @used: when last touched anything, 1/ITME_HZ s
 * @first: where in @record a pass begins, for the worker
 * @pause: touches that are still to be left out
 * @next_pause: after the next failure
 * @record: NULL when nobody has needed it yet
 */
struct itme_learner {
	pid_t tgid;
	u8 state;
	u32 used;
	u32 first;
	u32 pause;
	u32 next_pause;
	struct itme_record *record;
};

#define LEARNERS	4

/* All under fs->lock, but what the worker does with one that is LEARNER_BUSY. */
struct itme_learn {
	struct itme_fs *fs;
	struct work_struct work;
	struct itme_learner learner[LEARNERS];
};

static void learn_work(struct work_struct *work);

/**
 * itme_learn_start - begin to learn
 * @fs: file system, being mounted
 *
 * Return: 0 or -ENOMEM
 */
int itme_learn_start(struct itme_fs *fs)
{
	struct itme_learn *learn = kzalloc(sizeof(*learn), GFP_KERNEL);

	if (!learn)
		return -ENOMEM;
	learn->fs = fs;
	INIT_WORK(&learn->work, learn_work);
	fs->learn = learn;
	return 0;
}

/**
 * itme_learn_stop - unmount
 * @fs: file system, no work in flight
 */
void itme_learn_stop(struct itme_fs *fs)
{
	if (!fs->learn)
		return;
	for (int i = 0; i < LEARNERS; i++)
		vfree(fs->learn->learner[i].record);
	kfree(fs->learn);
	fs->learn = NULL;
}

/* The process that runs, or the one that has not been seen for longest. */
static struct itme_learner *learner_of(struct itme_learn *learn, pid_t tgid, u32 now)
{
	struct itme_learner *old = NULL;

	for (int i = 0; i < LEARNERS; i++) {
		struct itme_learner *l = &learn->learner[i];

		if (l->state != LEARNER_FREE && l->tgid == tgid)
			return l;
		if (l->state == LEARNER_BUSY)
			continue;
		if (!old || l->state == LEARNER_FREE ||
		    (old->state != LEARNER_FREE &&
		     itme_age(l->used, now) > itme_age(old->used, now)))
			old = l;
	}
	/* One that is active keeps its place; a second is long for an active one. */
	if (!old || (old->state != LEARNER_FREE && itme_age(old->used, now) < ITME_HZ))
		return NULL;
	old->tgid = tgid;
	old->state = LEARNER_RECORDS;
	old->pause = 0;
	old->next_pause = PAUSE_MIN;
	if (old->record)
		itme_record_clear(old->record);
	return old;
}

/* No order, or not the one that was learned: try again later. */
static void pause(struct itme_learner *l)
{
	l->pause = l->next_pause;
	l->next_pause = min(2 * l->next_pause, PAUSE_MAX);
	itme_record_clear(l->record);
}

static void busy(struct itme_learn *learn, struct itme_learner *l)
{
	if (!itme_fs_get(learn->fs))
		return;
	l->state = LEARNER_BUSY;
	if (!queue_work(learn->fs->plan_wq, &learn->work))
		itme_fs_put(learn->fs);
}

/**
 * itme_learn_touch - a chunk is used that no plan knows
 * @ino: file
 * @idx: chunk
 *
 * Under fs->lock, in the context of the process.
 */
void itme_learn_touch(struct itme_inode *ino, u32 idx)
{
	struct itme_learn *learn = ino->fs->learn;
	u32 now = itme_now();
	struct itme_learner *l;

	lockdep_assert_held(&ino->fs->lock);
	l = learner_of(learn, current->tgid, now);
	if (!l || l->state == LEARNER_BUSY)
		return;
	l->used = now;
	if (l->pause) {
		l->pause--;
		return;
	}
	if (!l->record) {
		busy(learn, l);
	} else if (itme_record_use(l->record, ino->id, idx, &l->first)) {
		if (l->record->nr - l->first >= PASS_MIN)
			busy(learn, l);
		else
			pause(l);
	}
}

/**
 * itme_learn_again - a learned plan did not fit any more
 * @fs: file system
 * @tgid: the process that it was learned from
 *
 * Under fs->lock.
 */
void itme_learn_again(struct itme_fs *fs, pid_t tgid)
{
	lockdep_assert_held(&fs->lock);
	for (int i = 0; i < LEARNERS; i++) {
		struct itme_learner *l = &fs->learn->learner[i];

		if (l->state == LEARNER_RECORDS && l->tgid == tgid)
			pause(l);
	}
}

/* One run for each piece of a pass that is in file order. */
static struct itme_plan *make_plan(struct itme_fs *fs, const struct itme_learner *l)
{
	const struct itme_record *record = l->record;
	struct itme_plan *plan;
	u32 runs = 1;

	for (u32 i = l->first + 1; i < record->nr; i++)
		runs += record->log[i] != record->log[i - 1] + 1;
	plan = itme_plan_alloc(fs, runs);
	if (!plan)
		return NULL;
	for (u32 i = l->first; i < record->nr; i++) {
		u32 object = record->log[i] >> 32;
		u32 idx = record->log[i];

		if (i > l->first && record->log[i] == record->log[i - 1] + 1)
			itme_plan_extend(plan);
		else
			itme_plan_add_chunk(plan, object, idx);
	}
	plan->seq.cyclic = true;
	plan->learned = l->tgid;
	/* On trial. */
	plan->cursors.score = 0;
	return plan;
}

static void serve(struct itme_learn *learn, struct itme_learner *l)
{
	struct itme_plan *plan = NULL;
	u32 id = 0;

	if (!l->record) {
		l->record = __vmalloc(sizeof(*l->record),
				      GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	} else {
		plan = make_plan(learn->fs, l);
		if (plan && itme_plan_install(plan, &id))
			itme_plan_put(plan);
		itme_record_clear(l->record);
	}
	spin_lock(&learn->fs->lock);
	l->state = l->record ? LEARNER_RECORDS : LEARNER_FREE;
	spin_unlock(&learn->fs->lock);
}

static void learn_work(struct work_struct *work)
{
	struct itme_learn *learn = container_of(work, struct itme_learn, work);
	struct itme_fs *fs = learn->fs;

	for (int i = 0; i < LEARNERS; i++) {
		struct itme_learner *l = &learn->learner[i];
		bool mine;

		spin_lock(&fs->lock);
		mine = l->state == LEARNER_BUSY;
		spin_unlock(&fs->lock);
		if (mine)
			serve(learn, l);
	}
	itme_fs_put(fs);
}
