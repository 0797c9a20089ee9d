// SPDX-License-Identifier: GPL-2.0
/*
 * Plans, set by netlink: what is read again and again in the order that a plan
 * says comes from the drive as seldom as it can (MIN), and hardly ever waits.
 * Seen by the bytes that come from the drive, not by time.
 */
#include "fixture.h"
#include "nl.h"

#define SMALL	(256 * KIB)
#define NR	320			/* chunks: 80 MiB */
#define FILE_SIZE (NR * SMALL)
#define SETTLE	20
#define STRIDE	7
#define DRAM_BUDGET (24 * MIB)		/* 30 % of it */
#define RING	(2 * MIB)		/* of such a budget and a plan, see policy.c */
#define STAYS	(DRAM_BUDGET - RING)

struct reader {
	int fd;
	uint32_t id;
	uint32_t nr;		/* chunks */
	char *map;		/* NULL: by read(2) */
	uint64_t seed;
};

/* 0, STRIDE, 2 * STRIDE ..., and round again until each was there once */
static uint32_t nth(const struct reader *r, uint32_t n)
{
	return (uint64_t)n * STRIDE % r->nr;
}

static int reader_open(struct reader *r, const char *name, uint64_t seed,
		       uint32_t nr, bool mapped)
{
	struct itme_object o = {};

	*r = (struct reader){ .nr = nr, .seed = seed };
	r->fd = import_open(name, nr * SMALL, seed, SMALL);
	if (r->fd < 0)
		return r->fd;
	if (mapped)
		r->map = map_ro(r->fd, 0, nr * SMALL);
	if (object(r->fd, &o) || (mapped && !r->map))
		return -EIO;
	r->id = o.id;
	return 0;
}

static int use(struct reader *r, uint32_t chunk)
{
	uint64_t off = chunk * SMALL;

	/* some computing, without which no drive keeps up */
	usleep(300);
	if (r->map)
		return pattern_check(r->map + off, SMALL, off, r->seed);
	return check_read(r->fd, off, SMALL, r->seed);
}

/* uses from @from on, in the order of the plan; how many were wrong */
static int run(struct reader *r, uint32_t from, uint32_t nr)
{
	int wrong = 0;

	for (uint32_t n = from; n < from + nr; n++)
		wrong += use(r, nth(r, n % r->nr)) != 0;
	return wrong;
}

/* the stride order, each chunk a stage */
static void stride_plan(struct nl_msg *m, const struct nl *nl,
			const struct reader *r, bool cyclic)
{
	plan_begin(m, nl, cyclic);
	for (uint32_t n = 0; n < r->nr; n++)
		plan_stage(m, r->id, nth(r, n) * SMALL, SMALL);
}

static void subtract(struct itme_stats *s, const struct itme_stats *old)
{
	__u64 *a = &s->read_bytes;
	const __u64 *b = &old->read_bytes;

	for (; a < s->reserved; a++, b++)
		*a -= *b;
}

/* all that is read ahead has come to rest */
static bool settled(int fd)
{
	struct itme_stats a, b;

	if (stats_file(fd, &a))
		return false;
	usleep(100000);
	return !stats_file(fd, &b) && a.read_bytes == b.read_bytes;
}

/* counters of one pass of a reader, after @before passes */
static int one_pass(struct reader *r, int before, struct itme_stats *s)
{
	struct itme_stats old;
	int wrong = 0;

	for (int i = 0; i < before; i++)
		wrong += run(r, 0, r->nr);
	if (!POLL(settled(r->fd), SETTLE) || stats_file(r->fd, &old))
		return -EIO;
	wrong += run(r, 0, r->nr);
	if (!POLL(settled(r->fd), SETTLE) || stats_file(r->fd, s))
		return -EIO;
	subtract(s, &old);
	return wrong;
}

static void show(const char *what, const struct itme_stats *s)
{
	printf("# %s: KiB read %llu, demand %llu, used %llu, late %llu, wasted %llu, "
	       "promoted %llu, demoted %llu; stalls %llu\n",
	       what, s->read_bytes >> 10, s->demand_bytes >> 10,
	       s->prefetch_used_bytes >> 10, s->prefetch_late_bytes >> 10,
	       s->prefetch_wasted_bytes >> 10, s->promoted_bytes >> 10,
	       s->demoted_bytes >> 10, s->stalls);
}

