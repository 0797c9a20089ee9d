/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: the order in which chunks will be used
 *
 * A sequence is what a plan says, in chunks: runs of them, one after the other,
 * over one or several files, once or again and again. Every use of a chunk has a
 * position, 0 to length - 1. Cursors follow those who go through it: there may be
 * several at once, they may skip, turn back, or do something else altogether. Pure,
 * like policy.h.
 */
#ifndef ITME_SEQUENCE_H
#define ITME_SEQUENCE_H

#include <linux/types.h>

#define ITME_CURSORS	4

/**
 * struct itme_run - uses of consecutive chunks
 * @object: number of the file
 * @start: the first chunk
 * @nr: how many
 * @stage: of the plan; does not fall from run to run
 * @at: position of the first
 */
struct itme_run {
	u32 object;
	u32 start;
	u32 nr;
	u32 stage;
	u32 at;
};

/* By file and chunk, for who asks where a chunk is used. */
struct itme_run_key {
	u64 key;
	u32 run;
	u32 longest;
};

/**
 * struct itme_sequence - all uses in order
 * @runs: @nr_runs of them
 * @keys: as many, sorted
 * @nr_runs: see there
 * @length: uses of chunks
 * @cyclic: the first follows the last
 */
struct itme_sequence {
	struct itme_run *runs;
	struct itme_run_key *keys;
	u32 nr_runs;
	u32 length;
	bool cyclic;
};

/**
 * struct itme_cursor - one who goes through a sequence
 * @pos: position expected next
 * @lead: uses from there on that have been read ahead or need not be
 * @used: when last moved, by the clock of the cursors
 * @run: touches in order, saturating; 0 when there is no cursor here
 * @skipped: uses that the last touch has passed over
 * @round: of who reads ahead, in which there was nothing to do for it
 */
struct itme_cursor {
	u32 pos;
	u32 lead;
	u32 used;
	u32 run;
	u32 skipped;
	u32 round;
};

/**
 * struct itme_cursors - all who go through a sequence
 * @cursor: the most recent ones
 * @clock: touches
 * @score: how well the touches fit the sequence, 0 to ITME_FIT_MAX
 */
struct itme_cursors {
	struct itme_cursor cursor[ITME_CURSORS];
	u32 clock;
	u32 score;
};

#define ITME_FIT_MAX	16
/* From here on what comes next is believed, also after a jump. */
#define ITME_FIT_TRUST	4

/**
 * enum itme_fit - how a touch fits a sequence
 * @ITME_FIT_UNKNOWN: the chunk is not in it
 * @ITME_FIT_JUMP: it is, elsewhere than expected
 * @ITME_FIT_EXPECTED: it came where it was expected, or not long after
 * @ITME_FIT_LATE: just before: a thread that is later than the others
 */
enum itme_fit {
	ITME_FIT_UNKNOWN,
	ITME_FIT_JUMP,
	ITME_FIT_EXPECTED,
	ITME_FIT_LATE,
};

int itme_sequence_build(struct itme_sequence *seq);
bool itme_sequence_find(const struct itme_sequence *seq, u32 object, u32 idx, u32 from, u32 window,
			u32 *distance);
const struct itme_run *itme_sequence_at(const struct itme_sequence *seq, u32 pos);
u32 itme_sequence_stage(const struct itme_sequence *seq, u32 stage);
u32 itme_sequence_ahead(const struct itme_sequence *seq, const struct itme_cursor *cursor);
enum itme_fit itme_cursors_touch(struct itme_cursors *all, const struct itme_sequence *seq,
				 u32 object, u32 idx, struct itme_cursor **cursor);
bool itme_cursors_judge(struct itme_cursors *all, struct itme_cursor *cursor, bool fits);
struct itme_cursor *itme_cursors_step(struct itme_cursors *all, const struct itme_sequence *seq,
				      u32 pos);
bool itme_cursors_missed(struct itme_cursors *all, const struct itme_sequence *seq, u32 object,
			 u32 idx);

#endif /* ITME_SEQUENCE_H */
