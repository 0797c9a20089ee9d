// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "itme.h"
#include "plan.h"
#include "trigger.h"

/* Triggers looked at for one page or chunk, so that the lock is held for a bounded time. */
#define SEARCH_MAX	512
static u64 key_of(u32 object, u32 idx)
{
	return (u64)object << 32 | idx;
}

static int compare_triggers(const void *a, const void *b)
{
	const struct itme_trigger *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int compare_keys(const void *a, const void *b)
{
	const struct itme_target_key *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int compare_bounds(const void *a, const void *b)
{
	const struct itme_bound *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

/* Room for one more of an array. Return: 0, -ENOMEM, -E2BIG it has @max */
static int grow(void **array, u32 nr, u32 *room, u32 max, size_t size)
{
	u32 more = clamp_t(u32, 2 * *room, 16, max);
	void *p;

	if (nr < *room)
		return 0;
	if (nr >= max)
		return -E2BIG;
	p = kvrealloc(*array, more * size, ITME_PLAN_GFP);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = more;
	return 0;
}

/* A range that is there. Return: 0; -ENOENT no such file; -ERANGE not all in it */
static int check_range(struct itme_fs *fs, u32 object, u64 offset, u64 length, u8 *chunk_shift)
{
	struct itme_inode *ino;
	int err = -ENOENT;
	u64 end, size;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, object);
	if (ino && itme_linked(ino)) {
		size = i_size_read(&ino->vfs);
		*chunk_shift = ino->chunk_shift;
		err = !length || check_add_overflow(offset, length, &end) || end > size ?
		      -ERANGE : 0;
	}
	spin_unlock(&fs->lock);
	return err;
}

/**
 * itme_trigger_add - begin a trigger
 * @plan: in no list
 * @object: number of the file of the source
 * @offset: of the source, bytes
 * @length: of the source, bytes
 *
 * Of two sources that adjoin inside of a page, none has that page, so that the end of
 * one is not taken for the beginning of the other; but a source has one page at least.
 *
 * Return: 0; -ENOENT no such file; -ERANGE not all in the file; -E2BIG too many; -ENOMEM
 */
int itme_trigger_add(struct itme_plan *plan, u32 object, u64 offset, u64 length)
{
	struct itme_triggers *set = plan->triggers;
	struct itme_trigger *t;
	u8 chunk_shift;
	int err;

	err = check_range(plan->fs, object, offset, length, &chunk_shift);
	if (err)
		return err;
	if (!set) {
		set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
		if (!set)
			return -ENOMEM;
		INIT_LIST_HEAD(&set->node);
		set->plan = plan;
		plan->triggers = set;
	}
	err = grow((void **)&set->trigger, set->nr, &set->room, ITME_TRIGGERS_MAX,
		   sizeof(*set->trigger));
	if (err)
		return err;
	t = &set->trigger[set->nr++];
	*t = (struct itme_trigger){
		.first = DIV_ROUND_UP_ULL(offset, PAGE_SIZE),
		.end = (offset + length) >> PAGE_SHIFT,
		.object = object,
		.target = set->nr_targets,
	};
	if (t->first >= t->end) {
		t->first = offset >> PAGE_SHIFT;
		t->end = DIV_ROUND_UP_ULL(offset + length, PAGE_SIZE);
	}
	return 0;
}

/**
 * itme_trigger_add_target - what the trigger that was added last says
 * @plan: in no list, with a trigger
 * @object: number of a file
 * @offset: bytes
 * @length: bytes
 *
 * Return: as itme_trigger_add()
 */
int itme_trigger_add_target(struct itme_plan *plan, u32 object, u64 offset, u64 length)
{
	struct itme_triggers *set = plan->triggers;
	struct itme_target *target;
	u8 chunk_shift;
	int err;

	err = check_range(plan->fs, object, offset, length, &chunk_shift);
	if (err)
		return err;
	if (set->trigger[set->nr - 1].nr >= ITME_TARGETS_EACH)
		return -E2BIG;
	err = grow((void **)&set->target, set->nr_targets, &set->target_room, ITME_TARGETS_MAX,
		   sizeof(*set->target));
	if (err)
		return err;
	target = &set->target[set->nr_targets++];
	target->object = object;
	target->start = offset >> chunk_shift;
	target->nr = ((offset + length - 1) >> chunk_shift) - target->start + 1;
	set->trigger[set->nr - 1].nr++;
	return 0;
}

static void build_triggers(struct itme_triggers *set)
{
	sort(set->trigger, set->nr, sizeof(*set->trigger), compare_triggers, NULL);
	for (u32 i = 0; i < set->nr; i++) {
		struct itme_trigger *t = &set->trigger[i];

		t->reach = t->end;
		if (i && t[-1].object == t->object)
			t->reach = max(t->reach, t[-1].reach);
		set->bound[2 * i] = (struct itme_bound){ t->first, t->object };
		set->bound[2 * i + 1] = (struct itme_bound){ t->end, t->object };
	}
	sort(set->bound, 2 * set->nr, sizeof(*set->bound), compare_bounds, NULL);
}

static void build_keys(struct itme_triggers *set)
{
	for (u32 i = 0; i < set->nr; i++) {
		for (u32 j = 0; j < set->trigger[i].nr; j++) {
			const struct itme_target *target = &set->target[set->trigger[i].target + j];

			set->key[set->trigger[i].target + j] = (struct itme_target_key){
				.key = key_of(target->object, target->start),
				.end = target->start + target->nr,
				.trigger = i,
			};
		}
	}
	sort(set->key, set->nr_targets, sizeof(*set->key), compare_keys, NULL);
	for (u32 i = 0; i < set->nr_targets; i++) {
		struct itme_target_key *k = &set->key[i];

		k->reach = k->end;
		if (i && k[-1].key >> 32 == k->key >> 32)
			k->reach = max(k->reach, k[-1].reach);
	}
}

/**
 * itme_triggers_build - make triggers ready for use
 * @set: all have been added, each with a target
 *
 * Return: 0 or -ENOMEM
 */
int itme_triggers_build(struct itme_triggers *set)
{
	size_t bits = BITS_TO_LONGS(set->nr);

	set->key = kvcalloc(set->nr_targets, sizeof(*set->key), ITME_PLAN_GFP);
	set->bound = kvcalloc(2 * set->nr, sizeof(*set->bound), ITME_PLAN_GFP);
	set->armed = kvcalloc(bits, sizeof(long), ITME_PLAN_GFP);
	set->unmap = kvcalloc(bits, sizeof(long), ITME_PLAN_GFP);
	if (!set->key || !set->bound || !set->armed || !set->unmap)
		return -ENOMEM;
	build_triggers(set);
	build_keys(set);
	/* What is mapped now has been used unseen. */
	bitmap_fill(set->armed, set->nr);
	bitmap_fill(set->unmap, set->nr);
	return 0;
}

static void free_set(struct rcu_head *rcu)
{
	struct itme_triggers *set = container_of(rcu, struct itme_triggers, rcu);

	kvfree(set->trigger);
	kvfree(set->target);
	kvfree(set->key);
	kvfree(set->bound);
	kvfree(set->armed);
	kvfree(set->unmap);
	kfree(set);
}

/* Who has found it in the list may be looking at it still. */
void itme_triggers_free(struct itme_triggers *set)
{
	if (set)
		call_rcu(&set->rcu, free_set);
}

/* Tell files that they have, or have not any more, sources or targets in one set more. */
static void count_in(struct itme_fs *fs, const struct itme_triggers *set, int n)
{
	struct itme_inode *ino;

	lockdep_assert_held(&fs->lock);
	for (u32 i = 0; i < set->nr; i++) {
		const struct itme_trigger *t = &set->trigger[i];

		ino = !i || t[-1].object != t->object ? xa_load(&fs->objects, t->object) : NULL;
		if (ino)
			WRITE_ONCE(ino->sources, ino->sources + n);
	}
	for (u32 i = 0; i < set->nr_targets; i++) {
		const struct itme_target_key *k = &set->key[i];

		ino = !i || k[-1].key >> 32 != k->key >> 32 ?
		      xa_load(&fs->objects, k->key >> 32) : NULL;
		if (ino)
			ino->targets += n;
	}
}

void itme_triggers_list(struct itme_fs *fs, struct itme_triggers *set)
{
	/* It is built by now: those who look without the lock see all of it. */
	list_add_tail_rcu(&set->node, &fs->triggers);
	count_in(fs, set, 1);
}

void itme_triggers_unlist(struct itme_fs *fs, struct itme_triggers *set)
{
	count_in(fs, set, -1);
	list_del_rcu(&set->node);
}

/* The first trigger with a source that ends after a page, of that file or a later one. */
static u32 find(const struct itme_triggers *set, u32 object, u64 page)
{
	u32 low = 0, high = set->nr;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		const struct itme_trigger *t = &set->trigger[mid];

		if (t->object < object || (t->object == object && t->reach <= page))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* May a trigger, or one after it, have a page of a range in its source? */
static bool in_reach(const struct itme_triggers *set, u32 i, u32 object, u64 end)
{
	return i < set->nr && set->trigger[i].object == object && set->trigger[i].first < end;
}

static bool any_armed(struct itme_inode *ino, u64 first, u64 end)
{
	const struct itme_triggers *set;
	bool armed = false;

	rcu_read_lock();
	list_for_each_entry_rcu(set, &ino->fs->triggers, node) {
		u32 i = find(set, ino->id, first);

		for (u32 left = SEARCH_MAX; in_reach(set, i, ino->id, end) && left--; i++)
			armed |= set->trigger[i].end > first && test_bit(i, set->armed);
	}
	rcu_read_unlock();
	return armed;
}

/**
 * itme_triggers_armed - would the use of a page have a trigger fire?
 * @ino: file
 * @page: of it
 *
 * Without locks. One that is armed just after that may go unseen this time.
 *
 * Return: true if so
 */
bool itme_triggers_armed(struct itme_inode *ino, u64 page)
{
	return READ_ONCE(ino->sources) && any_armed(ino, page, page + 1);
}

/**
 * itme_triggers_clip - the pages around one that belong to the same sources
 * @ino: file
 * @page: of it
 * @first: raised to the first of them
 * @end: lowered to the one after the last
 *
 * Without locks.
 */
void itme_triggers_clip(struct itme_inode *ino, u64 page, u64 *first, u64 *end)
{
	const struct itme_triggers *set;

	if (!READ_ONCE(ino->sources))
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(set, &ino->fs->triggers, node) {
		u32 low = 0, high = 2 * set->nr;

		while (low < high) {
			u32 mid = low + (high - low) / 2;
			const struct itme_bound *b = &set->bound[mid];

			if (b->object < ino->id || (b->object == ino->id && b->page <= page))
				low = mid + 1;
			else
				high = mid;
		}
		if (low && set->bound[low - 1].object == ino->id)
			*first = max(*first, set->bound[low - 1].page);
		if (low < 2 * set->nr && set->bound[low].object == ino->id)
			*end = min(*end, set->bound[low].page);
	}
	rcu_read_unlock();
}

/**
 * itme_triggers_touch - pages are used
 * @ino: file
 * @first: the first
 * @end: the one after the last
 * @later: not before itme_triggers_read(), which the caller brings about
 *
 * In the context of the process. What follows is done by the worker of the plan.
 */
void itme_triggers_touch(struct itme_inode *ino, u64 first, u64 end, bool later)
{
	struct itme_fs *fs = ino->fs;
	struct itme_triggers *set;

	if (!READ_ONCE(ino->sources) || !any_armed(ino, first, end))
		return;
	spin_lock(&fs->lock);
	list_for_each_entry(set, &fs->triggers, node) {
		u32 i = find(set, ino->id, first);

		for (u32 left = SEARCH_MAX; in_reach(set, i, ino->id, end) && left--; i++)
			if (set->trigger[i].end > first && test_and_clear_bit(i, set->armed))
				itme_trigger_fire(set, i);
		if (!later)
			itme_triggers_ready(set);
	}
	spin_unlock(&fs->lock);
}

/* The first target that ends after a chunk, of that file or a later one. */
static u32 find_target(const struct itme_triggers *set, u32 object, u32 idx)
{
	u32 low = 0, high = set->nr_targets;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		const struct itme_target_key *k = &set->key[mid];

		if (k->key >> 32 < object || (k->key >> 32 == object && k->reach <= idx))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_target_of(const struct itme_triggers *set, u32 i, u32 object)
{
	return i < set->nr_targets && set->key[i].key >> 32 == object;
}

static void take_first(struct itme_range *first, u32 start, u32 end)
{
	if (start < first->start)
		*first = (struct itme_range){ start, end - start };
}

/**
 * itme_triggers_range - what triggers say that a chunk is used with
 * @ino: file
 * @idx: chunk
 *
 * Return: a source or target that has the chunk; or else the first one behind it; or an
 * empty range at U32_MAX
 */
struct itme_range itme_triggers_range(struct itme_inode *ino, u32 idx)
{
	struct itme_range first = { .start = U32_MAX };
	u64 page = itme_chunk_start(ino, idx);
	struct itme_triggers *set;

	lockdep_assert_held(&ino->fs->lock);
	if (!ino->targets && !ino->sources)
		return first;
	list_for_each_entry(set, &ino->fs->triggers, node) {
		u32 i = find(set, ino->id, page);
		u32 left = SEARCH_MAX;

		while (in_reach(set, i, ino->id, ~0ULL) && set->trigger[i].end <= page && left--)
			i++;
		if (in_reach(set, i, ino->id, ~0ULL))
			take_first(&first, itme_chunk_of(ino, set->trigger[i].first),
				   itme_chunk_of(ino, set->trigger[i].end - 1) + 1);
		i = find_target(set, ino->id, idx);
		left = SEARCH_MAX;
		while (is_target_of(set, i, ino->id) && set->key[i].end <= idx && left--)
			i++;
		if (is_target_of(set, i, ino->id))
			take_first(&first, set->key[i].key, set->key[i].end);
	}
	return first;
}

/**
 * itme_triggers_left - a chunk has left memory
 * @ino: file
 * @idx: chunk
 *
 * The use of a source of which it is a target is to be seen again.
 */
void itme_triggers_left(struct itme_inode *ino, u32 idx)
{
	struct itme_fs *fs = ino->fs;
	u64 key = key_of(ino->id, idx);
	struct itme_triggers *set;

	lockdep_assert_held(&fs->lock);
	if (!ino->targets)
		return;
	list_for_each_entry(set, &fs->triggers, node) {
		u32 i = find_target(set, ino->id, idx);
		bool armed = false;

		for (u32 left = SEARCH_MAX; is_target_of(set, i, ino->id) && left--; i++) {
			const struct itme_target_key *k = &set->key[i];

			if (k->key > key)
				break;
			if (k->end <= idx || test_and_set_bit(k->trigger, set->armed))
				continue;
			__set_bit(k->trigger, set->unmap);
			armed = true;
		}
		if (armed)
			itme_plan_kick(set->plan);
	}
}

/* Return: true if there may be more to unmap */
bool itme_triggers_unmap(struct itme_fs *fs, struct itme_triggers *set)
{
	const struct itme_trigger *t = NULL;
	struct itme_inode *ino = NULL;
	u32 i;

	spin_lock(&fs->lock);
	i = find_first_bit(set->unmap, set->nr);
	if (i < set->nr && !list_empty(&set->plan->node)) {
		__clear_bit(i, set->unmap);
		t = &set->trigger[i];
		ino = xa_load(&fs->objects, t->object);
		if (ino && (!mapping_mapped(ino->vfs.i_mapping) || !igrab(&ino->vfs)))
			ino = NULL;
	}
	spin_unlock(&fs->lock);
	if (ino) {
		/*
		 * A fault that has seen it not armed may map it after this. Then a use
		 * is not seen; until it is unmapped anew, by the sampler or as it leaves.
		 */
		unmap_mapping_pages(ino->vfs.i_mapping, t->first, t->end - t->first, false);
		itme_inode_put(ino);
	}
	return t;
}

