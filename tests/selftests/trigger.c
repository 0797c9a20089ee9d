// SPDX-License-Identifier: GPL-2.0
/*
 * Triggers: the first use of a source has its targets read ahead; again, when they have
 * left; and a page at a time, where several sources are in one chunk. Seen by what is in
 * memory and by the bytes that come from the drive, not by time.
 */
#include <pthread.h>
#include <signal.h>

#include "fixture.h"
#include "nl.h"

#define SMALL	(256 * KIB)
#define NR	320			/* chunks: 80 MiB */
#define SIZE	(NR * SMALL)

FIXTURE(trigger)
{
	struct nl nl;
	struct nl_msg m;
	int fd;
	uint32_t id;		/* of the file */
	uint32_t plan;
	char *map;
};

ITME_FIXTURE(trigger)

static uint32_t id_of(int fd)
{
	struct itme_object o = {};

	return object(fd, &o) ? 0 : o.id;
}

#define OPEN(chunk)							\
do {									\
	ASSERT_EQ(0, nl_open(&self->nl));				\
	self->fd = import_open("f", SIZE, 1, chunk);			\
	ASSERT_LE(0, self->fd);						\
	self->id = id_of(self->fd);					\
	self->map = map_ro(self->fd, 0, SIZE);				\
	ASSERT_NE(NULL, self->map);					\
	plan_begin(&self->m, &self->nl, false);				\
} while (0)

#define ADD(off, len, to, to_len)					\
do {									\
	size_t nest = plan_trigger(&self->m, self->id, off, len);	\
									\
	plan_target(&self->m, self->id, to, to_len);			\
	nl_nest_end(&self->m, nest);					\
} while (0)

/* what is mapped already has been unmapped by then */
#define SET()								\
do {									\
	ASSERT_EQ(0, plan_set(&self->nl, &self->m, &self->plan))	\
		TH_LOG("%s", self->nl.why);				\
	usleep(300000);							\
} while (0)

#define COMES(off, len)	POLL(resident(self->fd, off, len) == (len), 10)

static uint64_t plan_value(struct nl *nl, uint32_t plan, uint16_t type)
{
	return plan_get(nl, plan) ? UINT64_MAX : nl_reply_uint(nl, type);
}

#define FIRED()	plan_value(&self->nl, self->plan, ITME_A_PLAN_FIRED)

static int use(const char *map, uint64_t off, uint64_t len)
{
	return pattern_check(map + off, len, off, 1);
}

/* one use, one firing, and what is read for it is used, not waited for */
TEST_F(trigger, fires)
{
	struct itme_stats s;

	MOUNT("dram=24M");
	OPEN(SMALL);
	ADD(20 * SMALL, PAGE, 100 * SMALL, 3 * SMALL);
	SET();
	EXPECT_EQ(1, plan_value(&self->nl, self->plan, ITME_A_PLAN_TRIGGERS));
	EXPECT_EQ(1, plan_value(&self->nl, self->plan, ITME_A_PLAN_TARGETS));
	EXPECT_EQ(0, FIRED());
	/* the chunk, but not the page: nothing but what follows is read ahead */
	ASSERT_EQ(0, use(self->map, 20 * SMALL + PAGE, SMALL - PAGE));
	EXPECT_EQ(0, FIRED());
	ASSERT_EQ(0, use(self->map, 20 * SMALL, 8));
	EXPECT_EQ(1, FIRED());
	EXPECT_TRUE(COMES(100 * SMALL, 3 * SMALL));
	EXPECT_EQ(0, resident(self->fd, 103 * SMALL, SMALL));
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_EQ(SMALL, s.demand_bytes);
	EXPECT_EQ(3 * SMALL, s.prefetch_bytes);
	EXPECT_EQ(0, s.prefetch_used_bytes);
	ASSERT_EQ(0, use(self->map, 100 * SMALL, 3 * SMALL));
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_EQ(SMALL, s.demand_bytes);
	EXPECT_EQ(3 * SMALL, s.prefetch_used_bytes);
	EXPECT_EQ(0, s.hints_dropped);
	EXPECT_EQ(1, FIRED());
	nl_close(&self->nl);
}

