// SPDX-License-Identifier: GPL-2.0
#include <linux/minmax.h>

#include "lookahead.h"

/* Swings in a pass for which more of the ring pays, with something to spare. */
#define SWINGS_WIDEN	2

/**
 * itme_lookahead_dry - somebody waits for what is read ahead for him
 * @l: what is counted
 */
void itme_lookahead_dry(struct itme_lookahead *l)
{
	l->swings += l->full;
	l->full = false;
}

/**
 * itme_lookahead_passed - a pass of a plan has ended
 * @l: what is counted
 * @pages: of the plan
 *
 * One of a large plan counts for more than one of a small one beside it.
 *
 * Return: true when a pass of all plans has ended, as it were
 */
bool itme_lookahead_passed(struct itme_lookahead *l, u64 pages)
{
	l->passed += pages;
	if (l->passed < l->pages)
		return false;
	l->passed = 0;
	return true;
}

/**
 * itme_lookahead_wide - how wide is the ring to be in the next pass?
 * @l: what is counted; begins anew
 * @wide: what is ahead beyond the usual, pages
 * @ring: the usual, pages
 * @step: by which it changes at least, pages
 *
 * By a quarter up, as long as it pays; by a sixteenth down, as long as nobody waits
 * for what there was time to read. In between it stays.
 *
 * Return: what is to be ahead beyond the usual, pages
 */
long itme_lookahead_wide(struct itme_lookahead *l, long wide, long ring, long step)
{
	u32 swings = l->swings;

	l->swings = 0;
	if (swings >= SWINGS_WIDEN)
		return wide + max(step, (ring + wide) / 4);
	if (!swings)
		return max(0L, wide - max(step, wide / 16));
	return wide;
}
