// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink family itme: what it says of tiers, objects and counters, and to
 * whom, and messages that are wrong or come while nothing is mounted.
 */
#include <limits.h>
#include <pthread.h>

#include "fixture.h"
#include "request.h"

#define MANY	2000

FIXTURE(netlink) {};
ITME_FIXTURE(netlink)

TEST_F(netlink, without_a_mount)
{
	static const uint8_t dos[] = {
		ITME_CMD_TIER_GET, ITME_CMD_TIER_SET, ITME_CMD_OBJECT_GET,
		ITME_CMD_ADVISE, ITME_CMD_PLAN_SET, ITME_CMD_PLAN_GET,
		ITME_CMD_PLAN_DEL, ITME_CMD_PLAN_STEP, ITME_CMD_STATS_GET,
		ITME_CMD_CONFIG_GET, ITME_CMD_CONFIG_SET,
	};
	struct nl nl;

	OPEN(&nl);
	for (size_t i = 0; i < ARRAY_LEN(dos); i++) {
		EXPECT_EQ(-ENODEV, ask(&nl, dos[i], 0, 0))
			TH_LOG("command %u", dos[i]);
		EXPECT_STREQ("no itmefs is mounted", nl.why);
	}
	EXPECT_EQ(-ENODEV, dump_count(&nl, ITME_CMD_TIER_GET));
	EXPECT_EQ(-ENODEV, dump_count(&nl, ITME_CMD_OBJECT_GET));
	EXPECT_EQ(-ENODEV, dump_count(&nl, ITME_CMD_PLAN_GET));
	EXPECT_STREQ("no itmefs is mounted", nl.why);
	/* the module can go while a socket is open */
	nl_close(&nl);
}

TEST_F(netlink, tiers)
{
	struct itme_tier_info ti;
	struct nl nl;

	MOUNT("dram=16M");
	OPEN(&nl);
	ASSERT_EQ(0, ask(&nl, ITME_CMD_TIER_GET, ITME_A_TIER_TIER, DRAM));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(DRAM, nl_reply_uint(&nl, ITME_A_TIER_TIER));
	EXPECT_EQ(16 * MIB, nl_reply_uint(&nl, ITME_A_TIER_BUDGET));
	EXPECT_EQ(ti.capacity, nl_reply_uint(&nl, ITME_A_TIER_CAPACITY));
	EXPECT_TRUE(nl_has(&nl, ITME_A_TIER_NODE));
	EXPECT_EQ(2, dump_count(&nl, ITME_CMD_TIER_GET));

	EXPECT_EQ(0, set_budget(&nl, DRAM, 24 * MIB));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(24 * MIB, ti.budget);
	EXPECT_EQ(-EINVAL, set_budget(&nl, DRAM, 4 * MIB));
	EXPECT_STREQ("the budget is below the minimum of 8M", nl.why);
	EXPECT_EQ(-EINVAL, set_budget(&nl, DRAM, ti.capacity + CHUNK));
	EXPECT_NE(0, nl.bad);
	EXPECT_EQ(-EINVAL, set_budget(&nl, NVME, 16 * MIB));
	EXPECT_STREQ("that tier is no memory", nl.why);
	EXPECT_EQ(-ERANGE, ask(&nl, ITME_CMD_TIER_GET, ITME_A_TIER_TIER, 3));
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_TIER_GET, 0, 0));
	EXPECT_STREQ("no tier given", nl.why);
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_TIER_SET, ITME_A_TIER_TIER, 0));
	EXPECT_STREQ("no budget given", nl.why);
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(24 * MIB, ti.budget);
	nl_close(&nl);
}