/* the source stays mapped and in memory; its use is seen when a target has left */
TEST_F(trigger, again)
{
	MOUNT("dram=24M");
	OPEN(SMALL);
	ADD(20 * SMALL, PAGE, 100 * SMALL, SMALL);
	SET();
	for (int i = 1; i <= 5; i++) {
		for (int j = 0; j < 3; j++)
			ASSERT_EQ(0, use(self->map, 20 * SMALL, SMALL));
		ASSERT_EQ(i, FIRED());
		ASSERT_TRUE(COMES(100 * SMALL, SMALL));
		if (i % 2)
			ASSERT_EQ(0, use(self->map, 100 * SMALL, SMALL));
		ASSERT_EQ(0, advise(self->fd, 100 * SMALL, SMALL, ITME_ADVICE_PAGEOUT, ANY, NULL));
		ASSERT_EQ(0, resident(self->fd, 100 * SMALL, SMALL));
		/* the worker unmaps the source */
		usleep(200000);
	}
	nl_close(&self->nl);
}

/* read(2): seen at every call, mapped or not */
TEST_F(trigger, by_read)
{
	char page[PAGE];

	MOUNT("dram=24M");
	OPEN(SMALL);
	ADD(20 * SMALL + 5 * PAGE, 2 * PAGE, 100 * SMALL, SMALL);
	ADD(21 * SMALL - PAGE, 2 * PAGE, 110 * SMALL, SMALL);
	SET();
	ASSERT_EQ(0, check_read(self->fd, 20 * SMALL, 5 * PAGE, 1));
	EXPECT_EQ(0, FIRED());
	ASSERT_EQ((ssize_t)PAGE, pread(self->fd, page, PAGE, 20 * SMALL + 5 * PAGE - 1));
	EXPECT_EQ(1, FIRED());
	EXPECT_TRUE(COMES(100 * SMALL, SMALL));
	ASSERT_EQ(0, check_read(self->fd, 20 * SMALL, 2 * SMALL, 1));
	EXPECT_EQ(2, FIRED());
	EXPECT_TRUE(COMES(110 * SMALL, SMALL));
	ASSERT_EQ(0, advise(self->fd, 100 * SMALL, 11 * SMALL, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_EQ(0, check_read(self->fd, 20 * SMALL, 2 * SMALL, 1));
	EXPECT_EQ(4, FIRED());
	nl_close(&self->nl);
}

/*
 * Slices of experts, smaller than a chunk of 2 MiB and not aligned to anything: each has
 * its own. Read in after the plan was set, so that no folio has parts of two.
 */
#define SLICE	(300 * KIB + 12345)

TEST_F(trigger, slices_in_a_chunk)
{
	struct itme_residency r;
	uint64_t n = 0;

	MOUNT("dram=32M");
	OPEN(0);
	for (int i = 0; i < 12; i++)
		ADD(i * SLICE, SLICE, 20 * CHUNK + i * CHUNK, CHUNK);
	SET();
	/* backwards, so that no sequential reader is seen */
	for (int i = 12; i--; n++) {
		ASSERT_EQ(n, FIRED());
		ASSERT_EQ(0, resident(self->fd, 20 * CHUNK + i * CHUNK, CHUNK));
		ASSERT_EQ(0, touch(self->map + i * SLICE + SLICE / 2));
		ASSERT_EQ(n + 1, FIRED()) TH_LOG("slice %d", i);
		ASSERT_TRUE(COMES(20 * CHUNK + i * CHUNK, CHUNK));
		ASSERT_EQ(0, touch(self->map + 20 * CHUNK + i * CHUNK));
		ASSERT_EQ(0, use(self->map, i * SLICE + PAGE, SLICE - 2 * PAGE));
		ASSERT_EQ(n + 1, FIRED());
	}
	/* what has no source inside is in large folios */
	ASSERT_EQ(0, residency(self->fd, 20 * CHUNK, 12 * CHUNK, &r, NULL, 0));
	EXPECT_LT(0, r.large);
	ASSERT_EQ(0, residency(self->fd, 0, 12 * SLICE, &r, NULL, 0));
	EXPECT_EQ(0, r.large);
	EXPECT_EQ(0, check_mapped(self->fd, 0, 12 * SLICE, 1));
	nl_close(&self->nl);
}

/* what is read ahead is not used: a circle goes on by uses only */
TEST_F(trigger, circle)
{
	struct itme_stats s;

	MOUNT("dram=24M");
	OPEN(SMALL);
	for (int i = 0; i < 10; i++)
		ADD((20 + 10 * i) * SMALL, SMALL, (20 + (10 * i + 10) % 100) * SMALL, SMALL);
	/* and to itself */
	ADD(200 * SMALL, SMALL, 200 * SMALL, SMALL);
	SET();
	ASSERT_EQ(0, use(self->map, 20 * SMALL, SMALL));
	EXPECT_TRUE(COMES(30 * SMALL, SMALL));
	ASSERT_EQ(0, use(self->map, 200 * SMALL, SMALL));
	sleep(1);
	EXPECT_EQ(2, FIRED());
	EXPECT_EQ(0, resident(self->fd, 40 * SMALL, SMALL));
	for (int turn = 0; turn < 3; turn++)
		for (int i = 0; i < 10; i++)
			ASSERT_EQ(0, use(self->map, (20 + 10 * i) * SMALL, SMALL));
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_GE(13 * SMALL, s.read_bytes);
	EXPECT_GE(13, FIRED());
	nl_close(&self->nl);
}

/* targets that do not fit: never over the budget, and not for ever */
TEST_F(trigger, too_much)
{
	struct itme_stats s;

	MOUNT("dram=24M");
	OPEN(SMALL);
	for (int i = 0; i < 100; i++)
		ADD(i * SMALL, PAGE, 100 * SMALL, SIZE - 100 * SMALL);
	SET();
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, use(self->map, i * SMALL, PAGE));
		ASSERT_GE(24 * MIB, tier_used(DRAM));
	}
	sleep(2);
	ASSERT_EQ(0, stats_file(self->fd, &s));
	EXPECT_LT(0, plan_value(&self->nl, self->plan, ITME_A_PLAN_DROPPED));
	EXPECT_EQ(plan_value(&self->nl, self->plan, ITME_A_PLAN_DROPPED), s.hints_dropped);
	/* and all of it can be read as ever */
	ASSERT_EQ(0, use(self->map, 0, SIZE));
	sleep(1);
	ASSERT_EQ(0, stats_file(self->fd, &s));
	usleep(500000);
	EXPECT_GE(24 * MIB, tier_used(DRAM));
	nl_close(&self->nl);
}

