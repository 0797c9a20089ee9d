// SPDX-License-Identifier: GPL-2.0
/* Reads without a mapping: read, O_DIRECT, splice, NOWAIT, fadvise, readahead. */
#include <sys/uio.h>

#include "program.h"

#define SMALL	(256 * KIB)
#define SIZE	(4 * SMALL)
/* over the border of two chunks */
#define AT	(2 * SMALL - 4 * KIB)
#define LEN	(16 * KIB)

static int file = -1, direct = -1, pipes[2];
static char *buf;

FIXTURE(read) {};
INJECT_FIXTURE(read)

static void open_file(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, file);
	direct = file_open("f", O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, posix_memalign((void **)&buf, PAGE, LEN));
	memset(buf, 0, LEN);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
}

static int dropped(void)
{
	return drop_all(file);
}

static int looked_at(ssize_t n)
{
	if (n <= 0)
		return n ? -errno : -ENODATA;
	return pattern_check(buf, n, AT, 1) ? -EBADMSG : 0;
}

static int read_one(void)
{
	return looked_at(pread(file, buf, LEN, AT));
}

static int direct_one(void)
{
	return looked_at(pread(direct, buf, LEN, AT));
}

static int nowait_one(void)
{
	struct iovec iov = { buf, LEN };
	ssize_t n = preadv2(file, &iov, 1, AT, RWF_NOWAIT);

	/* so it begins, and does not wait */
	return n < 0 && errno == EAGAIN ? 0 : looked_at(n);
}

static int splice_one(void)
{
	loff_t off = AT;
	ssize_t n = splice(file, &off, pipes[1], NULL, LEN, 0);

	return n < 0 ? -errno : looked_at(read(pipes[0], buf, n));
}

static int willneed_one(void)
{
	return -posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
}

static int readahead_one(void)
{
	return readahead(file, AT, LEN) ? -errno : 0;
}

static int dontneed_one(void)
{
	return -posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

static int all_there(void)
{
	return check_read(file, 0, SIZE, 1);
}

static const char *right(int ret)
{
	const char *what = accounted(file);

	(void)ret;
	/* what a splice that failed half way has left */
	while (read(pipes[0], buf, LEN) > 0)
		;
	if (!what && check_read(file, 0, SIZE, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

static const char *gone(int ret)
{
	if (!ret && !POLL(!tier_used(DRAM), 5))
		return "memory in use";
	return right(ret);
}

TEST_F(read, read)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "read", .kinds = MEMORY | IO | ON(COPY),
		.must = MEMORY | IO | ON(COPY),
		.before = dropped, .run = read_one, .after = right, .late = &file,
	}));
}

TEST_F(read, direct)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "read O_DIRECT", .kinds = MEMORY | IO | ON(COPY),
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = direct_one, .after = right, .late = &file,
	}));
}

TEST_F(read, nowait)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "read RWF_NOWAIT", .kinds = MEMORY | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = nowait_one, .after = right, .late = &file,
	}));
}

TEST_F(read, splice)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "splice", .kinds = MEMORY | IO, .must = MEMORY | IO,
		.before = dropped, .run = splice_one, .after = right, .late = &file,
	}));
}

TEST_F(read, hints)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "fadvise WILLNEED", .kinds = MEMORY | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = dropped, .run = willneed_one, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "readahead", .kinds = ON(TASK) | ON(SLAB), .must = ON(SLAB),
		.before = dropped, .run = readahead_one, .after = right, .late = &file,
	}));
	/* what leaves asks for nothing: no point is right here */
	SWEEP((&(struct op){
		.name = "fadvise DONTNEED", .kinds = MEMORY | IO,
		.before = all_there, .run = dontneed_one, .after = gone, .late = &file,
	}));
}

INJECT_NO_LEAK
