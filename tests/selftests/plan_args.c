// SPDX-License-Identifier: GPL-2.0
/*
 * What plans may be made of: what is refused, in words that say where, and what
 * comes in several messages, either way.
 */
#include <pthread.h>

#include "fixture.h"
#include "nl.h"

#define SMALL	(64 * KIB)
#define SIZE	(64 * SMALL)
#define RUNS_MAX 65536

FIXTURE(plan_args) {};
ITME_FIXTURE(plan_args)

static uint32_t id_of(int fd)
{
	struct itme_object o = {};

	return object(fd, &o) ? 0 : o.id;
}

static void count_all(const void *attrs, size_t len, void *arg)
{
	(void)attrs;
	(void)len;
	++*(int *)arg;
}

static int nr_plans(struct nl *nl)
{
	struct nl_msg m;
	int nr = 0, err;

	nl_begin(&m, nl, ITME_CMD_PLAN_GET);
	err = nl_dump(nl, &m, count_all, &nr);
	return err ?: nr;
}

/* a plan of one stage with an index */
static int one_stage(struct nl *nl, uint32_t index, uint32_t object,
		     uint64_t off, uint64_t len)
{
	struct nl_msg m;
	size_t nest;

	plan_begin(&m, nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	nl_put_u32(&m, ITME_A_STAGE_INDEX, index);
	plan_range(&m, object, off, len);
	nl_nest_end(&m, nest);
	return plan_set(nl, &m, NULL);
}

TEST_F(plan_args, refusals)
{
	uint32_t id, plan = 0;
	size_t nest, range;
	struct nl_msg m;
	struct nl nl;
	int fd, gone, nr = 0;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	id = id_of(fd);

	plan_begin(&m, &nl, true);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("the plan has no stages and no triggers", nl.why);
	plan_begin(&m, &nl, true);
	plan_stage(&m, id, 0, SMALL);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("stage 1: has no range", nl.why);
	EXPECT_NE(0, nl.bad);
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	plan_range(&m, id, 0, SMALL);
	plan_range(&m, id, 0, 0);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("stage 0, range 1: is empty", nl.why);
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	range = nl_nest(&m, ITME_A_STAGE_RANGE);
	nl_put_u32(&m, ITME_A_RANGE_OBJECT, id);
	nl_nest_end(&m, range);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("stage 0, range 0: has no length", nl.why);
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	range = nl_nest(&m, ITME_A_STAGE_RANGE);
	nl_put_u32(&m, ITME_A_RANGE_LENGTH, SMALL);
	nl_nest_end(&m, range);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("stage 0, range 0: has no object", nl.why);

	EXPECT_EQ(-ENOENT, one_stage(&nl, 3, id + 1, 0, SMALL));
	EXPECT_TRUE(!strncmp("stage 3, range 0: there is no object ", nl.why, 37))
		TH_LOG("%s", nl.why);
	EXPECT_EQ(-ERANGE, one_stage(&nl, 0, 0, 0, SMALL));
	EXPECT_EQ(-ERANGE, one_stage(&nl, 0, id, SIZE, 1));
	EXPECT_TRUE(strstr(nl.why, "stage 0, range 0: ends after the end of object"))
		TH_LOG("%s", nl.why);
	EXPECT_EQ(-ERANGE, one_stage(&nl, 0, id, 0, SIZE + 1));
	EXPECT_EQ(-ERANGE, one_stage(&nl, 0, id, PAGE, UINT64_MAX));
	EXPECT_EQ(-ERANGE, one_stage(&nl, 0, id, UINT64_MAX, 1));
	EXPECT_EQ(-E2BIG, one_stage(&nl, RUNS_MAX, id, 0, SMALL));
	EXPECT_EQ(-E2BIG, one_stage(&nl, UINT32_MAX, id, 0, SMALL));
	EXPECT_TRUE(strstr(nl.why, "more than 65536 stages"));

	/* stages are in order */
	plan_begin(&m, &nl, true);
	for (uint32_t i = 2; i--;) {
		nest = nl_nest(&m, ITME_A_PLAN_STAGE);
		nl_put_u32(&m, ITME_A_STAGE_INDEX, i);
		plan_range(&m, id, 0, SMALL);
		nl_nest_end(&m, nest);
	}
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("stage 0: comes after stage 1", nl.why);

	/* a file that is removed, one that is gone */
	gone = import_open("g", SIZE, 2, SMALL);
	ASSERT_LE(0, gone);
	ASSERT_EQ(0, file_unlink("g"));
	EXPECT_EQ(-ENOENT, one_stage(&nl, 0, id_of(gone), 0, SMALL));
	close(gone);

	/* a plan that is not there */
	plan_begin(&m, &nl, true);
	nl_put_u32(&m, ITME_A_PLAN_ID, 99);
	plan_stage(&m, id, 0, SMALL);
	EXPECT_EQ(-ENOENT, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("there is no plan 99", nl.why);
	EXPECT_EQ(-ENOENT, plan_get(&nl, 99));
	EXPECT_EQ(-ENOENT, plan_del(&nl, 99));
	EXPECT_EQ(-ENOENT, plan_step(&nl, 99, 0));
	EXPECT_STREQ("there is no plan 99", nl.why);
	nl_begin(&m, &nl, ITME_CMD_PLAN_GET);
	nl_put_u32(&m, ITME_A_PLAN_ID, 99);
	EXPECT_EQ(-ENOENT, nl_dump(&nl, &m, count_all, &nr));
	EXPECT_EQ(0, nr_plans(&nl));

	plan_begin(&m, &nl, true);
	plan_stage(&m, id, 0, SMALL);
	plan_stage(&m, id, SMALL, SMALL);
	ASSERT_EQ(0, plan_set(&nl, &m, &plan));
	EXPECT_EQ(-ERANGE, plan_step(&nl, plan, 2));
	EXPECT_TRUE(strstr(nl.why, "has no stage 2"));
	EXPECT_EQ(0, plan_step(&nl, plan, 1));
	/* too many, and then no more */
	for (uint32_t i = 1; i < 64; i++)
		ASSERT_EQ(0, one_stage(&nl, 0, id, 0, SMALL));
	EXPECT_EQ(64, nr_plans(&nl));
	EXPECT_EQ(-ENOSPC, one_stage(&nl, 0, id, 0, SMALL));
	EXPECT_STREQ("there are 64 plans already", nl.why);
	/* to replace one is none more */
	plan_begin(&m, &nl, true);
	nl_put_u32(&m, ITME_A_PLAN_ID, plan);
	plan_stage(&m, id, 0, SIZE);
	EXPECT_EQ(0, plan_set(&nl, &m, NULL));
	EXPECT_EQ(64, nr_plans(&nl));
	ASSERT_EQ(0, plan_get(&nl, plan));
	EXPECT_EQ(1, nl_reply_uint(&nl, ITME_A_PLAN_STAGES));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	nl_close(&nl);
}

TEST_F(plan_args, what_was_set)
{
	uint32_t id, plan = 0;
	struct nl_msg m;
	struct nl nl;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	id = id_of(fd);
	plan_begin(&m, &nl, true);
	nl_put_str(&m, ITME_A_PLAN_NAME, "decode");
	nl_put_uint(&m, ITME_A_PLAN_LOOKAHEAD, 1);
	nl_put_uint(&m, ITME_A_PLAN_BUDGET, 1ULL << 40);
	/* overlapping, and not whole chunks */
	plan_stage(&m, id, 1, 2 * SMALL);
	plan_stage(&m, id, SMALL, 4 * SMALL);
	ASSERT_EQ(0, plan_set(&nl, &m, &plan)) TH_LOG("%s", nl.why);
	EXPECT_NE(0, plan);
	ASSERT_EQ(0, plan_get(&nl, plan));
	EXPECT_EQ(plan, nl_reply_uint(&nl, ITME_A_PLAN_ID));
	EXPECT_STREQ("decode", nl_data(nl_attr(&nl, ITME_A_PLAN_NAME)));
	EXPECT_TRUE(nl_has(&nl, ITME_A_PLAN_CYCLIC));
	EXPECT_EQ(PAGE, nl_reply_uint(&nl, ITME_A_PLAN_LOOKAHEAD));
	EXPECT_EQ(1ULL << 40, nl_reply_uint(&nl, ITME_A_PLAN_BUDGET));
	EXPECT_EQ(2, nl_reply_uint(&nl, ITME_A_PLAN_STAGES));
	EXPECT_EQ(7, nl_reply_uint(&nl, ITME_A_PLAN_LENGTH));
	EXPECT_EQ(5 * SMALL, nl_reply_uint(&nl, ITME_A_PLAN_BYTES));
	/* all of it stays, as it fits */
	EXPECT_EQ(5 * SMALL, nl_reply_uint(&nl, ITME_A_PLAN_DRAM));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_PLAN_PASSES));
	EXPECT_FALSE(nl_has(&nl, ITME_A_PLAN_CYCLE));
	EXPECT_FALSE(nl_has(&nl, ITME_A_PLAN_CURSOR));
	EXPECT_EQ(0, plan_step(&nl, plan, 1));
	ASSERT_EQ(0, plan_get(&nl, plan));
	EXPECT_EQ(1, nl_reply_uint(&nl, ITME_A_PLAN_AT));
	EXPECT_TRUE(nl_has(&nl, ITME_A_PLAN_CURSOR));
	ASSERT_EQ(0, plan_del(&nl, plan));
	EXPECT_EQ(-ENOENT, plan_get(&nl, plan));
	nl_close(&nl);
}

