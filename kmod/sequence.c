// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/sort.h>

#include "sequence.h"

/* Runs looked at for one chunk, so that a lock is held for a bounded time. */
#define SEARCH_MAX	64
/* Threads that share the work touch chunks out of order by about this much. */
#define JITTER		32
/* Touches in a row after which a cursor is believed, whatever the others did. */
#define RUN_TRUST	2
#define RUN_MAX		16

static u64 key_of(u32 object, u32 idx)
{
	return (u64)object << 32 | idx;
}

static int compare(const void *a, const void *b)
{
	const struct itme_run_key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->run < y->run ? -1 : x->run > y->run;
}

/**
 * itme_sequence_build - make a sequence of runs
 * @seq: @runs, @nr_runs and @cyclic are set, @keys has room for as many
 *
 * A chunk in which one range ends and the next one begins is used once there, so it
 * is taken out of the later run.
 *
 * Return: 0, -EINVAL when there is nothing in it, -EFBIG more than 2^31 uses
 */
int itme_sequence_build(struct itme_sequence *seq)
{
	u32 n = 0, longest = 0;
	u64 at = 0;

	for (u32 i = 0; i < seq->nr_runs; i++) {
		struct itme_run run = seq->runs[i];
		struct itme_run *last = n ? &seq->runs[n - 1] : NULL;

		if (run.nr && last && last->object == run.object &&
		    last->start + last->nr - 1 == run.start) {
			run.start++;
			run.nr--;
		}
		if (!run.nr)
			continue;
		if (last && last->object == run.object && last->stage == run.stage &&
		    last->start + last->nr == run.start) {
			last->nr += run.nr;
		} else {
			run.at = at;
			seq->runs[n++] = run;
		}
		at += run.nr;
		if (at > INT_MAX)
			return -EFBIG;
	}
	if (!n)
		return -EINVAL;
	seq->nr_runs = n;
	seq->length = at;
	for (u32 i = 0; i < n; i++)
		seq->keys[i] = (struct itme_run_key){
			.key = key_of(seq->runs[i].object, seq->runs[i].start),
			.run = i,
		};
	sort(seq->keys, n, sizeof(*seq->keys), compare, NULL);
	/* The longest run up to here, of this file: how far back a search has to go. */
	for (u32 i = 0; i < n; i++) {
		const struct itme_run *run = &seq->runs[seq->keys[i].run];

		if (i && seq->keys[i].key >> 32 != seq->keys[i - 1].key >> 32)
			longest = 0;
		if (run->nr > longest)
			longest = run->nr;
		seq->keys[i].longest = longest;
	}
	return 0;
}

/**
 * itme_sequence_find - where is a chunk used next?
 * @seq: sequence
 * @object: number of the file
 * @idx: chunk
 * @from: position to look from
 * @window: uses to look at
 * @distance: set to the uses between @from and that one
 *
 * Return: false when it is not used there
 */
bool itme_sequence_find(const struct itme_sequence *seq, u32 object, u32 idx, u32 from, u32 window,
			u32 *distance)
{
	u64 key = key_of(object, idx);
	u32 low = 0, high = seq->nr_runs;
	u32 best = window;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (seq->keys[mid].key <= key)
			low = mid + 1;
		else
			high = mid;
	}
	for (u32 i = low, left = SEARCH_MAX; i-- && left--; ) {
		const struct itme_run_key *k = &seq->keys[i];
		const struct itme_run *run = &seq->runs[k->run];
		u32 pos, d;

		if (run->object != object || (u64)run->start + k->longest <= idx)
			break;
		if (idx - run->start >= run->nr)
			continue;
		pos = run->at + (idx - run->start);
		if (pos >= from)
			d = pos - from;
		else if (seq->cyclic)
			d = pos + (seq->length - from);
		else
			continue;
		if (d < best)
			best = d;
	}
	if (best >= window)
		return false;
	*distance = best;
	return true;
}

/**
 * itme_sequence_at - the run that a position is in
 * @seq: sequence
 * @pos: below @length
 *
 * Return: the run
 */
const struct itme_run *itme_sequence_at(const struct itme_sequence *seq, u32 pos)
{
	u32 low = 0, high = seq->nr_runs;

	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (seq->runs[mid].at <= pos)
			low = mid;
		else
			high = mid;
	}
	return &seq->runs[low];
}

/**
 * itme_sequence_stage - where a stage begins
 * @seq: sequence
 * @stage: of the plan
 *
 * Return: position of the first use in it or, if it has none of its own, after it
 */
u32 itme_sequence_stage(const struct itme_sequence *seq, u32 stage)
{
	u32 low = 0, high = seq->nr_runs;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (seq->runs[mid].stage < stage)
			low = mid + 1;
		else
			high = mid;
	}
	return low < seq->nr_runs ? seq->runs[low].at : seq->cyclic ? 0 : seq->length;
}

/**
 * itme_sequence_ahead - how many uses are still to come for a cursor
 * @seq: sequence
 * @cursor: in it
 *
 * Return: chunks, in a cyclic sequence up to where it is now
 */
u32 itme_sequence_ahead(const struct itme_sequence *seq, const struct itme_cursor *cursor)
{
	return seq->cyclic ? seq->length - 1 : seq->length - cursor->pos;
}

static u32 wrap(const struct itme_sequence *seq, u64 pos)
{
	return seq->cyclic && pos >= seq->length ? pos - seq->length : pos;
}

static void advance(struct itme_cursor *c, const struct itme_sequence *seq, u32 distance)
{
	u32 used = distance + 1;

	c->pos = wrap(seq, (u64)c->pos + used);
	c->lead = c->lead > used ? c->lead - used : 0;
	c->skipped = distance;
}

