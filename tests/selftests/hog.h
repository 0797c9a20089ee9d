/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that takes the memory of node 0 away. It offers itself to the OOM
 * killer, so if that is ever called, the hog is what is missing afterwards.
 */
#ifndef ITME_SELFTEST_HOG_H
#define ITME_SELFTEST_HOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hog {
	pid_t pid;
	struct hog_state *state;
};

/* bytes that node 0 could give: free, and of other files' page cache */
int64_t node0_available(void);
int64_t node0_free(void);

/*
 * Take @bytes, in small pages that compaction cannot move when @locked, and
 * then give every second page of the first @holes bytes back. 0 when it has
 * got all of it within @secs.
 */
int hog_start(struct hog *hog, uint64_t bytes, bool locked, uint64_t holes,
	      double secs);
bool hog_alive(struct hog *hog);
uint64_t hog_taken(struct hog *hog);
void hog_stop(struct hog *hog);

#endif
