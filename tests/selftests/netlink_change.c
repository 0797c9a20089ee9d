// SPDX-License-Identifier: GPL-2.0
/*
 * What is changed by the netlink family itme: hints, of an object and of a
 * process, many at once, and who may change something.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include "fixture.h"
#include "request.h"

FIXTURE(netlink_change) {};
ITME_FIXTURE(netlink_change)

static int hint_pid(struct nl *nl, pid_t pid, const void *p, uint64_t len,
		    uint32_t advice)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_ADVISE);
	nl_put_u32(&m, ITME_A_HINT_PID, pid);
	nl_put_uint(&m, ITME_A_HINT_ADDRESS, (uintptr_t)p);
	nl_put_uint(&m, ITME_A_HINT_LENGTH, len);
	nl_put_u32(&m, ITME_A_HINT_ADVICE, advice);
	return nl_do(nl, &m);
}

TEST_F(netlink_change, hints)
{
	struct nl nl;
	uint32_t id;
	int fd;

	MOUNT("dram=24M");
	OPEN(&nl);
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	id = id_of(fd);
	ASSERT_EQ(0, hint(&nl, id, 0, 0, ITME_ADVICE_WILLNEED, ANY));
	EXPECT_EQ(6 * CHUNK, nl_reply_uint(&nl, ITME_A_HINT_DONE));
	EXPECT_FALSE(nl_has(&nl, ITME_A_HINT_NEXT));
	EXPECT_TRUE(POLL(resident(fd, 0, 0) == 6 * CHUNK, 20));
	ASSERT_EQ(0, hint(&nl, id, CHUNK, 2 * CHUNK, ITME_ADVICE_PAGEOUT, ANY));
	EXPECT_EQ(2 * CHUNK, nl_reply_uint(&nl, ITME_A_HINT_DONE));
	EXPECT_EQ(4 * CHUNK, resident(fd, 0, 0));
	ASSERT_EQ(0, hint(&nl, id, CHUNK, 2 * CHUNK, ITME_ADVICE_PIN, DRAM));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	EXPECT_EQ(6 * CHUNK, resident(fd, 0, 0));
	/* again is no error, more than fits is, and pins nothing */
	ASSERT_EQ(0, hint(&nl, id, CHUNK, 2 * CHUNK, ITME_ADVICE_PIN, DRAM));
	EXPECT_EQ(0, set_budget(&nl, DRAM, 12 * MIB));
	EXPECT_EQ(-ENOSPC, hint(&nl, id, 0, 0, ITME_ADVICE_PIN, ANY));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, hint(&nl, id, 4 * CHUNK, CHUNK, ITME_ADVICE_PIN, ANY));
	EXPECT_EQ(-EBUSY, set_budget(&nl, DRAM, 8 * MIB));
	EXPECT_STREQ("what is held of the tier cannot leave", nl.why);
	ASSERT_EQ(0, hint(&nl, id, 0, 0, ITME_ADVICE_UNPIN, ANY));
	EXPECT_EQ(0, tier_pinned(DRAM));
	ASSERT_EQ(0, hint(&nl, id, 0, 0, ITME_ADVICE_COLD, ANY));
	ASSERT_EQ(0, hint(&nl, id, 0, CHUNK, ITME_ADVICE_HOT, ANY));
	EXPECT_EQ(CHUNK, nl_reply_uint(&nl, ITME_A_HINT_DONE));
	EXPECT_TRUE(POLL(resident(fd, 0, CHUNK) == CHUNK, 20));
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));

	EXPECT_EQ(-ENOENT, hint(&nl, id + 1, 0, 0, ITME_ADVICE_COLD, ANY));
	EXPECT_EQ(-EINVAL, hint(&nl, id, 6 * CHUNK, 0, ITME_ADVICE_COLD, ANY));
	EXPECT_STREQ("it begins after the end of the file", nl.why);
	EXPECT_EQ(-EINVAL, hint(&nl, id, PAGE, UINT64_MAX, ITME_ADVICE_COLD, ANY));
	EXPECT_STREQ("the range overflows", nl.why);
	EXPECT_EQ(-EINVAL, hint(&nl, id, 0, 0, ITME_ADVICE_COLD, DRAM));
	EXPECT_STREQ("that advice is not for that tier", nl.why);
	EXPECT_EQ(-EINVAL, hint(&nl, id, 0, 0, ITME_ADVICE_PIN, NVME));
	EXPECT_EQ(-ERANGE, hint(&nl, id, 0, 0, ITME_ADVICE_NR, ANY));
	EXPECT_EQ(-ERANGE, hint(&nl, 0, 0, 0, ITME_ADVICE_COLD, ANY));
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_ADVISE, ITME_A_HINT_OBJECT, id));
	EXPECT_STREQ("no advice given", nl.why);
	EXPECT_EQ(-EINVAL, ask(&nl, ITME_CMD_ADVISE, ITME_A_HINT_ADVICE, 0));
	EXPECT_STREQ("give either an object or a pid and an address", nl.why);
	nl_close(&nl);
}