TEST_F(netlink, an_object)
{
	struct nl nl;
	struct nl_msg m;
	uint32_t id;
	void *p;
	int fd;

	MOUNT("dram=16M");
	OPEN(&nl);
	fd = import_open("f", 3 * CHUNK + PAGE, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	id = id_of(fd);
	ASSERT_EQ(0, check_read(fd, 0, CHUNK, 1));
	p = map_ro(fd, 0, CHUNK);
	ASSERT_NE(NULL, p);

	ASSERT_EQ(0, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, id));
	EXPECT_STREQ("f", nl_data(nl_attr(&nl, ITME_A_OBJECT_NAME)));
	EXPECT_EQ(3 * CHUNK + PAGE, nl_reply_uint(&nl, ITME_A_OBJECT_SIZE));
	EXPECT_EQ(64 * KIB, nl_reply_uint(&nl, ITME_A_OBJECT_CHUNK_SIZE));
	EXPECT_EQ(ITME_OBJECT_MAPPED, nl_reply_uint(&nl, ITME_A_OBJECT_FLAGS));
	/* the mapping has the file open, too, but by the same description */
	EXPECT_EQ(1, nl_reply_uint(&nl, ITME_A_OBJECT_OPENS));
	EXPECT_LE(CHUNK, nl_reply_uint(&nl, ITME_A_OBJECT_DRAM));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_OBJECT_CXL));
	EXPECT_EQ(3 * CHUNK + PAGE, nl_reply_uint(&nl, ITME_A_OBJECT_DRAM) +
				    nl_reply_uint(&nl, ITME_A_OBJECT_NVME));

	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "f");
	ASSERT_EQ(0, nl_do(&nl, &m));
	EXPECT_EQ(id, nl_reply_uint(&nl, ITME_A_OBJECT_ID));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "g");
	EXPECT_EQ(-ENOENT, nl_do(&nl, &m));
	EXPECT_STREQ("there is no object of that name", nl.why);
	EXPECT_EQ(-ENOENT, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, id + 1));
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_OBJECT_GET, 0, 0));
	EXPECT_STREQ("give either an id or a name", nl.why);

	/* it is there as long as somebody has it, but has no name */
	ASSERT_EQ(0, file_unlink("f"));
	ASSERT_EQ(0, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, id));
	EXPECT_EQ(ITME_OBJECT_MAPPED | ITME_OBJECT_REMOVED,
		  nl_reply_uint(&nl, ITME_A_OBJECT_FLAGS));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "f");
	EXPECT_EQ(-ENOENT, nl_do(&nl, &m));
	munmap(p, CHUNK);
	close(fd);
	EXPECT_TRUE(POLL(ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, id) ==
			 -ENOENT, 10));
	nl_close(&nl);
}

/* The name is the path, as it is when it is asked for; also of a written file. */
TEST_F(netlink, names_of_objects)
{
	uint64_t id, written;
	struct nl_msg m;
	struct nl nl;
	int fd, w;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	fd = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	id = id_of(fd);
	ASSERT_EQ(0, run_cmd("cd %s && mkdir -p d/e && mv f d/e/g", mnt_dir()));
	ASSERT_EQ(0, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, id));
	EXPECT_STREQ("d/e/g", nl_data(nl_attr(&nl, ITME_A_OBJECT_NAME)));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_OBJECT_FLAGS));
	/* a directory above is renamed */
	ASSERT_EQ(0, run_cmd("cd %s && mv d h", mnt_dir()));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "h/e/g");
	ASSERT_EQ(0, nl_do(&nl, &m));
	EXPECT_EQ(id, nl_reply_uint(&nl, ITME_A_OBJECT_ID));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "d/e/g");
	EXPECT_EQ(-ENOENT, nl_do(&nl, &m));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "h/e");
	EXPECT_EQ(-ENOENT, nl_do(&nl, &m));

	w = open(file_path("h/w"), O_CREAT | O_RDWR, 0600);
	ASSERT_LE(0, w);
	ASSERT_EQ(4096, pwrite(w, memset(malloc(4096), 1, 4096), 4096, 10 * MIB));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "h/w");
	ASSERT_EQ(0, nl_do(&nl, &m));
	written = nl_reply_uint(&nl, ITME_A_OBJECT_ID);
	EXPECT_NE(id, written);
	EXPECT_EQ(ITME_OBJECT_NATIVE, nl_reply_uint(&nl, ITME_A_OBJECT_FLAGS));
	EXPECT_EQ(10 * MIB + 4096, nl_reply_uint(&nl, ITME_A_OBJECT_SIZE));
	/* a hole is nowhere */
	EXPECT_EQ(4096, nl_reply_uint(&nl, ITME_A_OBJECT_DRAM));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_OBJECT_NVME));
	close(w);
	close(fd);
	ASSERT_EQ(0, unlink(file_path("h/w")));
	EXPECT_EQ(-ENOENT, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, written));
	nl_close(&nl);
}

