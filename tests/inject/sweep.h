/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One operation, tried with its 1st, 2nd, ... point of failure made to fail,
 * until it gets by without reaching the n-th. After each try: it has worked or
 * returned an error it may return, nothing of it is left, the accounting is
 * right, the data is, and the next try with nothing made to fail works.
 */
#ifndef ITME_SWEEP_H
#define ITME_SWEEP_H

#include "common.h"
#include "inject.h"

/* Bounds of a sweep, not reached by any operation; a sweep that is cut fails. */
#define POINTS_MAX	4000

/**
 * struct op - an operation
 * @name: told with the result
 * @kinds: ON() of what is made to fail
 * @must: those of them of which there is a point at least
 * @may: errors it may return, besides ENOMEM, EIO, and EFAULT where something
 *	that copies is made to fail
 * @before: not made to fail; 0 or -errno; may be NULL
 * @run: 0 or -errno
 * @after: not made to fail, looks at what came of it and undoes it; NULL or
 *	what is wrong
 * @late: a file whose chunks run() may leave in transit, which belongs to the
 *	operation; may be NULL
 */
struct op {
	const char *name;
	uint32_t kinds;
	uint32_t must;
	int may[4];
	int (*before)(void);
	int (*run)(void);
	const char *(*after)(int ret);
	const int *late;
};

/* how many things were wrong; each is told on stderr, a summary on stdout */
unsigned int sweep(const struct op *op);

/* its chunks are at rest; false if they do not come to */
bool settle(int fd);
/*
 * Of a mount with that one file: what each tier has in use is what the file has
 * there, nothing is pinned; NULL or what is wrong.
 */
const char *accounted(int fd);
/* the file leaves memory and nothing stays in use: 0 or -errno */
int drop_all(int fd);
/* @ret or the signal of touch() as the -errno of a file */
int as_errno(int sig);
/* umount(2) in a process of its own, at once: 0, -errno, -ETIMEDOUT */
int umount_at_once(void);
/* the lower file can be written again, nobody holds it: true if so */
bool writable_again(const char *path);
bool soak(void);

void kmemleak_clear(void);
const char *kmemleak_begin(void);	/* NULL, or why it cannot be asked */
unsigned int kmemleak_found(void);	/* told on stderr */

#endif
