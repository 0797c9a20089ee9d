/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: counters, of a file and of the file system
 */
#ifndef ITME_STATS_H
#define ITME_STATS_H

#include <linux/atomic.h>
#include <linux/types.h>

struct itme_fs;
struct itme_inode;
struct itme_stats;

/* What is counted, see struct itme_stats. */
enum itme_counter {
	ITME_READ_BYTES,
	ITME_READS,
	ITME_DEMAND_BYTES,
	ITME_PREFETCH_BYTES,
	ITME_PREFETCH_USED,
	ITME_PREFETCH_LATE,
	ITME_PREFETCH_WASTED,
	ITME_DROPPED,
	ITME_PROMOTED,
	ITME_DEMOTED,
	ITME_STALLS,
	ITME_STALL_NS,
	ITME_STALL_MAX,
	ITME_IO_ERRORS,
	ITME_SMALL_FOLIOS,
	ITME_ALLOC_FAILS,
	ITME_BUSY_FAILS,
	ITME_HINTS,
	ITME_HINTS_DROPPED,
	ITME_SWAP_OUT,
	ITME_SWAP_IN,
	ITME_SWAP_ZERO,
	ITME_SWAP_CLEAN,
	ITME_SWAP_ERRORS,
	ITME_NR_COUNTERS,
};

struct itme_counters {
	atomic64_t v[ITME_NR_COUNTERS];
};

void itme_count(struct itme_inode *ino, enum itme_counter which, u64 n);
void itme_count_stall(struct itme_inode *ino, u64 ns);
void itme_stats_read(const struct itme_counters *c, struct itme_stats *out);

#endif /* ITME_STATS_H */
