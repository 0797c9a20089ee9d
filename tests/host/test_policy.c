// SPDX-License-Identifier: GPL-2.0
/* policy.c by itself: on queues made by hand. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "tap.h"

#define CHUNK	512L
#define BUDGET	(64 * CHUNK)
#define NOW	1000000u

static struct itme_queues q;
static struct itme_chunk chunks[4096];
static int nr;

static void start(void)
{
	memset(&q, 0, sizeof(q));
	memset(chunks, 0, sizeof(chunks));
	nr = 0;
	INIT_LIST_HEAD(&q.main.list);
	INIT_LIST_HEAD(&q.ring.list);
	INIT_LIST_HEAD(&q.used.list);
	INIT_LIST_HEAD(&q.held.list);
}

static struct itme_queue *queue_for(u8 flags)
{
	if (!(flags & ITME_C_RING))
		return &q.main;
	return flags & ITME_C_UNTOUCHED ? &q.ring : &q.used;
}

/* The newest of its queue, as residency.c puts it. */
static struct itme_chunk *put(u8 flags, u8 state, u32 age, bool young)
{
	struct itme_chunk *c = &chunks[nr++];
	struct itme_queue *queue = queue_for(flags);

	c->flags = flags;
	c->state = state;
	c->stamp = NOW - age;
	c->young = young;
	list_add(&c->node, &queue->list);
	queue->pages += CHUNK;
	return c;
}

static struct itme_chunk *resident(u8 flags, u32 age, bool young)
{
	return put(flags, ITME_RESIDENT, age, young);
}

static struct itme_chunk *victim(bool demand)
{
	return itme_policy_victim(&q, BUDGET, demand, NOW);
}

static int number(const struct itme_chunk *c)
{
	return c ? c - chunks : -1;
}

#define CHECK_IS(got, want) CHECK((got) == (want), "%d, not %d", number(got), number(want))

static void age(void)
{
	CHECK(itme_age(5, 5) == 0);
	CHECK(itme_age(5, 12) == 7);
	/* Stamps are written without the lock and may be newer than "now". */
	CHECK(itme_age(12, 5) == 0);
	/* The clock wraps every 49 days. */
	CHECK(itme_age(UINT_MAX - 1, 3) == 5);
	CHECK(itme_age(3, UINT_MAX - 1) == 0);
	CHECK(itme_age(0, INT_MAX) == INT_MAX);
}

static void ring_size(void)
{
	long last = 0;

	for (long budget = 0; budget < 1000 * CHUNK; budget += CHUNK / 2) {
		long ring = itme_policy_ring(budget, 0);
		long narrow = itme_policy_ring(budget, CHUNK / 8);

		CHECK(narrow <= ring, "%ld, %ld of %ld", narrow, ring, budget);
		CHECK(narrow >= min(ring, CHUNK), "%ld, %ld of %ld", narrow, ring, budget);
		CHECK(narrow <= CHUNK || narrow <= budget / 16, "%ld of %ld", narrow, budget);
		CHECK(itme_policy_ring(budget, 100 * CHUNK) == ring, "of %ld", budget);

		CHECK(ring >= last && ring <= budget / 2, "%ld of %ld", ring, budget);
		CHECK(budget < 8 * CHUNK || ring >= 4 * CHUNK, "%ld of %ld", ring, budget);
		CHECK(ring <= 32 * CHUNK, "%ld of %ld", ring, budget);
		last = ring;
	}
	CHECK(itme_policy_ring(LONG_MAX, 0) == 32 * CHUNK);
	CHECK(itme_policy_stay_max(0, BUDGET) == BUDGET - itme_policy_ring(BUDGET, 0));
	CHECK(itme_policy_stay_max(1, BUDGET) == BUDGET);
}

static void main_share(void)
{
	long share = BUDGET - itme_policy_ring(BUDGET, 0);

	start();
	CHECK(itme_policy_fits_main(&q, BUDGET, share));
	CHECK(!itme_policy_fits_main(&q, BUDGET, share + 1));
	q.main.pages = share - CHUNK;
	CHECK(itme_policy_fits_main(&q, BUDGET, CHUNK));
	q.ring.pages = BUDGET;
	CHECK(itme_policy_fits_main(&q, BUDGET, CHUNK), "the ring is not counted");
	q.pinned = 1;
	CHECK(!itme_policy_fits_main(&q, BUDGET, CHUNK), "what is pinned is");
	q.pinned = 0;
	q.held.pages = 1;
	CHECK(!itme_policy_fits_main(&q, BUDGET, CHUNK), "what is held is");
	start();
	CHECK(!itme_policy_fits_main(&q, 0, 1));
	CHECK(itme_policy_fits_main(&q, 0, 0));
}

