/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: sequential readers
 *
 * Finds runs of touches in file order and says what to read ahead. Touches are
 * seen where a chunk was absent or is used for the first time since it was read,
 * so a reader that follows its read-ahead is seen at every chunk. Pure, like
 * policy.h.
 */
#ifndef ITME_STREAM_H
#define ITME_STREAM_H

#include <linux/types.h>

#define ITME_STREAMS	8
/* Touches in a row before a mapping that was said to be random is believed not to be. */
#define ITME_RUN_RANDOM	4

/**
 * struct itme_range - chunks of a file
 * @start: the first
 * @nr: how many
 */
struct itme_range {
	u32 start;
	u32 nr;
};

/**
 * struct itme_stream - one sequential reader
 * @next: chunk after the last one touched
 * @ahead: chunk after the last one read ahead
 * @window: chunks to be ahead
 * @run: touches in a row, saturating
 * @used: when last advanced, in touches of the file
 */
struct itme_stream {
	u32 next;
	u32 ahead;
	u16 window;
	u16 run;
	u32 used;
};

/**
 * struct itme_streams - the readers of a file
 * @stream: the most recent ones
 * @clock: touches of the file
 * @score: how sequential the file is read, 0 to 16
 */
struct itme_streams {
	struct itme_stream stream[ITME_STREAMS];
	u32 clock;
	u32 score;
};

/**
 * struct itme_touch - a touch that was seen
 * @idx: the chunk
 * @nr_chunks: of the file
 * @max_window: chunks the memory has room for ahead of use
 * @max_issue: chunks that may be read ahead now, as others read ahead too
 * @after_resident: the chunk before it is in memory and in use
 * @believe: touches in a row from which on it is read ahead for, where something else was
 *	said of how it is used
 */
struct itme_touch {
	u32 idx;
	u32 nr_chunks;
	u32 max_window;
	u32 max_issue;
	u32 believe;
	bool after_resident;
};

struct itme_range itme_stream_touch(struct itme_streams *t, const struct itme_touch *touch);
void itme_stream_missed(struct itme_streams *t, u32 idx);

#endif /* ITME_STREAM_H */
