/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A written file to inject faults around: a few pages that stay, seed 1; behind them, from
 * AT on, what is tried, seed 2. And what it takes, of which nothing may be lost.
 */
#ifndef ITME_SCENE_H
#define ITME_SCENE_H

#include "sweep.h"

#define BASE	(16 * PAGE)
#define AT	CHUNK
#define LEN	(256 * KIB)

extern int file;
/* room for a chunk each */
extern char *data, *back;

/* the mount and the file: 0 or -errno */
int written_open(const char *opts);
/* the pattern into a range by write(2): 0 or -errno */
int put(int fd, uint64_t off, uint64_t n, uint64_t seed);
/* make one of that size, seed 1: its fd or -errno */
int create(const char *name, uint64_t size);
int close_it(int fd);			/* 0; the -errno that it is, or of close(2) */
uint64_t size_of(int fd);
/* reads as zeroes, or with @either as the pattern of seed 2, byte by byte */
bool blank(uint64_t off, uint64_t n, bool either);
/* as touch(), but writes an x */
int poke(volatile char *where);

/* what statfs(2) says is free is what room_now() has seen; NULL or what is wrong */
const char *room(void);
void room_now(void);
/* the same once nothing is left behind the base; @size: what the file has without it */
const char *undone(uint64_t size);
/* once with nothing made to fail, as tables come with the first and stay; then sweep() */
unsigned int sweep_warm(const struct op *op);

#define SWEEP_WARM(op)	EXPECT_EQ(0, sweep_warm(op))

#endif
