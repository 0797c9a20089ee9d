// SPDX-License-Identifier: GPL-2.0
/*
 * Events: each kind comes when it should, and nobody waits for who listens.
 */
#include <sched.h>
#include <sys/socket.h>

#include "dm.h"
#include "fixture.h"
#include "nl.h"

#define SECS	10

FIXTURE(event) {};
ITME_FIXTURE(event)

/* What has come so far. */
struct heard {
	int nr[ITME_CMD_MAX + 1];
	uint64_t last[ITME_A_EVENT_MAX + 1];	/* of the one looked for */
	uint64_t lost;
	int overruns;
	int named;
};

static int listen_to(struct nl *nl)
{
	int err = nl_open(nl);

	if (err)
		return err;
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			  &nl->group, sizeof(nl->group)) ? -errno : 0;
}

/* takes what is there, and keeps the numbers of the last @cmd */
static void hear(struct nl *nl, struct heard *h, int cmd)
{
	static uint8_t buf[65536];
	ssize_t n;

	while ((n = recv(nl->fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0 ||
	       errno == ENOBUFS) {
		struct nlmsghdr *m = (void *)buf;

		if (n < 0) {
			h->overruns++;
			continue;
		}
		for (; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
			struct genlmsghdr *g = NLMSG_DATA(m);
			size_t head = NLMSG_HDRLEN + GENL_HDRLEN;
			const void *attrs = (uint8_t *)m + head;

			if (m->nlmsg_type != nl->family || g->cmd > ITME_CMD_MAX)
				continue;
			h->nr[g->cmd]++;
			h->named += !!nl_find(attrs, m->nlmsg_len - head,
					      ITME_A_EVENT_NAME, NULL);
			h->lost += nl_uint(nl_find(attrs, m->nlmsg_len - head,
						   ITME_A_EVENT_LOST, NULL));
			for (int t = 1; g->cmd == cmd && t <= ITME_A_EVENT_MAX; t++)
				h->last[t] = nl_uint(nl_find(attrs,
							     m->nlmsg_len - head,
							     t, NULL));
		}
	}
}

static bool heard(struct nl *nl, struct heard *h, int cmd)
{
	hear(nl, h, cmd);
	return h->nr[cmd];
}

static int set_threshold(struct nl *nl, uint64_t ns)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_CONFIG_SET);
	nl_put_uint(&m, ITME_A_CONFIG_STALL_THRESHOLD, ns);
	return nl_do(nl, &m);
}

static uint64_t events_lost(struct nl *nl)
{
	struct nl_msg m;

	nl_begin(&m, nl, ITME_CMD_STATS_GET);
	return nl_do(nl, &m) ? 0 : nl_reply_uint(nl, ITME_A_STATS_EVENTS_LOST);
}

TEST_F(event, life_of_an_object)
{
	struct itme_object o = {};
	struct heard h = {};
	struct nl nl, ear;
	void *p, *q;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, listen_to(&ear));
	/* each read waits, and each wait is news */
	ASSERT_EQ(0, set_threshold(&nl, 0));
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_OBJECT_NEW_NTF), SECS));
	EXPECT_EQ(o.id, h.last[ITME_A_EVENT_OBJECT]);
	EXPECT_EQ(4 * CHUNK, h.last[ITME_A_EVENT_BYTES]);
	EXPECT_NE(0, h.last[ITME_A_EVENT_TIME]);

	p = map_ro(fd, 0, CHUNK);
	q = map_ro(fd, 0, CHUNK);
	ASSERT_TRUE(p && q);
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_OBJECT_MAPPED_NTF), SECS));
	EXPECT_EQ(o.id, h.last[ITME_A_EVENT_OBJECT]);
	/* once, as it was mapped by then */
	EXPECT_EQ(1, h.nr[ITME_CMD_OBJECT_MAPPED_NTF]);
	EXPECT_EQ(getpid(), h.last[ITME_A_EVENT_PID]);

	ASSERT_EQ(0, check_read(fd, CHUNK, PAGE, 1));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_STALL_NTF), SECS));
	EXPECT_EQ(o.id, h.last[ITME_A_EVENT_OBJECT]);
	EXPECT_EQ(CHUNK, h.last[ITME_A_EVENT_OFFSET]);
	EXPECT_LT(0, h.last[ITME_A_EVENT_NS]);
	/* not what is shorter */
	ASSERT_EQ(0, set_threshold(&nl, 1000ULL * 1000 * 1000 * 1000));
	hear(&ear, &h, 0);
	h.nr[ITME_CMD_STALL_NTF] = 0;
	ASSERT_EQ(0, check_read(fd, 3 * CHUNK, PAGE, 1));

	ASSERT_EQ(0, file_unlink("f"));
	munmap(p, CHUNK);
	munmap(q, CHUNK);
	close(fd);
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_OBJECT_GONE_NTF), SECS));
	EXPECT_EQ(o.id, h.last[ITME_A_EVENT_OBJECT]);
	EXPECT_EQ(0, h.nr[ITME_CMD_STALL_NTF]);
	EXPECT_EQ(0, h.lost);
	EXPECT_EQ(0, events_lost(&nl));
	nl_close(&ear);
	nl_close(&nl);
}

