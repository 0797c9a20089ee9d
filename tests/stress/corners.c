// SPDX-License-Identifier: GPL-2.0
/*
 * Corners that stress would reach by luck only: more chunks held than a search
 * sees in a second, watched files and mounts, NUMA balancing.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "fixture.h"

#define SMALL		(64 * KIB)
#define PIPE_PAGES	256
#define PIPES		14
#define HELD		(PIPES * PIPE_PAGES)	/* chunks, one page of each */
#define MANY_SIZE	((HELD + 640) * SMALL)
#define MANY_BUDGET	"dram=250M"		/* all held, and some hundred more */

FIXTURE(corners) {};
ITME_FIXTURE(corners)

/* one page of each of the first HELD chunks; they are held until the pipes close */
static int hold(int pipes[PIPES][2], char *p)
{
	int i, j;

	for (i = 0; i < PIPES; i++) {
		if (pipe(pipes[i]) ||
		    fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_PAGES * PAGE) < 0)
			return -errno;
		for (j = 0; j < PIPE_PAGES; j++) {
			struct iovec iov = {
				p + (uint64_t)(i * PIPE_PAGES + j) * SMALL, PAGE
			};

			if (vmsplice(pipes[i][1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)PAGE)
				return -errno;
		}
	}
	return 0;
}

/* What is held is tried in vain; whoever waits for room must not wait for all of it. */
TEST_F(corners, many_held)
{
	int fd, pipes[PIPES][2], i;
	double start, slowest = 0;
	uint64_t off;
	char *p;

	MOUNT(MANY_BUDGET);
	fd = import_open("f", MANY_SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, MANY_SIZE);
	ASSERT_NE(NULL, p);
	for (off = 0; off < HELD * SMALL; off += SMALL)
		ASSERT_EQ(0, touch(p + off));
	ASSERT_EQ(0, hold(pipes, p));
	/* first to leave, so that each search meets them before all else */
	ASSERT_EQ(0, advise(fd, 0, HELD * SMALL, ITME_ADVICE_COLD, ANY, NULL));
	for (i = 0; i < 3; i++)
		for (off = HELD * SMALL; off < MANY_SIZE; off += SMALL) {
			start = now();
			ASSERT_EQ(0, check_read(fd, off, PAGE, 1));
			if (now() - start > slowest)
				slowest = now() - start;
		}
	TH_LOG("the slowest read with %d chunks held took %.3f s", HELD, slowest);
	/* well below the patience of a fill, after which it is ENOMEM */
	EXPECT_GT(20, slowest);
	for (i = 0; i < PIPES; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	EXPECT_TRUE(POLL(!advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL) &&
			 !tier_used(DRAM), 60));
}

struct guard {
	int fan;
	volatile bool stop;
	int events;
};

/* lets everything pass that it is asked for */
static void *let_pass(void *arg)
{
	struct guard *g = arg;
	char buf[8192] __attribute__((aligned(8)));

	while (!g->stop) {
		struct pollfd pfd = { .fd = g->fan, .events = POLLIN };
		struct fanotify_event_metadata *e = (void *)buf;
		ssize_t n;

		if (poll(&pfd, 1, 50) <= 0)
			continue;
		n = read(g->fan, buf, sizeof(buf));
		for (; n > 0 && FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
			struct fanotify_response r = { .fd = e->fd, .response = FAN_ALLOW };

			g->events++;
			if (e->mask & (FAN_OPEN_PERM | FAN_ACCESS_PERM))
				if (write(g->fan, &r, sizeof(r)) < 0)
					perror("# fanotify response");
			/* an event's file is opened on the mount, and can be read */
			if (e->fd >= 0)
				close(e->fd);
		}
	}
	return NULL;
}

FIXTURE(watched) {};
ITME_FIXTURE(watched)

FIXTURE_VARIANT(watched)
{
	unsigned int flags;
	uint64_t mask;
	bool file;
};

FIXTURE_VARIANT_ADD(watched, file) { .mask = FAN_OPEN | FAN_ACCESS | FAN_CLOSE, .file = true };
FIXTURE_VARIANT_ADD(watched, mount) {
	.flags = FAN_MARK_MOUNT, .mask = FAN_OPEN | FAN_ACCESS | FAN_CLOSE,
};

