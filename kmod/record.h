/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: the order in which a process has used chunks
 *
 * A record is a log of uses, each chunk once. When a chunk comes again that was not
 * just used, a pass is over: what lies between its two uses is what the process goes
 * through again and again, if it does. Pure, like policy.h.
 */
#ifndef ITME_RECORD_H
#define ITME_RECORD_H

#include <linux/types.h>

/* Uses in a record; 64 GiB of chunks of 2 MiB. A power of two. */
#define ITME_RECORD_MAX		32768
/* Slots of the index, so that it is half full at most. */
#define ITME_RECORD_SLOTS	(2 * ITME_RECORD_MAX)

/**
 * struct itme_record - a log of uses
 * @nr: uses in @log
 * @log: file and chunk of each, in order
 * @slot: by hash, 1 + place in @log; 0 empty
 */
struct itme_record {
	u32 nr;
	u64 log[ITME_RECORD_MAX];
	u32 slot[ITME_RECORD_SLOTS];
};

void itme_record_clear(struct itme_record *record);
bool itme_record_use(struct itme_record *record, u32 object, u32 idx, u32 *first);

#endif /* ITME_RECORD_H */