static struct itme_cursor *oldest(struct itme_cursors *all)
{
	struct itme_cursor *old = &all->cursor[0];

	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];

		if (!c->run)
			return c;
		if (all->clock - c->used > all->clock - old->used)
			old = c;
	}
	return old;
}

/*
 * The cursor that was expected here: this use is among those it has read ahead, or
 * soon after them. The nearest where several were.
 */
static struct itme_cursor *expected(struct itme_cursors *all, const struct itme_sequence *seq,
				    u32 object, u32 idx, u32 *distance)
{
	struct itme_cursor *best = NULL;

	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];
		u32 window = best ? *distance : c->lead + JITTER;

		if (c->run && itme_sequence_find(seq, object, idx, c->pos,
						 window, distance))
			best = c;
	}
	return best;
}

/* A cursor that has just passed here: a thread that is later than the others. */
static struct itme_cursor *passed(struct itme_cursors *all, const struct itme_sequence *seq,
				  u32 object, u32 idx)
{
	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];
		u32 back = seq->length > JITTER ? JITTER : seq->length;
		u32 from, distance;

		if (!c->run)
			continue;
		if (c->pos >= back)
			from = c->pos - back;
		else
			from = seq->cyclic ? c->pos + (seq->length - back) : 0;
		if (itme_sequence_find(seq, object, idx, from, back, &distance))
			return c;
	}
	return NULL;
}

/**
 * itme_cursors_touch - a chunk is being used
 * @all: cursors
 * @seq: sequence
 * @object: number of the file
 * @idx: chunk
 * @cursor: set to the one that has come here, NULL for ITME_FIT_UNKNOWN
 *
 * Whether a touch that was expected really says that the sequence is being followed,
 * the caller has to judge: of what lies between, all must be in memory and in use.
 *
 * Return: how the touch fits
 */
enum itme_fit itme_cursors_touch(struct itme_cursors *all, const struct itme_sequence *seq,
				 u32 object, u32 idx, struct itme_cursor **cursor)
{
	enum itme_fit fit = ITME_FIT_EXPECTED;
	struct itme_cursor *c;
	u32 distance;

	all->clock++;
	c = expected(all, seq, object, idx, &distance);
	if (c) {
		advance(c, seq, distance);
	} else {
		c = passed(all, seq, object, idx);
		fit = ITME_FIT_LATE;
	}
	if (!c && itme_sequence_find(seq, object, idx, 0, seq->length, &distance)) {
		c = oldest(all);
		*c = (struct itme_cursor){ .run = 1 };
		advance(c, seq, distance);
		fit = ITME_FIT_JUMP;
	}
	*cursor = c;
	if (!c)
		return ITME_FIT_UNKNOWN;
	c->used = all->clock;
	return fit;
}

/**
 * itme_cursors_judge - how far is a cursor to be believed?
 * @all: cursors
 * @cursor: that has moved
 * @fits: it was used as the sequence says
 *
 * After a jump to elsewhere what follows is believed at once if jumps are rare, else
 * from the second touch in order on: who does something else altogether is not read
 * ahead for.
 *
 * Return: true when it is to be read ahead for
 */
bool itme_cursors_judge(struct itme_cursors *all, struct itme_cursor *cursor, bool fits)
{
	if (fits) {
		if (all->score < ITME_FIT_MAX)
			all->score++;
		if (cursor->run < RUN_MAX)
			cursor->run++;
	} else {
		/* To begin is no jump. */
		if (all->clock > 1)
			all->score -= all->score < ITME_FIT_TRUST ? all->score : ITME_FIT_TRUST;
		cursor->run = 1;
	}
	return cursor->run >= RUN_TRUST || all->score >= ITME_FIT_TRUST;
}

/**
 * itme_cursors_step - somebody says where he is
 * @all: cursors
 * @seq: sequence
 * @pos: what he uses next
 *
 * Return: the cursor, to be read ahead for
 */
struct itme_cursor *itme_cursors_step(struct itme_cursors *all, const struct itme_sequence *seq,
				      u32 pos)
{
	struct itme_cursor *best = NULL;
	u32 nearest = 0;

	all->clock++;
	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];
		u32 d;

		if (!c->run || (pos < c->pos && !seq->cyclic))
			continue;
		d = pos >= c->pos ? pos - c->pos : pos + (seq->length - c->pos);
		if (!best || d < nearest) {
			best = c;
			nearest = d;
		}
	}
	/* Who is further away than half of all has begun anew. */
	if (!best || nearest > seq->length / 2) {
		best = oldest(all);
		*best = (struct itme_cursor){ .pos = pos };
	} else {
		best->pos = pos;
		best->lead = best->lead > nearest ? best->lead - nearest : 0;
	}
	best->run = RUN_MAX;
	best->used = all->clock;
	all->score = ITME_FIT_MAX;
	return best;
}

/**
 * itme_cursors_missed - a chunk that was to be read ahead has not been
 * @all: cursors
 * @seq: sequence
 * @object: number of the file
 * @idx: chunk
 *
 * Return: true when a cursor will ask for it again
 */
bool itme_cursors_missed(struct itme_cursors *all, const struct itme_sequence *seq, u32 object,
			 u32 idx)
{
	bool missed = false;

	for (int i = 0; i < ITME_CURSORS; i++) {
		struct itme_cursor *c = &all->cursor[i];
		u32 distance;

		if (c->run && itme_sequence_find(seq, object, idx, c->pos, c->lead, &distance)) {
			c->lead = distance;
			missed = true;
		}
	}
	return missed;
}
