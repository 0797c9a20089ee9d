// SPDX-License-Identifier: GPL-2.0
/* stored.c, header.c: where pages are stored, and headers that anybody may have written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"
#include "stored.h"
#include "tap.h"

#define PAGES	512
#define UNITS	(PAGES / 16)

static struct itme_stored *chain(u32 records)
{
	struct itme_stored *s = NULL;

	while (records--) {
		struct itme_stored *r = calloc(1, sizeof(*r) + UNITS * sizeof(r->slot[0]));

		r->nr = UNITS;
		r->older = s;
		s = r;
	}
	return s;
}

static void free_chain(struct itme_stored *s)
{
	while (s) {
		struct itme_stored *older = s->older;

		free(s);
		s = older;
	}
}

static void set(struct itme_stored *s, u32 page)
{
	s->slot[page / 16].there |= 1U << page % 16;
}

/* Each page in one of several records, or in none. */
static void where(void)
{
	struct itme_stored *record[3], *s = chain(3);
	struct itme_stored *in[PAGES];

	record[0] = s;
	record[1] = s->older;
	record[2] = s->older->older;
	for (u32 round = 0; round < 200; round++) {
		u32 density = 1 + round % 40;

		for (u32 page = 0; page < PAGES; page++) {
			u32 which = tap_random(3);

			itme_stored_clear(s, page / 16, 1U << page % 16);
			in[page] = tap_random(40) < density ? record[which] : NULL;
			if (in[page])
				set(in[page], page);
		}
		for (u32 page = 0; page < PAGES; page++)
			CHECK(itme_stored_at(s, page) == in[page], "page %u", page);
		for (u32 i = 0; i < 100; i++) {
			u32 from = tap_random(PAGES + 1), end = from + tap_random(PAGES + 1 - from);
			bool stored = tap_random(2);
			u32 page = from;

			while (page < end && !!in[page] != stored)
				page++;
			CHECK(itme_stored_seek(s, from, end, stored) == page,
			      "[%u, %u) stored %d: %u", from, end, stored, page);
		}
	}
	free_chain(s);
}

static void none(void)
{
	struct itme_stored *s = chain(2);

	CHECK(itme_stored_none(s));
	CHECK(itme_stored_seek(s, 3, PAGES, true) == PAGES);
	CHECK(itme_stored_seek(NULL, 3, PAGES, true) == PAGES);
	CHECK(itme_stored_seek(NULL, 3, PAGES, false) == 3);
	CHECK(!itme_stored_at(NULL, 0));
	set(s->older, 500);
	CHECK(!itme_stored_none(s));
	CHECK(itme_stored_there(s, 31) == 1U << 4);
	set(s, 501);
	itme_stored_blank(s, 31, 7U << 3);
	CHECK(s->older->slot[31].zero == 1U << 4 && s->slot[31].zero == 1U << 5);
	CHECK(itme_stored_there(s, 31) == 3U << 4);
	itme_stored_clear(s, 31, 1U << 5);
	CHECK(!itme_slot_used(&s->older->slot[31]));
	itme_stored_clear(s, 31, 1U << 4);
	CHECK(itme_stored_none(s) && !s->older->slot[31].zero);
	s->slot[0].place = itme_place(3, 9);
	CHECK(!itme_stored_none(s));
	free_chain(s);
}

static void places(void)
{
	u32 top = (1U << ITME_PLACE_AREA_SHIFT) - 1;

	CHECK(itme_place_area(itme_place(15, top)) == 15);
	CHECK(itme_place_unit(itme_place(15, top)) == top);
	CHECK(itme_place(0, 1) == 1 && itme_place_unit(itme_place(7, 0)) == 0);
}

static u32 page[1024];
#define VERSION	page[256]
#define LAST	page[257]
#define NR_BAD	page[258]
#define BAD	(&page[256 + 11 + 117])

static void header_setup(void)
{
	memset(page, 0, sizeof(page));
	VERSION = 1;
	LAST = 999;
	memcpy((char *)page + 4096 - 10, "SWAPSPACE2", 10);
}

static void headers(void)
{
	struct itme_header h;

	header_setup();
	memcpy(&page[263], "label", 5);
	CHECK(!itme_header_parse(page, 1000, &h));
	CHECK(h.pages == 1000 && !h.nr_bad && !h.foreign && !memcmp(h.label, "label", 6));
	CHECK(itme_header_parse(page, 999, &h) == -EINVAL);
	NR_BAD = 2;
	BAD[0] = 1;
	BAD[1] = 999;
	CHECK(!itme_header_parse(page, 1000, &h) && itme_header_bad(&h, 1) == 999);
	BAD[1] = 1000;
	CHECK(itme_header_parse(page, 1000, &h) == -EINVAL);
	NR_BAD = 637;
	for (u32 i = 0; i < 637; i++)
		BAD[i] = 1 + i;
	CHECK(!itme_header_parse(page, 1000, &h) && itme_header_bad(&h, 636) == 637);
	NR_BAD = 638;
	CHECK(itme_header_parse(page, 1000, &h) == -EINVAL);
	header_setup();
	LAST = 0;
	CHECK(itme_header_parse(page, 1000, &h) == -ENOSPC);
	LAST = UINT32_MAX;
	CHECK(itme_header_parse(page, UINT64_MAX, &h) == -EINVAL);
	LAST = UINT32_MAX - 1;
	CHECK(!itme_header_parse(page, UINT64_MAX, &h) && h.pages == UINT32_MAX);
}

static void foreign(void)
{
	struct itme_header h;

	header_setup();
	VERSION = __builtin_bswap32(1);
	LAST = __builtin_bswap32(999);
	NR_BAD = __builtin_bswap32(1);
	BAD[0] = __builtin_bswap32(17);
	CHECK(!itme_header_parse(page, 1000, &h));
	CHECK(h.foreign && h.pages == 1000 && h.nr_bad == 1 && itme_header_bad(&h, 0) == 17);
}

/* Whatever is in there: no crash, and what is accepted can be used. */
static void garbage(void)
{
	u32 accepted = 0;

	for (u32 round = 0; round < 20000; round++) {
		struct itme_header h;

		header_setup();
		for (u32 i = 0; i < 3; i++)
			page[256 + tap_random(4)] = tap_random(8) << tap_random(30);
		if (tap_random(2))
			VERSION = 1;
		for (u32 i = 0; i < 16; i++)
			BAD[tap_random(20)] = tap_random(1200);
		if (itme_header_parse(page, 1000, &h))
			continue;
		accepted++;
		CHECK(h.pages >= 2 && h.pages <= 1000 && h.nr_bad <= 637);
		for (u32 i = 0; i < h.nr_bad; i++)
			CHECK(itme_header_bad(&h, i) && itme_header_bad(&h, i) < h.pages);
	}
	CHECK(accepted > 100, "%u", accepted);
}

static const struct test tests[] = {
	{ "where", where },
	{ "none", none },
	{ "places", places },
	{ "headers", headers },
	{ "foreign", foreign },
	{ "garbage", garbage },
};

TAP_MAIN(tests)