/* ranges @from to @to of a plan that goes back and forth in the file */
static void put_part(struct nl_msg *m, uint32_t id, uint32_t from, uint32_t to,
		     uint32_t per_stage)
{
	size_t nest = 0;
	bool open = false;

	for (uint32_t i = from; i < to; i++) {
		uint32_t chunk = i % 2 ? 63 - i / 2 % 31 : i / 2 % 31;

		if (!open) {
			nest = nl_nest(m, ITME_A_PLAN_STAGE);
			nl_put_u32(m, ITME_A_STAGE_INDEX, i / per_stage);
			open = true;
		}
		plan_range(m, id, chunk * SMALL, SMALL);
		if (i + 1 == to || (i + 1) / per_stage != i / per_stage ||
		    m->len - nest > 60000) {
			nl_nest_end(m, nest);
			open = false;
		}
	}
}

/* in messages of @part ranges; 0 or -errno of the first that failed */
static int set_large(struct nl *nl, uint32_t id, uint32_t nr, uint32_t part,
		     uint32_t per_stage, uint32_t *plan)
{
	struct nl_msg m;
	int err = 0;

	for (uint32_t i = 0; i < nr && !err; i += part) {
		plan_begin(&m, nl, !i);
		put_part(&m, id, i, i + part < nr ? i + part : nr, per_stage);
		if (i + part < nr)
			nl_put_flag(&m, ITME_A_PLAN_MORE);
		err = plan_set(nl, &m, plan);
	}
	return err;
}