TEST_F(netlink, counters)
{
	struct itme_stats s;
	struct nl nl;
	int fd;

	MOUNT("dram=16M");
	OPEN(&nl);
	fd = import_open("f", 3 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 3 * CHUNK, 1));
	ASSERT_EQ(0, stats_all(&s));
	ASSERT_EQ(0, ask(&nl, ITME_CMD_STATS_GET, 0, 0));
	EXPECT_EQ(s.read_bytes, nl_reply_uint(&nl, ITME_A_STATS_READ_BYTES));
	EXPECT_EQ(s.demand_bytes, nl_reply_uint(&nl, ITME_A_STATS_DEMAND_BYTES));
	EXPECT_EQ(s.prefetch_used_bytes,
		  nl_reply_uint(&nl, ITME_A_STATS_PREFETCH_USED_BYTES));
	EXPECT_EQ(s.stalls, nl_reply_uint(&nl, ITME_A_STATS_STALLS));
	EXPECT_EQ(0, nl_reply_uint(&nl, ITME_A_STATS_EVENTS_LOST));
	ASSERT_EQ(0, stats_file(fd, &s));
	ASSERT_EQ(0, ask(&nl, ITME_CMD_STATS_GET, ITME_A_STATS_OBJECT, id_of(fd)));
	EXPECT_EQ(s.read_bytes, nl_reply_uint(&nl, ITME_A_STATS_READ_BYTES));
	EXPECT_FALSE(nl_has(&nl, ITME_A_STATS_EVENTS_LOST));
	EXPECT_EQ(-ENOENT, ask(&nl, ITME_CMD_STATS_GET, ITME_A_STATS_OBJECT, 77));
	EXPECT_STREQ("there is no object 77", nl.why);
	nl_close(&nl);
}

struct churn {
	int lower;		/* -1: files are written */
	bool stop;
	long changes;
};

static int make_one(const struct churn *c, const char *name)
{
	int fd;

	if (c->lower >= 0)
		return import_fd(name, c->lower, 64 * KIB);
	fd = open(file_path(name), O_CREAT | O_RDWR, 0600);
	return fd < 0 ? -errno : close(fd);
}

static void *churn(void *arg)
{
	struct churn *c = arg;
	char name[32];

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		snprintf(name, sizeof(name), "x%ld", c->changes++ % 10);
		if (make_one(c, name))
			return "make";
		if (file_unlink(name))
			return "unlink";
	}
	return NULL;
}

/* Every file that is there all the time is seen once, whatever others do. */
TEST_F_TIMEOUT(netlink, dump_of_many, 300)
{
	struct churn c = {};
	int interrupted = 0, i;
	struct count n;
	char name[32];
	struct nl nl;
	pthread_t t;
	void *ret;

	MOUNT("dram=16M");
	OPEN(&nl);
	c.lower = lower(PAGE, 1);
	ASSERT_LE(0, c.lower);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "a-name-of-usual-length-%d", i);
		ASSERT_EQ(0, import_fd(name, c.lower, 64 * KIB));
	}
	ASSERT_EQ(0, dump_objects(&nl, &n));
	EXPECT_EQ(MANY, n.nr);
	EXPECT_TRUE(n.ordered);
	EXPECT_EQ(MANY * PAGE, n.sum);
	EXPECT_FALSE(nl.interrupted);

	ASSERT_EQ(0, pthread_create(&t, NULL, churn, &c));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, dump_objects(&nl, &n));
		EXPECT_LE(MANY, n.nr);
		EXPECT_TRUE(n.ordered);
		interrupted += nl.interrupted;
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_LT(0, interrupted);
	/* of what anybody may make, a dump takes no notice */
	c = (struct churn){ .lower = -1 };
	ASSERT_EQ(0, pthread_create(&t, NULL, churn, &c));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, dump_objects(&nl, &n));
		EXPECT_LE(MANY, n.nr);
		EXPECT_TRUE(n.ordered);
		EXPECT_FALSE(nl.interrupted);
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_LT(0, c.changes);
	ASSERT_EQ(0, dump_objects(&nl, &n));
	EXPECT_EQ(MANY, n.nr);
	EXPECT_FALSE(nl.interrupted);
	nl_close(&nl);
}

