/* SPDX-License-Identifier: GPL-2.0 */
/* Which page of the machine is behind an address, and how it is. As root. */
#ifndef ITME_STRESS_PFN_H
#define ITME_STRESS_PFN_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t page_round(uint64_t n)
{
	return (n + 4095) & ~4095ULL;
}

uint64_t pfn_of(const void *p);			/* 0 when it is not mapped */
bool kpageflags_work(void);
bool is_poisoned(uint64_t pfn);
/* is @pfn, or any poisoned page, mapped in the range? touches all of it */
bool uses_pfn(const char *p, uint64_t size, uint64_t pfn);
bool uses_poisoned(const char *p, uint64_t size);
/* the first page of a folio of a file on no evictable list that is being read */
uint64_t find_being_read(void);

#endif
