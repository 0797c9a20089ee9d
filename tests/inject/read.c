// SPDX-License-Identifier: GPL-2.0
/* Reads without a mapping: read, O_DIRECT, splice, NOWAIT, fadvise, readahead. */
#include <sys/uio.h>

#include "program.h"

#define LEN	(16 * KIB)

/* of the file, and of a read over the border of two chunks */
static uint64_t size, at;

static int file = -1, direct = -1, pipes[2];
static char *buf;

FIXTURE(read) {};
INJECT_FIXTURE(read)

static void open_file(struct __test_metadata *_metadata, uint32_t chunk)
{
	size = 4 * chunk;
	at = 2 * chunk - 4 * KIB;
	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", size, 1, chunk);
	ASSERT_LE(0, file);
	direct = file_open("f", O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, posix_memalign((void **)&buf, PAGE, LEN));
	memset(buf, 0, LEN);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
}

static void close_file(struct __test_metadata *_metadata)
{
	free(buf);
	close(pipes[0]);
	close(pipes[1]);
	close(direct);
	close(file);
	ASSERT_EQ(0, file_unlink("f"));
	ASSERT_EQ(0, itme_umount());
}

static int dropped(void)
{
	return drop_all(file);
}

static int looked_at(ssize_t n)
{
	if (n <= 0)
		return n ? -errno : -ENODATA;
	return pattern_check(buf, n, at, 1) ? -EBADMSG : 0;
}

static int read_one(void)
{
	return looked_at(pread(file, buf, LEN, at));
}

static int direct_one(void)
{
	return looked_at(pread(direct, buf, LEN, at));
}

static int nowait_one(void)
{
	struct iovec iov = { buf, LEN };
	ssize_t n = preadv2(file, &iov, 1, at, RWF_NOWAIT);

	/* so it begins, and does not wait */
	return n < 0 && errno == EAGAIN ? 0 : looked_at(n);
}

static int splice_one(void)
{
	loff_t off = at;
	ssize_t n = splice(file, &off, pipes[1], NULL, LEN, 0);

	return n < 0 ? -errno : looked_at(read(pipes[0], buf, n));
}

static int willneed_one(void)
{
	return -posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
}

static int readahead_one(void)
{
	return readahead(file, at, LEN) ? -errno : 0;
}

static int dontneed_one(void)
{
	return -posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

static int all_there(void)
{
	return check_read(file, 0, size, 1);
}

static const char *right(int ret)
{
	const char *what = accounted(file);

	(void)ret;
	/* what a splice that failed half way has left */
	while (read(pipes[0], buf, LEN) > 0)
		;
	if (!what && check_read(file, 0, size, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

static const char *gone(int ret)
{
	if (!ret && !POLL(!tier_used(DRAM), 5))
		return "memory in use";
	return right(ret);
}

static const struct op reads[] = {
	{ .name = "read", .kinds = MEMORY | IO | ON(COPY), .must = MEMORY | IO | ON(COPY),
	  .before = dropped, .run = read_one, .after = right, .late = &file },
	{ .name = "read O_DIRECT", .kinds = MEMORY | IO | ON(COPY),
	  .must = ON(SLAB) | ON(PAGES) | IO,
	  .before = dropped, .run = direct_one, .after = right, .late = &file },
	{ .name = "read RWF_NOWAIT", .kinds = MEMORY | IO, .must = ON(SLAB) | ON(PAGES) | IO,
	  .before = dropped, .run = nowait_one, .after = right, .late = &file },
	{ .name = "splice", .kinds = MEMORY | IO, .must = MEMORY | IO,
	  .before = dropped, .run = splice_one, .after = right, .late = &file },
};

static const struct op hints[] = {
	{ .name = "fadvise WILLNEED", .kinds = MEMORY | IO, .must = ON(SLAB) | ON(PAGES) | IO,
	  .before = dropped, .run = willneed_one, .after = right, .late = &file },
	{ .name = "readahead", .kinds = ON(TASK) | ON(SLAB), .must = ON(SLAB),
	  .before = dropped, .run = readahead_one, .after = right, .late = &file },
	/* what leaves asks for nothing: no point is right here */
	{ .name = "fadvise DONTNEED", .kinds = MEMORY | IO,
	  .before = all_there, .run = dontneed_one, .after = gone, .late = &file },
};

static void sweep_all(struct __test_metadata *_metadata, const struct op *ops, size_t nr)
{
	FOR_EACH_CHUNK(chunk) {
		open_file(_metadata, chunk);
		for (size_t i = 0; i < nr; i++)
			SWEEP(&ops[i]);
		close_file(_metadata);
	}
}

TEST_F(read, reads)
{
	sweep_all(_metadata, reads, ARRAY_LEN(reads));
}

TEST_F(read, hints)
{
	sweep_all(_metadata, hints, ARRAY_LEN(hints));
}

INJECT_NO_LEAK