/* The oldest of what has been used; a use of it does not matter. */
static void ring_in_order(void)
{
	struct itme_chunk *first, *second;

	start();
	CHECK_IS(victim(true), (struct itme_chunk *)NULL);
	resident(0, 99999, false);
	first = resident(ITME_C_RING, 50, true);
	second = resident(ITME_C_RING, 9000, false);
	CHECK_IS(victim(false), first);
	CHECK_IS(victim(true), first);
	first->state = ITME_BUSY;
	CHECK_IS(victim(true), second);
}

/* Read ahead, nobody waits: it stays, until it is stale. */
static void wanted_stays(void)
{
	struct itme_chunk *ahead, *demanded;

	start();
	ahead = resident(ITME_C_RING | ITME_C_UNTOUCHED | ITME_C_PREFETCH, ITME_STALE, false);
	demanded = resident(ITME_C_RING | ITME_C_UNTOUCHED, 10, false);
	CHECK_IS(victim(false), (struct itme_chunk *)NULL);
	/* Somebody waits: what is read ahead may go, what others wait for may not. */
	CHECK_IS(victim(true), ahead);
	ahead->state = ITME_FILLING;
	CHECK_IS(victim(true), (struct itme_chunk *)NULL);
	ahead->state = ITME_RESIDENT;
	ahead->stamp--;
	CHECK_IS(victim(false), ahead);
	ahead->state = ITME_BUSY;
	demanded->stamp = NOW - ITME_GRACE - 1;
	CHECK_IS(victim(true), demanded);
}

/* What was read ahead is stale when nobody has come for long, and is found behind others. */
static void stale(void)
{
	struct itme_chunk *demanded, *old, *newer;

	start();
	CHECK_IS(itme_policy_stale(&q.ring, NOW, ITME_STALE), (struct itme_chunk *)NULL);
	demanded = resident(ITME_C_RING | ITME_C_UNTOUCHED, 2 * ITME_STALE, false);
	old = resident(ITME_C_RING | ITME_C_UNTOUCHED | ITME_C_PREFETCH, ITME_STALE + 2, false);
	newer = resident(ITME_C_RING | ITME_C_UNTOUCHED | ITME_C_PREFETCH, ITME_STALE + 1, false);
	resident(ITME_C_RING | ITME_C_UNTOUCHED | ITME_C_PREFETCH, ITME_STALE, false);
	CHECK_IS(itme_policy_stale(&q.ring, NOW, ITME_STALE), old);
	old->state = ITME_BUSY;
	CHECK_IS(itme_policy_stale(&q.ring, NOW, ITME_STALE), newer);
	newer->state = ITME_BUSY;
	CHECK_IS(itme_policy_stale(&q.ring, NOW, ITME_STALE), (struct itme_chunk *)NULL);
	CHECK_IS(victim(true), demanded);
}

/* Of what is read ahead, the farthest goes first; main goes before that. */
static void farthest_first(void)
{
	struct itme_chunk *last = NULL, *main;

	start();
	for (int i = 0; i < 5; i++)
		last = resident(ITME_C_RING | ITME_C_UNTOUCHED | ITME_C_PREFETCH, 100 - i, false);
	CHECK_IS(victim(true), last);
	main = resident(0, 1, true);
	CHECK_IS(victim(true), main);
	CHECK_IS(victim(false), (struct itme_chunk *)NULL);
}

static void main_in_order(void)
{
	struct itme_chunk *young, *oldest, *c;

	start();
	young = resident(0, 9000, true);
	oldest = resident(0, 100, false);
	c = resident(0, 200, false);
	CHECK_IS(victim(true), oldest);
	oldest->state = ITME_FILLING;
	CHECK_IS(victim(true), c);
	c->state = ITME_BUSY;
	CHECK_IS(victim(true), young);
	CHECK_IS(victim(false), (struct itme_chunk *)NULL);
	/* More than its share: also when nobody waits. */
	q.main.pages = BUDGET;
	CHECK_IS(victim(false), young);
	young->state = ITME_BUSY;
	CHECK_IS(victim(true), (struct itme_chunk *)NULL);
}

