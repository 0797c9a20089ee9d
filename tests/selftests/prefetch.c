// SPDX-License-Identifier: GPL-2.0
/*
 * ITME_IOC_PREFETCH and ITME_IOC_WAIT: ranges are read in, waited for, let go of; by
 * programs that ask for too much, for nothing, close early, or are killed.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "dm.h"
#include "fixture.h"

#define SMALL	(256 * KIB)
#define NR	320			/* chunks: 80 MiB */
#define SIZE	(NR * SMALL)
#define SECOND	1000000000LL

FIXTURE(prefetch)
{
	int fd;
};

ITME_FIXTURE(prefetch)

#define OPEN(opts)							\
do {									\
	MOUNT(opts);							\
	self->fd = import_open("f", SIZE, 1, SMALL);			\
	ASSERT_LE(0, self->fd);						\
} while (0)

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

static uint64_t wasted(int fd)
{
	struct itme_stats s;

	return stats_file(fd, &s) ? UINT64_MAX : s.prefetch_wasted_bytes;
}

/* all of it comes, in memory it is used without a wait, and it is not wasted */
TEST_F(prefetch, comes)
{
	const struct itme_span spans[] = {
		{ 100 * SMALL, 4 * SMALL },
		{ 10 * SMALL + 5, 1 },
		{ SIZE - SMALL, SMALL },
		{ 50 * SMALL - 1, 2 },
	};
	struct itme_stats s, before;
	struct itme_prefetch_result r;
	uint64_t done;
	int fd;

	OPEN("dram=24M");
	fd = prefetch(self->fd, spans, ARRAY_LEN(spans), ANY, &done);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5 * SMALL + 3, done);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_TRUE(readable(fd, 10000));
	ASSERT_EQ(0, prefetch_result(fd, &r));
	EXPECT_EQ(8 * SMALL, r.bytes);
	EXPECT_EQ(0, r.missing);
	EXPECT_EQ(0, r.failed);
	EXPECT_EQ(0, r.reserved);
	EXPECT_EQ(8 * SMALL, resident(self->fd, 0, 0));
	ASSERT_EQ(0, check_mapped(self->fd, 100 * SMALL, 4 * SMALL, 1));
	ASSERT_EQ(0, check_read(self->fd, 10 * SMALL, SMALL, 1));
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_EQ(0, s.demand_bytes);
	EXPECT_EQ(0, s.stalls);
	EXPECT_EQ(5 * SMALL, s.prefetch_used_bytes);
	EXPECT_EQ(1, s.hints);
	/* again and again, as it is then */
	ASSERT_EQ(0, advise(self->fd, 100 * SMALL, SMALL, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_EQ(0, prefetch_result(fd, &r));
	EXPECT_EQ(7 * SMALL, r.bytes);
	EXPECT_EQ(SMALL, r.missing);
	EXPECT_TRUE(readable(fd, 0));
	/* the three that nobody has used */
	close(fd);
	EXPECT_EQ(3 * SMALL, wasted(self->fd));
	/* what is there costs nothing; the reader above may have had some read ahead */
	usleep(300000);
	ASSERT_EQ(0, stats_file(self->fd, &before));
	fd = prefetch(self->fd, spans + 1, 1, DRAM, &done);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(readable(fd, 10000));
	close(fd);
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_EQ(before.read_bytes, s.read_bytes);
}

/* where it is said to */
TEST_F(prefetch, to_a_tier)
{
	const struct itme_span span = { 0, 20 * SMALL };
	struct itme_prefetch_result r;
	int fd;

	MOUNT_CXL("dram=24M,cxl=24M");
	self->fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, self->fd);
	fd = prefetch(self->fd, &span, 1, CXL, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, prefetch_result(fd, &r));
	EXPECT_EQ(20 * SMALL, r.bytes);
	EXPECT_EQ(20 * SMALL, resident_on(self->fd, CXL, 0, 0));
	close(fd);
	EXPECT_EQ(20 * SMALL, wasted(self->fd));
}

