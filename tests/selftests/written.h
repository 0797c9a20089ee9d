/* SPDX-License-Identifier: GPL-2.0 */
/* Files that are written: what the tests of them have in common. */
#ifndef WRITTEN_H
#define WRITTEN_H

#include <stdint.h>
#include <sys/types.h>

/* a new file on the mount: an O_RDWR fd, or -errno */
int create(const char *name);
/* 512-byte blocks of a file, as pages */
uint64_t pages_of(int fd);
off_t size_of(int fd);
/* the pattern into a range, by write(2) of 1 MiB at most: 0, -errno, or -ENOSPC if one was short */
int put(int fd, uint64_t off, uint64_t len, uint64_t seed);
/* the same by one write(2), whatever it is long: 0 or -errno, -EIO if it was short */
int write_at(int fd, uint64_t off, uint64_t len, uint64_t seed);
int all_zero(const char *p, size_t len);
int reads_zero(int fd, uint64_t off, uint64_t len);
/* ITME_IOC_LIMIT of a directory on the mount: 0 or -errno. @bytes as set, then as it is. */
int limit(const char *dir, uint32_t flags, uint64_t *bytes, uint64_t *used);

#endif
