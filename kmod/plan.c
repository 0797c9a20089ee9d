// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the object: plans are made, come, go
 */
#include <linux/bsearch.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "event.h"
#include "itme.h"
#include "plan.h"
#include "trigger.h"

/**
 * itme_plan_alloc - begin a plan
 * @fs: file system
 * @max_runs: ranges it may have, checked
 *
 * Return: the plan, in no list, to be let go with itme_plan_put(); NULL no memory
 */
struct itme_plan *itme_plan_alloc(struct itme_fs *fs, u32 max_runs)
{
	struct itme_plan *plan = kzalloc(sizeof(*plan), GFP_KERNEL);

	if (!plan)
		return NULL;
	INIT_LIST_HEAD(&plan->node);
	refcount_set(&plan->ref, 1);
	plan->fs = fs;
	plan->room = max_runs;
	plan->cursors.score = ITME_FIT_MAX / 2;
	plan->seq.runs = kvcalloc(max_runs, sizeof(*plan->seq.runs), ITME_PLAN_GFP);
	plan->seq.keys = kvcalloc(max_runs, sizeof(*plan->seq.keys), ITME_PLAN_GFP);
	if (plan->seq.runs && plan->seq.keys)
		return plan;
	itme_plan_put(plan);
	return NULL;
}

void itme_plan_put(struct itme_plan *plan)
{
	if (!refcount_dec_and_test(&plan->ref))
		return;
	kvfree(plan->seq.runs);
	kvfree(plan->seq.keys);
	itme_triggers_free(plan->triggers);
	kvfree(plan->objects);
	kfree(plan);
}

/**
 * itme_plan_reserve - have room for one more run
 * @plan: in no list
 *
 * Return: 0, -ENOMEM, -E2BIG it has as many as a plan may have
 */
int itme_plan_reserve(struct itme_plan *plan)
{
	struct itme_sequence *seq = &plan->seq;
	u32 room = min_t(u32, 2 * plan->room, ITME_PLAN_RUNS_MAX);
	void *p;

	if (seq->nr_runs < plan->room)
		return 0;
	if (seq->nr_runs >= room)
		return -E2BIG;
	p = kvrealloc(seq->runs, room * sizeof(*seq->runs), ITME_PLAN_GFP);
	if (!p)
		return -ENOMEM;
	seq->runs = p;
	p = kvrealloc(seq->keys, room * sizeof(*seq->keys), ITME_PLAN_GFP);
	if (!p)
		return -ENOMEM;
	seq->keys = p;
	plan->room = room;
	return 0;
}

/**
 * itme_plan_add - a range is used next
 * @plan: in no list, with room for one more run
 * @stage: not below that of the range before
 * @object: number of the file
 * @offset: bytes
 * @length: bytes, not 0
 *
 * Return: 0; -ENOENT no such file; -ERANGE not all in the file
 */
int itme_plan_add(struct itme_plan *plan, u32 stage, u32 object, u64 offset, u64 length)
{
	struct itme_fs *fs = plan->fs;
	struct itme_run *run = &plan->seq.runs[plan->seq.nr_runs];
	struct itme_inode *ino;
	int err = -ENOENT;
	u64 end, size;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, object);
	if (ino && itme_linked(ino)) {
		size = i_size_read(&ino->vfs);
		err = -ERANGE;
		if (length && !check_add_overflow(offset, length, &end) && end <= size) {
			run->object = object;
			run->stage = stage;
			run->start = offset >> ino->chunk_shift;
			run->nr = ((end - 1) >> ino->chunk_shift) - run->start + 1;
			err = 0;
		}
	}
	spin_unlock(&fs->lock);
	if (!err) {
		plan->seq.nr_runs++;
		plan->stages = stage + 1;
	}
	return err;
}

/**
 * itme_plan_add_chunk - a chunk is used next
 * @plan: in no list, with room for one more run
 * @object: number of a file
 * @idx: chunk of it; one that is not there comes to nothing
 */
