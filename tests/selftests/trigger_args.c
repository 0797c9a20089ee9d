// SPDX-License-Identifier: GPL-2.0
/* What triggers may be made of, what is refused, and what is told of them. */
#include "fixture.h"
#include "nl.h"

#define SMALL	(64 * KIB)
#define SIZE	(64 * SMALL)

FIXTURE(trigger_args)
{
	struct nl nl;
	struct nl_msg m;
	int fd;
	uint32_t id;
};

ITME_FIXTURE(trigger_args)

#define OPEN()								\
do {									\
	struct itme_object o = {};					\
									\
	MOUNT("dram=16M");						\
	ASSERT_EQ(0, nl_open(&self->nl));				\
	self->fd = import_open("f", SIZE, 1, SMALL);			\
	ASSERT_LE(0, self->fd);						\
	ASSERT_EQ(0, object(self->fd, &o));				\
	self->id = o.id;						\
} while (0)

/* one trigger with @nr targets that are alike */
static int one(struct nl *nl, uint32_t object, uint64_t off, uint64_t len, uint32_t to,
	       uint64_t to_off, uint64_t to_len, int nr)
{
	struct nl_msg m;
	size_t nest;

	plan_begin(&m, nl, false);
	nest = plan_trigger(&m, object, off, len);
	while (nr--)
		plan_target(&m, to, to_off, to_len);
	nl_nest_end(&m, nest);
	return plan_set(nl, &m, NULL);
}

#define ONE(...)	one(&self->nl, __VA_ARGS__)
#define WHY(text)	EXPECT_TRUE(strstr(self->nl.why, text)) TH_LOG("%s", self->nl.why)

TEST_F(trigger_args, refusals)
{
	uint32_t id;
	size_t nest;

	OPEN();
	id = self->id;
	EXPECT_EQ(-EINVAL, ONE(id, 0, PAGE, id, 0, PAGE, 0));
	WHY("trigger 0: has no target");
	EXPECT_NE(0, self->nl.bad);
	plan_begin(&self->m, &self->nl, false);
	nest = nl_nest(&self->m, ITME_A_PLAN_TRIGGER);
	plan_target(&self->m, id, 0, PAGE);
	nl_nest_end(&self->m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&self->nl, &self->m, NULL));
	WHY("trigger 0: has no source");
	plan_begin(&self->m, &self->nl, false);
	nest = nl_nest(&self->m, ITME_A_PLAN_TRIGGER);
	nl_nest_end(&self->m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&self->nl, &self->m, NULL));
	EXPECT_EQ(-EINVAL, ONE(id, 0, 0, id, 0, PAGE, 1));
	WHY("trigger 0, source: is empty");
	EXPECT_EQ(-EINVAL, ONE(id, 0, PAGE, id, 0, 0, 1));
	WHY("trigger 0, target 0: is empty");
	EXPECT_EQ(-ERANGE, ONE(id, SIZE, 1, id, 0, PAGE, 1));
	WHY("trigger 0, source: ends after the end of object");
	EXPECT_EQ(-ERANGE, ONE(id, 0, PAGE, id, 1, SIZE, 1));
	WHY("trigger 0, target 0: ends after the end of object");
	EXPECT_EQ(-ERANGE, ONE(id, UINT64_MAX, 2, id, 0, PAGE, 1));
	EXPECT_EQ(-ERANGE, ONE(id, 0, PAGE, id, 2, UINT64_MAX, 1));
	EXPECT_EQ(-ENOENT, ONE(id + 1, 0, PAGE, id, 0, PAGE, 1));
	WHY("trigger 0, source: there is no object");
	EXPECT_EQ(-ENOENT, ONE(id, 0, PAGE, id + 1, 0, PAGE, 1));
	WHY("trigger 0, target 0: there is no object");
	EXPECT_EQ(-E2BIG, ONE(id, 0, PAGE, id, 0, PAGE, 65));
	WHY("trigger 0, target 64: more than 64 targets");
	EXPECT_EQ(0, ONE(id, 0, PAGE, id, 0, PAGE, 64));
	/* to the last byte */
	EXPECT_EQ(0, ONE(id, SIZE - 1, 1, id, SIZE - 1, 1, 1));

	/* an attribute that is none, one cut off */
	plan_begin(&self->m, &self->nl, false);
	nest = plan_trigger(&self->m, id, 0, PAGE);
	plan_target(&self->m, id, 0, PAGE);
	nl_put_u32(&self->m, 77, 1);
	nl_nest_end(&self->m, nest);
	EXPECT_EQ(-EINVAL, plan_set(&self->nl, &self->m, NULL));
	plan_begin(&self->m, &self->nl, false);
	nl_put_u32(&self->m, ITME_A_PLAN_TRIGGER, 1);
	EXPECT_GT(0, plan_set(&self->nl, &self->m, NULL));
	nl_close(&self->nl);
}

/* a message each 1000 targets */
static int many(struct nl *nl, uint32_t object, uint32_t nr, uint32_t targets, uint32_t *plan)
{
	int err = 0;

	for (uint32_t i = 0; i < nr && !err;) {
		struct nl_msg m;

		plan_begin(&m, nl, false);
		for (uint32_t end = i + 1000 / targets; i < nr && i < end; i++) {
			size_t nest = plan_trigger(&m, object, i * 64 % SIZE, 64);

			for (uint32_t j = 0; j < targets; j++)
				plan_target(&m, object, (i + j) * SMALL % SIZE, 1);
			nl_nest_end(&m, nest);
		}
		if (i < nr)
			nl_put_flag(&m, ITME_A_PLAN_MORE);
		err = plan_set(nl, &m, plan);
	}
	return err;
}