FIXTURE(pass) {};
ITME_FIXTURE(pass)

FIXTURE_VARIANT(pass)
{
	bool mapped;
	uint64_t cxl;
};

FIXTURE_VARIANT_ADD(pass, mapped) { .mapped = true };
FIXTURE_VARIANT_ADD(pass, read) { .mapped = false };
FIXTURE_VARIANT_ADD(pass, mapped_cxl) { .mapped = true, .cxl = 16 * MIB };
FIXTURE_VARIANT_ADD(pass, read_cxl) { .mapped = false, .cxl = 16 * MIB };

TEST_F(pass, reads_what_does_not_stay)
{
	uint64_t least, cxl = variant->cxl;
	struct itme_stats s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;
	char opts[64];

	if (cxl && !have_cxl_node())
		SKIP(return, "no memory node without CPU");
	snprintf(opts, sizeof(opts), "dram=%llu,cxl=%llu", DRAM_BUDGET,
		 (unsigned long long)cxl);
	MOUNT(opts);
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, variant->mapped));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL))
		TH_LOG("%s", nl.why);

	ASSERT_EQ(0, one_pass(&r, 2, &s));
	show("third pass", &s);
	/* MIN, of what the ring leaves */
	least = FILE_SIZE - STAYS - cxl;
	EXPECT_GE(least * 103 / 100, s.read_bytes);
	EXPECT_LE(least * 90 / 100, s.read_bytes);
	/* read ahead, nearly all of it */
	EXPECT_GE(FILE_SIZE / 50, s.demand_bytes);
	EXPECT_GE(SMALL, s.prefetch_wasted_bytes);
	/* no bouncing */
	EXPECT_GE(2 * SMALL, s.promoted_bytes);
	EXPECT_GE(2 * SMALL, s.demoted_bytes);
	EXPECT_GE(DRAM_BUDGET, tier_used(DRAM));
	EXPECT_GE(cxl, tier_used(CXL));
	nl_close(&nl);
}

FIXTURE(plan) {};
ITME_FIXTURE(plan)

/* what follows happens between @before and now */
static int since(int fd, struct itme_stats *before, struct itme_stats *s)
{
	if (!POLL(settled(fd), SETTLE) || stats_file(fd, s))
		return -EIO;
	subtract(s, before);
	return stats_file(fd, before);
}

/* Files of which none fits: each has its part of what stays. */
TEST_F(plan, two_share)
{
	struct itme_stats old[2], s[2];
	struct reader r[2];
	struct nl_msg m;
	struct nl nl;
	uint64_t least;
	int i, pass;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, reader_open(&r[i], i ? "g" : "f", 1 + i, NR / 2, !i));
		stride_plan(&m, &nl, &r[i], true);
		ASSERT_EQ(0, plan_set(&nl, &m, NULL));
	}
	for (pass = 0; pass < 3; pass++) {
		if (pass == 2)
			for (i = 0; i < 2; i++) {
				ASSERT_TRUE(POLL(settled(r[i].fd), SETTLE));
				ASSERT_EQ(0, stats_file(r[i].fd, &old[i]));
			}
		for (uint32_t n = 0; n < NR / 2; n++)
			for (i = 0; i < 2; i++)
				ASSERT_EQ(0, use(&r[i], nth(&r[i], n)));
	}
	least = FILE_SIZE / 2 - STAYS / 2;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, since(r[i].fd, &old[i], &s[i]));
		show(i ? "the other" : "one", &s[i]);
		EXPECT_GE(least * 105 / 100, s[i].read_bytes);
		EXPECT_LE(least * 90 / 100, s[i].read_bytes);
		EXPECT_GE(FILE_SIZE / 20, s[i].demand_bytes);
		EXPECT_GE(2 * SMALL, s[i].promoted_bytes + s[i].demoted_bytes);
	}
	nl_close(&nl);
}

