// SPDX-License-Identifier: GPL-2.0
/* sequence.c: what is used when, and where somebody is in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sequence.h"
#include "tap.h"

#define MAX_RUNS	512

static struct itme_run runs[MAX_RUNS];
static struct itme_run_key keys[MAX_RUNS];
static struct itme_sequence seq;
static struct itme_cursors all;
/* The same, use by use. */
static struct { u32 object, idx; } *flat;
static u32 nr_flat;

static void begin(bool cyclic)
{
	memset(&all, 0, sizeof(all));
	all.score = ITME_FIT_MAX / 2;
	seq = (struct itme_sequence){ .runs = runs, .keys = keys, .cyclic = cyclic };
	nr_flat = 0;
}

static void add(u32 object, u32 start, u32 nr, u32 stage)
{
	runs[seq.nr_runs++] = (struct itme_run){
		.object = object, .start = start, .nr = nr, .stage = stage };
	flat = realloc(flat, (nr_flat + nr + 1) * sizeof(*flat));
	for (u32 i = 0; i < nr; i++) {
		if (!i && nr_flat && flat[nr_flat - 1].object == object &&
		    flat[nr_flat - 1].idx == start)
			continue;
		flat[nr_flat].object = object;
		flat[nr_flat++].idx = start + i;
	}
}

static int build(void)
{
	int err = itme_sequence_build(&seq);

	if (!err)
		CHECK(seq.length == nr_flat, "%u of %u", seq.length, nr_flat);
	return err;
}

static struct itme_cursor *touch(u32 pos)
{
	struct itme_cursor *c;
	enum itme_fit fit;

	fit = itme_cursors_touch(&all, &seq, flat[pos].object, flat[pos].idx, &c);
	CHECK(fit != ITME_FIT_UNKNOWN && c);
	return itme_cursors_judge(&all, c, fit != ITME_FIT_JUMP) ? c : NULL;
}

static void building(void)
{
	begin(true);
	CHECK(itme_sequence_build(&seq) == -EINVAL);
	begin(true);
	add(1, 5, 0, 0);
	CHECK(itme_sequence_build(&seq) == -EINVAL);

	/* Two ranges that meet in a chunk use it once; runs of a stage that join are one. */
	begin(true);
	add(1, 0, 4, 0);
	add(1, 3, 2, 1);
	add(1, 4, 1, 2);
	add(1, 5, 3, 2);
	add(1, 8, 2, 2);
	add(2, 9, 1, 2);
	CHECK(!build());
	CHECK(seq.nr_runs == 4, "%u", seq.nr_runs);
	CHECK(itme_sequence_stage(&seq, 1) == 4);
	CHECK(itme_sequence_stage(&seq, 2) == 5);
	CHECK(itme_sequence_stage(&seq, 3) == 0);

	begin(false);
	add(1, 0, 2, 0);
	add(1, 7, 2, 2);
	CHECK(!build());
	CHECK(itme_sequence_stage(&seq, 1) == 2);
	CHECK(itme_sequence_stage(&seq, 9) == seq.length);

	begin(true);
	for (int i = 0; i < 3; i++)
		runs[seq.nr_runs++] = (struct itme_run){ .object = 1, .nr = 1U << 30 };
	CHECK(itme_sequence_build(&seq) == -EFBIG);
}

static void random_sequence(u32 nr, bool cyclic)
{
	begin(cyclic);
	for (u32 i = 0; i < nr; i++)
		add(1 + tap_random(3), tap_random(200), tap_random(20), i / 3);
	add(9, 0, 1, nr);
	CHECK(!build());
}