/* a plan of triggers keeps nothing and streams nothing: who is used often stays */
TEST_F(trigger, not_a_stream)
{
	struct itme_residency r;
	uint8_t map[4];

	MOUNT("dram=64M");
	OPEN(SMALL);
	ADD(20 * SMALL, PAGE, 100 * SMALL, 4 * SMALL);
	SET();
	ASSERT_EQ(0, use(self->map, 20 * SMALL, SMALL));
	ASSERT_TRUE(COMES(100 * SMALL, 4 * SMALL));
	ASSERT_EQ(0, use(self->map, 100 * SMALL, 4 * SMALL));
	EXPECT_EQ(0, plan_value(&self->nl, self->plan, ITME_A_PLAN_DRAM));
	EXPECT_EQ(0, plan_value(&self->nl, self->plan, ITME_A_PLAN_LENGTH));
	ASSERT_EQ(0, residency(self->fd, 100 * SMALL, 4 * SMALL, &r, map, 4));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, map[i] & (ITME_MAP_PREFETCHED | ITME_MAP_TIER_MASK));
	nl_close(&self->nl);
}

/* stages and triggers in one plan; sources and targets in several files that go */
TEST_F(trigger, files_go)
{
	uint32_t other;
	size_t nest;
	char *map;
	int fd;

	MOUNT("dram=24M");
	OPEN(SMALL);
	fd = import_open("g", SIZE, 2, SMALL);
	ASSERT_LE(0, fd);
	other = id_of(fd);
	map = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, map);
	for (int i = 0; i < 10; i++)
		plan_stage(&self->m, self->id, (200 + i) * SMALL, SMALL);
	nest = plan_trigger(&self->m, self->id, 20 * SMALL, PAGE);
	plan_target(&self->m, other, 10 * SMALL, SMALL);
	nl_nest_end(&self->m, nest);
	nest = plan_trigger(&self->m, other, 20 * SMALL, PAGE);
	plan_target(&self->m, self->id, 10 * SMALL, SMALL);
	plan_target(&self->m, other, 12 * SMALL, SMALL);
	nl_nest_end(&self->m, nest);
	SET();
	ASSERT_EQ(0, use(self->map, 20 * SMALL, PAGE));
	EXPECT_TRUE(POLL(resident(fd, 10 * SMALL, SMALL) == SMALL, 10));
	ASSERT_EQ(0, touch(map + 20 * SMALL));
	EXPECT_TRUE(COMES(10 * SMALL, SMALL));
	EXPECT_TRUE(POLL(resident(fd, 12 * SMALL, SMALL) == SMALL, 10));
	EXPECT_EQ(2, FIRED());

	/* the file of some: the others work on */
	ASSERT_EQ(0, file_unlink("f"));
	munmap(self->map, SIZE);
	close(self->fd);
	ASSERT_EQ(0, advise(fd, 12 * SMALL, SMALL, ITME_ADVICE_PAGEOUT, ANY, NULL));
	usleep(200000);
	ASSERT_EQ(0, touch(map + 20 * SMALL));
	EXPECT_EQ(3, FIRED());
	EXPECT_TRUE(POLL(resident(fd, 12 * SMALL, SMALL) == SMALL, 10));
	/* and the plan ends with the last */
	ASSERT_EQ(0, file_unlink("g"));
	munmap(map, SIZE);
	close(fd);
	EXPECT_TRUE(POLL(plan_get(&self->nl, self->plan) == -ENOENT, 10));
	nl_close(&self->nl);
}

