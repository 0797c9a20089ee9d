// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "space.h"

/* So many words with something free are looked at; what is best of them will do. */
#define SEARCH	64

static u32 bits(u32 nr, u32 at)
{
	return (nr < 32 ? (1U << nr) - 1 : ~0U) << at;
}

/**
 * itme_space_init - all is free
 * @space: to set up
 * @map: itme_space_words() words, whatever is in them
 * @units: there are
 */
void itme_space_init(struct itme_space *space, u32 *map, u32 units)
{
	*space = (struct itme_space){
		.map = map,
		.words = itme_space_words(units),
		.units = units,
	};
	memset(map, 0, space->words * sizeof(*map));
	/* Beyond the end nothing is free. */
	if (units % ITME_WORD_UNITS)
		map[space->words - 1] = ~bits(units % ITME_WORD_UNITS, 0);
}

/**
 * itme_space_bar - a unit must never be taken
 * @space: where nothing has been taken yet
 * @unit: within it
 */
void itme_space_bar(struct itme_space *space, u32 unit)
{
	u32 *word = &space->map[unit / ITME_WORD_UNITS];
	u32 bit = 1U << unit % ITME_WORD_UNITS;

	if (*word & bit)
		return;
	*word |= bit;
	space->units--;
}

/* The longest run of free units in a word, but no more than is wanted. */
static u32 longest(u32 word, u32 want, u32 *at)
{
	u32 best = 0;
	u32 run = 0;

	for (u32 i = 0; i < ITME_WORD_UNITS && best < want; i++) {
		run = word & 1U << i ? 0 : run + 1;
		if (run > best) {
			best = run;
			*at = i + 1 - run;
		}
	}
	return best;
}

/**
 * itme_space_take - take units that lie side by side
 * @space: the area
 * @want: how many, 1 to ITME_WORD_UNITS
 * @unit: set to the first
 *
 * Return: how many were had, the most that could be found; 0 when none is free
 */
u32 itme_space_take(struct itme_space *space, u32 want, u32 *unit)
{
	u32 best = 0, word = 0, at = 0;
	u32 seen = 0;

	if (!itme_space_free(space))
		return 0;
	for (u32 i = 0; i < space->words && best < want && seen < SEARCH; i++) {
		u32 w = (space->next + i) % space->words;
		u32 where = 0;
		u32 nr;

		if (space->map[w] == ~0U)
			continue;
		seen++;
		nr = longest(space->map[w], want, &where);
		if (nr > best) {
			best = nr;
			word = w;
			at = where;
		}
	}
	if (!best)
		return 0;
	space->map[word] |= bits(best, at);
	space->next = word;
	space->used += best;
	*unit = word * ITME_WORD_UNITS + at;
	return best;
}

/**
 * itme_space_give - give units back
 * @space: the area
 * @unit: the first
 * @nr: how many, within a word
 */
void itme_space_give(struct itme_space *space, u32 unit, u32 nr)
{
	space->map[unit / ITME_WORD_UNITS] &= ~bits(nr, unit % ITME_WORD_UNITS);
	space->used -= nr;
}
