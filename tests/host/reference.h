/* SPDX-License-Identifier: GPL-2.0 */
/* What other policies would have done with a trace, without read-ahead. */
#ifndef HOST_REFERENCE_H
#define HOST_REFERENCE_H

#include <stdint.h>

/* Misses with room for @room chunks; of those from @from on. */
uint32_t lru_misses(const uint32_t *trace, uint32_t nr, uint32_t chunks, uint32_t room,
		    uint32_t from);
/* Belady: what is used again last leaves. */
uint32_t min_misses(const uint32_t *trace, uint32_t nr, uint32_t chunks, uint32_t room,
		    uint32_t from);

#endif /* HOST_REFERENCE_H */
