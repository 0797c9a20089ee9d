// SPDX-License-Identifier: GPL-2.0
#include "stream.h"

#define SCORE_MAX	16
#define RUN_MAX		65535
/* From here on a file counts as read in order. */
#define SCORE_TRUST	4
/* Threads that share a scan touch chunks out of order by about this much. */
#define JITTER		4

/*
 * The reader that is expected here: the one whose read-ahead covers the chunk, or
 * else one that has just passed it. The most recent one where several do.
 */
static struct itme_stream *find(struct itme_streams *t, u32 idx)
{
	struct itme_stream *best = NULL;
	bool covered = false;

	for (int i = 0; i < ITME_STREAMS; i++) {
		struct itme_stream *s = &t->stream[i];
		u32 ahead = s->ahead > s->next ? s->ahead : s->next;
		bool covers = idx >= s->next && idx <= ahead;

		if (!s->run || (u64)idx + JITTER < s->next || idx > ahead)
			continue;
		if (!best || covers > covered ||
		    (covers == covered && t->clock - s->used < t->clock - best->used)) {
			best = s;
			covered = covers;
		}
	}
	return best;
}

static struct itme_stream *oldest(struct itme_streams *t)
{
	struct itme_stream *old = &t->stream[0];

	for (int i = 0; i < ITME_STREAMS; i++) {
		struct itme_stream *s = &t->stream[i];

		if (!s->run)
			return s;
		if (t->clock - s->used > t->clock - old->used)
			old = s;
	}
	return old;
}

static struct itme_stream *start(struct itme_streams *t, const struct itme_touch *touch)
{
	struct itme_stream *s = oldest(t);

	*s = (struct itme_stream){ .next = touch->idx, .ahead = touch->idx };
	/*
	 * The beginning of a file is taken for the beginning of a scan, and where
	 * scans are the rule, so is the first gap after what is resident.
	 */
	if (!touch->idx)
		s->window = 1;
	else if (touch->after_resident && t->score >= SCORE_TRUST)
		s->window = 2;
	else if (t->score)
		t->score -= t->score < 4 ? t->score : 4;
	return s;
}

/**
 * itme_stream_touch - note a touch, and say what should be read ahead
 * @t: readers of the file
 * @touch: the touch
 *
 * The window doubles with every chunk until it is as large as memory allows.
 *
 * Return: chunks to read ahead; none when @nr is 0
 */
struct itme_range itme_stream_touch(struct itme_streams *t, const struct itme_touch *touch)
{
	struct itme_range none = {};
	struct itme_range range;
	struct itme_stream *s;
	u64 end;

	t->clock++;
	s = find(t, touch->idx);
	if (s) {
		s->used = t->clock;
		if (touch->idx < s->next)
			return none;
		s->window = s->window ? s->window * 2 : 2;
		if (t->score < SCORE_MAX)
			t->score++;
	} else {
		s = start(t, touch);
		s->used = t->clock;
	}
	if (s->run < RUN_MAX)
		s->run++;
	s->next = touch->idx + 1;
	if (s->window > touch->max_window)
		s->window = touch->max_window;
	if (s->run < touch->believe && s->run < RUN_MAX)
		return none;

	end = (u64)s->next + s->window;
	if (end > touch->nr_chunks)
		end = touch->nr_chunks;
	range.start = s->ahead > s->next ? s->ahead : s->next;
	/* At the end of the file it is over; the next scan is another reader. */
	if (s->next >= touch->nr_chunks)
		s->run = 0;
	if (end <= range.start)
		return none;
	range.nr = end - range.start;
	if (range.nr > touch->max_issue)
		range.nr = touch->max_issue;
	if (range.nr)
		s->ahead = range.start + range.nr;
	return range;
}

/**
 * itme_stream_missed - a chunk that was to be read ahead has not been
 * @t: readers of the file
 * @idx: the chunk
 *
 * There was no room for it. Who comes to it asks for it again, and for what follows.
 */
void itme_stream_missed(struct itme_streams *t, u32 idx)
{
	for (int i = 0; i < ITME_STREAMS; i++) {
		struct itme_stream *s = &t->stream[i];

		if (idx >= s->next && idx < s->ahead)
			s->ahead = idx;
	}
}