/* What was filled for somebody and not used yet is the last of main to go. */
static void main_wanted(void)
{
	struct itme_chunk *ahead, *young;

	start();
	ahead = resident(ITME_C_UNTOUCHED | ITME_C_PREFETCH, 100, false);
	young = resident(0, 100, true);
	CHECK_IS(victim(true), young);
	young->state = ITME_BUSY;
	CHECK_IS(victim(true), ahead);
	ahead->flags = ITME_C_UNTOUCHED;
	CHECK_IS(victim(true), (struct itme_chunk *)NULL);
}

static struct itme_chunk *colder(u32 interval)
{
	return itme_policy_colder(&q.main, interval, NOW);
}

static void colder_chunk(void)
{
	struct itme_chunk *c;

	start();
	CHECK_IS(colder(100), (struct itme_chunk *)NULL);
	resident(0, 50, false);
	c = resident(0, 126, false);
	resident(0, 9000, true);
	put(0, ITME_FILLING, 9000, false);
	put(0, ITME_BUSY, 9000, false);
	CHECK_IS(colder(0), (struct itme_chunk *)NULL);
	CHECK_IS(colder(100), c);
	c->stamp++;
	CHECK_IS(colder(100), (struct itme_chunk *)NULL);
	/* The largest there is, see itme_age(). */
	CHECK_IS(colder(INT_MAX), (struct itme_chunk *)NULL);
}

/* All of a cyclic scan are alike: none is colder than another. */
static void colder_scan(void)
{
	start();
	for (int i = 0; i < 500; i++)
		resident(0, 1 + tap_random(1000), tap_random(2));
	for (int i = 0; i < 1000; i++)
		CHECK_IS(colder(1000), (struct itme_chunk *)NULL);
	CHECK(q.main.pages == 500 * CHUNK);
}

/* A search ends, however long the queue is. */
static void bounded(void)
{
	struct itme_chunk *old;

	start();
	old = resident(0, 100000, false);
	for (int i = 0; i < 4000; i++)
		put(i & 1 ? ITME_C_RING : 0, ITME_FILLING, 0, false);
	list_move(&old->node, &q.main.list);
	for (int i = 0; i < 1000; i++) {
		struct itme_chunk *c = colder(10);

		CHECK(!c || c == old);
		c = victim(true);
		CHECK(!c || c == old);
	}
}

/* Whatever the queues hold, only what may leave does, and only when it may. */
static void any_queue(void)
{
	for (int round = 0; round < 3000; round++) {
		int n = tap_random(40);

		start();
		for (int i = 0; i < n; i++) {
			u8 flags = tap_random(2) ? ITME_C_RING : 0;

			if (tap_random(2))
				flags |= ITME_C_UNTOUCHED | (tap_random(2) ? ITME_C_PREFETCH : 0);
			put(flags, ITME_FILLING + tap_random(3), tap_random(2 * ITME_STALE),
			    tap_random(2));
		}
		q.pinned = tap_random(2) * tap_random(BUDGET);
		for (int demand = 0; demand < 2; demand++) {
			struct itme_chunk *c = victim(demand);
			bool anything = false;

			for (int i = 0; i < nr; i++)
				anything |= chunks[i].state == ITME_RESIDENT &&
					    !(chunks[i].flags & ITME_C_UNTOUCHED);
			CHECK(c || !demand || !anything, "somebody waits, and nothing leaves");
			if (!c)
				continue;
			CHECK(c->state == ITME_RESIDENT);
			CHECK(!(c->flags & ITME_C_UNTOUCHED) || c->flags & ITME_C_PREFETCH ||
			      itme_age(c->stamp, NOW) > ITME_GRACE, "somebody waited for it");
			CHECK(demand || !(c->flags & ITME_C_UNTOUCHED) ||
			      itme_age(c->stamp, NOW) > ITME_GRACE);
			CHECK(demand || !(c->flags & ITME_C_PREFETCH) ||
			      !(c->flags & ITME_C_UNTOUCHED) ||
			      itme_age(c->stamp, NOW) > ITME_STALE, "it was read ahead");
		}
	}
}

static const struct test tests[] = {
	{ "age", age },
	{ "size of the ring", ring_size },
	{ "share of main", main_share },
	{ "the ring leaves in order", ring_in_order },
	{ "what is still wanted stays", wanted_stays },
	{ "what nobody has come for", stale },
	{ "what is farthest ahead leaves first", farthest_first },
	{ "main leaves in order, idle before young", main_in_order },
	{ "main keeps what is still wanted", main_wanted },
	{ "colder than a newcomer", colder_chunk },
	{ "no chunk of a scan is colder than another", colder_scan },
	{ "searches are bounded", bounded },
	{ "any queue", any_queue },
};

TAP_MAIN(tests)
