/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: which units of a swap area are taken
 *
 * Pure, as policy.h: no locks, no allocation, compiles on the host. A unit is
 * 64 KiB, the smallest chunk. There are 32 in the largest one, so a word of the
 * map is the place of such a chunk, and what is taken at once lies within a word.
 *
 * The search is under a lock. So that it ends soon also in an area of 16 TiB with a
 * single free unit, there is a map of the words that are full, and one of the words of
 * that: what is gone through from end to end is the last, 32 KiB then.
 */
#ifndef ITME_SPACE_H
#define ITME_SPACE_H

#include <linux/types.h>

#define ITME_UNIT_SHIFT		16
/* In a word of the map. */
#define ITME_WORD_UNITS		32
/* Maps: units, and what is full of the map before. */
#define ITME_SPACE_LEVELS	3

/**
 * struct itme_space - the units of an area
 * @map: the first has a bit a unit, set when it is taken or must not be; each other one a
 *	bit a word of the one before, set when that is all ones
 * @words: of @map
 * @next: word where the next search begins
 * @units: that can be taken, in all
 * @used: that are taken
 */
struct itme_space {
	u32 *map[ITME_SPACE_LEVELS];
	u32 words[ITME_SPACE_LEVELS];
	u32 next;
	u32 units;
	u32 used;
};

static inline u32 itme_space_words(u32 bits)
{
	return bits / ITME_WORD_UNITS + !!(bits % ITME_WORD_UNITS);
}

/* Words of all maps. */
static inline u32 itme_space_size(u32 units)
{
	u32 size = 0;

	for (u32 level = 0; level < ITME_SPACE_LEVELS; level++) {
		units = itme_space_words(units);
		size += units;
	}
	return size;
}

void itme_space_init(struct itme_space *space, u32 *map, u32 units);
void itme_space_bar(struct itme_space *space, u32 unit);
u32 itme_space_take(struct itme_space *space, u32 want, u32 *unit);
void itme_space_give(struct itme_space *space, u32 unit, u32 nr);

static inline u32 itme_space_free(const struct itme_space *space)
{
	return space->units - space->used;
}

#endif /* ITME_SPACE_H */
