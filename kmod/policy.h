/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: who stays and who leaves
 *
 * Pure decisions: no locks, no allocation, no kernel calls but lists, so that it
 * compiles on the host too, where tests/host drives it. The caller holds the
 * lock that protects the queues.
 *
 * Each tier has two sets. *main* is what stays; the *ring* (DRAM only) is what
 * passes through: a queue of what waits for its use, and one of what has been
 * used, first in, first out. Of the chunks read for the first time as many go to
 * main as it has room for, spread over the file, the others to the ring. It gets a place in
 * main later only at the cost of one that is proven colder: one not touched for
 * longer than the time between the last two uses of the newcomer. In a cyclic
 * scan no two chunks differ in that, so main stays as it is and the ring carries
 * the rest, which is what MIN does; LRU would hit nothing. (The idea is that of
 * LIRS, Jiang and Zhang 2002: rank by reuse distance, not by recency.)
 */
#ifndef ITME_POLICY_H
#define ITME_POLICY_H

#include <linux/list.h>
#include <linux/types.h>

/* Tiers that are memory; ITME_TIER_NVME is not. */
#define ITME_MEM_TIERS		2

/**
 * enum itme_state - of a chunk
 * @ITME_ABSENT: not in memory
 * @ITME_FILLING: a fill owns it
 * @ITME_RESIDENT: in memory (the kernel may have taken folios of it)
 * @ITME_BUSY: a drop or move owns it
 */
enum itme_state {
	ITME_ABSENT,
	ITME_FILLING,
	ITME_RESIDENT,
	ITME_BUSY,
};

/* Somebody owns it, and will put it back. */
static inline bool itme_in_transit(u8 state)
{
	return state == ITME_FILLING || state == ITME_BUSY;
}

/* struct itme_chunk.flags */
#define ITME_C_RING		0x01	/* in the ring, not in main           */
#define ITME_C_UNTOUCHED	0x02	/* nobody has used it since the fill  */
#define ITME_C_PREFETCH		0x04	/* the fill was not waited for        */
#define ITME_C_PINNED		0x08	/* ITME_ADVICE_PIN: on no queue       */
#define ITME_C_HELD		0x10	/* could not leave: on the held queue */
#define ITME_C_COLD		0x20	/* said to be cold: never demoted     */
#define ITME_C_EIO		0x40	/* the last fill failed: drive        */
#define ITME_C_ENOMEM		0x80	/* the last fill failed: no memory    */

/**
 * struct itme_chunk - unit of policy
 * @node: in a queue, empty when in none
 * @stamp: when last touched as far as seen, or filled; 0 never. See itme_now().
 * @interval: between the last two uses; 0 unknown
 * @object: number of the file
 * @state: enum itme_state
 * @flags: ITME_C_*
 * @tier: whose queue it is on, while not absent. Its memory is there too, but for
 *	what the kernel has moved by itself; room is charged by folio and node.
 * @heat: rounds of the sampler in a row that saw it touched
 * @stay: a plan has it stay where it is, see itme_plan_class()
 * @young: touched since the sampler looked. It and @stamp are written without
 *	the lock by whoever touches; a lost update only makes a guess older.
 */
struct itme_chunk {
	struct list_head node;
	u32 stamp;
	u32 interval;
	u32 object;
	u8 state;
	u8 flags;
	u8 tier : 2, heat : 4, stay : 1;
	u8 young;
};

struct itme_queue {
	struct list_head list;
	long pages;
};

/**
 * struct itme_queues - the chunks of one tier
 * @main: what stays
 * @ring: what passes through and has not been used yet; newest at the head
 * @used: what has passed through; first in, first out
 * @held: what could not leave at the last try, from either; set aside so that a
 *	search does not meet it again at once
 * @pinned: pages under ITME_ADVICE_PIN, on no queue
 * @planned: pages of a chunk of each plan, the largest, where plans that are trusted
 *	say of all that is used when; else 0
 * @wide: pages to be ahead beyond the usual ring, see lookahead.h
 */
struct itme_queues {
	struct itme_queue main;
	struct itme_queue ring;
	struct itme_queue used;
	struct itme_queue held;
	long pinned;
	long planned;
	long wide;
};

/* Units of stamp and interval a second: 1 ms, nearly. */
#define ITME_HZ			1000
/* A chunk prefetched that long ago and not used will not be. */
#define ITME_STALE		(10 * ITME_HZ)
/* A chunk somebody waited for is left to him that long. */
#define ITME_GRACE		(ITME_HZ / 2)

/* Time since @stamp; right as long as it is below 2^31 ms, 24 days. */
static inline u32 itme_age(u32 stamp, u32 now)
{
	s32 age = now - stamp;

	return age < 0 ? 0 : age;
}

long itme_policy_ring(long budget, long planned);
long itme_policy_ring_now(const struct itme_queues *q, long budget);
long itme_policy_ahead(const struct itme_queues *q, long budget);
long itme_policy_stay_max(int tier, long budget);
bool itme_policy_fits_main(const struct itme_queues *q, long budget, long pages);
bool itme_policy_spread(const struct itme_queues *q, long budget, u64 file, u32 idx);
struct itme_chunk *itme_policy_colder(struct itme_queue *main, u32 interval, u32 now);
struct itme_chunk *itme_policy_victim(struct itme_queues *q, long budget, bool demand, u32 now);
struct itme_chunk *itme_policy_stale(struct itme_queue *ring, u32 now, u32 patience);

#endif /* ITME_POLICY_H */
