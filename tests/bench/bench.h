/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the jobs of itme-bench share. A job prints one JSON object a line on
 * stdout, and dies with a message when anything fails: a figure that could not
 * be measured must not look like one.
 */
#ifndef ITME_BENCH_H
#define ITME_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <time.h>

#include <linux/itme.h>

#define CHUNK	(2UL << 20)

int job_write(int argc, char **argv);
int job_import(int argc, char **argv);
int job_read(int argc, char **argv);
int job_move(int argc, char **argv);
int job_touch(int argc, char **argv);
int job_meta(int argc, char **argv);
int job_kv(int argc, char **argv);
int job_model(int argc, char **argv);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

uint64_t now_ns(clockid_t clock);
uint64_t size_arg(const char *text);		/* 4K, 2M, 1G */
uint64_t proc_value(const char *path, const char *key);	/* "Key:  n kB", bytes */

int open_or_die(const char *path, int flags);
uint64_t file_size(int fd);
void *map_file(int fd, uint64_t len);

void import_file(const char *mount, const char *lower, const char *name, uint32_t chunk);
uint64_t advise(int fd, uint64_t off, uint64_t len, uint32_t advice, uint32_t tier);
/* Counters of the mount that fd lies on; false where that is no itmefs. */
bool itme_counters(int fd, struct itme_stats *st);

#endif
