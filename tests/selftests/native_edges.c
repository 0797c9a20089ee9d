// SPDX-License-Identifier: GPL-2.0
/*
 * Written files at their edges: the last byte that there may be, writes that come to less
 * than was asked for, files of petabytes that have hardly any page, pins of holes.
 */
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "fixture.h"
#include "written.h"

#define TIERS	"dram=16M"

FIXTURE(native_edges) {};
ITME_FIXTURE(native_edges)

/* the largest size that ftruncate(2) takes */
static off_t largest(int fd)
{
	off_t low = 0, high = INT64_MAX;

	while (low < high) {
		off_t mid = high - (high - low) / 2;

		if (ftruncate(fd, mid))
			high = mid - 1;
		else
			low = mid;
	}
	return low;
}

/* a chunk number that wraps around would have us go over the file for ever */
TEST_F_TIMEOUT(native_edges, last_byte, 60)
{
	off_t max;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	max = largest(fd);
	ASSERT_LT(1LL << 52, max);
	ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
	ASSERT_EQ(1, pwrite(fd, "y", 1, max - 1));
	EXPECT_EQ(-1, pwrite(fd, "z", 1, max));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(2, pages_of(fd));
	EXPECT_EQ(max - (off_t)PAGE, lseek(fd, PAGE, SEEK_DATA));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_COLD, ANY, NULL));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, max - CHUNK, CHUNK));
	EXPECT_EQ(1, pages_of(fd));
	ASSERT_EQ(1, pwrite(fd, "y", 1, max - 1));
	ASSERT_EQ(0, ftruncate(fd, 1));
	EXPECT_EQ(1, pages_of(fd));
	ASSERT_EQ(0, ftruncate(fd, max));
	ASSERT_EQ(1, pwrite(fd, "y", 1, max - 1));
	close(fd);
	EXPECT_EQ(0, file_unlink("a"));
}

/* of the memory that was taken for a write, what did not come is not kept */
TEST_F(native_edges, short_write)
{
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	pattern_fill(p, 5 * PAGE, 0, 1);
	ASSERT_EQ(0, munmap(p + 5 * PAGE, 59 * PAGE));
	ASSERT_EQ(5 * (ssize_t)PAGE, pwrite(fd, p, 64 * PAGE, 0));
	EXPECT_EQ(5 * (off_t)PAGE, size_of(fd));
	EXPECT_EQ(5, pages_of(fd));
	EXPECT_EQ(5 * PAGE, tier_used(DRAM));
	EXPECT_EQ(0, check_read(fd, 0, 5 * PAGE, 1));
	/* in a hole, and of nothing */
	ASSERT_EQ(0, ftruncate(fd, 2 * CHUNK));
	ASSERT_EQ(PAGE, pwrite(fd, p + 4 * PAGE, 2 * PAGE, 2 * CHUNK - PAGE));
	EXPECT_EQ(6, pages_of(fd));
	EXPECT_EQ(-1, pwrite(fd, p + 5 * PAGE, PAGE, 3 * CHUNK));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(2 * (off_t)CHUNK, size_of(fd));
	EXPECT_EQ(6, pages_of(fd));
	/* what was allocated before stays */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * CHUNK, CHUNK));
	ASSERT_EQ(PAGE, pwrite(fd, p + 4 * PAGE, 2 * PAGE, 2 * CHUNK));
	EXPECT_EQ(2 * (off_t)CHUNK + (off_t)PAGE, size_of(fd));
	EXPECT_EQ(6 + CHUNK / PAGE, pages_of(fd));
	munmap(p, 5 * PAGE);
	close(fd);
}

/* the kernel splits a folio, and would drop what is beyond the end of the file */
TEST_F(native_edges, split_beyond_the_end)
{
	uint64_t used;
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	p = malloc(16 * PAGE);
	pattern_fill(p, 16 * PAGE, 0, 1);
	ASSERT_EQ(16 * (ssize_t)PAGE, pwrite(fd, p, 16 * PAGE, 0));
	free(p);
	used = tier_used(DRAM);
	EXPECT_EQ(CHUNK, used);
	p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(0, pattern_check(p, 16 * PAGE, 0, 1));
		madvise(p + i * PAGE, PAGE, i & 1 ? MADV_COLD : MADV_PAGEOUT);
	}
	EXPECT_EQ(used, tier_used(DRAM));
	EXPECT_EQ(CHUNK / PAGE, pages_of(fd));
	EXPECT_EQ(0, pattern_check(p, 16 * PAGE, 0, 1));
	munmap(p, CHUNK);
	close(fd);
	ASSERT_EQ(0, file_unlink("a"));
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
}