/* Who jumps is found again after a few chunks. */
TEST_F(plan, skip_and_restart)
{
	static const uint32_t to[] = { NR / 2, 10, NR - 60, 0 };
	struct itme_stats old, s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;
	uint32_t id;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	ASSERT_EQ(0, run(&r, 0, NR + 50));
	ASSERT_TRUE(POLL(settled(r.fd), SETTLE));
	ASSERT_EQ(0, stats_file(r.fd, &old));
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		ASSERT_EQ(0, run(&r, to[i], 60));
		ASSERT_EQ(0, since(r.fd, &old, &s));
		show("after a jump", &s);
		EXPECT_GE(10 * SMALL, s.demand_bytes);
	}
	ASSERT_EQ(0, plan_get(&nl, id));
	EXPECT_LE(ARRAY_LEN(to) - 1, nl_reply_uint(&nl, ITME_A_PLAN_JUMPS));
	EXPECT_GE(ARRAY_LEN(to) + 1, nl_reply_uint(&nl, ITME_A_PLAN_JUMPS));
	nl_close(&nl);
}

/* Two processes go through one plan, each at a place of its own. */
TEST_F(plan, two_readers_of_one)
{
	struct itme_stats old, s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, false));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL));
	ASSERT_EQ(0, run(&r, 0, NR));
	ASSERT_TRUE(POLL(settled(r.fd), SETTLE));
	ASSERT_EQ(0, stats_file(r.fd, &old));
	for (uint32_t n = 0; n < NR; n++) {
		ASSERT_EQ(0, use(&r, nth(&r, n)));
		ASSERT_EQ(0, use(&r, nth(&r, (n + NR / 2) % NR)));
	}
	ASSERT_EQ(0, since(r.fd, &old, &s));
	show("two readers", &s);
	EXPECT_GE(FILE_SIZE / 10, s.demand_bytes);
	EXPECT_GE(2 * FILE_SIZE - 2 * STAYS + FILE_SIZE / 10, s.read_bytes);
	nl_close(&nl);
}

/* A process that stops is not read ahead for, and what it left is bounded. */
TEST_F(plan, stops)
{
	struct itme_stats old = {}, s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL));
	ASSERT_EQ(0, run(&r, 0, NR + 40));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	/* what came late was waited for, and used */
	EXPECT_GE(RING, s.prefetch_bytes - s.prefetch_used_bytes - s.prefetch_late_bytes);
	sleep(2);
	ASSERT_EQ(0, since(r.fd, &old, &s));
	EXPECT_EQ(0, s.read_bytes);
	EXPECT_GE(DRAM_BUDGET, tier_used(DRAM));
	/* and goes on as if nothing had been */
	ASSERT_EQ(0, run(&r, 40, 60));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	show("after a pause", &s);
	EXPECT_GE(2 * SMALL, s.demand_bytes);
	nl_close(&nl);
}

/* A step alone has the stage read, and what follows it. */
TEST_F(plan, by_step)
{
	struct itme_stats old = {}, s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;
	uint32_t id;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	stride_plan(&m, &nl, &r, true);
	nl_put_uint(&m, ITME_A_PLAN_LOOKAHEAD, 8 * SMALL);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	ASSERT_EQ(0, plan_step(&nl, id, 100));
	/* nothing is settled before the worker has begun */
	ASSERT_TRUE(POLL(!stats_file(r.fd, &s) && s.prefetch_bytes, SETTLE));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	EXPECT_EQ(0, s.demand_bytes);
	EXPECT_EQ(8 * SMALL, s.prefetch_bytes);
	for (int n = 100; n < 108; n++)
		EXPECT_EQ(SMALL, resident(r.fd, nth(&r, n) * SMALL, SMALL));
	ASSERT_EQ(0, run(&r, 100, 8));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	EXPECT_EQ(0, s.demand_bytes);
	EXPECT_EQ(8 * SMALL, s.prefetch_used_bytes);
	/* never further than said */
	EXPECT_GE(8 * SMALL, s.prefetch_bytes);
	nl_close(&nl);
}