/* more than fits: what fits, from the beginning, and never over the budget */
TEST_F(prefetch, bounded)
{
	const struct itme_span span = { 0, SIZE };
	struct itme_prefetch_result r;
	uint64_t done;
	int fd;

	OPEN("dram=24M");
	fd = prefetch(self->fd, &span, 1, ANY, &done);
	ASSERT_LE(0, fd);
	EXPECT_GE(24 * MIB, done);
	EXPECT_LE(16 * MIB, done);
	ASSERT_EQ(0, prefetch_result(fd, &r));
	EXPECT_EQ(done, r.bytes + r.missing);
	EXPECT_LE(16 * MIB, r.bytes);
	EXPECT_GE(24 * MIB, tier_used(DRAM));
	EXPECT_EQ(0, resident(self->fd, done, SIZE - done));
	/* with that in the way, others still get what they wait for */
	EXPECT_EQ(0, check_read(self->fd, SIZE / 2, SIZE / 2, 1));
	close(fd);
	EXPECT_EQ(0, check_read(self->fd, 0, SIZE, 1));
}

/* what was let go of leaves first, and not what is used */
TEST_F(prefetch, released)
{
	const struct itme_span span = { 100 * SMALL, 20 * SMALL };
	struct itme_prefetch_result r;
	int fd;

	OPEN("dram=24M");
	ASSERT_EQ(0, advise(self->fd, 0, 40 * SMALL, ITME_ADVICE_HOT, ANY, NULL));
	fd = prefetch(self->fd, &span, 1, ANY, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, prefetch_result(fd, &r));
	ASSERT_EQ(20 * SMALL, r.bytes);
	ASSERT_EQ(0, check_read(self->fd, 100 * SMALL, 2 * SMALL, 1));
	close(fd);
	EXPECT_EQ(18 * SMALL, wasted(self->fd));
	/* room for as many as there are, and two more */
	ASSERT_EQ(0, check_read(self->fd, 200 * SMALL, 56 * SMALL, 1));
	EXPECT_GE(2 * SMALL, resident(self->fd, 102 * SMALL, 18 * SMALL));
	EXPECT_LE(38 * SMALL, resident(self->fd, 0, 40 * SMALL));
}

