// SPDX-License-Identifier: GPL-2.0
#include <linux/compiler.h>
#include <linux/minmax.h>

#include "policy.h"

/* 2 MiB and 4 KiB, in pages: the ring is sized for the largest chunks. */
#define CHUNK_PAGES	512L
#define RING_MIN	(4 * CHUNK_PAGES)
#define RING_MAX	(32 * CHUNK_PAGES)
/* Of a ring that a plan fills: half of them ahead, and what is in use and leaves. */
#define PLAN_CHUNKS	8L
/* How far a queue is searched, so that the lock is held for a bounded time. */
#define SCAN_MAX	64

static long clamp_ring(long ring, long min)
{
	if (ring < min)
		ring = min;
	return ring > RING_MAX ? RING_MAX : ring;
}

/**
 * itme_policy_ring - room kept for what passes through
 * @budget: of the tier, pages
 * @planned: as in struct itme_queues
 *
 * A quarter of the budget, enough for 16 reads of 2 MiB in flight and the same
 * again in use, where the budget is large; never more than half of it. Where it is
 * known what comes, a fortieth, but not less than a few reads in flight: what the
 * ring takes is read again in each pass.
 *
 * Return: pages
 */
long itme_policy_ring(long budget, long planned)
{
	long ring = clamp_ring(budget / 4, RING_MIN);
	long narrow = clamp_ring(budget / 40, PLAN_CHUNKS * planned);

	if (planned && narrow < ring)
		ring = narrow;
	return ring > budget / 2 ? budget / 2 : ring;
}

/* Not more than half of a budget that has been lowered since. */
static long wide(const struct itme_queues *q, long budget, long ring)
{
	return min(READ_ONCE(q->wide), budget / 2 - ring);
}

/**
 * itme_policy_ring_now - likewise, and what more of it has proven to pay
 * @q: queues of DRAM
 * @budget: of the tier, pages
 *
 * Return: pages
 */
long itme_policy_ring_now(const struct itme_queues *q, long budget)
{
	long ring = itme_policy_ring(budget, READ_ONCE(q->planned));

	return ring + wide(q, budget, ring);
}

/**
 * itme_policy_ahead - what all readers together may have ahead
 * @q: queues of DRAM
 * @budget: of the tier, pages
 *
 * Half of the ring, so that the other half is left for what they are in; that is no more
 * when there is more ahead. What is wide counts as far as main has left the room for it.
 *
 * Return: pages
 */
long itme_policy_ahead(const struct itme_queues *q, long budget)
{
	long ring = itme_policy_ring(budget, READ_ONCE(q->planned));
	long left = budget - ring - READ_ONCE(q->main.pages) - READ_ONCE(q->held.pages) -
		    READ_ONCE(q->pinned);

	return ring / 2 + clamp(left, 0L, wide(q, budget, ring));
}

/**
 * itme_policy_stay_max - what may be kept from leaving a tier
 * @tier: memory tier, 0 is DRAM
 * @budget: of the tier, pages
 *
 * In DRAM the ring stays free, or nobody could read anything any more.
 *
 * Return: pages
 */
long itme_policy_stay_max(int tier, long budget)
{
	return tier ? budget : budget - itme_policy_ring(budget, 0);
}

/**
 * itme_policy_fits_main - is there room in main, beside the ring and the pinned?
 * @q: queues of DRAM
 * @budget: of the tier, pages
 * @pages: of the chunk
 *
 * Return: true if so
 */
bool itme_policy_fits_main(const struct itme_queues *q, long budget, long pages)
{
	return q->main.pages + q->held.pages + q->pinned + pages <=
	       budget - itme_policy_ring_now(q, budget);
}

static bool can_leave(const struct itme_chunk *c)
{
	return c->state == ITME_RESIDENT;
}

static bool is_colder(const struct itme_chunk *c, u32 interval, u32 now)
{
	return can_leave(c) && !c->young && !c->stay &&
	       itme_age(c->stamp, now) > interval + interval / 4;
}

/**
 * itme_policy_spread - is a chunk one of those that shall stay, of a file too large?
 * @q: queues of DRAM
 * @budget: of the tier, pages
 * @file: size of its file, pages
 * @idx: chunk of the file
 *
 * What stays is spread evenly over the file, so that in a scan the drive has work
 * all the time. Were it one run, the drive would be idle while the reader is in it,
 * and the reader wait while he is out of it. The multiples of the golden ratio,
 * modulo one, are spread as evenly as can be, whatever the share (Weyl 1916).
 *
 * Return: true for as large a share of the chunks as fits
 */