TEST_F(trigger_args, as_many_as_there_may_be)
{
	uint32_t plan;
	char byte;

	OPEN();
	EXPECT_EQ(-E2BIG, many(&self->nl, self->id, 65537, 1, &plan));
	WHY("trigger 65536, source: more than 65536 triggers");
	EXPECT_EQ(-E2BIG, many(&self->nl, self->id, 131072 / 50 + 1, 50, &plan));
	WHY("131072 of all triggers");
	ASSERT_EQ(0, many(&self->nl, self->id, 65536, 2, &plan));
	ASSERT_EQ(0, plan_get(&self->nl, plan));
	EXPECT_EQ(65536, nl_reply_uint(&self->nl, ITME_A_PLAN_TRIGGERS));
	EXPECT_EQ(131072, nl_reply_uint(&self->nl, ITME_A_PLAN_TARGETS));
	/* 64 sources in each page */
	for (uint64_t off = 0; off < SIZE; off += PAGE)
		ASSERT_EQ(1, pread(self->fd, &byte, 1, off));
	ASSERT_EQ(0, plan_get(&self->nl, plan));
	EXPECT_EQ(65536, nl_reply_uint(&self->nl, ITME_A_PLAN_FIRED));
	ASSERT_EQ(0, check_mapped(self->fd, 0, SIZE, 1));
	EXPECT_EQ(0, plan_del(&self->nl, plan));
	nl_close(&self->nl);
}

/* what is told of a plan is what was set, and can be set again */
struct told {
	uint32_t triggers;
	uint32_t targets;
	uint32_t wrong;
	struct nl_msg m;
};

static void tell(const void *attrs, size_t len, void *arg)
{
	struct told *t = arg;
	const struct nlattr *a = NULL;

	while ((a = nl_find(attrs, len, ITME_A_PLAN_TRIGGER, a))) {
		const struct nlattr *source = nl_find(nl_data(a), nl_len(a),
						      ITME_A_TRIGGER_SOURCE, NULL);
		const struct nlattr *target = NULL;
		uint64_t off = nl_uint(nl_find(nl_data(source), nl_len(source),
					       ITME_A_RANGE_OFFSET, NULL));

		t->wrong += off != t->triggers * 3 * PAGE;
		while ((target = nl_find(nl_data(a), nl_len(a), ITME_A_TRIGGER_TARGET, target)))
			t->targets++;
		nl_put(&t->m, ITME_A_PLAN_TRIGGER | NLA_F_NESTED, nl_data(a), nl_len(a));
		t->triggers++;
	}
}

TEST_F(trigger_args, told_as_set)
{
	struct told t = {}, u = {};
	uint32_t plan, again;
	struct nl_msg m;
	size_t nest;

	OPEN();
	plan_begin(&m, &self->nl, true);
	for (uint32_t i = 300; i--;) {
		/* told by page, and sorted */
		nest = plan_trigger(&m, self->id, i * 3 * PAGE, PAGE);
		for (uint32_t j = 0; j <= i % 3; j++)
			plan_target(&m, self->id, (i + j) % 64 * SMALL, SMALL);
		nl_nest_end(&m, nest);
		if (i % 100 == 50)
			plan_stage(&m, self->id, i % 64 * SMALL, SMALL);
	}
	ASSERT_EQ(0, plan_set(&self->nl, &m, &plan));
	for (int i = 0; i < 2; i++) {
		struct told *x = i ? &u : &t;

		plan_begin(&x->m, &self->nl, false);
		nl_begin(&m, &self->nl, ITME_CMD_PLAN_GET);
		nl_put_u32(&m, ITME_A_PLAN_ID, i ? again : plan);
		ASSERT_EQ(0, nl_dump(&self->nl, &m, tell, x));
		EXPECT_EQ(300, x->triggers);
		EXPECT_EQ(600, x->targets);
		EXPECT_EQ(0, x->wrong);
		if (i)
			nl_free(&x->m);
		else
			ASSERT_EQ(0, plan_set(&self->nl, &x->m, &again));
	}
	nl_close(&self->nl);
}

/* a file counts each plan once, in whatever part it is */
TEST_F(trigger_args, counted_once)
{
	struct nl_msg m;
	uint32_t plan;
	size_t nest;

	OPEN();
	plan_begin(&m, &self->nl, true);
	plan_stage(&m, self->id, 0, SIZE);
	nest = plan_trigger(&m, self->id, 0, PAGE);
	plan_target(&m, self->id, SMALL, SMALL);
	nl_nest_end(&m, nest);
	ASSERT_EQ(0, plan_set(&self->nl, &m, &plan));
	nl_begin(&m, &self->nl, ITME_CMD_OBJECT_GET);
	nl_put_u32(&m, ITME_A_OBJECT_ID, self->id);
	ASSERT_EQ(0, nl_do(&self->nl, &m));
	EXPECT_EQ(1, nl_reply_uint(&self->nl, ITME_A_OBJECT_PLANS));
	EXPECT_EQ(0, plan_del(&self->nl, plan));
	nl_begin(&m, &self->nl, ITME_CMD_OBJECT_GET);
	nl_put_u32(&m, ITME_A_OBJECT_ID, self->id);
	ASSERT_EQ(0, nl_do(&self->nl, &m));
	EXPECT_EQ(0, nl_reply_uint(&self->nl, ITME_A_OBJECT_PLANS));
	nl_close(&self->nl);
}

TEST_HARNESS_MAIN
