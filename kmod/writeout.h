/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: when written chunks go to swap areas, and how much at a time
 */
#ifndef ITME_WRITEOUT_H
#define ITME_WRITEOUT_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

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
 * struct itme_writeout - who makes room before it is needed
 * @one: held while a part is written beside reads, so that it is the only one
 * @wq: of @writer
 * @writer: each takes a chunk at a time
 * @rate: bytes/s that they write at most, 0 for no limit
 */
struct itme_writeout {
	struct mutex one;
	struct workqueue_struct *wq;
	struct itme_writer writer[ITME_WRITERS];
	u64 rate;
};

int itme_writeout_start(struct itme_fs *fs);
void itme_writeout_stop(struct itme_fs *fs);
void itme_writeout_kick(struct itme_fs *fs);
bool itme_writeout_begin(struct itme_fs *fs, u32 *pages);
void itme_writeout_end(struct itme_fs *fs, bool alone);

#endif /* ITME_WRITEOUT_H */