/* Written files come and go like others, but where they lie is not for all to know. */
TEST_F(event, written_files_have_no_name)
{
	struct heard h = {};
	struct nl nl, ear;
	int fd, i;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, listen_to(&ear));
	for (i = 0; i < 300; i++) {
		fd = open(file_path("w"), O_CREAT | O_RDWR, 0600);
		ASSERT_LE(0, fd);
		close(fd);
		ASSERT_EQ(0, unlink(file_path("w")));
		hear(&ear, &h, 0);
	}
	fd = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_TRUE(POLL(h.named == 2 || heard(&ear, &h, 0), SECS));
	EXPECT_EQ(2, h.named);
	EXPECT_LT(2, h.nr[ITME_CMD_OBJECT_NEW_NTF]);
	EXPECT_LT(2, h.nr[ITME_CMD_OBJECT_GONE_NTF]);
	nl_close(&ear);
	nl_close(&nl);
}

TEST_F(event, stages_and_pressure)
{
	struct itme_object o = {};
	struct heard h = {};
	struct nl nl, ear;
	uint32_t id = 0;
	struct nl_msg m;
	int fd, i;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, listen_to(&ear));
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	plan_begin(&m, &nl, true);
	for (i = 0; i < 4; i++)
		plan_stage(&m, o.id, i * CHUNK, CHUNK);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	ASSERT_EQ(0, plan_step(&nl, id, 2));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_STAGE_NTF), SECS));
	EXPECT_EQ(id, h.last[ITME_A_EVENT_PLAN]);
	EXPECT_EQ(2, h.last[ITME_A_EVENT_STAGE]);
	/* and by a touch */
	memset(&h, 0, sizeof(h));
	ASSERT_EQ(0, check_read(fd, 3 * CHUNK, CHUNK, 1));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_STAGE_NTF), SECS));
	EXPECT_EQ(3, h.last[ITME_A_EVENT_STAGE]);

	ASSERT_LE(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_PRESSURE_NTF), SECS));
	EXPECT_LT(0, h.last[ITME_A_EVENT_BYTES]);
	nl_close(&ear);
	nl_close(&nl);
}

FIXTURE(event_eio)
{
	int lower;
};

FIXTURE_SETUP(event_eio)
{
	const char *why = missing();

	if (!why) {
		cleanup_before();
		dm_teardown();
		why = dm_setup(32);
	}
	if (why)
		SKIP(return, "%s", why);
	self->lower = dm_lower("f", 4 * CHUNK, 1);
	ASSERT_LE(0, self->lower);
}

FIXTURE_TEARDOWN_PARENT(event_eio)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

TEST_F(event_eio, is_told)
{
	struct itme_object o = {};
	struct heard h = {};
	char buf[PAGE];
	struct nl ear;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, listen_to(&ear));
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	ASSERT_EQ(0, dm_fail(self->lower, CHUNK, CHUNK));
	EXPECT_EQ(-1, pread(fd, buf, PAGE, CHUNK + PAGE));
	EXPECT_TRUE(POLL(heard(&ear, &h, ITME_CMD_IO_ERROR_NTF), SECS));
	EXPECT_EQ(o.id, h.last[ITME_A_EVENT_OBJECT]);
	EXPECT_EQ(CHUNK, h.last[ITME_A_EVENT_OFFSET]);
	EXPECT_EQ(EIO, h.last[ITME_A_EVENT_ERROR]);
	nl_close(&ear);
}

