// SPDX-License-Identifier: GPL-2.0
/* Mappings: map, fault, populate, lock, advise, pin by GUP, unmap. */
#include <fcntl.h>
#include <sys/uio.h>

#include "program.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define SMALL	(256 * KIB)
#define AT	(SMALL + 5 * PAGE)
#define LEN	(4 * PAGE)

static uint64_t size;
static int file = -1, scratch = -1, pipes[2];
static char *p, *extra, *buf;

FIXTURE(fault) {};
INJECT_FIXTURE(fault)

static void map_file(struct __test_metadata *_metadata, uint32_t chunk)
{
	size = 4 * SMALL < chunk ? chunk : 4 * SMALL;
	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", size, 1, chunk);
	ASSERT_LE(0, file);
	p = map_ro(file, 0, size);
	ASSERT_NE(NULL, p);
	buf = malloc(LEN);
	memset(buf, 0, LEN);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
}

static int dropped(void)
{
	return drop_all(file);
}

static const char *right(int ret)
{
	const char *what = accounted(file);

	(void)ret;
	if (extra && munmap(extra, size))
		return "munmap failed";
	extra = NULL;
	while (read(pipes[0], buf, LEN) > 0)
		;
	if (!what && (pattern_check(p, size, 0, 1) || check_read(file, 0, size, 1)))
		what = "wrong content";
	return what ?: accounted(file);
}

static int touch_one(void)
{
	return as_errno(touch(p + AT)) ?: pattern_check(p + AT, 8, AT, 1) ? -EBADMSG : 0;
}

static int map_one(void)
{
	char *m = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	if (m == MAP_FAILED)
		return -errno;
	extra = m;
	return 0;
}

static int populate_one(void)
{
	char *m = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);

	if (m == MAP_FAILED)
		return -errno;
	extra = m;
	return 0;
}

static int populate_read_one(void)
{
	return madvise(p, size, MADV_POPULATE_READ) ? -errno : 0;
}

static int willneed_one(void)
{
	return madvise(p, size, MADV_WILLNEED) ? -errno : 0;
}

static int lock_one(void)
{
	return mlock(p, size) ? -errno : 0;
}

static const char *unlocked(int ret)
{
	if (munlock(p, size))
		return "munlock failed";
	if (!ret && resident(file, 0, 0) != size)
		return "locked, but not in memory";
	return right(ret);
}

/* a private mapping, written to: the page is copied */
static int copy_on_write(void)
{
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	int sig;

	if (m == MAP_FAILED)
		return -errno;
	extra = m;
	sig = touch(m + AT);
	if (!sig)
		m[AT] ^= 1;
	return as_errno(sig);
}

static int vmsplice_one(void)
{
	struct iovec iov = { p + AT, LEN };
	ssize_t n = vmsplice(pipes[1], &iov, 1, 0), got;

	if (n <= 0)
		return n ? -errno : -ENODATA;
	got = read(pipes[0], buf, n);
	if (got < 0)
		return -errno;
	if (pattern_check(buf, got, AT, 1))
		return -EBADMSG;
	/* a copy out of the pipe may have failed half way */
	return got == n ? 0 : -EFAULT;
}

static int direct_write(void)
{
	ssize_t n = pwrite(scratch, p + AT, LEN, 0);

	return n < 0 ? -errno : n == LEN ? 0 : -ENODATA;
}

static const char *written(int ret)
{
	int fd = open(lower_path("scratch"), O_RDONLY | O_CLOEXEC);
	const char *what = NULL;

	if (fd < 0 || pread(fd, buf, LEN, 0) != LEN)
		what = "the copy cannot be read";
	else if (!ret && pattern_check(buf, LEN, AT, 1))
		what = "wrong content in the copy";
	close(fd);
	return what ?: right(ret);
}

static int map_before(void)
{
	int ret = dropped() ?: map_one();

	return ret ?: as_errno(touch(extra + AT));
}

static int unmap_part(void)
{
	/* two mappings remain */
	return munmap(extra + size / 2, PAGE) ? -errno : 0;
}

TEST_F(fault, touch)
{
	map_file(_metadata, SMALL);
	SWEEP((&(struct op){
		.name = "page fault", .kinds = MEMORY | IO, .must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = touch_one, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "page fault, copy on write", .kinds = MEMORY, .must = MEMORY,
		.before = dropped, .run = copy_on_write, .after = right, .late = &file,
	}));
}

TEST_F(fault, touch_large)
{
	map_file(_metadata, CHUNK);
	SWEEP((&(struct op){
		.name = "page fault, 2 MiB", .kinds = MEMORY | IO, .must = ON(PAGES) | IO,
		.before = dropped, .run = touch_one, .after = right, .late = &file,
	}));
}

TEST_F(fault, map)
{
	map_file(_metadata, SMALL);
	SWEEP((&(struct op){
		.name = "mmap", .kinds = MEMORY, .must = ON(TASK),
		.before = dropped, .run = map_one, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "munmap of a part", .kinds = MEMORY, .must = ON(TASK),
		.before = map_before, .run = unmap_part, .after = right, .late = &file,
	}));
}

TEST_F(fault, populate)
{
	map_file(_metadata, SMALL);
	SWEEP((&(struct op){
		.name = "mmap MAP_POPULATE", .kinds = MEMORY | IO, .must = MEMORY | IO,
		.before = dropped, .run = populate_one, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "madvise POPULATE_READ", .kinds = MEMORY | IO, .may = { EFAULT },
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = populate_read_one, .after = right, .late = &file,
	}));
}

TEST_F(fault, hint_and_lock)
{
	map_file(_metadata, SMALL);
	SWEEP((&(struct op){
		.name = "madvise WILLNEED", .kinds = MEMORY | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = willneed_one, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "mlock", .kinds = MEMORY | IO, .may = { EAGAIN },
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = lock_one, .after = unlocked, .late = &file,
	}));
}

TEST_F(fault, pinned_by_gup)
{
	map_file(_metadata, SMALL);
	SWEEP((&(struct op){
		.name = "vmsplice", .kinds = MEMORY | IO, .may = { EFAULT },
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = vmsplice_one, .after = right, .late = &file,
	}));
	scratch = open(lower_path("scratch"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, scratch);
	ASSERT_EQ(0, write_pattern(scratch, LEN, 2));
	ASSERT_EQ(0, fcntl(scratch, F_SETFL, O_DIRECT));
	/* not what the lower file system itself does to write: it may not take that well */
	SWEEP((&(struct op){
		.name = "O_DIRECT write", .kinds = ON(SLAB) | ON(PAGES) | ON(SUBMIT),
		.may = { EFAULT }, .must = ON(SLAB) | ON(PAGES) | ON(SUBMIT),
		.before = dropped, .run = direct_write, .after = written, .late = &file,
	}));
}

INJECT_NO_LEAK
