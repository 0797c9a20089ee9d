/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every itmefs selftest needs: the mount, lower files with a known
 * pattern, the ioctls, children, and waiting with a deadline.
 *
 * Functions return 0 or a count on success and -errno on failure, unless they
 * say otherwise. Nothing here knows the test harness; see fixture.h for that.
 *
 * Environment: ITME_LOWER_DIR, a writable directory on a file system that can
 * do O_DIRECT; ITME_MNT, where to mount (default /tmp/itme-selftest);
 * ITME_PROFILE, "numa" or "cxl" (there the CXL tier is about 11 MB/s);
 * ITME_KO, the module file, for the tests that insert it.
 */
#ifndef ITME_SELFTEST_COMMON_H
#define ITME_SELFTEST_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <linux/itme.h>

#define KIB		(1024ULL)
#define MIB		(1024ULL * KIB)
#define CHUNK		(2 * MIB)	/* the default chunk */
#define PAGE		4096ULL
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

#define DRAM		ITME_TIER_DRAM
#define CXL		ITME_TIER_CXL
#define NVME		ITME_TIER_NVME
#define ANY		ITME_TIER_ANY

/* Wait for a condition; true when it came about within that many seconds. */
#define POLL(cond, secs)						\
({									\
	double __end = now() + (secs);					\
	bool __ok;							\
	while (!(__ok = (cond)) && now() < __end)			\
		usleep(2000);						\
	__ok;								\
})

double now(void);			/* seconds, monotonic */

/* The environment. */
const char *mnt_dir(void);
const char *lower_dir(void);		/* NULL when not given */
bool profile_is(const char *name);
bool have_cxl_node(void);		/* a memory node without CPU */
int cxl_node(void);			/* its number, or -1 */
const char *missing(void);		/* what the environment lacks, or NULL */

/* The mount. itme_mount() keeps the root directory open for the ioctls. */
int itme_mount(const char *opts);
int itme_mount_at(const char *dir, const char *opts);
int itme_remount(const char *opts);
int itme_umount(void);
int root_fd(void);
void root_close(void);
void cleanup_before(void);		/* what an earlier, killed test left */
const char *cleanup_after(void);	/* NULL, or what was not right */

/*
 * Lower files. The pattern has another word at each multiple of 8 and for each
 * seed, so that no byte can come from a wrong place unnoticed. lower() keeps
 * its files for the next test; lower_new() makes one that the test may change,
 * rename or remove, named t.<name>, removed after the test.
 */
uint64_t pattern_word(uint64_t index, uint64_t seed);
void pattern_fill(void *buf, size_t len, uint64_t off, uint64_t seed);
/* 0 when right; else 1, and the place is told on stderr */
int pattern_check(const void *buf, size_t len, uint64_t off, uint64_t seed);
int write_pattern(int fd, uint64_t size, uint64_t seed);
int lower(uint64_t size, uint64_t seed);	/* an O_RDONLY fd */
int lower_new(const char *name, uint64_t size, uint64_t seed);
const char *lower_path(const char *name);	/* of t.<name>; static buffer */

/* Imported files. */
const char *file_path(const char *name);	/* static buffer */
int import_fd(const char *name, int lower_fd, uint32_t chunk);
int import_len(const void *name, uint32_t len, int lower_fd, uint32_t chunk);
/* import lower(size, seed) and open it: the fd */
int import_open(const char *name, uint64_t size, uint64_t seed,
		uint32_t chunk);
int file_open(const char *name, int flags);
int file_unlink(const char *name);
/* 0 right, 1 wrong content, -errno */
int check_read(int fd, uint64_t off, uint64_t len, uint64_t seed);
/* map, check, unmap: as check_read() */
int check_mapped(int fd, uint64_t off, uint64_t len, uint64_t seed);
/* read a range and look at a word of every 512 bytes only */
int scan(int fd, uint64_t off, uint64_t len, uint64_t seed);
void *map_ro(int fd, uint64_t off, uint64_t len);	/* NULL on failure */
/* touch a byte: 0, or SIGBUS or SIGSEGV when that came */
int touch(const volatile void *p);

/* The ioctls; @fd an itmefs file. */
int tier_get(uint32_t tier, struct itme_tier_info *ti);
int tier_set(uint32_t tier, uint64_t budget);
uint64_t tier_used(uint32_t tier);
uint64_t tier_pinned(uint32_t tier);
int advise(int fd, uint64_t off, uint64_t len, uint32_t advice, uint32_t tier,
	   uint64_t *done);
int residency(int fd, uint64_t off, uint64_t len, struct itme_residency *r,
	      uint8_t *map, uint64_t map_len);
uint64_t resident(int fd, uint64_t off, uint64_t len);	/* in memory */
uint64_t resident_on(int fd, uint32_t tier, uint64_t off, uint64_t len);
int stats_all(struct itme_stats *s);
int stats_file(int fd, struct itme_stats *s);
int object(int fd, struct itme_object *o);
/* a descriptor, or -errno */
int prefetch(int fd, const struct itme_span *spans, uint32_t count, uint32_t tier,
	     uint64_t *done);
int prefetch_result(int fd, struct itme_prefetch_result *r);
int wait_range(int fd, uint64_t off, uint64_t len, int64_t ns, struct itme_wait *w);
/*
 * The node of the page mapped at @p, or -errno. Touches it, again and again if
 * need be: ITME unmaps what it has now and then, to see whether it is used.
 */
int page_node(const void *p);

/* Children and threads. */
pid_t spawn(int (*fn)(void *arg), void *arg);
/* wait status, or -ETIMEDOUT (the child is killed then) */
int reap(pid_t pid, double secs);
/* fork, run @fn, its exit status; -1 when it died of a signal or hung */
int in_child(int (*fn)(void *arg), void *arg, double secs);
int drop_sys_admin(void);		/* of this process, for good */
int bind_to_node(int node);		/* memory of this process */

/* Files of proc and sysfs. */
int write_file(const char *path, const char *text);
int read_file(const char *path, char *buf, size_t len);
/* the value in bytes of "Key:  123 kB" in a file such as meminfo, or -1 */
int64_t kb_value(const char *path, const char *key);
int64_t smaps_value(const void *addr, const char *key);
__attribute__((format(printf, 1, 2)))
int run_cmd(const char *fmt, ...);	/* system(3), quiet; exit status */

#endif