struct seen {
	uint32_t nr;
	uint32_t stages;
	uint32_t messages;
	bool right;
	uint32_t id;
	uint32_t per_stage;
};

static void see(const void *attrs, size_t len, void *arg)
{
	const struct nlattr *stage = NULL, *range;
	struct seen *s = arg;

	s->messages++;
	s->stages += nl_uint(nl_find(attrs, len, ITME_A_PLAN_STAGES, NULL));
	while ((stage = nl_find(attrs, len, ITME_A_PLAN_STAGE, stage))) {
		const void *in = nl_data(stage);
		size_t inner = nl_len(stage);
		uint32_t index = nl_uint(nl_find(in, inner, ITME_A_STAGE_INDEX,
						 NULL));

		range = NULL;
		while ((range = nl_find(in, inner, ITME_A_STAGE_RANGE, range))) {
			uint32_t i = s->nr++;
			uint32_t chunk = i % 2 ? 63 - i / 2 % 31 : i / 2 % 31;
			const void *a = nl_data(range);
			size_t n = nl_len(range);
			uint64_t object, off, length;

			object = nl_uint(nl_find(a, n, ITME_A_RANGE_OBJECT, NULL));
			off = nl_uint(nl_find(a, n, ITME_A_RANGE_OFFSET, NULL));
			length = nl_uint(nl_find(a, n, ITME_A_RANGE_LENGTH, NULL));
			s->right &= index == i / s->per_stage && object == s->id &&
				    off == chunk * SMALL && length == SMALL;
		}
	}
}

