// SPDX-License-Identifier: GPL-2.0
/* stream.c: what is read ahead for what order of touches. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "stream.h"
#include "tap.h"

#define U32_MAX	UINT32_MAX

static struct itme_streams t;
static u32 nr_chunks, max_window, max_issue = U32_MAX;
/* By chunk: times it was asked for. */
static u8 asked[1 << 16];
static u32 total;

static void start(u32 nr, u32 window)
{
	memset(&t, 0, sizeof(t));
	memset(asked, 0, sizeof(asked));
	nr_chunks = nr;
	max_window = window;
	total = 0;
}

static struct itme_range touch_as(u32 idx, bool after_resident, bool random)
{
	struct itme_range r = itme_stream_touch(&t, &(struct itme_touch){
		.idx = idx,
		.nr_chunks = nr_chunks,
		.max_window = max_window,
		.max_issue = max_issue,
		.after_resident = after_resident,
		.believe = random ? ITME_RUN_RANDOM : 0,
	});

	CHECK(!r.nr || r.start > idx, "%u asks for %u", idx, r.start);
	CHECK((u64)r.start + r.nr <= nr_chunks || !r.nr, "%u+%u of %u", r.start, r.nr, nr_chunks);
	CHECK(r.nr <= max_window, "%u of %u", r.nr, max_window);
	CHECK(r.nr <= max_issue, "%u of %u", r.nr, max_issue);
	total += r.nr;
	if (nr_chunks <= sizeof(asked))
		for (u32 i = r.start; i < r.start + r.nr; i++)
			asked[i] += asked[i] < 255;
	return r;
}

static struct itme_range touch(u32 idx)
{
	return touch_as(idx, false, false);
}

/* How many of [from, to) were asked for at least / more than once. */
static u32 covered(u32 from, u32 to, u8 times)
{
	u32 n = 0;

	for (u32 i = from; i < to; i++)
		n += asked[i] >= times;
	return n;
}

static void sequential(void)
{
	start(1000, 16);
	for (u32 i = 0; i < 1000; i++)
		touch(i);
	CHECK(covered(1, 1000, 1) == 999, "%u", covered(1, 1000, 1));
	CHECK(covered(0, 1000, 2) == 0, "%u", covered(0, 1000, 2));
	CHECK(t.score == 16, "%u", t.score);
}

/* From the middle it takes two touches. */
static void from_the_middle(void)
{
	start(1000, 16);
	CHECK(!touch(500).nr);
	CHECK(touch(501).nr == 2);
	CHECK(touch(502).nr == 3);
	for (u32 i = 503; i < 600; i++)
		touch(i);
	CHECK(covered(502, 600, 1) == 98);
	CHECK(covered(0, 1000, 2) == 0);
}

static void window(void)
{
	u32 ahead = 0;

	start(1000, 16);
	for (u32 i = 0; i < 500; i++) {
		struct itme_range r = touch(i);

		if (r.nr)
			ahead = r.start + r.nr;
		CHECK(ahead <= i + 1 + 16, "%u is %u ahead", i, ahead - i - 1);
		CHECK(i < 5 || ahead == i + 1 + 16, "%u is only %u ahead", i, ahead - i - 1);
	}
	/* Memory gets short: none until the window is used up, then it goes on. */
	max_window = 4;
	for (u32 i = 500; i < 512; i++)
		CHECK(!touch(i).nr, "%u", i);
	CHECK(touch(512).nr == 1);
	max_window = 64;
	touch(513);
	CHECK(touch(514).nr > 1);
}

/* What others read ahead leaves less, now and then nothing: no chunk is forgotten for that. */
static void shared_room(void)
{
	start(1000, 16);
	for (u32 i = 0; i < 1000; i++) {
		max_issue = tap_random(3) ? tap_random(5) : 0;
		touch(i);
	}
	max_issue = U32_MAX;
	CHECK(covered(20, 1000, 1) >= 970, "%u", covered(20, 1000, 1));
	CHECK(covered(0, 1000, 2) == 0, "%u", covered(0, 1000, 2));
}

/* A chunk there was no room for is asked for once more, by the next touch. */
static void missed(void)
{
	start(1000, 16);
	for (u32 i = 0; i < 100; i++)
		touch(i);
	itme_stream_missed(&t, 105);
	itme_stream_missed(&t, 110);
	/* Neither ahead of this reader: nothing to do. */
	itme_stream_missed(&t, 99);
	itme_stream_missed(&t, 500);
	touch(100);
	CHECK(covered(105, 117, 1) == 12);
	CHECK(covered(0, 105, 2) == 0);
	CHECK(asked[105] == 2 && asked[110] == 2, "%u %u", asked[105], asked[110]);
	CHECK(covered(105, 1000, 3) == 0);
}

