// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>

#include "stored.h"

/* Which pages of a unit are stored at all? */
u16 itme_stored_there(const struct itme_stored *s, u32 unit)
{
	u16 there = 0;

	for (; s; s = s->older)
		there |= s->slot[unit].there;
	return there;
}

/**
 * itme_stored_at - the record in which a page is stored
 * @s: of its chunk, or NULL
 * @page: of the chunk
 *
 * Return: the record, or NULL when the page is not stored
 */
const struct itme_stored *itme_stored_at(const struct itme_stored *s, u32 page)
{
	while (s && !(s->slot[page / ITME_UNIT_PAGES].there & 1U << page % ITME_UNIT_PAGES))
		s = s->older;
	return s;
}

/**
 * itme_stored_seek - look for a page that is stored, or one that is not
 * @s: of the chunk, or NULL
 * @page: of the chunk, where to begin
 * @end: and where to stop
 * @stored: which of the two
 *
 * Return: the page, or @end
 */
u32 itme_stored_seek(const struct itme_stored *s, u32 page, u32 end, bool stored)
{
	while (page < end) {
		u32 bit = page % ITME_UNIT_PAGES;
		u16 there = itme_stored_there(s, page / ITME_UNIT_PAGES);
		u16 found = (u16)(stored ? there : ~there) & ITME_UNIT_ALL & ~((1U << bit) - 1);

		page -= bit;
		if (found) {
			page += __builtin_ctz(found);
			return page < end ? page : end;
		}
		page += ITME_UNIT_PAGES;
	}
	return end;
}

/* These pages of a unit are not stored any more. */
void itme_stored_clear(struct itme_stored *s, u32 unit, u16 pages)
{
	for (; s; s = s->older) {
		s->slot[unit].there &= ~pages;
		s->slot[unit].zero &= ~pages;
	}
}

/* These pages of a unit, where they are stored, are zero from now on. */
void itme_stored_blank(struct itme_stored *s, u32 unit, u16 pages)
{
	for (; s; s = s->older)
		s->slot[unit].zero |= s->slot[unit].there & pages;
}

/* Is nothing stored, and no place taken? */
bool itme_stored_none(const struct itme_stored *s)
{
	for (; s; s = s->older)
		for (u32 unit = 0; unit < s->nr; unit++)
			if (s->slot[unit].there || s->slot[unit].place)
				return false;
	return true;
}