static int dump_stages(struct nl *nl, uint32_t plan, struct seen *s)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_PLAN_GET);
	nl_put_u32(&m, ITME_A_PLAN_ID, plan);
	return nl_dump(nl, &m, see, s);
}

/* As large as can be, with few stages and with many, and back the same. */
TEST_F_TIMEOUT(plan_args, large, 300)
{
	static const uint32_t per_stage[] = { 1, 2, 30000, RUNS_MAX };
	struct nl nl;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_LEN(per_stage); i++) {
		struct seen s = { .right = true, .id = id_of(fd),
				  .per_stage = per_stage[i] };
		uint32_t plan = 0;

		ASSERT_EQ(0, set_large(&nl, s.id, RUNS_MAX, 1500, per_stage[i],
				       &plan)) TH_LOG("%s", nl.why);
		ASSERT_EQ(0, dump_stages(&nl, plan, &s));
		EXPECT_EQ(RUNS_MAX, s.nr);
		EXPECT_TRUE(s.right);
		EXPECT_EQ((RUNS_MAX + per_stage[i] - 1) / per_stage[i], s.stages);
		EXPECT_LT(20, s.messages);
		EXPECT_FALSE(nl.interrupted);
		/* it works, and can be looked at while it does */
		EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
		EXPECT_EQ(0, plan_get(&nl, plan));
		EXPECT_EQ(0, plan_del(&nl, plan));
	}
	EXPECT_EQ(-E2BIG, set_large(&nl, id_of(fd), RUNS_MAX + 1, 1500, RUNS_MAX,
				    NULL));
	EXPECT_TRUE(strstr(nl.why, "more than 65536 ranges")) TH_LOG("%s", nl.why);
	EXPECT_EQ(0, nr_plans(&nl));
	nl_close(&nl);
}

/* A plan in parts belongs to its socket, and a wrong part ends it. */
TEST_F(plan_args, parts)
{
	struct nl nl, other, many[17];
	uint32_t id, plan = 0;
	struct nl_msg m;
	int fd, gone, i;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, nl_open(&other));
	fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	id = id_of(fd);