static int shrink_and_grow(void *arg)
{
	int fd = *(int *)arg;
	double end = now() + 3;
	char buf[4096] = "x";

	while (now() < end)
		if (ftruncate(fd, 0) || pwrite(fd, buf, 4096, 0) != 4096 || ftruncate(fd, 100))
			return 1;
	return 0;
}

/* a read that meets a truncate has come to the end, and that is no error */
TEST_F(native_edges, read_while_it_shrinks)
{
	char buf[2000];
	int fd, status;
	pid_t pid;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(shrink_and_grow(&fd));
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), 1000);

		if (n)
			EXPECT_EQ((ssize_t)sizeof(buf), n) TH_LOG("%s", strerror(errno));
		if (n && n != sizeof(buf))
			break;
		if (waitpid(pid, &status, WNOHANG) == pid)
			goto out;
	}
	status = reap(pid, 30);
out:
	EXPECT_EQ(0, status);
	close(fd);
}

/* a byte here and there, each taken back: where they have been takes memory all the same */
TEST_F(native_edges, scattered)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	uint64_t bytes = MIB, used, i;
	int fd;

	MOUNT(TIERS);
	ASSERT_EQ(0, mkdir(file_path("d"), 0755));
	ASSERT_EQ(0, limit("d", ITME_LIMIT_SET, &bytes, NULL));
	fd = create("d/a");
	ASSERT_LE(0, fd);
	/* a file that is not scattered has all that there is */
	ASSERT_EQ(0, fallocate(fd, 0, 0, MIB));
	ASSERT_EQ(0, ftruncate(fd, 0));
	for (i = 0; i < 2000; i++) {
		if (pwrite(fd, "x", 1, i * 256 * MIB) != 1)
			break;
		ASSERT_EQ(0, fallocate(fd, punch, i * 256 * MIB, PAGE));
	}
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_LT(200, i);
	EXPECT_GE(MIB / PAGE + 1, i);
	EXPECT_EQ(0, pages_of(fd));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_LT(MIB - 8 * PAGE, used);
	EXPECT_EQ(0, ftruncate(fd, 0));
	close(fd);
	EXPECT_EQ(0, file_unlink("d/a"));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(0, used);
	EXPECT_EQ(0, rmdir(file_path("d")));
}

/* a pin of holes is a pin of what is written there later */
TEST_F(native_edges, pinned_holes)
{
	int fd, other;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 32 * CHUNK));
	EXPECT_EQ(-ENOSPC, advise(fd, 0, 0, ITME_ADVICE_PIN, DRAM, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PIN, DRAM, NULL));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, fallocate(fd, 0, 0, 2 * CHUNK));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	/* there is room beside it for others to read */
	other = import_open("f", 8 * CHUNK, 1, 0);
	ASSERT_LE(0, other);
	EXPECT_EQ(0, check_read(other, 0, 8 * CHUNK, 1));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, ftruncate(fd, 0));
	close(other);
	close(fd);
	ASSERT_EQ(0, file_unlink("a"));
	EXPECT_TRUE(POLL(!tier_pinned(DRAM), 10));
}

/*
 * What is written beyond the end does not come to light when the file grows: by a mapping
 * of a large folio, where that is mapped as a whole, or by who has pinned what has ceased.
 */