void itme_plan_add_chunk(struct itme_plan *plan, u32 object, u32 idx)
{
	plan->seq.runs[plan->seq.nr_runs++] = (struct itme_run){
		.object = object, .start = idx, .nr = 1 };
	plan->stages = 1;
}

/* And then the one after the last one added. */
void itme_plan_extend(struct itme_plan *plan)
{
	plan->seq.runs[plan->seq.nr_runs - 1].nr++;
}

/* Pages of what is used, however often; what is not there has none. */
static u64 count_pages(struct itme_plan *plan)
{
	struct itme_inode *ino = NULL;
	u32 object = 0, end = 0;
	u64 pages = 0;

	for (u32 i = 0; i < plan->seq.nr_runs; i++) {
		const struct itme_run *run = &plan->seq.runs[plan->seq.keys[i].run];
		u32 stop = run->start + run->nr;

		if (run->object != object) {
			object = run->object;
			ino = xa_load(&plan->fs->objects, object);
			end = 0;
		}
		if (ino)
			plan->chunk = max(plan->chunk, 1L << (ino->chunk_shift - PAGE_SHIFT));
		if (ino && stop > max(run->start, end))
			pages += (u64)(stop - max(run->start, end)) <<
				 (ino->chunk_shift - PAGE_SHIFT);
		end = max(end, stop);
	}
	return pages;
}