FIXTURE_VARIANT_ADD(watched, mount_perm) {
	.flags = FAN_MARK_MOUNT, .mask = FAN_OPEN_PERM | FAN_ACCESS_PERM,
};

FIXTURE_VARIANT_ADD(watched, filesystem) {
	.flags = FAN_MARK_FILESYSTEM, .mask = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_CLOSE,
};

TEST_F(watched, use_and_remove)
{
	struct guard g = { .fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY) };
	char buf[PAGE];
	pthread_t t;
	int fd, ret;
	char *p;

	if (g.fan < 0)
		SKIP(return, "no fanotify");
	MOUNT("dram=16M");
	fd = import_open("f", 2 * CHUNK + 77, 1, 0);
	ASSERT_LE(0, fd);
	ret = fanotify_mark(g.fan, FAN_MARK_ADD | variant->flags, variant->mask, AT_FDCWD,
			    variant->file ? file_path("f") : mnt_dir());
	ASSERT_EQ(0, ret) TH_LOG("fanotify_mark: %s", strerror(errno));
	ASSERT_EQ(0, pthread_create(&t, NULL, let_pass, &g));

	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK + 77, 1));
	close(fd);
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_mapped(fd, 0, 2 * CHUNK + 77, 1));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, check_read(fd, CHUNK, CHUNK, 1));
	p = map_ro(fd, 0, CHUNK);
	ASSERT_NE(NULL, p);
	/* removed while it is watched, open and mapped */
	EXPECT_EQ(0, file_unlink("f"));
	EXPECT_EQ(0, pattern_check(p, CHUNK, 0, 1));
	EXPECT_EQ((ssize_t)PAGE, pread(fd, buf, PAGE, 0));
	munmap(p, CHUNK);
	close(fd);
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
	EXPECT_TRUE(POLL(g.events > 0, 5));
	g.stop = true;
	pthread_join(t, NULL);
	/* and the mark goes with what it is on */
	EXPECT_TRUE(POLL(!(ret = itme_umount()), 5)) TH_LOG("umount: %d", ret);
	close(g.fan);
}

static int64_t vmstat(const char *key)
{
	char line[128];
	int64_t val = -1;
	size_t len = strlen(key);
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && val < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ' ')
			val = strtoll(line + len, NULL, 10);
	if (f)
		fclose(f);
	return val;
}

#define BALANCE	"/proc/sys/kernel/numa_balancing"
#define SCAN	"/sys/kernel/debug/sched/numa_balancing/"

/*
 * NUMA balancing passes over read-only file mappings, but not over private ones
 * that may be written. Which tier a chunk is on is still ITME's to say.
 */
TEST_F(corners, numa_balancing)
{
	const uint64_t size = 8 * CHUNK;
	int64_t faults, moved;
	uint64_t in_cxl;
	double end;
	char *p;
	int fd;

	if (access(BALANCE, W_OK))
		SKIP(return, "no NUMA balancing");
	MOUNT_CXL("dram=32M,cxl=16M");
	fd = import_open("f", size, 1, SMALL);
	ASSERT_LE(0, fd);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, pattern_check(p, size, 0, 1));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PIN, CXL, NULL));
	in_cxl = resident_on(fd, CXL, 0, 0);
	ASSERT_EQ(size, in_cxl);
	write_file(SCAN "scan_delay_ms", "10");
	write_file(SCAN "scan_period_min_ms", "100");
	write_file(SCAN "scan_period_max_ms", "100");
	ASSERT_EQ(0, write_file(BALANCE, "3"));
	faults = vmstat("numa_hint_faults");
	moved = vmstat("numa_pages_migrated");
	end = now() + 5;
	while (now() < end)
		ASSERT_EQ(0, pattern_check(p, size, 0, 1));
	write_file(BALANCE, "0");
	TH_LOG("%lld hint faults, %lld pages moved",
	       (long long)(vmstat("numa_hint_faults") - faults),
	       (long long)(vmstat("numa_pages_migrated") - moved));
	EXPECT_LT(faults, vmstat("numa_hint_faults"));
	EXPECT_EQ(in_cxl, resident_on(fd, CXL, 0, 0));
	EXPECT_EQ(in_cxl, tier_used(CXL));
	EXPECT_EQ(0, tier_used(DRAM));
}

TEST_HARNESS_MAIN