/* a source that was mapped before the plan was set */
TEST_F(trigger, mapped_before)
{
	MOUNT("dram=32M");
	OPEN(0);
	ASSERT_EQ(0, use(self->map, 0, 2 * CHUNK));
	ADD(CHUNK / 2, CHUNK, 20 * CHUNK, CHUNK);
	SET();
	ASSERT_EQ(0, touch(self->map + CHUNK));
	EXPECT_EQ(1, FIRED());
	EXPECT_TRUE(COMES(20 * CHUNK, CHUNK));
	nl_close(&self->nl);
}

/* All at once: uses, plans that come and go, what leaves by hint and by the kernel. */
struct crowd {
	int fd;
	const char *map;
	volatile bool stop;
	uint32_t wrong;
};

static void *crowd_use(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = (uintptr_t)&seed;

	while (!c->stop) {
		uint64_t off;

		seed = seed * 1664525 + 1013904223;
		off = (seed >> 8) % NR * SMALL + (seed >> 4) % 60 * PAGE;
		if (seed & 0x80000000 ? use(c->map, off, PAGE) : check_read(c->fd, off, PAGE, 1))
			__atomic_add_fetch(&c->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *crowd_drop(void *arg)
{
	struct crowd *c = arg;

	while (!c->stop) {
		advise(c->fd, 0, SIZE / 2, ITME_ADVICE_PAGEOUT, ANY, NULL);
		usleep(20000);
		write_file("/proc/sys/vm/drop_caches", "1");
		usleep(20000);
	}
	return NULL;
}

TEST_F(trigger, crowd)
{
	struct crowd c = {};
	pthread_t thread[4];
	double end;

	MOUNT("dram=24M");
	OPEN(SMALL);
	nl_free(&self->m);
	c.fd = self->fd;
	c.map = self->map;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, i ? crowd_use : crowd_drop, &c));
	end = now() + 20;
	self->plan = 0;
	for (int round = 0; now() < end; round++) {
		plan_begin(&self->m, &self->nl, false);
		if (self->plan)
			nl_put_u32(&self->m, ITME_A_PLAN_ID, self->plan);
		for (int i = 0; i < NR; i++)
			ADD(i * SMALL + round % 7 * 1000, 3 * PAGE,
			    (i * 7 + round) % NR * SMALL, SMALL);
		EXPECT_EQ(0, plan_set(&self->nl, &self->m, &self->plan));
		usleep(300000);
		if (round % 4 == 3) {
			EXPECT_EQ(0, plan_del(&self->nl, self->plan));
			self->plan = 0;
		}
	}
	c.stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, c.wrong);
	EXPECT_GE(24 * MIB, tier_used(DRAM));
	nl_close(&self->nl);
}

TEST_HARNESS_MAIN
