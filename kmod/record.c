// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "record.h"

/* Threads that share the work, and small reads, come back to a chunk that soon. */
#define RECENT	16

/**
 * itme_record_clear - begin anew
 * @record: the log
 */
void itme_record_clear(struct itme_record *record)
{
	memset(record, 0, sizeof(*record));
}

/**
 * itme_record_use - a chunk is used
 * @record: the log
 * @object: number of the file
 * @idx: chunk
 * @first: set to where in the log a pass begins
 *
 * A log that is full begins anew, so that an order that is longer, or none, costs
 * nothing more.
 *
 * Return: true when a pass is over: all from @first on has been used, and this chunk,
 * with which it began, comes again
 */
bool itme_record_use(struct itme_record *record, u32 object, u32 idx, u32 *first)
{
	u64 key = (u64)object << 32 | idx;
	u32 hash = (key * 0x9e3779b97f4a7c15ULL) >> 32;

	for (u32 i = hash % ITME_RECORD_SLOTS; ; i = (i + 1) % ITME_RECORD_SLOTS) {
		u32 at = record->slot[i];

		if (at && record->log[at - 1] != key)
			continue;
		if (at) {
			*first = at - 1;
			return record->nr - at >= RECENT;
		}
		if (record->nr == ITME_RECORD_MAX) {
			itme_record_clear(record);
			return false;
		}
		record->log[record->nr++] = key;
		record->slot[i] = record->nr;
		return false;
	}
}
