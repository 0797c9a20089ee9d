// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/swab.h>

#include "header.h"

#define MAGIC		"SWAPSPACE2"
#define MAGIC_LEN	10

/* As union swap_header of the kernel, which is none of its user interface. */
struct raw {
	u8 boot[1024];
	u32 version;
	u32 last_page;
	u32 nr_bad;
	u8 uuid[16];
	u8 label[16];
	u32 padding[117];
	u32 bad[];
};

#define BAD_MAX	((PAGE_SIZE - MAGIC_LEN - offsetof(struct raw, bad)) / sizeof(u32))

static u32 value(const struct itme_header *header, u32 raw)
{
	return header->foreign ? swab32(raw) : raw;
}

/**
 * itme_header_bad - a page that must not be used
 * @header: of itme_header_parse(), its page still there
 * @i: which, below @nr_bad
 *
 * Return: its number
 */
u32 itme_header_bad(const struct itme_header *header, u32 i)
{
	return value(header, header->bad[i]);
}

/**
 * itme_header_parse - check the header of a swap area
 * @page: the first page of it
 * @pages: that there are
 * @header: set
 *
 * Return: 0; -EINVAL it is none, or says what cannot be; -ENOSPC there is nothing behind it
 */
int itme_header_parse(const void *page, u64 pages, struct itme_header *header)
{
	const struct raw *raw = page;

	/* It ends the page: one of another page size has it elsewhere. */
	if (memcmp(page + PAGE_SIZE - MAGIC_LEN, MAGIC, MAGIC_LEN))
		return -EINVAL;
	*header = (struct itme_header){ .bad = raw->bad };
	header->foreign = swab32(raw->version) == 1;
	if (value(header, raw->version) != 1)
		return -EINVAL;
	header->nr_bad = value(header, raw->nr_bad);
	if (header->nr_bad > BAD_MAX)
		return -EINVAL;
	if (!raw->last_page)
		return -ENOSPC;
	if (value(header, raw->last_page) >= pages || value(header, raw->last_page) == U32_MAX)
		return -EINVAL;
	header->pages = value(header, raw->last_page) + 1;
	for (u32 i = 0; i < header->nr_bad; i++)
		if (!itme_header_bad(header, i) || itme_header_bad(header, i) >= header->pages)
			return -EINVAL;
	memcpy(header->label, raw->label, sizeof(header->label));
	memcpy(header->uuid, raw->uuid, sizeof(header->uuid));
	return 0;
}