struct written {
	struct nl *roots;
	uint32_t id, own;
};

/* A name is told to the owner alone; 0, or where it went wrong. */
static int look_at_names(void *arg)
{
	struct written *w = arg;
	struct nl_msg m;
	struct nl nl;

	if (become(NOBODY, 0))
		return 77;
	if (nl_open(&nl))
		return 1;
	if (ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, w->id) ||
	    nl_attr(&nl, ITME_A_OBJECT_NAME))
		return 2;
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "private/secret");
	if (nl_do(&nl, &m) != -ENOENT)
		return 3;
	if (ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, w->own) ||
	    !nl_attr(&nl, ITME_A_OBJECT_NAME) ||
	    strcmp(nl_data(nl_attr(&nl, ITME_A_OBJECT_NAME)), "own"))
		return 4;
	/* by the socket of somebody who might */
	if (ask(w->roots, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, w->id) ||
	    nl_attr(w->roots, ITME_A_OBJECT_NAME))
		return 5;
	return 0;
}

TEST_F(netlink, names_of_written_files)
{
	struct written w = {};
	struct nl nl;
	int fd, own;

	MOUNT("dram=16M");
	OPEN(&nl);
	w.roots = &nl;
	ASSERT_EQ(0, mkdir(file_path("private"), 0700));
	ASSERT_LE(0, fd = open(file_path("private/secret"), O_CREAT | O_RDWR, 0644));
	w.id = id_of(fd);
	ASSERT_LE(0, own = open(file_path("own"), O_CREAT | O_RDWR, 0644));
	ASSERT_EQ(0, fchown(own, NOBODY, NOBODY));
	w.own = id_of(own);
	EXPECT_EQ(0, in_child(look_at_names, &w, 20));
	ASSERT_EQ(0, ask(&nl, ITME_CMD_OBJECT_GET, ITME_A_OBJECT_ID, w.id));
	EXPECT_STREQ("private/secret", nl_data(nl_attr(&nl, ITME_A_OBJECT_NAME)));
	close(own);
	close(fd);
	nl_close(&nl);
}

