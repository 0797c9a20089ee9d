// SPDX-License-Identifier: GPL-2.0
#include "itme.h"

void itme_count(struct itme_inode *ino, enum itme_counter which, u64 n)
{
	atomic64_add(n, &ino->counters.v[which]);
	atomic64_add(n, &ino->fs->counters.v[which]);
}

static void count_max(atomic64_t *max, s64 n)
{
	s64 old = atomic64_read(max);

	while (old < n && !atomic64_try_cmpxchg(max, &old, n))
		;
}

/**
 * itme_count_stall - count one wait for a fill
 * @ino: file waited for
 * @ns: how long, nanoseconds
 */
void itme_count_stall(struct itme_inode *ino, u64 ns)
{
	itme_count(ino, ITME_STALLS, 1);
	itme_count(ino, ITME_STALL_NS, ns);
	count_max(&ino->counters.v[ITME_STALL_MAX], ns);
	count_max(&ino->fs->counters.v[ITME_STALL_MAX], ns);
}

/**
 * itme_stats_read - counters as user space sees them
 * @c: the counters
 * @out: filled, but for flags
 */
void itme_stats_read(const struct itme_counters *c, struct itme_stats *out)
{
	const struct {
		__u64 *to;
		enum itme_counter from;
	} map[] = {
		{ &out->read_bytes, ITME_READ_BYTES },
		{ &out->reads, ITME_READS },
		{ &out->demand_bytes, ITME_DEMAND_BYTES },
		{ &out->prefetch_bytes, ITME_PREFETCH_BYTES },
		{ &out->prefetch_used_bytes, ITME_PREFETCH_USED },
		{ &out->prefetch_late_bytes, ITME_PREFETCH_LATE },
		{ &out->prefetch_wasted_bytes, ITME_PREFETCH_WASTED },
		{ &out->dropped_bytes, ITME_DROPPED },
		{ &out->promoted_bytes, ITME_PROMOTED },
		{ &out->demoted_bytes, ITME_DEMOTED },
		{ &out->stalls, ITME_STALLS },
		{ &out->stall_ns, ITME_STALL_NS },
		{ &out->stall_max_ns, ITME_STALL_MAX },
		{ &out->io_errors, ITME_IO_ERRORS },
		{ &out->small_folio_chunks, ITME_SMALL_FOLIOS },
		{ &out->alloc_fails, ITME_ALLOC_FAILS },
		{ &out->busy_fails, ITME_BUSY_FAILS },
		{ &out->hints, ITME_HINTS },
		{ &out->hints_dropped, ITME_HINTS_DROPPED },
		{ &out->swap_out_bytes, ITME_SWAP_OUT },
		{ &out->swap_in_bytes, ITME_SWAP_IN },
		{ &out->swap_zero_bytes, ITME_SWAP_ZERO },
		{ &out->swap_clean_bytes, ITME_SWAP_CLEAN },
		{ &out->swap_errors, ITME_SWAP_ERRORS },
	};

	static_assert(ARRAY_SIZE(map) == ITME_NR_COUNTERS);
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		*map[i].to = atomic64_read(&c->v[map[i].from]);
}
