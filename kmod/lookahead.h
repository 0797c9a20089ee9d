/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: how much more than usual is to be ahead
 *
 * The ring of a plan is as small as the drive can be kept busy with, as what it takes
 * does not stay. Where users of a plan rest now and then, as they compute on
 * something else, it fills up and the drive is idle; then they go on, faster than the
 * drive, and wait. A page more of the ring is one page more to read in every pass, and
 * one page less to wait for whenever this happens. So it pays where this happens more
 * than once a pass, whatever the drive and the computing take, and both are in what is
 * counted. Pure, like policy.h.
 */
#ifndef ITME_LOOKAHEAD_H
#define ITME_LOOKAHEAD_H

#include <linux/types.h>

/**
 * struct itme_lookahead - what is counted
 * @full: since somebody waited last, all was read that there was room for
 * @swings: times in this pass that the ring was full and then ran dry
 * @passed: pages of plans whose pass has ended since
 * @pages: of all plans in the ring: when so many have passed, a pass of them has ended
 */
struct itme_lookahead {
	bool full;
	u32 swings;
	u64 passed;
	u64 pages;
};

void itme_lookahead_dry(struct itme_lookahead *l);
bool itme_lookahead_passed(struct itme_lookahead *l, u64 pages);
long itme_lookahead_wide(struct itme_lookahead *l, long wide, long ring, long step);

#endif /* ITME_LOOKAHEAD_H */