static void finding(void)
{
	for (int round = 0; round < 200; round++) {
		bool cyclic = tap_random(2);

		/* No more runs over a chunk than a search looks at. */
		random_sequence(1 + tap_random(60), cyclic);
		for (u32 i = 0; i < nr_flat; i++) {
			const struct itme_run *run = itme_sequence_at(&seq, i);

			CHECK(run->at <= i && i < run->at + run->nr);
			CHECK(run->object == flat[i].object &&
			      run->start + i - run->at == flat[i].idx);
		}
		for (int n = 0; n < 200; n++) {
			u32 object = 1 + tap_random(4), idx = tap_random(230);
			u32 from = tap_random(nr_flat), window = 1 + tap_random(2 * nr_flat);
			u32 d, want = UINT32_MAX;
			bool found;

			for (u32 i = 0; i < window && i < nr_flat && want == UINT32_MAX; i++) {
				u32 pos = from + i;

				if (pos >= nr_flat && !cyclic)
					break;
				pos %= nr_flat;
				if (flat[pos].object == object && flat[pos].idx == idx)
					want = i;
			}
			found = itme_sequence_find(&seq, object, idx, from, window, &d);
			CHECK(found == (want != UINT32_MAX), "%u:%u from %u in %u", object, idx,
			      from, window);
			CHECK(!found || d == want, "%u, not %u", d, want);
		}
	}
}

static void layers(u32 nr, u32 size, bool cyclic)
{
	begin(cyclic);
	for (u32 i = 0; i < nr; i++)
		add(1, i * size, size, i);
	CHECK(!build());
}

/* As plan.c does: what comes next has been seen to, @lead uses of it. */
static void read_ahead(struct itme_cursor *c, u32 lead)
{
	u32 most = itme_sequence_ahead(&seq, c);

	c->lead = c->lead > lead ? c->lead : lead < most ? lead : most;
}

static void in_order(void)
{
	for (int cyclic = 0; cyclic < 2; cyclic++) {
		u32 led = 0;

		layers(10, 20, cyclic);
		for (u32 i = 0; i < (cyclic ? 3U : 1U) * seq.length; i++) {
			struct itme_cursor *c = touch(i % seq.length);

			CHECK(c == &all.cursor[0]);
			CHECK(c->pos == (cyclic ? (i + 1) % seq.length : i + 1));
			CHECK(c->lead == (i ? led - 1 : 0), "%u: %u", i, c->lead);
			read_ahead(c, 16);
			led = c->lead;
			CHECK(led == (cyclic || seq.length - c->pos > 16 ? 16 :
				      seq.length - c->pos));
		}
	}
}

/* Most of it is in memory: only what is not is seen, up to what has been read ahead. */
static void gaps(void)
{
	layers(10, 100, true);
	read_ahead(touch(0), 500);
	for (u32 i = 0; i < 50; i++) {
		struct itme_cursor *c = touch((i * 400 + 500) % 1000);

		CHECK(c == &all.cursor[0] && c->run, "%u", i);
		read_ahead(c, 500);
	}
	CHECK(!all.cursor[1].run);
	CHECK(all.score == ITME_FIT_MAX);
}

static void skips(void)
{
	struct itme_cursor *c;

	layers(10, 100, true);
	for (u32 i = 0; i < 150; i++)
		read_ahead(touch(i), 10);
	/* A few layers are left out, then it begins anew. Believed, as it is rare. */
	c = touch(700);
	CHECK(c && c->pos == 701 && !c->lead);
	for (u32 i = 701; i < 800; i++)
		CHECK(touch(i) == c);
	c = touch(0);
	CHECK(c && c->pos == 1);
	/* What is in no plan is nobody's. */
	CHECK(itme_cursors_touch(&all, &seq, 7, 0, &c) == ITME_FIT_UNKNOWN && !c);
	CHECK(itme_cursors_touch(&all, &seq, 1, 1000, &c) == ITME_FIT_UNKNOWN && !c);
	c = &all.cursor[2];
	CHECK(itme_cursors_touch(&all, &seq, 1, 1, &c) == ITME_FIT_EXPECTED);
	CHECK(c && touch(2) == c);
}

static void two_at_once(void)
{
	layers(10, 100, true);
	for (u32 i = 0; i < 2000; i++) {
		struct itme_cursor *a = touch(i % 1000);
		struct itme_cursor *b;

		CHECK(a && a->pos == (i + 1) % 1000);
		read_ahead(a, 16);
		b = touch((i + 430) % 1000);
		CHECK(b && b != a && b->pos == (i + 431) % 1000);
		read_ahead(b, 16);
	}
	CHECK(!all.cursor[2].run);
}

