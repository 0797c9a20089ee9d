// SPDX-License-Identifier: GPL-2.0
#include "reference.h"

#include <stdlib.h>

/*
 * Both keep the resident chunks in an array and look through it for a victim:
 * the one with the smallest (LRU) or the largest (MIN) value.
 */
static uint32_t misses(const uint32_t *trace, uint32_t nr, uint32_t chunks, uint32_t room,
		       uint32_t from, const uint32_t *next)
{
	uint32_t *resident = malloc(room * sizeof(*resident));
	uint32_t *value = calloc(chunks, sizeof(*value));
	uint32_t *slot = calloc(chunks, sizeof(*slot));
	uint32_t used = 0, n = 0;

	for (uint32_t at = 0; at < nr; at++) {
		uint32_t idx = trace[at];
		uint32_t victim = 0;

		value[idx] = next ? next[at] : at;
		if (slot[idx])
			continue;
		n += at >= from;
		if (used < room) {
			victim = used++;
		} else {
			for (uint32_t i = 1; i < used; i++)
				if (next ? value[resident[i]] > value[resident[victim]] :
					   value[resident[i]] < value[resident[victim]])
					victim = i;
			slot[resident[victim]] = 0;
		}
		resident[victim] = idx;
		slot[idx] = 1;
	}
	free(resident);
	free(value);
	free(slot);
	return n;
}

uint32_t lru_misses(const uint32_t *trace, uint32_t nr, uint32_t chunks, uint32_t room,
		    uint32_t from)
{
	return misses(trace, nr, chunks, room, from, NULL);
}

uint32_t min_misses(const uint32_t *trace, uint32_t nr, uint32_t chunks, uint32_t room,
		    uint32_t from)
{
	uint32_t *next = malloc(nr * sizeof(*next));
	uint32_t *last = malloc(chunks * sizeof(*last));
	uint32_t n;

	for (uint32_t i = 0; i < chunks; i++)
		last[i] = UINT32_MAX;
	for (uint32_t at = nr; at-- > 0;) {
		next[at] = last[trace[at]];
		last[trace[at]] = at;
	}
	n = misses(trace, nr, chunks, room, from, next);
	free(next);
	free(last);
	return n;
}
