/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: where the pages of a chunk are stored
 *
 * Pure, as policy.h. One record a chunk of which anything is stored. What cannot be
 * written where it was, as that area has failed or is being emptied, goes to a
 * further record, in front of the older one: the pages that are still there only are
 * found there.
 */
#ifndef ITME_STORED_H
#define ITME_STORED_H

#include <linux/types.h>

#include "space.h"

/* Pages of a unit: a bit each. */
#define ITME_UNIT_PAGES		(1U << (ITME_UNIT_SHIFT - PAGE_SHIFT))
#define ITME_UNIT_ALL		((u16)((1U << ITME_UNIT_PAGES) - 1))

/**
 * struct itme_slot - a unit of a chunk
 * @place: where it lies: the area in the upper 4 bits, the unit in it below; 0 nowhere,
 *	as the first unit of an area has its header
 * @there: bit n set when page n is stored in this record
 * @zero: those of @there that are zero, and take no place
 */
struct itme_slot {
	u32 place;
	u16 there;
	u16 zero;
};

#define ITME_PLACE_AREA_SHIFT	28

static inline u32 itme_place(u32 area, u32 unit)
{
	return area << ITME_PLACE_AREA_SHIFT | unit;
}

static inline u32 itme_place_area(u32 place)
{
	return place >> ITME_PLACE_AREA_SHIFT;
}

static inline u32 itme_place_unit(u32 place)
{
	return place & ((1U << ITME_PLACE_AREA_SHIFT) - 1);
}

/**
 * struct itme_stored - what is stored of a chunk
 * @older: record with what is not in this one, or NULL
 * @crc: of each page that is stored in an area that checks, or NULL
 * @nr: of @slot
 * @slot: the units of the chunk
 */
struct itme_stored {
	struct itme_stored *older;
	u32 *crc;
	u32 nr;
	struct itme_slot slot[];
};

u16 itme_stored_there(const struct itme_stored *s, u32 unit);
const struct itme_stored *itme_stored_at(const struct itme_stored *s, u32 page);
u32 itme_stored_seek(const struct itme_stored *s, u32 page, u32 end, bool stored);
void itme_stored_clear(struct itme_stored *s, u32 unit, u16 pages);
void itme_stored_blank(struct itme_stored *s, u32 unit, u16 pages);
bool itme_stored_none(const struct itme_stored *s);

/* Are some of the pages of a unit in the place that it has here? */
static inline bool itme_slot_used(const struct itme_slot *slot)
{
	return slot->there & ~slot->zero;
}

#endif /* ITME_STORED_H */
