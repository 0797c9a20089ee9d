/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What POSIX.1-2017 says about files, as checks. Each runs in an empty directory of its own, as
 * root, and ends at the first thing that is not so.
 */
#ifndef POSIX_H
#define POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct check {
	const char *name;
	void (*run)(void);
};

extern const struct check name_checks[], data_checks[], meta_checks[];

__attribute__((noreturn, format(printf, 2, 3))) void failed(int line, const char *fmt, ...);

/* What holds. */
#define WANT(cond) \
	do { \
		if (!(cond)) \
			failed(__LINE__, "%s (errno %d)", #cond, errno); \
	} while (0)

/* What fails, and how. */
#define FAILS(call, code) \
	do { \
		errno = 0; \
		if ((long)(call) != -1) \
			failed(__LINE__, "%s succeeds", #call); \
		if (errno != (code)) \
			failed(__LINE__, "%s: errno %d, not %s", #call, errno, #code); \
	} while (0)

/* Something that POSIX leaves open: printed, so that two file systems can be compared. */
__attribute__((format(printf, 2, 3))) void tell(const char *what, const char *fmt, ...);

int make(const char *path, int flags);		/* a file, mode 0644, open */
void touch(const char *path);
void put(const char *path, const char *text);
bool holds(const char *path, const char *text);
struct stat stat_of(const char *path);		/* of a link itself */
bool exists(const char *path);
/* Runs it in a child as nobody, with the groups of nobody. */
void as_nobody(void (*run)(void));
/* Runs it in a child; its status as of waitpid(2). */
int in_child(void (*run)(void));
/* until the clock of the file system has moved on */
void tick(void);
bool later(struct timespec a, struct timespec b);

#endif
