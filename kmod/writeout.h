/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: when written chunks go to swap areas, and how much at a time
 */
#ifndef ITME_WRITEOUT_H
#define ITME_WRITEOUT_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "policy.h"

struct itme_fs;

/* Chunks on their way at a time: enough for a drive, if they are of 2 MiB. */
#define ITME_WRITERS	4

/**
 * struct itme_writer - one who lets chunks leave
 * @work: itself
 * @fs: file system
 */
struct itme_writer {
	struct work_struct work;
	struct itme_fs *fs;
};

/**
 * struct itme_roomer - who makes room in a tier for tasks that wait for it
 * @work: itself
 * @fs: file system
 * @tier: memory tier
 * @rounds: times that something was to leave, wraps
 * @gone: pages that did, the last time
 */
struct itme_roomer {
	struct work_struct work;
	struct itme_fs *fs;
	int tier;
	u32 rounds;
	long gone;
};

/**
 * struct itme_writeout - who makes room, also before it is needed
 * @one: held while a part is written beside reads, so that it is the only one
 * @wq: of @writer and @roomer
 * @writer: each takes a chunk at a time
 * @roomer: by tier
 * @rate: bytes/s that they write at most, 0 for no limit
 */
struct itme_writeout {
	struct mutex one;
	struct workqueue_struct *wq;
	struct itme_writer writer[ITME_WRITERS];
	struct itme_roomer roomer[ITME_MEM_TIERS];
	u64 rate;
};

int itme_writeout_start(struct itme_fs *fs);
void itme_writeout_stop(struct itme_fs *fs);
void itme_writeout_kick(struct itme_fs *fs);
int itme_writeout_room(struct itme_fs *fs, int tier, long pages);
bool itme_writeout_begin(struct itme_fs *fs, u32 *pages);
void itme_writeout_end(struct itme_fs *fs, bool alone);

#endif /* ITME_WRITEOUT_H */
