// SPDX-License-Identifier: GPL-2.0
/* Everything at once fails now and then, while many use it and look at the content. */
#include <signal.h>
#include <time.h>

#include "program.h"

#define SIZE	(24 * MIB)
#define SMALL	(256 * KIB)
#define WORKERS	6

static int file = -1;

FIXTURE(chaos) {};
INJECT_FIXTURE(chaos)

static uint64_t random_below(uint64_t n, uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 33) % n;
}

static bool may_be(int ret)
{
	return !ret || ret == -ENOMEM || ret == -EIO || ret == -EAGAIN || ret == -ENOSPC ||
	       ret == -EBUSY;
}

/* A step of one who reads and one of those who disturb. Returns 0 or what is wrong. */
static int read_step(uint64_t *state)
{
	uint64_t off = random_below(SIZE - 64 * KIB, state);
	int ret = check_read(file, off, random_below(64 * KIB, state) + 1, 1);

	return may_be(ret) ? 0 : ret;
}

static int map_step(uint64_t *state)
{
	uint64_t off = random_below(SIZE - 64 * KIB, state) & ~(PAGE - 1);
	char *p = map_ro(file, off, 64 * KIB);
	int ret = 0, sig;

	/* no memory for the mapping itself */
	if (!p)
		return 0;
	for (uint64_t i = 0; i < 64 * KIB && !ret; i += PAGE) {
		char buf[64];

		sig = touch(p + i);
		if (sig && sig != SIGBUS)
			ret = -sig;
		/* it may leave again, and the next try fail: so by a copy that returns */
		if (!sig && pread(file, buf, sizeof(buf), off + i) > 0)
			ret = pattern_check(buf, sizeof(buf), off + i, 1) ? 1 : 0;
	}
	munmap(p, 64 * KIB);
	return ret;
}

static int advise_step(uint64_t *state)
{
	static const struct {
		uint32_t advice, tier;
	} hints[] = {
		{ ITME_ADVICE_WILLNEED, ANY }, { ITME_ADVICE_COLD, ANY },
		{ ITME_ADVICE_PAGEOUT, NVME }, { ITME_ADVICE_PAGEOUT, CXL },
		{ ITME_ADVICE_HOT, DRAM }, { ITME_ADVICE_HOT, CXL },
		{ ITME_ADVICE_PIN, DRAM }, { ITME_ADVICE_UNPIN, ANY },
	};
	uint64_t i = random_below(ARRAY_LEN(hints), state);
	uint64_t off = random_below(SIZE, state);
	int ret = advise(file, off, random_below(4 * MIB, state) + 1, hints[i].advice,
			 hints[i].tier, NULL);

	return may_be(ret) ? 0 : ret;
}

static int budget_step(uint64_t *state)
{
	int ret = tier_set(DRAM, (4 + random_below(5, state)) * CHUNK);

	usleep(20000);
	return may_be(ret) ? 0 : ret;
}

static int name_step(uint64_t *state)
{
	int fd = lower(SIZE, 1), mine, ret;

	if (fd < 0)
		return 0;
	ret = import_fd("g", fd, SMALL);
	close(fd);
	if (!ret) {
		mine = file_open("g", O_RDONLY);
		if (mine >= 0) {
			ret = check_read(mine, random_below(SIZE / PAGE, state) * PAGE, PAGE, 1);
			close(mine);
		}
		ret = may_be(ret) ? 0 : ret;
		/* unlink(2) may have no memory for the name */
		if (file_unlink("g"))
			file_unlink("g");
	}
	return may_be(ret) || ret == -EEXIST ? 0 : ret;
}

struct worker {
	int (*step)(uint64_t *state);
	uint64_t seed;
	double end;
};

static int work(void *arg)
{
	struct worker *w = arg;
	uint64_t state = w->seed;
	int ret = 0;

	while (!ret && now() < w->end)
		ret = w->step(&state);
	if (ret)
		fprintf(stderr, "# %d (%s)\n", ret, ret < 0 ? strerror(-ret) : "wrong content");
	return !!ret;
}

/* The long run alone takes as long as other tests may. */
TEST_F_TIMEOUT(chaos, all, 1200)
{
	static int (*const steps[WORKERS])(uint64_t *) = {
		read_step, read_step, map_step, advise_step, budget_step, name_step,
	};
	static const enum fault which[] = { SLAB, PAGES, SUBMIT };
	const char *seed = getenv("ITME_SEED");
	uint64_t s = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	double secs = soak() ? 600 : 20;
	struct worker w[WORKERS];
	pid_t pid[WORKERS];
	int ret;

	printf("# ITME_SEED=%llu\n", (unsigned long long)s);
	ASSERT_EQ(0, itme_mount(have_cxl_node() ? "dram=16M,cxl=16M" : "dram=16M"));
	file = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, file);
	for (size_t i = 0; i < ARRAY_LEN(which); i++)
		if (inject_have(which[i]))
			inject_rate(which[i], 3);
	for (int i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ steps[i], s * WORKERS + i, now() + secs };
		pid[i] = spawn(work, &w[i]);
	}
	for (int i = 0; i < WORKERS; i++) {
		/* a reader may wait for memory, half a minute a chunk */
		ret = reap(pid[i], secs + 120);
		EXPECT_EQ(0, ret) TH_LOG("worker %d", i);
	}
	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		unsigned int n = inject_have(which[i]) ? inject_end(which[i]) : 0;

		printf("# %s: %u failed\n", inject_name(which[i]), n);
		if (inject_have(which[i]))
			EXPECT_LT(0, n);
	}
	file_unlink("g");
	EXPECT_EQ(0, advise(file, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_set(DRAM, 16 * MIB));
	EXPECT_EQ(0, check_read(file, 0, SIZE, 1));
	EXPECT_EQ(0, check_mapped(file, 0, SIZE, 1));
	EXPECT_ACCOUNTED(file);
	EXPECT_EQ(0, drop_all(file));
	close(file);
	EXPECT_EQ(0, umount_at_once());
}

INJECT_NO_LEAK