TEST_F(prefetch, refusals)
{
	struct itme_span spans[ITME_SPANS_MAX + 1];
	const struct itme_span one = { 0, 1 };
	const struct itme_span wrong[] = {
		{ 0, 0 }, { SIZE, 1 }, { UINT64_MAX, 1 }, { UINT64_MAX, UINT64_MAX },
		{ 1, UINT64_MAX }, { SMALL, 0 },
	};
	struct itme_prefetch p = { .spans = (uintptr_t)&one, .count = 1 };
	struct itme_prefetch_result r;
	struct itme_wait w;
	uint64_t done;
	int fd, i;

	OPEN("dram=24M");
	for (i = 0; i < (int)ARRAY_LEN(wrong); i++)
		EXPECT_EQ(-EINVAL, prefetch(self->fd, &wrong[i], 1, ANY, NULL)) TH_LOG("%d", i);
	for (i = 0; i <= ITME_SPANS_MAX; i++)
		spans[i] = (struct itme_span){ i % NR * SMALL, 1 };
	EXPECT_EQ(-EINVAL, prefetch(self->fd, spans, 0, ANY, NULL));
	EXPECT_EQ(-EINVAL, prefetch(self->fd, spans, ITME_SPANS_MAX + 1, ANY, NULL));
	EXPECT_EQ(-EINVAL, prefetch(self->fd, spans, UINT32_MAX, ANY, NULL));
	EXPECT_EQ(-EINVAL, prefetch(self->fd, spans, 1, NVME, NULL));
	EXPECT_EQ(-EINVAL, prefetch(self->fd, spans, 1, 77, NULL));
	EXPECT_EQ(-EFAULT, prefetch(self->fd, NULL, 1, ANY, NULL));
	EXPECT_EQ(-EFAULT, prefetch(self->fd, (void *)-4096, 1, ANY, NULL));
	EXPECT_EQ(-ENOTTY, prefetch(root_fd(), &one, 1, ANY, NULL));
	p.flags = 1;
	EXPECT_EQ(-1, ioctl(self->fd, ITME_IOC_PREFETCH, &p));
	EXPECT_EQ(EINVAL, errno);
	p.flags = 0;
	for (i = 0; i < (int)ARRAY_LEN(p.reserved); i++) {
		p.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(self->fd, ITME_IOC_PREFETCH, &p));
		EXPECT_EQ(EINVAL, errno);
		p.reserved[i] = 0;
	}
	EXPECT_EQ(0, resident(self->fd, 0, 0));

	/* the same again and again, in any order: read once */
	fd = prefetch(self->fd, spans, ITME_SPANS_MAX, ANY, &done);
	ASSERT_LE(0, fd);
	EXPECT_GE(ITME_SPANS_MAX, done);
	EXPECT_EQ(-EINVAL, prefetch_result(fd, &r) ? -EINVAL :
		  read(fd, &r, sizeof(r) - 1) < 0 ? -errno : 0);
	EXPECT_EQ(-1, read(fd, (void *)-4096, sizeof(r)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(fd, &r, sizeof(r)));
	EXPECT_EQ(NULL, map_ro(fd, 0, PAGE));
	EXPECT_EQ(-ENOTTY, wait_range(fd, 0, 0, 0, &w));
	close(fd);
	EXPECT_GE(24 * MIB, tier_used(DRAM));

	EXPECT_EQ(-EINVAL, wait_range(self->fd, SIZE, 0, 0, &w));
	EXPECT_EQ(-EINVAL, wait_range(self->fd, 1, UINT64_MAX, 0, &w));
	EXPECT_EQ(-ENOTTY, wait_range(root_fd(), 0, 0, 0, &w));
	w = (struct itme_wait){ .flags = 1 };
	EXPECT_EQ(-1, ioctl(self->fd, ITME_IOC_WAIT, &w));
	EXPECT_EQ(EINVAL, errno);
	w = (struct itme_wait){ .pad = 1 };
	EXPECT_EQ(-1, ioctl(self->fd, ITME_IOC_WAIT, &w));
	w = (struct itme_wait){ .reserved = { 0, 1 } };
	EXPECT_EQ(-1, ioctl(self->fd, ITME_IOC_WAIT, &w));
}

/* any hint can be waited for; what nobody has asked for is not */
TEST_F(prefetch, wait)
{
	struct itme_wait w;
	uint64_t done;

	OPEN("dram=24M");
	ASSERT_EQ(0, wait_range(self->fd, 0, 0, -1, &w));
	EXPECT_EQ(0, w.done);
	EXPECT_EQ(SIZE, w.missing);
	ASSERT_EQ(0, advise(self->fd, 0, 32 * SMALL, ITME_ADVICE_WILLNEED, ANY, &done));
	ASSERT_EQ(32 * SMALL, done);
	ASSERT_EQ(0, wait_range(self->fd, 1, 32 * SMALL - 1, 20 * SECOND, &w));
	EXPECT_EQ(32 * SMALL, w.done);
	EXPECT_EQ(0, w.missing);
	EXPECT_EQ(32 * SMALL, resident(self->fd, 0, 0));
	ASSERT_EQ(0, posix_fadvise(self->fd, 40 * SMALL, SMALL, POSIX_FADV_WILLNEED));
	ASSERT_EQ(0, wait_range(self->fd, 39 * SMALL, 3 * SMALL, INT64_MAX, &w));
	EXPECT_EQ(SMALL, w.done);
	EXPECT_EQ(2 * SMALL, w.missing);
}

/* a drive that stands still: time is up, signals come through, it can be killed */
struct waiter {
	int fd;
	int handle;
	int how;
};

static void nothing(int sig)
{
	(void)sig;
}

static int waits(void *arg)
{
	const struct waiter *wt = arg;
	struct itme_prefetch_result r;
	struct itme_wait w;

	if (wt->how == 0)
		return -wait_range(wt->fd, 0, 0, -1, &w);
	if (wt->how == 1)
		return -prefetch_result(wt->handle, &r);
	return !readable(wt->handle, -1);
}

FIXTURE(prefetch_drive)
{
	int lower;
	int fd;
};