TEST_F(native_edges, written_beyond_the_end)
{
	struct io_uring_params params = {};
	struct io_uring_sqe *sqe;
	uint32_t *sq, tail;
	struct iovec iov;
	int fd, in, ring;
	char *p, *q;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	in = lower(CHUNK, 3);
	ASSERT_LE(0, in);
	ASSERT_EQ(0, fallocate(fd, 0, 0, CHUNK));
	p = mmap(NULL, 2 * CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	p = (char *)(((uintptr_t)p + CHUNK - 1) & ~(CHUNK - 1));
	p = mmap(p, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 'x', CHUNK);
	ring = syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0)
		SKIP(return, "no io_uring");
	sq = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, params.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		   ring, IORING_OFF_SQES);
	ASSERT_NE(MAP_FAILED, sq);
	ASSERT_NE(MAP_FAILED, sqe);
	iov = (struct iovec){ p, CHUNK };
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1))
		TH_LOG("%s", strerror(errno));
	/* the pages stay, as they are pinned */
	ASSERT_EQ(0, ftruncate(fd, 10 * PAGE));
	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = in,
		.addr = (uintptr_t)p,
		.len = CHUNK,
	};
	tail = sq[params.sq_off.tail / 4];
	sq[params.sq_off.array / 4 + (tail & (params.sq_entries - 1))] = 0;
	__atomic_store_n(&sq[params.sq_off.tail / 4], tail + 1, __ATOMIC_RELEASE);
	ASSERT_EQ(1, syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	EXPECT_EQ(0, check_read(fd, 0, 10 * PAGE, 3));
	q = malloc(CHUNK);
	ASSERT_EQ(0, ftruncate(fd, CHUNK));
	ASSERT_EQ((ssize_t)CHUNK, pread(fd, q, CHUNK, 0));
	EXPECT_EQ(0, pattern_check(q, 10 * PAGE, 0, 3));
	EXPECT_EQ(0, q[10 * PAGE]);
	EXPECT_EQ(0, memcmp(q + 10 * PAGE, q + 10 * PAGE + 1, CHUNK - 10 * PAGE - 1));
	close(ring);
	munmap(sq, params.sq_off.array + params.sq_entries * 4);
	munmap(sqe, params.sq_entries * sizeof(*sqe));
	munmap(p, CHUNK);

	/* allocated and beyond the end, in a folio of which a part is mapped */
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	p = mmap(p, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, touch(p));
	if (!touch(p + 20 * PAGE)) {
		memset(p + 20 * PAGE, 'x', 2 * PAGE);
		TH_LOG("mapped beyond the end");
	}
	ASSERT_EQ(1, pwrite(fd, "y", 1, 21 * PAGE));
	ASSERT_EQ(22 * (ssize_t)PAGE - ((ssize_t)PAGE - 1), pread(fd, q, CHUNK, 0));
	EXPECT_EQ(0, memcmp(q + 1, q + 2, 21 * PAGE - 2));
	EXPECT_EQ(0, q[1]);
	EXPECT_EQ('y', q[21 * PAGE]);
	munmap(p, CHUNK);
	free(q);
	close(in);
	close(fd);
}

/* petabytes, in no time, and no more than can be; signals are not needed for that */
TEST_F_TIMEOUT(native_edges, allocate_much, 120)
{
	struct itme_residency r;
	struct itme_wait w;
	double start;
	off_t max;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	max = largest(fd);
	ASSERT_EQ(0, ftruncate(fd, 0));
	start = now();
	EXPECT_EQ(-1, fallocate(fd, 0, 0, max));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(0, pages_of(fd));
	EXPECT_EQ(0, size_of(fd));
	ASSERT_EQ(1, pwrite(fd, "x", 1, max - 1));
	ASSERT_EQ(1, pwrite(fd, "x", 1, max / 2));
	EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, max));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(2, pages_of(fd));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, NULL, 0));
	EXPECT_EQ(2 * PAGE, r.bytes[DRAM]);
	EXPECT_EQ(max / CHUNK, r.map_len);
	ASSERT_EQ(0, wait_range(fd, 0, 0, -1, &w));
	EXPECT_EQ(2 * PAGE, w.done);
	EXPECT_EQ(0, w.missing);
	EXPECT_GT(10, now() - start);
	close(fd);
}

static int allocate_for_ever(void *arg)
{
	uint64_t *a = arg;

	for (;;)
		if (fallocate(a[0], FALLOC_FL_KEEP_SIZE, PAGE, a[1] - PAGE) ||
		    ftruncate(a[0], 1))
			return 1;
}

static uint64_t room_left(void)
{
	struct statfs s;

	return statfs(file_path("."), &s) ? 0 : s.f_bfree;
}

/* what one that is killed has made stays, and goes with the size */
TEST_F(native_edges, allocate_killed)
{
	uint64_t a[2] = { 0, 8 * MIB };
	int fd, some = 0;
	uint64_t room;
	char x;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
	room = room_left();
	a[0] = fd;
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();
		uint64_t pages;

		if (!pid)
			_exit(allocate_for_ever(a));
		usleep(20000 + i * 3001);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pages = pages_of(fd);
		EXPECT_TRUE(pages >= 1 && pages <= 8 * MIB / PAGE) TH_LOG("%lu", pages);
		some += pages > 1 && pages < 8 * MIB / PAGE;
		ASSERT_EQ(0, ftruncate(fd, 1));
		EXPECT_EQ(1, pages_of(fd));
		EXPECT_EQ(PAGE, tier_used(DRAM));
	}
	TH_LOG("it was killed in the middle %d times of 30", some);
	EXPECT_EQ(1, pread(fd, &x, 1, 0));
	EXPECT_EQ('x', x);
	/* nothing stays promised to the dead */
	EXPECT_EQ(room, room_left());
	close(fd);
}

TEST_HARNESS_MAIN
