/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: what mkswap(8) writes in front of a swap area
 *
 * Pure, as policy.h. Whoever has made the area may have written anything.
 */
#ifndef ITME_HEADER_H
#define ITME_HEADER_H

#include <linux/types.h>

/**
 * struct itme_header - a header that has been checked
 * @pages: of the area, that of the header included
 * @nr_bad: pages not to be used
 * @bad: their numbers, see itme_header_bad(); in the page that was parsed
 * @foreign: written by a machine of the other byte order
 * @label: of mkswap -L, padded with zeroes
 * @uuid: of the area
 */
struct itme_header {
	u32 pages;
	u32 nr_bad;
	const u32 *bad;
	bool foreign;
	u8 label[16];
	u8 uuid[16];
};

int itme_header_parse(const void *page, u64 pages, struct itme_header *header);
u32 itme_header_bad(const struct itme_header *header, u32 i);

#endif /* ITME_HEADER_H */
