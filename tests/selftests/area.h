/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Swap areas for tests: files and devices with a header, good or not, and the
 * requests on them.
 */
#ifndef ITME_SELFTEST_AREA_H
#define ITME_SELFTEST_AREA_H

#include "common.h"

/* what mkswap(8) writes, or ought not to */
struct header {
	uint32_t version;
	uint32_t last_page;
	uint32_t nr_bad;
	uint32_t bad[4];
	const char *label;
	const char *magic;	/* NULL: the right one */
	size_t page_size;	/* at whose end the magic is; 0: 4096 */
	bool foreign;		/* byte-swapped */
};

/* a file t.<name> of zeroes without holes: an O_RDWR fd */
int area_file(const char *name, unsigned int mib);
/* the same with a header for all of it */
int area_ready(const char *name, unsigned int mib);
int area_header(int fd, const struct header *h);

/* the requests on the root: 0 or -errno */
int swap_add(int fd, int prio, uint32_t flags, uint32_t *id);
int swap_remove(uint32_t id);
int swap_get(uint32_t id, struct itme_swap *swap);
uint64_t swap_used(uint32_t id);

#endif