bool itme_policy_spread(const struct itme_queues *q, long budget, u64 file, u32 idx)
{
	long room = budget - itme_policy_ring_now(q, budget) - q->pinned;

	if (room <= 0 || (u64)room >= file)
		return true;
	return (u32)(idx * 2654435769U) < ((u64)room << 32) / file;
}

/**
 * itme_policy_colder - a chunk that is worth less than a newcomer
 * @main: queue to look in
 * @interval: time between the last two uses of the newcomer; 0 unknown
 * @now: the time
 *
 * One that was not touched for a quarter longer than @interval. A chunk whose
 * touches could not be seen since the sampler's last visit (young) counts as in
 * use. The sampler takes from the tail and puts to the head: of those at the head
 * it is known best that they are idle, those at the tail had most time to be used.
 *
 * Return: the chunk, or NULL
 */
struct itme_chunk *itme_policy_colder(struct itme_queue *main, u32 interval, u32 now)
{
	struct itme_chunk *c;
	int left = SCAN_MAX;

	if (!interval)
		return NULL;
	list_for_each_entry(c, &main->list, node) {
		if (left-- <= SCAN_MAX / 4)
			break;
		if (is_colder(c, interval, now))
			return c;
	}
	left = SCAN_MAX / 4;
	list_for_each_entry_reverse(c, &main->list, node) {
		if (!left--)
			break;
		if (is_colder(c, interval, now))
			return c;
	}
	return NULL;
}

/* Filled and not used yet; whoever it was filled for may still come. */
static bool wanted(const struct itme_chunk *c, u32 now)
{
	u32 patience = c->flags & ITME_C_PREFETCH ? ITME_STALE : ITME_GRACE;

	return c->flags & ITME_C_UNTOUCHED && itme_age(c->stamp, now) <= patience;
}

static struct itme_chunk *oldest(struct itme_queue *q, u32 now)
{
	struct itme_chunk *c;
	int left = SCAN_MAX;

	list_for_each_entry_reverse(c, &q->list, node) {
		if (!left--)
			break;
		if (can_leave(c) && !wanted(c, now))
			return c;
	}
	return NULL;
}

/* What a plan has stay leaves last, and for nobody who does not wait. */
static struct itme_chunk *main_oldest(struct itme_queue *main, bool demand, u32 now)
{
	struct itme_chunk *c, *young = NULL, *stays = NULL;
	int left = SCAN_MAX;

	list_for_each_entry_reverse(c, &main->list, node) {
		if (!left--)
			break;
		if (!can_leave(c) || wanted(c, now))
			continue;
		if (c->stay) {
			if (!stays)
				stays = c;
			continue;
		}
		if (!c->young)
			return c;
		if (!young)
			young = c;
	}
	return young || !demand ? young : stays;
}

/* Newest first: of what was read ahead, that is used latest. */
static struct itme_chunk *unused(struct itme_queue *q)
{
	struct itme_chunk *c;
	int left = SCAN_MAX;

	list_for_each_entry(c, &q->list, node) {
		if (!left--)
			break;
		if (can_leave(c) && c->flags & ITME_C_PREFETCH)
			return c;
	}
	return NULL;
}

/**
 * itme_policy_victim - who leaves a tier to make room
 * @q: queues of the tier
 * @budget: of the tier, pages
 * @demand: somebody waits; without, nothing that is still wanted leaves
 * @now: the time
 *
 * First what has passed through. Then of main, if it is larger than its share or
 * there is a need; then what was read ahead, farthest first.
 *
 * Return: the chunk, or NULL when none may leave
 */
struct itme_chunk *itme_policy_victim(struct itme_queues *q, long budget, bool demand, u32 now)
{
	struct itme_chunk *c = oldest(&q->used, now);

	if (!c)
		c = oldest(&q->ring, now);
	if (!c && (demand || !itme_policy_fits_main(q, budget, 0)))
		c = main_oldest(&q->main, demand, now);
	if (!c && demand)
		c = unused(&q->ring);
	if (!c && demand)
		c = unused(&q->main);
	return c;
}

/**
 * itme_policy_stale - what was read ahead, and nobody has come for
 * @ring: what has not been used yet
 * @now: the time
 * @patience: how long it is waited for, 1/ITME_HZ s
 *
 * Return: the oldest such chunk, or NULL
 */
struct itme_chunk *itme_policy_stale(struct itme_queue *ring, u32 now, u32 patience)
{
	struct itme_chunk *c;
	int left = SCAN_MAX;

	list_for_each_entry_reverse(c, &ring->list, node) {
		if (!left--)
			break;
		if (can_leave(c) && c->flags & ITME_C_PREFETCH &&
		    (!(c->flags & ITME_C_UNTOUCHED) || itme_age(c->stamp, now) > patience))
			return c;
	}
	return NULL;
}