/* Eight threads, each with its part of every layer of 8 chunks. */
static void threads(void)
{
	u32 bad = 0;

	layers(50, 8, true);
	for (u32 pass = 0; pass < 3; pass++) {
		for (u32 layer = 0; layer < 50; layer++) {
			u32 order[8];

			for (u32 i = 0; i < 8; i++)
				order[i] = i;
			for (u32 i = 7; i; i--) {
				u32 j = tap_random(i + 1), t = order[i];

				order[i] = order[j];
				order[j] = t;
			}
			for (u32 i = 0; i < 8; i++) {
				struct itme_cursor *c = touch(layer * 8 + order[i]);

				bad += !c || c != &all.cursor[0];
				if (c)
					read_ahead(c, 16);
			}
		}
	}
	CHECK(!bad, "%u", bad);
}

/* Who does something else is not read ahead for. */
static void something_else(void)
{
	u32 led = 0;

	layers(100, 100, true);
	for (u32 i = 0; i < 10000; i++) {
		struct itme_cursor *c = touch(tap_random(seq.length));

		if (i > 100)
			led += !!c;
		if (c)
			read_ahead(c, 16);
	}
	CHECK(led < 500, "%u", led);
	tap_note("%u of 9900 random touches believed", led);
	/* But from the second one on when it goes in order again. */
	touch(5000);
	CHECK(touch(5001));
}

static void stepping(void)
{
	struct itme_cursor *c;

	layers(10, 100, true);
	c = itme_cursors_step(&all, &seq, itme_sequence_stage(&seq, 2));
	CHECK(c && c->pos == 200);
	read_ahead(c, 150);
	CHECK(itme_cursors_step(&all, &seq, 300) == c && c->pos == 300 && c->lead == 50);
	/* Touches go on from there. */
	CHECK(touch(300) == c && c->pos == 301);
	/* Back to the beginning: anew. */
	CHECK(itme_cursors_step(&all, &seq, 0)->pos == 0);
}

static void missing(void)
{
	struct itme_cursor *c;

	layers(10, 100, true);
	c = touch(990);
	read_ahead(c, 50);
	CHECK(itme_cursors_missed(&all, &seq, 1, 20));
	CHECK(c->lead == 29, "%u", c->lead);
	CHECK(!itme_cursors_missed(&all, &seq, 1, 20));
	CHECK(!itme_cursors_missed(&all, &seq, 1, 500));
	CHECK(c->lead == 29);
}

static void anything(void)
{
	for (int round = 0; round < 50; round++) {
		bool cyclic = tap_random(2);

		random_sequence(1 + tap_random(100), cyclic);
		for (int n = 0; n < 2000; n++) {
			u32 object = 1 + tap_random(4), idx = tap_random(230);
			struct itme_cursor *c = NULL;

			switch (tap_random(8)) {
			case 0:
				c = itme_cursors_step(&all, &seq, tap_random(seq.length));
				CHECK(c);
				break;
			case 1:
				itme_cursors_missed(&all, &seq, object, idx);
				break;
			default:
				if (itme_cursors_touch(&all, &seq, object, idx, &c))
					itme_cursors_judge(&all, c, tap_random(2));
			}
			for (int i = 0; i < ITME_CURSORS; i++) {
				CHECK(all.cursor[i].pos <= seq.length - cyclic);
				CHECK(all.cursor[i].lead <=
				      itme_sequence_ahead(&seq, &all.cursor[i]));
			}
			CHECK(all.score <= ITME_FIT_MAX);
			if (c)
				read_ahead(c, tap_random(300));
		}
	}
	free(flat);
	flat = NULL;
}

static const struct test tests[] = {
	{ "a sequence is built of ranges", building },
	{ "where a chunk is used next", finding },
	{ "in order", in_order },
	{ "most is in memory", gaps },
	{ "layers left out, and begun anew", skips },
	{ "two at once", two_at_once },
	{ "threads that share the work", threads },
	{ "something else", something_else },
	{ "said where one is", stepping },
	{ "no room for a chunk", missing },
	{ "anything", anything },
};

TAP_MAIN(tests)