static void no_window(void)
{
	start(100, 0);
	for (u32 i = 0; i < 100; i++)
		CHECK(!touch(i).nr);
	start(1, 16);
	CHECK(!touch(0).nr);
	CHECK(!touch(0).nr);
}

/* Threads that share a scan touch out of order, but near to one another. */
static void jitter(void)
{
	for (u32 by = 2; by <= 4; by++) {
		start(1000, 16);
		for (u32 i = 0; i + by <= 1000; i += by) {
			u32 order[4] = { 0, 1, 2, 3 };

			for (u32 j = 0; j < by; j++) {
				u32 k = j + tap_random(by - j), swap = order[j];

				order[j] = order[k];
				order[k] = swap;
			}
			for (u32 j = 0; j < by; j++)
				touch(i + order[j]);
		}
		CHECK(covered(16, 1000, 1) >= 980, "%u threads: %u", by, covered(16, 1000, 1));
		CHECK(covered(0, 1000, 2) <= 10, "%u threads: %u twice", by, covered(0, 1000, 2));
	}
}

/* One that comes late changes nothing. */
static void late(void)
{
	struct itme_streams before;

	start(1000, 16);
	for (u32 i = 0; i < 100; i++)
		touch(i);
	before = t;
	for (u32 i = 98; i > 95; i--)
		CHECK(!touch(i).nr, "%u", i);
	CHECK(t.stream[0].next == before.stream[0].next && t.score == before.score);
	CHECK(touch(100).nr == 1);
}

static void strided(void)
{
	for (u32 stride = 3; stride < 100; stride += 5) {
		start(10000, 16);
		for (u32 i = 5; i < 10000; i += stride)
			touch(i);
		CHECK(total == 0, "stride %u: %u", stride, total);
	}
	/* Backwards. */
	start(10000, 16);
	for (u32 i = 9999; i > 0; i--)
		touch(i);
	CHECK(total <= 16, "%u", total);
}

static void at_random(u32 nr, bool advised, double limit)
{
	u32 touches = 20000;

	start(nr, 16);
	for (u32 i = 0; i < touches; i++)
		touch_as(tap_random(nr), tap_random(2), advised);
	tap_note("%u chunks at random%s: %.3f read ahead a touch", nr, advised ? ", advised" : "",
		 (double)total / touches);
	CHECK(total <= touches * limit, "%u", total);
}

static void random_touches(void)
{
	at_random(60000, false, 0.01);
	at_random(1000, false, 0.1);
	at_random(60000, true, 0);
	at_random(1000, true, 0.002);
}

/* MADV_RANDOM of a program that then reads in order all the same. */
static void random_but_in_order(void)
{
	start(1000, 16);
	for (u32 i = 0; i < 3; i++)
		CHECK(!touch_as(i, true, true).nr);
	for (u32 i = 3; i < 1000; i++)
		touch_as(i, true, true);
	CHECK(covered(10, 1000, 1) == 990, "%u", covered(10, 1000, 1));
}

/* A part stays in memory, and its touches are not seen; the rest is read ahead at once. */
static void resident_prefix(void)
{
	start(1000, 16);
	for (u32 pass = 0; pass < 10; pass++) {
		memset(asked, 0, sizeof(asked));
		for (u32 i = pass ? 300 : 0; i < 1000; i++) {
			struct itme_range r = touch_as(i, i == 300 || asked[i], false);

			CHECK(!pass || i != 300 || r.nr >= 2, "pass %u", pass);
		}
		CHECK(covered(301, 1000, 1) == 699, "pass %u: %u", pass, covered(301, 1000, 1));
		CHECK(covered(300, 1000, 2) == 0, "pass %u: %u", pass, covered(300, 1000, 2));
	}
}

/* Several parts stay in memory: at most the first chunk after each is waited for. */
static void resident_parts(void)
{
	u32 waited = 0;

	start(1000, 16);
	for (u32 pass = 0; pass < 6; pass++) {
		memset(asked, 0, sizeof(asked));
		for (u32 i = 0; i < 1000; i++) {
			if (pass && i / 50 % 2)
				continue;
			waited += pass > 1 && !asked[i];
			touch_as(i, i && pass && (i - 1) / 50 % 2, false);
		}
	}
	tap_note("%u of %u gaps waited for", waited, 4 * 10);
	CHECK(waited <= 4 * 10, "%u", waited);
}

/* The end of the file is the end; the next pass begins anew. */
static void passes(void)
{
	start(100, 16);
	for (u32 pass = 0; pass < 20; pass++) {
		memset(asked, 0, sizeof(asked));
		for (u32 i = 0; i < 100; i++)
			touch(i);
		CHECK(covered(1, 100, 1) == 99, "pass %u: %u", pass, covered(1, 100, 1));
		CHECK(covered(0, 100, 2) == 0, "pass %u", pass);
	}
}

