// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once for some seconds: processes that check every byte they
 * read, while others send the same chunks away, move them between the tiers,
 * hold them, fork, map and unmap, change the budget, import and remove.
 */
#include <sys/uio.h>
#include <sys/wait.h>

#include "fixture.h"

#define SIZE	(16 * CHUNK)
#define SECONDS	10

FIXTURE(race) {};
ITME_FIXTURE(race)

FIXTURE_VARIANT(race)
{
	const char *opts;
	uint32_t chunk;
	bool cxl;
};

FIXTURE_VARIANT_ADD(race, tiers) {
	.opts = "dram=16M,cxl=8M", .cxl = true,
};

FIXTURE_VARIANT_ADD(race, tiers_small) {
	.opts = "dram=16M,cxl=8M", .chunk = 64 * KIB, .cxl = true,
};

FIXTURE_VARIANT_ADD(race, tight) { .opts = "dram=8M" };

/* one process each, with its count of rounds in shared memory */
struct worker {
	const char *name;
	/* one round: 0, or what went wrong */
	int (*round)(int fd, unsigned int *seed);
	bool cxl;
	pid_t pid;
	unsigned long *rounds;
	int fd;
	double end;
};

static uint64_t place(unsigned int *seed, uint64_t *len)
{
	uint64_t off = (uint64_t)rand_r(seed) * 4099 % SIZE;
	/* emulated CXL memory has about 11 MB/s for all together */
	uint64_t most = profile_is("cxl") ? 100 * KIB : CHUNK;

	*len = rand_r(seed) % (rand_r(seed) % 8 ? 20000 : most) + 1;
	if (off + *len > SIZE)
		*len = SIZE - off;
	return off;
}

static int by_read(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);

	return check_read(fd, off, len, 1);
}

static int by_mapping(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);

	return check_mapped(fd, off, len, 1);
}

/* one mapping kept, from which a part goes in between */
static int by_long_mapping(int fd, unsigned int *seed)
{
	const uint64_t from = 5 * CHUNK - PAGE, to = from + 3 * PAGE;
	char *p = map_ro(fd, 0, SIZE);
	int i, ret = !p;

	for (i = 0; i < 30 && !ret; i++) {
		uint64_t len, off = place(seed, &len);

		if (i == 15)
			munmap(p + from, to - from);
		if (i >= 15 && off < to && off + len > from)
			continue;
		ret = pattern_check(p + off, len, off, 1);
		madvise(p + CHUNK, 2 * CHUNK, i & 1 ? MADV_WILLNEED :
						       MADV_DONTNEED);
	}
	if (p)
		munmap(p, SIZE);
	return ret;
}

static int by_fork(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	pid_t pid;
	int ret;

	if (p == MAP_FAILED)
		return 1;
	p[off] = 0;
	pid = fork();
	if (!pid)
		_exit(len > 1 ? pattern_check(p + off + 1, len - 1, off + 1,
					      1) : 0);
	munmap(p, SIZE);
	return waitpid(pid, &ret, 0) == pid ? ret : 1;
}

static int by_pipe(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);
	char buf[4 * PAGE], *p;
	struct iovec iov;
	int ret = 1, pipes[2];
	ssize_t n = 0, k;

	off &= ~(PAGE - 1);
	len = SIZE - off < sizeof(buf) ? SIZE - off : sizeof(buf);
	p = map_ro(fd, off, len);
	if (!p || pipe(pipes))
		return 1;
	iov = (struct iovec){ p, len };
	if (vmsplice(pipes[1], &iov, 1, 0) == (ssize_t)len) {
		munmap(p, len);
		advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL);
		while (n < (ssize_t)len &&
		       (k = read(pipes[0], buf + n, len - n)) > 0)
			n += k;
		ret = n != (ssize_t)len || pattern_check(buf, len, off, 1);
	}
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

static int page_out(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len) & ~(CHUNK - 1);

	usleep(rand_r(seed) % 2000);
	return advise(fd, off, rand_r(seed) % 3 * CHUNK + CHUNK,
		      ITME_ADVICE_PAGEOUT, ANY, NULL);
}

static int will_need(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);

	usleep(rand_r(seed) % 5000);
	return advise(fd, off, 3 * CHUNK, ITME_ADVICE_WILLNEED, ANY, NULL);
}

