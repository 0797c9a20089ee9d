// SPDX-License-Identifier: GPL-2.0
/* space.c: units of a swap area are taken once, side by side where that can be had. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "space.h"
#include "tap.h"

#define UNITS	(1000 * ITME_WORD_UNITS + 7)

static u32 *map;
static u8 owner[UNITS];
static struct itme_space space;

static void setup(u32 units)
{
	size_t size = itme_space_size(units) * sizeof(*map);

	/* Of just that size, so that the sanitizer sees what is beyond it. */
	free(map);
	map = malloc(size);
	memset(map, 0xff, size);
	memset(owner, 0, sizeof(owner));
	itme_space_init(&space, map, units);
}

/* Takes as many as can be had at once, and notes that. */
static u32 take(u32 want, u32 *unit)
{
	u32 got = itme_space_take(&space, want, unit);

	CHECK(got <= want);
	for (u32 i = 0; i < got; i++) {
		CHECK(*unit + i < UNITS && !owner[*unit + i], "unit %u twice", *unit + i);
		owner[*unit + i] = 1;
	}
	CHECK(!got || *unit / 32 == (*unit + got - 1) / 32);
	return got;
}

static void give(u32 unit, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		owner[unit + i] = 0;
	itme_space_give(&space, unit, nr);
}

static void whole_chunks(void)
{
	u32 unit;

	setup(UNITS);
	for (u32 i = 0; i < 1000; i++)
		CHECK(take(32, &unit) == 32 && unit % 32 == 0);
	CHECK(take(32, &unit) == 7);
	CHECK(take(1, &unit) == 0);
	CHECK(itme_space_free(&space) == 0);
	give(32 * 500, 32);
	CHECK(take(32, &unit) == 32 && unit == 32 * 500);
}

static void odd_sizes(void)
{
	for (u32 units = 1; units < 100; units++) {
		u32 unit, got, sum = 0;

		setup(units);
		CHECK(space.units == units);
		while ((got = take(5, &unit)))
			sum += got;
		CHECK(sum == units, "%u of %u", sum, units);
	}
}

static void barred(void)
{
	u32 unit, got, sum = 0;

	setup(UNITS);
	itme_space_bar(&space, 0);
	itme_space_bar(&space, 0);
	itme_space_bar(&space, 77);
	itme_space_bar(&space, UNITS - 1);
	CHECK(space.units == UNITS - 3);
	while ((got = take(32, &unit))) {
		CHECK(unit && !(unit <= 77 && unit + got > 77));
		sum += got;
	}
	CHECK(sum == UNITS - 3);
	CHECK(!owner[0] && !owner[77] && !owner[UNITS - 1]);
}

/* With every other unit taken there are only single ones, and they are had. */
static void fragmented(void)
{
	u32 unit;

	setup(UNITS);
	while (take(1, &unit))
		;
	for (u32 i = 0; i < UNITS; i += 2)
		give(i, 1);
	for (u32 i = 0; i < UNITS; i += 2)
		CHECK(take(32, &unit) == 1 && unit % 2 == 0);
	CHECK(!take(1, &unit));
}

/* The best of what is near, not the first. */
static void best_run(void)
{
	u32 unit;

	setup(3 * 32);
	while (take(1, &unit))
		;
	give(3, 2);
	give(40, 9);
	give(70, 4);
	CHECK(take(20, &unit) == 9 && unit == 40);
	CHECK(take(4, &unit) == 4 && unit == 70);
	CHECK(take(4, &unit) == 2 && unit == 3);
}

/*
 * Of an area of 4 TiB all but a few units is taken: they are found wherever they are, and
 * without going over all of it. It was two million words each time, under a lock.
 */
static void nearly_full(void)
{
	const u32 units = 1U << 26;
	u32 unit, far = 0;
	clock_t start;

	setup(units);
	while (itme_space_take(&space, ITME_WORD_UNITS, &unit))
		;
	CHECK(!itme_space_free(&space));
	for (u32 i = 0; i < 2000; i++) {
		far = tap_random(units);
		itme_space_give(&space, far, 1);
		CHECK(itme_space_take(&space, 1 + tap_random(32), &unit) == 1 && unit == far);
	}
	start = clock();
	for (u32 i = 0; i < 2000; i++) {
		/* What is free is just behind where the search begins. */
		far = (far + units - 2 * ITME_WORD_UNITS) % units;
		itme_space_give(&space, far, 1);
		CHECK(itme_space_take(&space, 32, &unit) == 1 && unit == far);
	}
	CHECK(clock() - start < CLOCKS_PER_SEC, "%ld ms",
	      (clock() - start) / (CLOCKS_PER_SEC / 1000));
	CHECK(!itme_space_take(&space, 1, &unit));
}

/* Against a list of what is taken. */
static void random_use(void)
{
	static struct { u32 unit, nr; } taken[4000];
	u32 nr = 0, units = 0;

	setup(UNITS);
	for (u32 i = 0; i < 100000; i++) {
		if (nr < 4000 && tap_random(100) < (i / 10000 % 2 ? 30 : 70)) {
			u32 want = 1 + tap_random(32);
			u32 unit, got = take(want, &unit);

			CHECK(got || units == UNITS);
			if (!got)
				continue;
			taken[nr].unit = unit;
			taken[nr++].nr = got;
			units += got;
		} else if (nr) {
			u32 which = tap_random(nr);

			give(taken[which].unit, taken[which].nr);
			units -= taken[which].nr;
			taken[which] = taken[--nr];
		}
		CHECK(space.used == units && itme_space_free(&space) == UNITS - units);
	}
	while (nr--)
		give(taken[nr].unit, taken[nr].nr);
	CHECK(space.used == 0);
}

static const struct test tests[] = {
	{ "whole_chunks", whole_chunks },
	{ "odd_sizes", odd_sizes },
	{ "barred", barred },
	{ "fragmented", fragmented },
	{ "best_run", best_run },
	{ "nearly_full", nearly_full },
	{ "random_use", random_use },
};

TAP_MAIN(tests)
