// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "space.h"

/* So many words with something free are looked at; what is best of them will do. */
#define SEARCH	64

static u32 bits(u32 nr, u32 at)
{
	return (nr < 32 ? (1U << nr) - 1 : ~0U) << at;
}

/* These bits of a word of the first map are ones. */
static void fill(struct itme_space *space, u32 word, u32 ones)
{
	for (u32 level = 0; level < ITME_SPACE_LEVELS; level++) {
		space->map[level][word] |= ones;
		if (space->map[level][word] != ~0U)
			return;
		ones = bits(1, word % ITME_WORD_UNITS);
		word /= ITME_WORD_UNITS;
	}
}

/**
 * itme_space_init - all is free
 * @space: to set up
 * @map: itme_space_size() words, whatever is in them
 * @units: there are
 */
void itme_space_init(struct itme_space *space, u32 *map, u32 units)
{
	u32 nr = units;

	*space = (struct itme_space){ .units = units };
	for (u32 level = 0; level < ITME_SPACE_LEVELS; level++) {
		u32 words = itme_space_words(nr);

		memset(map, 0, words * sizeof(*map));
		/* Beyond the end nothing is free. */
		if (nr % ITME_WORD_UNITS)
			map[words - 1] = ~bits(nr % ITME_WORD_UNITS, 0);
		space->map[level] = map;
		space->words[level] = words;
		map += words;
		nr = words;
	}
}

/**
 * itme_space_bar - a unit must never be taken
 * @space: where nothing has been taken yet
 * @unit: within it
 */
void itme_space_bar(struct itme_space *space, u32 unit)
{
	u32 bit = bits(1, unit % ITME_WORD_UNITS);
	u32 word = unit / ITME_WORD_UNITS;

	if (space->map[0][word] & bit)
		return;
	fill(space, word, bit);
	space->units--;
}

/* The first word at or after @word that has something free; beyond the last if none has. */
static u32 next_free(const struct itme_space *space, u32 word)
{
	u32 level = 1;

	/* Up, as long as nothing is free in the rest of a word; then down to what it stands for. */
	while (word < space->words[level - 1]) {
		u32 at = word / ITME_WORD_UNITS;
		u32 full = space->map[level][at] | ~bits(ITME_WORD_UNITS - word % ITME_WORD_UNITS,
							 word % ITME_WORD_UNITS);

		if (full != ~0U) {
			word = at * ITME_WORD_UNITS + __builtin_ctz(~full);
			if (!--level)
				return word;
			word *= ITME_WORD_UNITS;
		} else if (level + 1 < ITME_SPACE_LEVELS) {
			level++;
			word = at + 1;
		} else {
			word = (at + 1) * ITME_WORD_UNITS;
		}
	}
	return space->words[0];
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
	bool wrapped = false;
	u32 seen = 0;

	if (!itme_space_free(space))
		return 0;
	/* From there to the end, then from the start. */
	for (u32 w = space->next; best < want && seen < SEARCH; w++, seen++) {
		u32 where = 0;
		u32 nr;

		w = next_free(space, w);
		if (w == space->words[0] && !wrapped) {
			wrapped = true;
			w = next_free(space, 0);
		}
		if (w == space->words[0] || (wrapped && w >= space->next))
			break;
		nr = longest(space->map[0][w], want, &where);
		if (nr > best) {
			best = nr;
			word = w;
			at = where;
		}
	}
	if (!best)
		return 0;
	fill(space, word, bits(best, at));
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
	u32 zeroes = bits(nr, unit % ITME_WORD_UNITS);
	u32 word = unit / ITME_WORD_UNITS;

	for (u32 level = 0; level < ITME_SPACE_LEVELS; level++) {
		space->map[level][word] &= ~zeroes;
		zeroes = bits(1, word % ITME_WORD_UNITS);
		word /= ITME_WORD_UNITS;
	}
	space->used -= nr;
}
