/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A drive that fails or hangs when told: ext4 on a device-mapper device on a
 * loop device on a file in the lower directory. There is one at a time.
 */
#ifndef ITME_SELFTEST_DM_H
#define ITME_SELFTEST_DM_H

#include <stdint.h>

/* NULL, or what is missing on this machine */
const char *dm_setup(unsigned int mib);
/* the device alone, without a file system */
const char *dm_device(unsigned int mib);
const char *dm_path(void);
const char *dm_image(void);	/* the file below it; static buffer */
/* heals and resumes first; after itmefs has let go of the files */
void dm_teardown(void);
/* a pattern file on that drive: an O_RDONLY fd, or -errno */
int dm_lower(const char *name, uint64_t size, uint64_t seed);
/* from now on, reads of this range of the file fail with EIO */
int dm_fail(int lower_fd, uint64_t off, uint64_t len);
int dm_fail_all(void);
int dm_fail_writes(void);	/* reads go on */
int dm_heal(void);
/* all I/O hangs until dm_resume() */
int dm_suspend(void);
int dm_resume(void);

#endif