FIXTURE_SETUP(prefetch_drive)
{
	const char *why = missing();

	if (!why) {
		cleanup_before();
		dm_teardown();
		why = dm_setup(128);
	}
	if (why)
		SKIP(return, "%s", why);
	self->lower = dm_lower("f", SIZE, 1);
	ASSERT_LE(0, self->lower);
	/* so that the drive alone is what there is to wait for */
	ASSERT_EQ(0, check_read(self->lower, 0, SIZE, 1));
	MOUNT("dram=24M");
	ASSERT_EQ(0, import_fd("f", self->lower, SMALL));
	self->fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN_PARENT(prefetch_drive)
{
	const char *wrong;

	dm_resume();
	wrong = cleanup_after();
	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

TEST_F(prefetch_drive, stands_still)
{
	const struct itme_span span = { 0, 20 * SMALL };
	struct sigaction action = { .sa_handler = nothing };
	struct itme_prefetch_result r;
	struct waiter wt;
	struct itme_wait w;
	double start;
	int fd;

	sigaction(SIGUSR1, &action, NULL);

	ASSERT_EQ(0, dm_suspend());
	fd = prefetch(self->fd, &span, 1, ANY, NULL);
	ASSERT_LE(0, fd);
	EXPECT_FALSE(readable(fd, 300));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, prefetch_result(fd, &r));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	start = now();
	ASSERT_EQ(0, wait_range(self->fd, 0, 20 * SMALL, SECOND / 2, &w));
	EXPECT_LE(0.45, now() - start);
	EXPECT_EQ(0, w.done);
	EXPECT_EQ(0, w.missing);
	ASSERT_EQ(0, wait_range(self->fd, 0, 20 * SMALL, 0, &w));
	EXPECT_EQ(0, w.done + w.missing);

	for (int how = 0; how < 3; how++) {
		pid_t pid;
		int status;

		wt = (struct waiter){ self->fd, fd, how };
		pid = spawn(waits, &wt);
		usleep(300000);
		kill(pid, SIGUSR1);
		if (how == 0) {
			status = reap(pid, 10);
			EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EINTR)
				TH_LOG("status %#x", status);
			pid = spawn(waits, &wt);
			usleep(300000);
		}
		kill(pid, SIGKILL);
		status = reap(pid, 10);
		EXPECT_TRUE(WIFSIGNALED(status)) TH_LOG("%d: status %#x", how, status);
	}
	/* closed under way, in two ways; then the drive goes on */
	close(fd);
	fd = prefetch(self->fd, &(struct itme_span){ 0, 40 * SMALL }, 1, ANY, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_resume());
	EXPECT_EQ(0, prefetch_result(fd, &r));
	EXPECT_LE(39 * SMALL, r.bytes);
	close(fd);
	EXPECT_EQ(0, check_read(self->fd, 0, SIZE, 1));
}

/* a drive that fails: it is done, and told */
TEST_F(prefetch_drive, fails)
{
	const struct itme_span span = { 0, 20 * SMALL };
	struct itme_prefetch_result r;
	struct itme_wait w;
	int fd;

	ASSERT_EQ(0, dm_fail(self->lower, 0, SIZE));
	fd = prefetch(self->fd, &span, 1, ANY, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, prefetch_result(fd, &r));
	EXPECT_EQ(0, r.bytes);
	EXPECT_EQ(20 * SMALL, r.missing);
	EXPECT_EQ(20 * SMALL, r.failed);
	ASSERT_EQ(0, wait_range(self->fd, 0, 20 * SMALL, -1, &w));
	EXPECT_EQ(20 * SMALL, w.missing);
	close(fd);
	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, check_read(self->fd, 0, 20 * SMALL, 1));
}

