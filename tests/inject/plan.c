// SPDX-License-Identifier: GPL-2.0
/* Requests by netlink, plans and their reading ahead, ranges that are asked for and waited for. */
#include <poll.h>

#include "nl.h"
#include "program.h"

#define SMALL	(256 * KIB)
#define NR	16
#define SIZE	(NR * SMALL)
#define PATIENCE	10000000000LL

static int file = -1;
static uint32_t object_id;
static uint32_t plan;
static struct nl nl = { .fd = -1 };

FIXTURE(planned) {};
INJECT_FIXTURE(planned)

static void open_file(struct __test_metadata *_metadata)
{
	struct itme_object o = {};

	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, object(file, &o));
	object_id = o.id;
}

/* Not a late answer to one that failed. */
static int new_socket(void)
{
	if (nl.fd >= 0)
		nl_close(&nl);
	return nl_open(&nl);
}

/* Every second chunk, twice over, and a trigger. */
static int set_plan(void)
{
	struct nl_msg m;
	size_t nest;

	plan_begin(&m, &nl, true);
	for (uint64_t i = 0; i < NR; i += 2)
		plan_stage(&m, object_id, i * SMALL, SMALL);
	nest = plan_trigger(&m, object_id, SMALL, PAGE);
	plan_target(&m, object_id, 3 * SMALL, SMALL);
	plan_target(&m, object_id, 5 * SMALL, PAGE);
	nl_nest_end(&m, nest);
	plan = 0;
	return plan_set(&nl, &m, &plan);
}

static uint32_t seen;

static void see(const void *attrs, size_t len, void *arg)
{
	const struct nlattr *id = nl_find(attrs, len, ITME_A_PLAN_ID, NULL);

	(void)arg;
	/* one plan may take several messages */
	if (id && nl_uint(id) != seen)
		seen = seen ? UINT32_MAX : nl_uint(id);
}

/* The one plan there is: its number, 0 none, UINT32_MAX several; or -errno. */
static int64_t plan_there(void)
{
	struct nl_msg m;
	int ret = new_socket();

	if (ret)
		return ret;
	seen = 0;
	nl_begin(&m, &nl, ITME_CMD_PLAN_GET);
	ret = nl_dump(&nl, &m, see, NULL);
	return ret ?: (int64_t)seen;
}

static int no_plan(void)
{
	int64_t id = plan_there();

	return id < 0 ? id : id ? -EEXIST : 0;
}

static int with_plan(void)
{
	return no_plan() ?: set_plan();
}

/* Done or not, the answer was lost on its way: no room for it, or it could not be copied. */
static bool unanswered(int ret)
{
	return ret == -ENOBUFS || ret == -EFAULT;
}

/* Other errors say that nothing was done. */
static const char *one_or_none(int ret)
{
	int64_t id = plan_there();

	if (id < 0)
		return "the plans cannot be listed";
	if (id && plan_del(&nl, id))
		return "the plan cannot be deleted";
	if (!ret && id != plan)
		return "not the one plan that was set";
	if (ret && !unanswered(ret) && id)
		return "a plan, though it failed";
	if (drop_all(file))
		return "what was read ahead does not leave";
	return accounted(file);
}

static int delete_plan(void)
{
	return plan_del(&nl, plan);
}

static const char *is_deleted(int ret)
{
	int64_t id = plan_there();

	if (id < 0)
		return "the plans cannot be listed";
	if (id && plan_del(&nl, id))
		return "the plan cannot be deleted";
	if (ret && !unanswered(ret) && id != plan)
		return "no plan any more, though it failed";
	return !ret && id ? "a plan that was deleted" : accounted(file);
}

/* In the order of the plan, by whatever the plan has read and has not. */
static int use_plan(void)
{
	static char buf[PAGE];

	for (int pass = 0; pass < 2; pass++)
		for (uint64_t i = 0; i < NR; i += 2)
			if (pread(file, buf, PAGE, i * SMALL) != PAGE)
				return -errno;
	/* the source of the trigger */
	return pread(file, buf, PAGE, SMALL) == PAGE ? 0 : -errno;
}

static const char *plan_stays(int ret)
{
	(void)ret;
	if (check_read(file, 0, SIZE, 1))
		return "wrong content";
	return one_or_none(0);
}

static int get_plan(void)
{
	int ret = plan_get(&nl, plan);

	return ret ?: nl_reply_uint(&nl, ITME_A_PLAN_ID) == plan ? 0 : -EPROTO;
}

