/* SPDX-License-Identifier: GPL-2.0 */
/* Of sim.c and sim_kmod.c: the state of the machine, and what the one does for the other. */
#ifndef HOST_SIM_WORLD_H
#define HOST_SIM_WORLD_H

#include "sim.h"

/* As in kmod/: fill.c, pressure.c. */
#define PATIENCE	(30000 * SIM_MS)
#define SAMPLE_PERIOD	(1000 * SIM_MS)

#define FILLS		4096
#define WORKS		16

struct fill {
	struct itme_inode *ino;
	u32 idx;
	int tier;
	bool demand;
	bool placed;
	bool reading;
	u64 begun;
	u64 done_at;
	u64 order;
};

struct sim_world {
	struct sim_config config;
	struct itme_fs fs;
	struct sim_file file[SIM_FILES];
	int nr_files;
	struct fill fill[FILLS];
	int nr_fills;
	struct work_struct *work[WORKS];
	int nr_works;
	u64 order;
	u64 now;
	u64 drive_free;
	u64 sample_at;
	u64 sampled_fills;
	u64 all_fills;
	struct sim_stats stats;
	u32 checks;
};

extern struct sim_world sim;

/* sim_kmod.c */
void sim_run_works(void);
void sim_fill(struct itme_inode *ino, u32 idx, bool demand, int tier);
void sim_start_fills(void);
void sim_end_fill(int i, bool resident, int err);
long sim_evict(int tier, bool demand);
void sim_sample(void);
/* False when the reader has to wait. */
bool sim_use(struct sim_reader *r, u32 idx);

#endif /* HOST_SIM_WORLD_H */