/* Gone through once: nothing of it is kept for another time. */
TEST_F(plan, once)
{
	struct itme_stats old = {}, s;
	struct reader r;
	struct nl_msg m;
	struct nl nl;
	uint32_t id;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	stride_plan(&m, &nl, &r, false);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	ASSERT_EQ(0, run(&r, 0, NR));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	show("once", &s);
	EXPECT_GE(FILE_SIZE + SMALL, s.read_bytes);
	EXPECT_GE(FILE_SIZE / 20, s.demand_bytes);
	ASSERT_EQ(0, plan_get(&nl, id));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_PLAN_DRAM));
	/* it is at its end: nothing is read for it */
	sleep(1);
	ASSERT_EQ(0, since(r.fd, &old, &s));
	EXPECT_EQ(0, s.read_bytes);
	/* and may be gone through again */
	ASSERT_EQ(0, run(&r, 0, NR));
	ASSERT_EQ(0, since(r.fd, &old, &s));
	show("once more", &s);
	EXPECT_GE(FILE_SIZE / 10, s.demand_bytes);
	nl_close(&nl);
}

/* Files of a plan that go: the rest of it works on, and it ends with the last. */
TEST_F(plan, files_go)
{
	struct reader r[2];
	struct nl_msg m;
	struct nl nl;
	uint32_t id;
	int i;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, reader_open(&r[i], i ? "g" : "f", 1 + i, NR / 2, true));
	plan_begin(&m, &nl, true);
	for (uint32_t n = 0; n < NR / 2; n++)
		plan_stage(&m, r[n % 2].id, nth(&r[0], n) * SMALL, SMALL);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	for (uint32_t n = 0; n < NR; n++)
		ASSERT_EQ(0, use(&r[n % 2], nth(&r[0], n % (NR / 2))));
	/* without a name, but in use */
	ASSERT_EQ(0, file_unlink("f"));
	for (uint32_t n = 0; n < 40; n++)
		ASSERT_EQ(0, use(&r[n % 2], nth(&r[0], n)));
	munmap(r[0].map, NR / 2 * SMALL);
	close(r[0].fd);
	for (uint32_t n = 1; n < 100; n += 2)
		ASSERT_EQ(0, use(&r[1], nth(&r[0], n)));
	EXPECT_EQ(0, plan_step(&nl, id, 0));
	EXPECT_EQ(0, plan_get(&nl, id));
	ASSERT_EQ(0, file_unlink("g"));
	munmap(r[1].map, NR / 2 * SMALL);
	close(r[1].fd);
	EXPECT_TRUE(POLL(plan_get(&nl, id) == -ENOENT, 10));
	nl_close(&nl);
}

/* A plan that is wrong costs no data, and not much else. */
TEST_F(plan, wrong_plan)
{
	struct itme_stats old = {}, s;
	uint32_t seed = 1;
	struct reader r;
	struct nl_msg m;
	struct nl nl;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL));
	for (int n = 0; n < 2 * NR; n++) {
		seed = seed * 1664525 + 1013904223;
		ASSERT_EQ(0, use(&r, (seed >> 8) % NR));
	}
	ASSERT_EQ(0, since(r.fd, &old, &s));
	show("at random", &s);
	EXPECT_GE(2 * FILE_SIZE, s.read_bytes);
	EXPECT_GE(s.read_bytes / 5, s.prefetch_wasted_bytes);
	nl_close(&nl);
}

/* Plans come and go and change while they are followed. */
TEST_F(plan, set_while_in_use)
{
	struct reader r;
	struct nl_msg m;
	struct nl nl;
	uint32_t id = 0;

	MOUNT("dram=24M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, reader_open(&r, "f", 1, NR, true));
	for (int i = 0; i < 20; i++) {
		stride_plan(&m, &nl, &r, i % 2);
		if (id)
			nl_put_u32(&m, ITME_A_PLAN_ID, id);
		ASSERT_EQ(0, plan_set(&nl, &m, &id));
		ASSERT_EQ(0, run(&r, i * 30, 30));
		if (i % 5 == 4) {
			ASSERT_EQ(0, plan_del(&nl, id));
			id = 0;
		}
	}
	nl_close(&nl);
}

TEST_HARNESS_MAIN