static int step_plan(void)
{
	return plan_step(&nl, plan, 3);
}

static int by_number(uint8_t cmd, uint16_t attr)
{
	struct nl_msg m;

	nl_begin(&m, &nl, cmd);
	if (attr)
		nl_put_u32(&m, attr, cmd == ITME_CMD_OBJECT_GET ? object_id : 0);
	return nl_do(&nl, &m) ?: nl.reply_len ? 0 : -EPROTO;
}

static int get_object(void)
{
	return by_number(ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID);
}

static int get_tier(void)
{
	return by_number(ITME_CMD_TIER_GET, ITME_A_TIER_TIER);
}

static int get_stats(void)
{
	return by_number(ITME_CMD_STATS_GET, 0);
}

static int fresh(void)
{
	return new_socket();
}

static const char *nothing_new(int ret)
{
	(void)ret;
	return accounted(file);
}

TEST_F(planned, set)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "plan set", .kinds = MEMORY, .must = ON(TASK) | ON(SLAB),
		.may = { ENOBUFS }, .before = no_plan, .run = set_plan, .after = one_or_none,
		.late = &file,
	}));
}

TEST_F(planned, use)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "use of what is planned", .kinds = ON(SLAB) | ON(PAGES) | IO,
		.must = ON(SLAB) | ON(PAGES) | IO, .before = with_plan, .run = use_plan,
		.after = plan_stays, .late = &file,
	}));
}

TEST_F(planned, requests)
{
	const struct op ops[] = {
		{ .name = "plan get", .before = with_plan, .run = get_plan, .after = one_or_none },
		{ .name = "plan step", .before = with_plan, .run = step_plan,
		  .after = one_or_none },
		{ .name = "plan delete", .before = with_plan, .run = delete_plan,
		  .after = is_deleted },
		{ .name = "object get", .before = fresh, .run = get_object, .after = nothing_new },
		{ .name = "tier get", .before = fresh, .run = get_tier, .after = nothing_new },
		{ .name = "stats get", .before = fresh, .run = get_stats, .after = nothing_new },
	};

	open_file(_metadata);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct op op = ops[i];

		/* what a plan has read is made to fail above */
		op.kinds = op.run == step_plan || op.run == delete_plan ? ON(TASK) : MEMORY;
		op.must = ON(TASK);
		op.may[0] = ENOBUFS;
		op.late = &file;
		if (op.after == one_or_none)
			op.after = plan_stays;
		SWEEP(&op);
	}
}

/* Two ranges, and what comes of them is waited for. */
static int prefetch_two(void)
{
	const struct itme_span spans[] = { { SMALL, SMALL }, { 4 * SMALL, 2 * SMALL } };
	struct itme_prefetch_result r;
	struct pollfd p = { .events = POLLIN };
	int ret;

	p.fd = prefetch(file, spans, ARRAY_LEN(spans), ANY, NULL);
	if (p.fd < 0)
		return p.fd;
	ret = poll(&p, 1, 30000);
	if (ret == 1)
		ret = prefetch_result(p.fd, &r);
	else
		ret = ret ? -errno : -ETIMEDOUT;
	if (!ret && r.bytes + r.missing != 3 * SMALL)
		ret = -EPROTO;
	close(p.fd);
	/* what could not be read is told, no error; that it can be is of no use then */
	return ret ?: r.missing ? -EIO : 0;
}

static int wait_some(void)
{
	struct itme_wait w;
	int ret = advise(file, 2 * SMALL, 2 * SMALL, ITME_ADVICE_WILLNEED, ANY, NULL);

	return ret ?: wait_range(file, 2 * SMALL, 2 * SMALL, PATIENCE, &w);
}

static int gone(void)
{
	return drop_all(file);
}

static const char *right(int ret)
{
	(void)ret;
	if (check_read(file, 0, SIZE, 1))
		return "wrong content";
	return accounted(file);
}

TEST_F(planned, ranges)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "PREFETCH", .kinds = MEMORY | IO | ON(COPY),
		.must = ON(TASK) | ON(SLAB) | ON(PAGES) | IO | ON(COPY), .may = { EMFILE, ENFILE },
		.before = gone, .run = prefetch_two, .after = right, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "WAIT", .kinds = MEMORY | IO | ON(COPY), .must = IO | ON(COPY),
		.before = gone, .run = wait_some, .after = right, .late = &file,
	}));
}

INJECT_NO_LEAK