TEST_F(netlink, wrong_messages)
{
	static const char long_name[PATH_MAX + 1];
	struct nl_msg m;
	size_t nest;
	uint32_t id;
	struct nl nl;
	int fd;

	MOUNT("dram=16M");
	OPEN(&nl);
	fd = import_open("f", 3 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	id = id_of(fd);

	/* a command, an attribute that nobody knows */
	EXPECT_EQ(-EOPNOTSUPP, ask(&nl, ITME_CMD_MAX + 1, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, ask(&nl, ITME_CMD_STALL_NTF, 0, 0));
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_TIER_GET, 99, 0));
	/* one that is for answers only */
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_TIER_SET, ITME_A_TIER_FREE, 1));
	/* a number of the wrong size */
	nl_begin(&m, &nl, ITME_CMD_TIER_GET);
	nl_put(&m, ITME_A_TIER_TIER, "\0\0", 2);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	nl_begin(&m, &nl, ITME_CMD_TIER_GET);
	nl_put(&m, ITME_A_TIER_TIER, "\0\0\0\0\0\0\0\0", 8);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	/* a string without an end, one that is too long */
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put(&m, ITME_A_OBJECT_NAME, "fff", 3);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put(&m, ITME_A_OBJECT_NAME, long_name, sizeof(long_name));
	EXPECT_EQ(-ERANGE, nl_do(&nl, &m));
	nl_begin(&m, &nl, ITME_CMD_OBJECT_GET);
	nl_put_str(&m, ITME_A_OBJECT_NAME, "");
	EXPECT_EQ(-ENOENT, nl_do(&nl, &m));

	/* an attribute that is longer than the message */
	nl_begin(&m, &nl, ITME_CMD_TIER_GET);
	nl_put_u32(&m, ITME_A_TIER_TIER, 0);
	((struct nlattr *)(m.data + m.len - 8))->nla_len = 64;
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	/* one that is shorter than its head */
	nl_begin(&m, &nl, ITME_CMD_TIER_GET);
	nl_put_u32(&m, ITME_A_TIER_TIER, 0);
	((struct nlattr *)(m.data + m.len - 8))->nla_len = 2;
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	/* nests that are none, or hold what they must not */
	plan_begin(&m, &nl, true);
	nl_put_u32(&m, ITME_A_PLAN_STAGE, 1);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	nl_put_u32(&m, ITME_A_STAGE_RANGE, 1);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	nl_put_u32(&m, 55, 1);
	plan_range(&m, id, 0, CHUNK);
	nl_nest_end(&m, nest);
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	/* a nest whose inside ends before its end */
	plan_begin(&m, &nl, true);
	nest = nl_nest(&m, ITME_A_PLAN_STAGE);
	plan_range(&m, id, 0, CHUNK);
	nl_nest_end(&m, nest);
	((struct nlattr *)(m.data + nest))->nla_len -= 8;
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	EXPECT_EQ(0, dump_count(&nl, ITME_CMD_PLAN_GET));

	/* flags that are not for such requests, a head that is cut off */
	nl_begin(&m, &nl, ITME_CMD_CONFIG_GET);
	EXPECT_EQ(-EINVAL, nl_request(&nl, &m, NLM_F_CREATE));
	nl_begin(&m, &nl, ITME_CMD_CONFIG_GET);
	m.len = NLMSG_HDRLEN + 2;
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	nl_begin(&m, &nl, ITME_CMD_CONFIG_GET);
	((struct genlmsghdr *)(m.data + NLMSG_HDRLEN))->reserved = 1;
	EXPECT_EQ(-EINVAL, nl_do(&nl, &m));
	/* and all is well */
	EXPECT_EQ(0, ask(&nl, ITME_CMD_CONFIG_GET, 0, 0));
	nl_close(&nl);
}

struct asker {
	bool stop;
	long asked;
	long unexpected;
};

static void *asker(void *arg)
{
	struct asker *a = arg;
	struct count n;
	struct nl nl;

	if (nl_open(&nl)) {
		a->unexpected++;
		return NULL;
	}
	while (!__atomic_load_n(&a->stop, __ATOMIC_RELAXED)) {
		struct nl_msg m;
		int err[5];

		err[0] = ask(&nl, ITME_CMD_STATS_GET, 0, 0);
		err[1] = dump_objects(&nl, &n);
		err[2] = hint(&nl, 1, 0, 0, ITME_ADVICE_WILLNEED, ANY);
		plan_begin(&m, &nl, true);
		plan_stage(&m, 1, 0, CHUNK);
		err[3] = plan_set(&nl, &m, NULL);
		err[4] = dump_count(&nl, ITME_CMD_PLAN_GET);
		for (int i = 0; i < 5; i++)
			a->unexpected += err[i] < 0 && err[i] != -ENODEV &&
					 err[i] != -ENOENT && err[i] != -ENOSPC;
		a->asked += 5;
	}
	nl_close(&nl);
	return NULL;
}

/* Unmount and mount while requests are under way. */
TEST_F_TIMEOUT(netlink, unmount_meanwhile, 300)
{
	struct asker a[3] = {};
	int lower_fd, i;
	pthread_t t[3];

	MOUNT("dram=16M");
	lower_fd = lower(2 * CHUNK, 1);
	ASSERT_LE(0, lower_fd);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, asker, &a[i]));
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, import_fd("f", lower_fd, 0));
		usleep(30000);
		ASSERT_EQ(0, itme_umount());
		usleep(3000);
		ASSERT_EQ(0, itme_mount("dram=16M"));
	}
	for (i = 0; i < 3; i++) {
		__atomic_store_n(&a[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(t[i], NULL);
		EXPECT_EQ(0, a[i].unexpected);
		EXPECT_LT(5, a[i].asked);
	}
}

TEST_HARNESS_MAIN