/* Readers at the same time; more of them than can be remembered do no harm. */
static void interleaved(void)
{
	for (u32 nr = 2; nr <= 16; nr++) {
		u32 part = 32000 / nr;

		start(32000, 16);
		for (u32 i = 0; i < part; i++)
			for (u32 r = 0; r < nr; r++)
				touch(r * part + i);
		if (nr <= ITME_STREAMS)
			CHECK(covered(0, 32000, 1) >= 31900, "%u readers: %u", nr,
			      covered(0, 32000, 1));
		CHECK(covered(0, 32000, 2) <= 16 * nr, "%u readers: %u twice", nr,
		      covered(0, 32000, 2));
	}
}

/* A sequential reader among random ones keeps its stream. */
static void noise(void)
{
	start(60000, 16);
	for (u32 i = 0; i < 20000; i++) {
		touch(i);
		for (u32 j = tap_random(4); j > 0; j--)
			touch(20000 + tap_random(40000));
	}
	CHECK(covered(0, 20000, 1) >= 19980, "%u", covered(0, 20000, 1));
	CHECK(covered(20000, 60000, 1) <= 400, "%u", covered(20000, 60000, 1));
}

static void edges(void)
{
	start(U32_MAX, 16);
	for (u32 i = U32_MAX - 40; i < U32_MAX - 1; i++)
		touch(i);
	CHECK(total == 38, "%u", total);
	CHECK(!touch(U32_MAX - 1).nr);
	CHECK(!t.stream[1].used, "more than one reader");
	for (u32 i = 0; i < 10; i++)
		touch(i);

	/* The window reaches beyond 2^32. */
	start(U32_MAX, 16);
	for (u32 i = U32_MAX - 8; i < U32_MAX - 4; i++)
		touch(i);
	CHECK(total == 6, "%u", total);

	start(U32_MAX, U32_MAX);
	for (u32 i = 0; i < 100; i++)
		touch(i);
	for (u32 i = U32_MAX - 40; i < U32_MAX; i++)
		touch(i);

	/* Its own clock wraps after 2^32 touches. */
	start(1000, 16);
	t.clock = U32_MAX - 100;
	for (u32 i = 0; i < 1000; i++)
		touch(i);
	CHECK(covered(1, 1000, 1) == 999);
	CHECK(covered(0, 1000, 2) == 0);
}

/* Whatever is touched: see touch_as(), and a stream never asks twice. */
static void anything(void)
{
	for (u32 round = 0; round < 300; round++) {
		u32 end[ITME_STREAMS] = {};
		u32 at = 0;

		start(1 + (tap_random(2) ? tap_random(300) : U32_MAX - 1 - tap_random(300)),
		      tap_random(20));
		for (u32 i = 0; i < 500; i++) {
			struct itme_range r;

			switch (tap_random(6)) {
			case 0:
				at = tap_random(nr_chunks);
				break;
			case 1:
				at = nr_chunks - 1 - tap_random(nr_chunks < 9 ? nr_chunks : 9);
				break;
			default:
				at += tap_random(3);
			}
			at %= nr_chunks;
			max_window = tap_random(8) ? max_window : tap_random(100);
			max_issue = tap_random(4) ? U32_MAX : tap_random(10);
			r = touch_as(at, tap_random(2), !tap_random(8));
			for (int s = 0; s < ITME_STREAMS; s++) {
				struct itme_stream *stream = &t.stream[s];

				CHECK(stream->next <= nr_chunks && stream->ahead <= nr_chunks);
				if (stream->used != t.clock)
					continue;
				/* Begun just now: of the one before nothing is known. */
				if (stream->run == 1)
					end[s] = 0;
				CHECK(!r.nr || r.start >= end[s], "%u again", r.start);
				if (r.nr)
					end[s] = r.start + r.nr;
			}
		}
		CHECK(t.score <= 16);
		max_issue = U32_MAX;
	}
}

static const struct test tests[] = {
	{ "in order", sequential },
	{ "in order, from the middle", from_the_middle },
	{ "the window grows and is kept", window },
	{ "room shared with others", shared_room },
	{ "no room for a chunk", missed },
	{ "no room for a window", no_window },
	{ "threads that share a scan", jitter },
	{ "a thread that is late", late },
	{ "strided and backwards", strided },
	{ "at random", random_touches },
	{ "said to be random, but in order", random_but_in_order },
	{ "passes with a part that stays", resident_prefix },
	{ "passes with several parts that stay", resident_parts },
	{ "passes", passes },
	{ "several readers", interleaved },
	{ "one reader among random touches", noise },
	{ "the edges of 32 bits", edges },
	{ "any order", anything },
};

TAP_MAIN(tests)
