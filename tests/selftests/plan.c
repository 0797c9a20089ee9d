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
#define STRIDE	7
#define DRAM_BUDGET (24 * MIB)		/* 30 % of it */
#define RING	(8 * MIB)		/* of such a budget, see policy.c */
#define STAYS	(DRAM_BUDGET - RING)

struct reader {
	int fd;
	uint32_t id;
	char *map;		/* NULL: by read(2) */
	uint64_t seed;
};

/* 0, STRIDE, 2 * STRIDE ..., and round again until each was there once */
static uint32_t nth(uint32_t n)
{
	return (uint64_t)n * STRIDE % NR;
}

static int reader_open(struct reader *r, const char *name, uint64_t seed,
		       bool mapped)
{
	struct itme_object o = {};

	*r = (struct reader){ .seed = seed };
	r->fd = import_open(name, FILE_SIZE, seed, SMALL);
	if (r->fd < 0)
		return r->fd;
	if (mapped)
		r->map = map_ro(r->fd, 0, FILE_SIZE);
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
		wrong += use(r, nth(n % NR)) != 0;
	return wrong;
}

/* the stride order, each chunk a stage */
static void stride_plan(struct nl_msg *m, const struct nl *nl,
			const struct reader *r, bool cyclic)
{
	plan_begin(m, nl, cyclic);
	for (uint32_t n = 0; n < NR; n++)
		plan_stage(m, r->id, nth(n) * SMALL, SMALL);
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
		wrong += run(r, 0, NR);
	if (!POLL(settled(r->fd), 20) || stats_file(r->fd, &old))
		return -EIO;
	wrong += run(r, 0, NR);
	if (!POLL(settled(r->fd), 20) || stats_file(r->fd, s))
		return -EIO;
	subtract(s, &old);
	return wrong;
}

static void show(const char *what, const struct itme_stats *s)
{
	printf("# %s: read %llu KiB, demand %llu, used %llu, late %llu, wasted %llu, promoted %llu, demoted %llu, stalls %llu\n",
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
	ASSERT_EQ(0, reader_open(&r, "f", 1, variant->mapped));
	stride_plan(&m, &nl, &r, true);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL))
		TH_LOG("%s", nl.why);

	ASSERT_EQ(0, one_pass(&r, 2, &s));
	show("third pass", &s);
	/*
	 * MIN keeps all of the memory but one chunk; here the ring is for what
	 * is read ahead, and of that the half that has been used comes again.
	 */
	least = FILE_SIZE - STAYS - cxl;
	EXPECT_GE(least * 105 / 100, s.read_bytes);
	EXPECT_LE(least * 80 / 100, s.read_bytes);
	/* read ahead, nearly all of it */
	EXPECT_GE(FILE_SIZE / 20, s.demand_bytes);
	EXPECT_GE(SMALL, s.prefetch_wasted_bytes);
	/* no bouncing */
	EXPECT_GE(2 * SMALL, s.promoted_bytes);
	EXPECT_GE(2 * SMALL, s.demoted_bytes);
	EXPECT_GE(DRAM_BUDGET, tier_used(DRAM));
	EXPECT_GE(cxl, tier_used(CXL));
	nl_close(&nl);
}

TEST_HARNESS_MAIN