#define BEGIN(nl)						\
	do {							\
		plan_begin(&m, nl, true);			\
		plan_stage(&m, id, 0, SMALL);			\
		nl_put_flag(&m, ITME_A_PLAN_MORE);		\
		ASSERT_EQ(0, plan_set(nl, &m, NULL));		\
	} while (0)

	/* two at a time */
	BEGIN(&nl);
	BEGIN(&other);
	EXPECT_EQ(0, nr_plans(&nl));
	plan_begin(&m, &nl, false);
	plan_stage(&m, id, SMALL, SMALL);
	ASSERT_EQ(0, plan_set(&nl, &m, &plan));
	ASSERT_EQ(0, plan_get(&nl, plan));
	EXPECT_EQ(2, nl_reply_uint(&nl, ITME_A_PLAN_STAGES));
	EXPECT_TRUE(nl_has(&nl, ITME_A_PLAN_CYCLIC));
	/* the last message may be empty */
	plan_begin(&m, &other, false);
	ASSERT_EQ(0, plan_set(&other, &m, &plan));
	ASSERT_EQ(0, plan_get(&nl, plan));
	EXPECT_EQ(1, nl_reply_uint(&nl, ITME_A_PLAN_STAGES));
	EXPECT_EQ(2, nr_plans(&nl));

	/* what is wrong ends it: the next message begins another one */
	BEGIN(&nl);
	plan_begin(&m, &nl, true);
	plan_stage(&m, id, 0, SMALL);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("this belongs into the first message of a plan", nl.why);
	BEGIN(&nl);
	plan_begin(&m, &nl, false);
	plan_stage(&m, id, SIZE, SMALL);
	EXPECT_EQ(-ERANGE, plan_set(&nl, &m, NULL));
	EXPECT_TRUE(strstr(nl.why, "stage 1, range 0")) TH_LOG("%s", nl.why);
	plan_begin(&m, &nl, false);
	EXPECT_EQ(-EINVAL, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("the plan has no stages and no triggers", nl.why);
	EXPECT_EQ(2, nr_plans(&nl));

	/* files that go before it is complete */
	gone = import_open("g", SIZE, 2, SMALL);
	ASSERT_LE(0, gone);
	plan_begin(&m, &nl, true);
	plan_stage(&m, id_of(gone), 0, SMALL);
	nl_put_flag(&m, ITME_A_PLAN_MORE);
	ASSERT_EQ(0, plan_set(&nl, &m, NULL));
	ASSERT_EQ(0, file_unlink("g"));
	close(gone);
	usleep(100000);
	plan_begin(&m, &nl, false);
	EXPECT_EQ(-ESTALE, plan_set(&nl, &m, NULL));
	EXPECT_STREQ("all files of the plan are gone", nl.why);

	/* a bounded number of them, and none left when the socket is closed */
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, nl_open(&many[i]));
		BEGIN(&many[i]);
	}
	ASSERT_EQ(0, nl_open(&many[i]));
	plan_begin(&m, &many[i], true);
	plan_stage(&m, id, 0, SMALL);
	EXPECT_EQ(-EBUSY, plan_set(&many[i], &m, NULL));
	nl_close(&many[0]);
	BEGIN(&many[i]);
	/* nor after an unmount */
	close(fd);
	ASSERT_EQ(0, itme_umount());
	MOUNT("dram=16M");
	plan_begin(&m, &many[i], false);
	EXPECT_EQ(-EINVAL, plan_set(&many[i], &m, NULL));
	EXPECT_STREQ("the plan has no stages and no triggers", many[i].why);
	while (i)
		nl_close(&many[i--]);
	nl_close(&other);
	nl_close(&nl);
}

struct changer {
	uint32_t id;
	uint32_t plan;
	bool stop;
	long changes;
	int err;
};

static void *changer(void *arg)
{
	struct changer *c = arg;
	struct nl_msg m;
	struct nl nl;

	c->err = nl_open(&nl);
	while (!c->err && !__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		uint32_t plan = 0;

		plan_begin(&m, &nl, true);
		plan_stage(&m, c->id, 0, SIZE);
		c->err = plan_set(&nl, &m, &plan) ?: plan_del(&nl, plan);
		c->changes++;
	}
	nl_close(&nl);
	return NULL;
}

/* A dump that others change the plans under says so, and goes on. */
TEST_F(plan_args, changes_under_a_dump)
{
	struct changer c = {};
	int interrupted = 0, i;
	uint32_t plan = 0;
	struct nl nl;
	pthread_t t;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	fd = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, fd);
	c.id = id_of(fd);
	ASSERT_EQ(0, set_large(&nl, c.id, 20000, 1500, 3, &plan));
	ASSERT_EQ(0, pthread_create(&t, NULL, changer, &c));
	for (i = 0; i < 10; i++) {
		struct seen s = { .right = true, .id = c.id, .per_stage = 3 };

		ASSERT_EQ(0, dump_stages(&nl, plan, &s));
		EXPECT_EQ(20000, s.nr);
		EXPECT_TRUE(s.right);
		interrupted += nl.interrupted;
		EXPECT_LE(1, nr_plans(&nl));
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	EXPECT_EQ(0, c.err);
	EXPECT_LT(0, c.changes);
	EXPECT_LT(0, interrupted);
	nl_close(&nl);
}

TEST_HARNESS_MAIN