/* many steps of a plan in one go, for which no answer is wanted */
static int steps(struct nl *nl, uint32_t id, int nr)
{
	struct nl_msg all = {}, one;
	int err;

	all.data = malloc(nr * 64);
	if (!all.data)
		return -ENOMEM;
	for (int i = 0; i < nr; i++) {
		struct nlmsghdr *h;

		nl_begin(&one, nl, ITME_CMD_PLAN_STEP);
		nl_put_u32(&one, ITME_A_PLAN_ID, id);
		nl_put_u32(&one, ITME_A_PLAN_AT, i % 4);
		h = (struct nlmsghdr *)one.data;
		h->nlmsg_len = one.len;
		h->nlmsg_flags = NLM_F_REQUEST;
		memcpy(all.data + all.len, one.data, one.len);
		all.len += one.len;
		nl_free(&one);
	}
	err = send(nl->fd, all.data, all.len, 0) == (ssize_t)all.len ? 0 : -errno;
	nl_free(&all);
	return err;
}

#define WORKERS	"/sys/devices/virtual/workqueue/cpumask"

/*
 * From now on whoever sends the events has to wait until we sleep: he is on our
 * processor, and we go before him. Else he may be as fast as we are.
 */
static int alone(char *was, size_t len)
{
	struct sched_param first = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (read_file(WORKERS, was, len) <= 0 || write_file(WORKERS, "1"))
		return -EIO;
	return sched_setaffinity(0, sizeof(one), &one) ||
	       sched_setscheduler(0, SCHED_FIFO, &first) ? -errno : 0;
}

/*
 * Far more than anybody takes, with one listener that reads and one that does not.
 * Those who make them go on, and each event was either seen or is counted as lost.
 */
TEST_F(event, flood)
{
	const int nr = 4000, rounds = 5;
	struct itme_object o = {};
	struct heard h = {};
	struct nl nl, ear, deaf;
	struct nl_msg m;
	char workers[100];
	uint32_t id = 0;
	int fd, i;

	MOUNT("dram=16M");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, listen_to(&ear));
	ASSERT_EQ(0, listen_to(&deaf));
	i = 32 << 20;
	setsockopt(ear.fd, SOL_SOCKET, SO_RCVBUFFORCE, &i, sizeof(i));
	setsockopt(nl.fd, SOL_SOCKET, SO_SNDBUFFORCE, &i, sizeof(i));
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	plan_begin(&m, &nl, true);
	for (i = 0; i < 4; i++)
		plan_stage(&m, o.id, i * CHUNK, CHUNK);
	ASSERT_EQ(0, plan_set(&nl, &m, &id));
	ASSERT_EQ(0, alone(workers, sizeof(workers)));
	for (i = 0; i < rounds; i++) {
		EXPECT_EQ(0, steps(&nl, id, nr));
		hear(&ear, &h, 0);
	}
	ASSERT_EQ(0, write_file(WORKERS, workers));
	/* how many were lost is told with the next one that is not */
	usleep(200000);
	ASSERT_EQ(0, plan_step(&nl, id, 0));
	EXPECT_TRUE(POLL((hear(&ear, &h, 0),
			  h.nr[ITME_CMD_STAGE_NTF] + (int)h.lost > nr * rounds),
			 SECS));
	printf("# %d seen, %d lost\n", h.nr[ITME_CMD_STAGE_NTF], (int)h.lost);
	EXPECT_EQ(nr * rounds + 1, h.nr[ITME_CMD_STAGE_NTF] + (int)h.lost);
	EXPECT_LT(0, h.lost);
	EXPECT_EQ(0, h.overruns);
	EXPECT_EQ(h.lost, events_lost(&nl));
	/* the other one is told that it has missed some */
	memset(&h, 0, sizeof(h));
	hear(&deaf, &h, 0);
	EXPECT_LT(0, h.overruns);
	EXPECT_EQ(0, check_read(fd, 0, 4 * CHUNK, 1));
	nl_close(&deaf);
	nl_close(&ear);
	nl_close(&nl);
}

TEST_HARNESS_MAIN