static int compare_objects(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* Which files does a plan name? Return: 0 or -ENOMEM */
static int list_objects(struct itme_plan *plan)
{
	const struct itme_triggers *set = plan->triggers;
	u32 nr = plan->seq.nr_runs + (set ? set->nr + set->nr_targets : 0);
	u32 *objects = kvmalloc_array(nr, sizeof(*objects), ITME_PLAN_GFP);
	u32 n = 0;

	if (!objects)
		return -ENOMEM;
	for (u32 i = 0; i < plan->seq.nr_runs; i++)
		objects[n++] = plan->seq.runs[i].object;
	for (u32 i = 0; set && i < set->nr; i++)
		objects[n++] = set->trigger[i].object;
	for (u32 i = 0; set && i < set->nr_targets; i++)
		objects[n++] = set->target[i].object;
	sort(objects, nr, sizeof(*objects), compare_objects, NULL);
	n = 1;
	for (u32 i = 1; i < nr; i++)
		if (objects[i] != objects[n - 1])
			objects[n++] = objects[i];
	plan->objects = objects;
	plan->nr_objects = n;
	return 0;
}

static bool is_live(const struct itme_plan *plan)
{
	for (u32 i = 0; i < plan->nr_objects; i++)
		if (xa_load(&plan->fs->objects, plan->objects[i]))
			return true;
	return false;
}

/* Tell the files of a plan that they are, or are not any more, in one plan more. */
static void count_in(struct itme_plan *plan, int n)
{
	struct itme_fs *fs = plan->fs;

	lockdep_assert_held(&fs->lock);
	for (u32 i = 0; i < plan->nr_objects; i++) {
		struct itme_inode *ino = xa_load(&fs->objects, plan->objects[i]);

		if (!ino)
			continue;
		WRITE_ONCE(ino->planned, ino->planned + n);
		plan->opens += ino->opens ? n : 0;
	}
}

/**
 * itme_plans_opened - a file is opened, or closed
 * @ino: file
 * @n: one more or less that has it open
 */
void itme_plans_opened(struct itme_inode *ino, int n)
{
	struct itme_fs *fs = ino->fs;
	struct itme_plan *plan;
	u32 was;

	spin_lock(&fs->lock);
	was = ino->opens;
	WRITE_ONCE(ino->opens, was + n);
	if (ino->planned && !was != !ino->opens) {
		list_for_each_entry(plan, &fs->plans, node) {
			if (!bsearch(&ino->id, plan->objects, plan->nr_objects, sizeof(u32),
				     compare_objects))
				continue;
			plan->opens += n;
			if (!plan->opens)
				plan->stepped = false;
		}
		itme_plans_share(fs);
	}
	spin_unlock(&fs->lock);
}

/* Into the list, and out of it. */
static void enter(struct itme_plan *plan)
{
	list_add_tail(&plan->node, &plan->fs->plans);
	count_in(plan, 1);
	if (plan->triggers) {
		itme_triggers_list(plan->fs, plan->triggers);
		/* For what is mapped. */
		itme_plan_kick(plan);
	}
}

static void leave(struct itme_plan *plan)
{
	list_del_init(&plan->node);
	count_in(plan, -1);
	if (plan->triggers)
		itme_triggers_unlist(plan->fs, plan->triggers);
}

struct itme_plan *itme_plan_find(struct itme_fs *fs, u32 id)
{
	struct itme_plan *plan;

	lockdep_assert_held(&fs->lock);
	list_for_each_entry(plan, &fs->plans, node)
		if (plan->id == id)
			return plan;
	return NULL;
}

bool itme_plan_names(const struct itme_plan *plan, u32 object)
{
	u32 low = 0, high = plan->seq.nr_runs;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (plan->seq.keys[mid].key >> 32 < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < plan->seq.nr_runs && plan->seq.keys[low].key >> 32 == object;
}

/* Which plan has to go, so that there is a place for one that somebody sets? Or NULL. */
static struct itme_plan *oldest_learned(struct itme_fs *fs)
{
	struct itme_plan *plan;

	lockdep_assert_held(&fs->lock);
	list_for_each_entry(plan, &fs->plans, node)
		if (plan->learned)
			return plan;
	return NULL;
}

/**
 * itme_plan_install - let a plan be followed
 * @plan: complete; the caller's reference goes to the list
 * @id: number of the plan to replace, 0 for a new one; set to the number it has
 *
 * Return: 0; -EINVAL it has no chunks; -EFBIG; -ENOMEM; -ENOENT no such plan to replace;
 * -ENOSPC there are too many; -ESTALE all its files have gone meanwhile. The caller
 * then has the reference still.
 */
int itme_plan_install(struct itme_plan *plan, u32 *id)
{
	struct itme_fs *fs = plan->fs;
	struct itme_plan *old = NULL, *p;
	u32 nr = 0;
	int err = 0;

	if (plan->seq.nr_runs || !plan->triggers)
		err = itme_sequence_build(&plan->seq);
	if (!err && plan->triggers)
		err = itme_triggers_build(plan->triggers);
	if (!err)
		err = list_objects(plan);
	if (err)
		return err;
	INIT_WORK(&plan->work, itme_plan_work);
	spin_lock(&fs->lock);
	list_for_each_entry(p, &fs->plans, node)
		nr++;
	if (*id) {
		old = itme_plan_find(fs, *id);
		err = old ? 0 : -ENOENT;
	} else if (nr >= ITME_PLANS_MAX) {
		old = plan->learned ? NULL : oldest_learned(fs);
		err = old ? 0 : -ENOSPC;
	}
	plan->pages = count_pages(plan);
	if (!err && !is_live(plan))
		err = -ESTALE;
	if (!err) {
		if (old)
			leave(old);
		if (!*id)
			*id = ++fs->last_plan;
		plan->id = *id;
		plan->trusted = !plan->learned;
		plan->passed = itme_now();
		enter(plan);
		itme_plans_share(fs);
		itme_changed(&itme_plans_changed);
	}
	spin_unlock(&fs->lock);
	if (old && !err)
		itme_plan_put(old);
	return err;
}

static void drop(struct itme_plan *plan)
{
	lockdep_assert_held(&plan->fs->lock);
	leave(plan);
	itme_plans_share(plan->fs);
	itme_changed(&itme_plans_changed);
}

/**
 * itme_plan_remove - forget a plan
 * @fs: file system
 * @id: its number
 *
 * Return: 0, or -ENOENT
 */
int itme_plan_remove(struct itme_fs *fs, u32 id)
{
	struct itme_plan *plan;

	spin_lock(&fs->lock);
	plan = itme_plan_find(fs, id);
	if (plan)
		drop(plan);
	spin_unlock(&fs->lock);
	if (!plan)
		return -ENOENT;
	itme_plan_put(plan);
	return 0;
}

/* It may have been removed or replaced meanwhile, its number is of no use here. */
void itme_plan_execute(struct itme_plan *plan)
{
	bool listed;

	spin_lock(&plan->fs->lock);
	listed = !list_empty(&plan->node);
	if (listed)
		drop(plan);
	spin_unlock(&plan->fs->lock);
	if (listed)
		itme_plan_put(plan);
}

/**
 * itme_plans_drop - unmount: all plans go
 * @fs: file system, no work in flight
 */
void itme_plans_drop(struct itme_fs *fs)
{
	struct itme_plan *plan, *next;

	list_for_each_entry_safe(plan, next, &fs->plans, node) {
		spin_lock(&fs->lock);
		leave(plan);
		spin_unlock(&fs->lock);
		itme_plan_put(plan);
	}
}

static bool names(const struct itme_plan *plan, u32 object)
{
	u32 low = 0, high = plan->nr_objects;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (plan->objects[mid] < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < plan->nr_objects && plan->objects[low] == object;
}

/* A plan that names a file, and has no file any more. */
static struct itme_plan *find_orphan(struct itme_fs *fs, u32 object)
{
	struct itme_plan *plan;

	lockdep_assert_held(&fs->lock);
	list_for_each_entry(plan, &fs->plans, node)
		if (names(plan, object) && !is_live(plan))
			return plan;
	return NULL;
}

/**
 * itme_plans_forget - a file goes; so do the plans that had no other
 * @fs: file system
 * @object: its number, not in fs->objects any more
 */
void itme_plans_forget(struct itme_fs *fs, u32 object)
{
	struct itme_plan *plan;

	do {
		spin_lock(&fs->lock);
		plan = find_orphan(fs, object);
		if (plan)
			drop(plan);
		spin_unlock(&fs->lock);
		/* Not under the lock, as it may sleep. */
		if (plan)
			itme_plan_put(plan);
	} while (plan);
}

/**
 * itme_plan_next - for who lists all plans
 * @fs: file system
 * @id: the number after which to look
 *
 * Return: the plan with the next higher number, to be let go with itme_plan_put()
 */
struct itme_plan *itme_plan_next(struct itme_fs *fs, u32 id)
{
	struct itme_plan *plan, *next = NULL;

	spin_lock(&fs->lock);
	list_for_each_entry(plan, &fs->plans, node)
		if (plan->id > id && (!next || plan->id < next->id))
			next = plan;
	if (next)
		refcount_inc(&next->ref);
	spin_unlock(&fs->lock);
	return next;
}

/**
 * itme_plan_class - where does a chunk belong?
 * @ino: file
 * @idx: chunk
 * @cycle: set to the time until it is used again, 1/ITME_HZ s, 0 unknown
 *
 * Those that stay are spread evenly over the file, as in itme_policy_spread(), so
 * that the drive has the same work all the time.
 *
 * Return: its class
 */
enum itme_class itme_plan_class(struct itme_inode *ino, u32 idx, u32 *cycle)
{
	u32 rank = idx * 2654435769U;
	struct itme_fs *fs = ino->fs;
	enum itme_class class = ITME_CLASS_NONE, best;
	struct itme_plan *plan;
	u32 distance;

	if (!READ_ONCE(ino->planned))
		return class;
	spin_lock(&fs->lock);
	list_for_each_entry(plan, &fs->plans, node) {
		if (!plan->trusted ||
		    !itme_sequence_find(&plan->seq, ino->id, idx, 0, plan->seq.length, &distance))
			continue;
		best = ITME_CLASS_STREAM;
		if (rank < plan->share[ITME_TIER_DRAM])
			best = ITME_CLASS_DRAM;
		else if (rank < plan->share[ITME_TIER_DRAM] + plan->share[ITME_TIER_CXL])
			best = ITME_CLASS_CXL;
		/* Of several plans, the one that wants it nearest. */
		if (class == ITME_CLASS_NONE || best < class) {
			class = best;
			*cycle = plan->cycle;
		}
	}
	spin_unlock(&fs->lock);
	return class;
}