static int move(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);

	return advise(fd, off, CHUNK, ITME_ADVICE_HOT,
		      rand_r(seed) % 2 ? CXL : DRAM, NULL);
}

static int pin(int fd, unsigned int *seed)
{
	uint64_t len, off = place(seed, &len);
	int ret = advise(fd, off, 1, ITME_ADVICE_PIN, DRAM, NULL);

	if (ret && ret != -ENOSPC)
		return ret;
	if (!ret)
		ret = check_mapped(fd, off, 1, 1);
	else
		ret = 0;
	return ret ?: advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL);
}

static int budget(int fd, unsigned int *seed)
{
	struct itme_tier_info ti;
	int ret;

	(void)fd;
	usleep(20000);
	ret = tier_set(DRAM, (8 + rand_r(seed) % 5 * 2) * MIB);
	/* pins, or pages that others hold, may be in the way just now */
	if (ret == -EBUSY)
		return 0;
	if (ret || tier_get(DRAM, &ti))
		return 1;
	if (ti.used <= ti.budget)
		return 0;
	fprintf(stderr, "# used %llu of a budget of %llu\n",
		(unsigned long long)ti.used, (unsigned long long)ti.budget);
	return 1;
}

static int import_other(int fd, unsigned int *seed)
{
	int f = import_open("other", SIZE, 1, rand_r(seed) % 2 ? 0 : 128 * KIB);
	int ret;

	(void)fd;
	if (f < 0)
		return f;
	ret = check_read(f, rand_r(seed) % SIZE, 1, 1);
	ret = ret ?: file_unlink("other");
	ret = ret ?: check_mapped(f, CHUNK, 5, 1);
	close(f);
	return ret;
}

static struct worker workers[] = {
	{ .name = "read", .round = by_read },
	{ .name = "map", .round = by_mapping },
	{ .name = "long mapping", .round = by_long_mapping },
	{ .name = "fork", .round = by_fork },
	{ .name = "pipe", .round = by_pipe },
	{ .name = "page out", .round = page_out },
	{ .name = "will need", .round = will_need },
	{ .name = "move", .round = move, .cxl = true },
	{ .name = "pin", .round = pin },
	{ .name = "budget", .round = budget },
	{ .name = "import", .round = import_other },
};

static int work(void *arg)
{
	struct worker *me = arg;
	unsigned int seed = me - workers + 1;
	int ret = 0;

	while (!ret && now() < me->end) {
		ret = me->round(me->fd, &seed);
		++*me->rounds;
	}
	if (ret)
		fprintf(stderr, "# %s, round %lu: %d\n", me->name, *me->rounds,
			ret);
	return ret != 0;
}

TEST_F(race, all_at_once)
{
	unsigned long *rounds;
	struct itme_tier_info ti;
	int fd, status;
	size_t i;

	if (variant->cxl)
		MOUNT_CXL(variant->opts);
	else
		MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, variant->chunk);
	ASSERT_LE(0, fd);
	rounds = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, rounds);
	for (i = 0; i < ARRAY_LEN(workers); i++) {
		struct worker *me = &workers[i];

		if (me->cxl && !variant->cxl)
			continue;
		me->fd = fd;
		me->rounds = &rounds[i];
		me->end = now() + SECONDS;
		me->pid = spawn(work, me);
		ASSERT_LT(0, me->pid);
	}
	for (i = 0; i < ARRAY_LEN(workers); i++) {
		if (!workers[i].pid)
			continue;
		status = reap(workers[i].pid, SECONDS + 60);
		EXPECT_EQ(0, status) TH_LOG("%s", workers[i].name);
		EXPECT_LT(0, rounds[i]) TH_LOG("%s", workers[i].name);
		printf("# %-12s %lu rounds\n", workers[i].name, rounds[i]);
	}
	/* at rest the accounts are in order */
	EXPECT_EQ(0, tier_set(DRAM, 8 * MIB));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_GE(ti.budget, ti.used);
	EXPECT_EQ(0, ti.pinned);
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL));
	EXPECT_TRUE(POLL(!tier_used(DRAM) && !tier_used(CXL), 10));
}

TEST_HARNESS_MAIN