/* a descriptor holds the mount, as an open file does, and says of which file it is */
TEST_F(prefetch, holds_the_mount)
{
	const struct itme_span span = { 0, SMALL };
	char path[64], text[1024] = "";
	int fd, dup_fd;

	OPEN("dram=24M");
	fd = prefetch(self->fd, &span, 1, ANY, NULL);
	ASSERT_LE(0, fd);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_LT(0, read_file(path, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "itme-name:\tf\n")) TH_LOG("%s", text);
	close(self->fd);
	ASSERT_EQ(0, file_unlink("f"));
	root_close();
	EXPECT_EQ(-EBUSY, itme_umount());
	EXPECT_TRUE(readable(fd, 10000));
	dup_fd = dup(fd);
	close(fd);
	EXPECT_EQ(-EBUSY, itme_umount());
	close(dup_fd);
	EXPECT_EQ(0, itme_umount());
}

/* under way when all is closed and unmounted */
TEST_F(prefetch, unmounted_under_way)
{
	const struct itme_span span = { 0, SIZE };

	for (int i = 0; i < 20; i++) {
		int fd[8];

		OPEN("dram=64M");
		for (int j = 0; j < 8; j++) {
			fd[j] = prefetch(self->fd, &span, 1, ANY, NULL);
			ASSERT_LE(0, fd[j]);
		}
		usleep(i * 1000);
		for (int j = 0; j < 8; j++)
			close(fd[j]);
		close(self->fd);
		ASSERT_EQ(0, file_unlink("f"));
		ASSERT_EQ(0, itme_umount());
	}
}

/* no more than so many under way; none is forgotten */
TEST_F(prefetch, flood)
{
	static int fd[2000];
	struct itme_stats s;
	int nr = 0, refused = 0, ep;

	OPEN("dram=24M");
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	for (int i = 0; i < 1000; i++) {
		struct itme_span span = { i * 7 % NR * SMALL, 20 * SMALL };
		struct epoll_event e = { .events = EPOLLIN };
		int got;

		if (span.offset + span.length > SIZE)
			span.offset = 0;
		got = prefetch(self->fd, &span, 1, ANY, NULL);
		if (got == -EAGAIN) {
			refused++;
			continue;
		}
		if (got == -EMFILE)
			break;
		ASSERT_LE(0, got);
		fd[nr++] = got;
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, got, &e));
		if (i % 3 == 0)
			close(fd[--nr]);
	}
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_EQ(refused, (int)s.hints_dropped);
	for (int i = 0; i < nr; i++) {
		EXPECT_TRUE(readable(fd[i], 20000)) TH_LOG("%d of %d", i, nr);
		close(fd[i]);
	}
	close(ep);
	EXPECT_GE(24 * MIB, tier_used(DRAM));
	EXPECT_EQ(0, check_read(self->fd, 0, SIZE, 1));
}

/* several that ask for the same, wait, let go, while it is used and dropped */
struct crowd {
	int fd;
	volatile bool stop;
	uint32_t wrong;
};

static void *crowd_prefetch(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = (uintptr_t)&seed;

	while (!c->stop) {
		struct itme_prefetch_result r;
		struct itme_span span[4];
		struct itme_wait w;
		int fd, err = 0;

		for (int i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			span[i].offset = (seed >> 8) % (NR - 20) * SMALL;
			span[i].length = ((seed >> 4) % 20 + 1) * SMALL;
		}
		fd = prefetch(c->fd, span, 4, ANY, NULL);
		if (fd < 0) {
			c->wrong += fd != -EAGAIN;
			continue;
		}
		if (seed & 0x100)
			err |= wait_range(c->fd, span[0].offset, span[0].length, SECOND / 10, &w);
		if (seed & 0x200)
			err |= prefetch_result(fd, &r);
		if (seed & 0x400)
			err |= check_read(c->fd, span[1].offset, span[1].length, 1);
		close(fd);
		if (err)
			__atomic_add_fetch(&c->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(prefetch, crowd)
{
	struct crowd c = {};
	pthread_t thread[4];
	double end;

	OPEN("dram=24M");
	c.fd = self->fd;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, crowd_prefetch, &c));
	for (end = now() + 15; now() < end; usleep(10000)) {
		advise(self->fd, 0, SIZE / 2, ITME_ADVICE_PAGEOUT, ANY, NULL);
		write_file("/proc/sys/vm/drop_caches", "1");
	}
	c.stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, c.wrong);
	EXPECT_GE(24 * MIB, tier_used(DRAM));
}

TEST_HARNESS_MAIN
