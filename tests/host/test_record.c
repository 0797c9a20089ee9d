// SPDX-License-Identifier: GPL-2.0
/* record.c: where in a stream of uses a pass begins and ends. */
#include "record.h"
#include "tap.h"

static struct itme_record record;
static u32 first;

static bool use(u32 idx)
{
	return itme_record_use(&record, 1 + idx / 1000000, idx % 1000000, &first);
}

/* Chunk i of an order that is none. */
static u32 scattered(u32 i)
{
	return (i * 7919) % 10007;
}

static void a_pass(void)
{
	itme_record_clear(&record);
	for (u32 i = 0; i < 1000; i++)
		CHECK(!use(scattered(i)));
	CHECK(use(scattered(0)));
	CHECK(first == 0 && record.nr == 1000);
	CHECK(record.log[999] == ((u64)1 << 32 | scattered(999)));
}

/* What was used once before the passes is not in them. */
static void a_start(void)
{
	itme_record_clear(&record);
	for (u32 i = 0; i < 1000; i++)
		CHECK(!use(scattered(i)));
	CHECK(use(scattered(300)));
	CHECK(first == 300, "%u", first);
}

/* Small reads and other threads come back to what was just used. */
static void just_used(void)
{
	itme_record_clear(&record);
	for (u32 i = 0; i < 1000; i++) {
		CHECK(!use(scattered(i)));
		CHECK(!use(scattered(i)));
		CHECK(!use(scattered(i > 10 ? i - 10 : i)));
	}
	CHECK(record.nr == 1000);
	CHECK(use(scattered(0)) && first == 0);
}

/* Two files: the same chunk of each is not the same. */
static void files(void)
{
	itme_record_clear(&record);
	for (u32 i = 0; i < 1000; i++) {
		CHECK(!use(i));
		CHECK(!use(1000000 + i));
	}
	CHECK(record.nr == 2000);
	CHECK(use(1000000) && first == 1);
}

/* More than it can hold: begins anew, and is never wrong. */
static void too_long(void)
{
	u32 nr = 0;

	itme_record_clear(&record);
	for (u32 i = 0; i < 3 * ITME_RECORD_MAX; i++) {
		CHECK(!use(i));
		nr = record.nr > nr ? record.nr : nr;
	}
	CHECK(nr == ITME_RECORD_MAX && record.nr < ITME_RECORD_MAX);
	itme_record_clear(&record);
	for (u32 i = 0; i < ITME_RECORD_MAX; i++)
		CHECK(!use(i));
	CHECK(use(0) && first == 0);
}

static void anything(void)
{
	for (int round = 0; round < 20; round++) {
		itme_record_clear(&record);
		for (u32 i = 0; i < 5000; i++) {
			u32 idx = tap_random(1 << (1 + round));

			if (!use(idx))
				continue;
			CHECK(first < record.nr);
			CHECK(record.log[first] ==
			      ((u64)(1 + idx / 1000000) << 32 | idx % 1000000));
		}
	}
}

static const struct test tests[] = {
	{ "a pass", a_pass },
	{ "a start, then a pass", a_start },
	{ "what was just used", just_used },
	{ "two files", files },
	{ "longer than the record", too_long },
	{ "anything", anything },
};

TAP_MAIN(tests)