/* More than a request has time for: it says where to go on. */
TEST_F(netlink_change, long_hint)
{
	uint64_t off = 0, done = 0, rounds = 0;
	struct nl nl;
	uint32_t id;
	int fd;

	MOUNT("dram=128M");
	OPEN(&nl);
	fd = import_open("f", 48 * CHUNK, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	id = id_of(fd);
	do {
		ASSERT_EQ(0, hint(&nl, id, off, 0, ITME_ADVICE_PIN, ANY))
			TH_LOG("%s", nl.why);
		done += nl_reply_uint(&nl, ITME_A_HINT_DONE);
		off = nl_reply_uint(&nl, ITME_A_HINT_NEXT);
		rounds++;
	} while (off && rounds < 10000);
	EXPECT_EQ(0, off);
	EXPECT_EQ(48 * CHUNK, done);
	EXPECT_EQ(48 * CHUNK, tier_pinned(DRAM));
	printf("# %llu rounds\n", (unsigned long long)rounds);
	nl_close(&nl);
}

struct holder {
	int fd;
	int pipe[2];
	void *map;
};

/* maps the file, tells where, and stays */
static int hold(void *arg)
{
	struct holder *h = arg;
	char *p = map_ro(h->fd, 0, 4 * CHUNK);

	if (!p || touch(p) || write(h->pipe[1], &p, sizeof(p)) != sizeof(p))
		return 1;
	pause();
	return 0;
}

static int look_at_other(void *arg)
{
	struct holder *h = arg;
	struct nl nl;
	pid_t parent = getppid();
	int err;

	if (become(NOBODY, 1ULL << CAP_NET_ADMIN) || nl_open(&nl))
		return 1;
	err = hint_pid(&nl, parent, h->map, CHUNK, ITME_ADVICE_WILLNEED);
	if (err != -EPERM || !strstr(nl.why, "ptrace"))
		return 2;
	/* its own it may */
	prctl(PR_SET_DUMPABLE, 1);
	h->map = map_ro(h->fd, 0, CHUNK);
	err = hint_pid(&nl, getpid(), h->map, CHUNK, ITME_ADVICE_WILLNEED);
	return err ? 3 : 0;
}

TEST_F(netlink_change, hints_by_process)
{
	struct holder h;
	struct nl nl;
	void *p, *anon;
	pid_t pid;

	MOUNT("dram=24M");
	OPEN(&nl);
	h.fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, h.fd);
	ASSERT_EQ(0, pipe(h.pipe));
	pid = spawn(hold, &h);
	ASSERT_LT(0, pid);
	ASSERT_EQ((ssize_t)sizeof(p), read(h.pipe[0], &p, sizeof(p)));

	ASSERT_EQ(0, hint_pid(&nl, pid, (char *)p + CHUNK, 2 * CHUNK,
			      ITME_ADVICE_WILLNEED)) TH_LOG("%s", nl.why);
	EXPECT_EQ(2 * CHUNK, nl_reply_uint(&nl, ITME_A_HINT_DONE));
	EXPECT_TRUE(POLL(resident(h.fd, CHUNK, 2 * CHUNK) == 2 * CHUNK, 20));
	/* all that the process has mapped, whatever lies between */
	ASSERT_EQ(0, hint_pid(&nl, pid, 0, 1ULL << 47, ITME_ADVICE_PAGEOUT));
	EXPECT_TRUE(POLL(!resident(h.fd, 0, 0), 20) ||
		    !hint_pid(&nl, pid, 0, 1ULL << 47, ITME_ADVICE_PAGEOUT));
	h.map = map_ro(h.fd, 0, CHUNK);
	EXPECT_EQ(0, hint_pid(&nl, getpid(), h.map, CHUNK, ITME_ADVICE_COLD));

	anon = mmap(NULL, CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(-ENOENT, hint_pid(&nl, getpid(), anon, CHUNK, ITME_ADVICE_COLD));
	EXPECT_STREQ("no file of itmefs is mapped there", nl.why);
	EXPECT_EQ(-EINVAL, hint_pid(&nl, pid, p, 0, ITME_ADVICE_COLD));
	EXPECT_EQ(-EINVAL, hint_pid(&nl, pid, p, UINT64_MAX, ITME_ADVICE_COLD));
	EXPECT_EQ(-ERANGE, hint_pid(&nl, 0, p, CHUNK, ITME_ADVICE_COLD));
	EXPECT_EQ(-ESRCH, hint_pid(&nl, 0x7fffffff, p, CHUNK, ITME_ADVICE_COLD));
	/* a kernel thread has no memory */
	EXPECT_EQ(-ESRCH, hint_pid(&nl, 2, p, CHUNK, ITME_ADVICE_COLD));
	EXPECT_EQ(0, in_child(look_at_other, &h, 20));
	kill(pid, SIGKILL);
	reap(pid, 10);
	EXPECT_EQ(-ESRCH, hint_pid(&nl, pid, p, CHUNK, ITME_ADVICE_COLD));
	nl_close(&nl);
}

struct changes {
	uint32_t id;
	uint64_t caps;
	int sys_admin_only;	/* what PIN comes to */
};

/* 0, or the number of what was not as it should be */
static int try_changes(void *arg)
{
	struct changes *c = arg;
	int expect = c->caps ? 0 : -EPERM;
	struct nl_msg m;
	uint32_t plan = 0;
	struct count n;
	struct nl nl;

	if (become(NOBODY, c->caps) || nl_open(&nl))
		return 1;
	if (ask(&nl, ITME_CMD_TIER_GET, ITME_A_TIER_TIER, DRAM) ||
	    ask(&nl, ITME_CMD_STATS_GET, 0, 0) ||
	    ask(&nl, ITME_CMD_CONFIG_GET, 0, 0) || dump_objects(&nl, &n) ||
	    n.nr != 1 || dump_count(&nl, ITME_CMD_PLAN_GET) != 0)
		return 2;
	if (set_budget(&nl, DRAM, 16 * MIB) != expect)
		return 3;
	if (expect && !strstr(nl.why, "CAP_NET_ADMIN"))
		return 4;
	if (hint(&nl, c->id, 0, 0, ITME_ADVICE_COLD, ANY) != expect)
		return 5;
	if (hint(&nl, c->id, 0, CHUNK, ITME_ADVICE_PIN, ANY) != c->sys_admin_only)
		return 6;
	if (hint(&nl, c->id, 0, CHUNK, ITME_ADVICE_UNPIN, ANY) != c->sys_admin_only)
		return 7;
	plan_begin(&m, &nl, true);
	plan_stage(&m, c->id, 0, CHUNK);
	if (plan_set(&nl, &m, &plan) != expect)
		return 8;
	plan = plan ?: 1;
	if (plan_step(&nl, plan, 0) != expect || plan_del(&nl, plan) != expect)
		return 9;
	if (ask(&nl, ITME_CMD_CONFIG_SET, ITME_A_CONFIG_STALL_THRESHOLD, 1) != expect)
		return 10;
	return 0;
}

TEST_F(netlink_change, who_may_change)
{
	struct changes c = {};
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 3 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	c.id = id_of(fd);
	c.sys_admin_only = -EPERM;
	EXPECT_EQ(0, in_child(try_changes, &c, 30));
	c.caps = 1ULL << CAP_NET_ADMIN;
	EXPECT_EQ(0, in_child(try_changes, &c, 30));
	c.caps = 1ULL << CAP_SYS_ADMIN;
	c.sys_admin_only = 0;
	EXPECT_EQ(0, in_child(try_changes, &c, 30));
}

/* root, but of a user namespace of its own */
static int in_user_namespace(void *arg)
{
	struct nl nl;

	(void)arg;
	if (setresuid(NOBODY, NOBODY, NOBODY) || unshare(CLONE_NEWUSER))
		return 77;
	if (nl_open(&nl))
		return 1;
	if (set_budget(&nl, DRAM, 16 * MIB) != -EPERM)
		return 2;
	nl_close(&nl);
	if (unshare(CLONE_NEWNET))
		return 77;
	/* the family is not there */
	return nl_open(&nl) == -ENOENT ? 0 : 3;
}

static int in_net_namespace(void *arg)
{
	struct nl nl;

	(void)arg;
	if (unshare(CLONE_NEWNET))
		return 77;
	return nl_open(&nl) == -ENOENT ? 0 : 3;
}

/* a socket opened by root, used by somebody else */
static int use_handed_down(void *arg)
{
	struct nl *nl = arg;

	if (become(NOBODY, 0))
		return 1;
	return set_budget(nl, DRAM, 16 * MIB) == -EPERM ? 0 : 2;
}

TEST_F(netlink_change, namespaces)
{
	struct nl nl;

	MOUNT("dram=16M");
	OPEN(&nl);
	EXPECT_EQ(0, in_child(in_user_namespace, NULL, 20));
	EXPECT_EQ(0, in_child(in_net_namespace, NULL, 20));
	EXPECT_EQ(0, in_child(use_handed_down, &nl, 20));
	nl_close(&nl);
}

/* Hints and requests as fast as they can be sent, by several. */
struct flood {
	uint32_t id;
	int err;
};

static void *flood(void *arg)
{
	struct flood *f = arg;
	struct nl nl;

	f->err = nl_open(&nl);
	for (int i = 0; i < 400 && !f->err; i++) {
		f->err = hint(&nl, f->id, i % 8 * CHUNK, CHUNK,
			      i % 3 ? ITME_ADVICE_WILLNEED : ITME_ADVICE_HOT, ANY);
		if (!f->err && !(i % 16))
			f->err = hint(&nl, f->id, 0, 0, ITME_ADVICE_PAGEOUT, ANY);
	}
	nl_close(&nl);
	return NULL;
}

TEST_F(netlink_change, flood_of_hints)
{
	struct flood f[4];
	pthread_t t[4];
	int fd, i;

	MOUNT("dram=16M");
	fd = import_open("f", 8 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < 4; i++) {
		f[i].id = id_of(fd);
		ASSERT_EQ(0, pthread_create(&t[i], NULL, flood, &f[i]));
	}
	EXPECT_EQ(0, check_read(fd, 0, 8 * CHUNK, 1));
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(0, f[i].err);
	}
	EXPECT_EQ(0, check_read(fd, 0, 8 * CHUNK, 1));
}

TEST_HARNESS_MAIN
