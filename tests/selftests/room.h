/* SPDX-License-Identifier: GPL-2.0 */
/* Room for written files: how much there is, and how to use it up. */
#ifndef ITME_SELFTEST_ROOM_H
#define ITME_SELFTEST_ROOM_H

#include <stdint.h>
#include <sys/statfs.h>

/* file_path() of two names at once */
const char *at(const char *name);
int set_limit(const char *name, uint64_t bytes);
/* statfs(2) of a name; as many blocks as there can be if that fails */
struct statfs room(const char *name);
/* Write from @off on until @len or an error: what was written, and the error. */
uint64_t fill(const char *name, uint64_t off, uint64_t len, int *err);
uint64_t blocks(const char *name);	/* of a file, in bytes */

#endif
