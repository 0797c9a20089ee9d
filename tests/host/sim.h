/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine in small: kmod/residency.c, policy.c, stream.c, plan.c as they are, and in
 * place of fill.c, mover.c and pressure.c a model of what these do with them. A
 * drive serves one chunk after the other; readers use chunks and compute between;
 * a mapped chunk is used without being seen until the sampler unmaps it. Time is
 * that of events.
 *
 * Every step is checked: budgets, sums of queues, who may leave.
 */
#ifndef HOST_SIM_H
#define HOST_SIM_H

#include "kernel.h"
#include "itme.h"

#define SIM_MS		1000000ULL
#define SIM_FILES	8

/**
 * struct sim_config - the machine
 * @dram: budget, chunks of 2 MiB
 * @cxl: the same
 * @chunk_shift: of the files; 0 means 21
 * @drive_ns: for a chunk of 2 MiB; 0 means 2 ms
 * @worker_ns: from when a fill is begun until a worker takes it
 * @reads: use read(2), each use of which is seen, not mmap
 */
struct sim_config {
	long dram;
	long cxl;
	u8 chunk_shift;
	u64 drive_ns;
	u64 worker_ns;
	bool reads;
};

/**
 * struct sim_file - an imported file
 * @ino: as residency.c knows it
 * @mapped: by chunk, use is not seen
 * @held: by chunk, somebody's O_DIRECT or the like keeps it from leaving
 */
struct sim_file {
	struct itme_inode ino;
	bool *mapped;
	bool *held;
};

/**
 * struct sim_reader - a thread
 * @file: what it reads
 * @trace: chunks it uses, in order
 * @nr: of @trace
 * @compute_ns: after each
 * @rest_every: uses after which it computes for longer; 0 never
 * @rest_ns: by so much
 * @random: has said MADV_RANDOM
 * @at: next of @trace
 * @hits: found in memory, without a wait
 * @stall_ns: waited
 */
struct sim_reader {
	struct sim_file *file;
	const u32 *trace;
	u32 nr;
	u64 compute_ns;
	u32 rest_every;
	u64 rest_ns;
	bool random;
	u32 at;
	u32 hits;
	u64 stall_ns;
	/* the simulator's */
	u64 wake_at;
	u64 wait_since;
	bool waits;
};

/**
 * struct sim_stats - since the last sim_stats_take()
 * @fills: chunks read from the drive
 * @demand: of these, what somebody waited for from the beginning
 * @demoted: DRAM to CXL
 * @promoted: CXL to DRAM
 * @dropped: out of memory
 * @unused: dropped before anybody used them
 * @given_up: fills begun and given up for want of room
 * @recorded: touches of which an order could be learned
 */
struct sim_stats {
	u32 fills;
	u32 demand;
	u32 demoted;
	u32 promoted;
	u32 dropped;
	u32 unused;
	u32 given_up;
	u32 recorded;
};

void sim_start(const struct sim_config *config);
void sim_stop(void);
struct sim_file *sim_file(u32 chunks);
/* Runs until all readers are at the end of their traces; false if they are stuck. */
bool sim_run(struct sim_reader *readers, int nr);
/* Time passes, with nobody reading. */
void sim_idle(u64 ns);
/* Chunks of 2 MiB; as itme_tier_set(). */
void sim_budget(int tier, long chunks);
bool sim_pin(struct sim_file *file, u32 idx, int tier);
struct sim_stats sim_stats_take(void);
u32 sim_resident(const struct sim_file *file, int tier);
u64 sim_now(void);
struct itme_fs *sim_fs(void);
void sim_check(void);

#endif /* HOST_SIM_H */
