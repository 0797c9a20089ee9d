// SPDX-License-Identifier: GPL-2.0
/* The CXL node's memory is taken offline, and put back, while it is used. */
#include <dirent.h>
#include <pthread.h>

#include "fixture.h"

#define SIZE	(8 * CHUNK)

static char blocks[64][128];
static int nblocks;

/* the memory blocks of the CXL node */
static void find_blocks(void)
{
	char dir[100];
	struct dirent *e;
	DIR *d;

	nblocks = 0;
	snprintf(dir, sizeof(dir), "/sys/devices/system/node/node%d",
		 cxl_node());
	d = opendir(dir);
	while (d && (e = readdir(d)) && nblocks < (int)ARRAY_LEN(blocks)) {
		unsigned int n;

		if (sscanf(e->d_name, "memory%u", &n) == 1)
			snprintf(blocks[nblocks++], sizeof(blocks[0]),
				 "/sys/devices/system/memory/memory%u/state",
				 n);
	}
	if (d)
		closedir(d);
}

static int set_all(void *arg)
{
	const char *state = arg;
	int i, ret = 0;

	for (i = 0; i < nblocks && !ret; i++) {
		char is[32] = "";

		read_file(blocks[i], is, sizeof(is));
		if (!strncmp(is, "off", 3) == !strncmp(state, "off", 3))
			continue;
		/* a page may be held for a moment */
		(void)POLL(!(ret = write_file(blocks[i], state)), 10);
		if (ret)
			fprintf(stderr, "# %s > %s: %d\n", state, blocks[i],
				ret);
	}
	return ret != 0;
}

/* in a child, so that a kernel that hangs there is seen and not waited for */
static int offline(void)
{
	return in_child(set_all, "offline", 60);
}

static int online(void)
{
	return in_child(set_all, "online_movable", 30);
}

FIXTURE(hotplug) {};

FIXTURE_SETUP(hotplug)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	find_blocks();
	if (offline() || online())
		SKIP(return, "the node's memory cannot be taken offline at all");
}

FIXTURE_TEARDOWN_PARENT(hotplug)
{
	const char *wrong;

	wrong = cleanup_after();
	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	/* the list of blocks was made in another process */
	run_cmd("for s in /sys/devices/system/memory/memory*/state; do "
		"grep -q offline $s && echo online_movable >$s; done");
}

static bool stop;

static void *check_all_the_time(void *arg)
{
	char *p = arg;
	long ret = 0;

	while (!ret && !__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		ret = pattern_check(p, SIZE, 0, 1);
	return (void *)ret;
}

TEST_F(hotplug, in_use)
{
	struct itme_tier_info ti;
	uint64_t capacity;
	pthread_t t;
	void *ret;
	char *p;
	int fd;

	MOUNT("dram=16M,cxl=8M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 4 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, 3 * CHUNK, ITME_ADVICE_HOT, CXL, NULL));
	ASSERT_EQ(3 * CHUNK, resident_on(fd, CXL, 0, 0));
	ASSERT_EQ(0, tier_get(CXL, &ti));
	capacity = ti.capacity;
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pthread_create(&t, NULL, check_all_the_time, p));

	EXPECT_EQ(0, offline());
	EXPECT_TRUE(POLL(!tier_used(CXL), 10));
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(0, ti.capacity);
	EXPECT_EQ(0, resident_on(fd, CXL, 0, 0));
	EXPECT_TRUE(POLL(tier_used(DRAM) <= 16 * MIB, 10));
	/* hints for a tier that is not there are no errors */
	EXPECT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_HOT, CXL, NULL));
	EXPECT_EQ(0, scan(fd, 0, SIZE, 1));
	EXPECT_EQ(0, tier_used(CXL));

	EXPECT_EQ(0, online());
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(capacity, ti.capacity);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(t, &ret);
	EXPECT_EQ(NULL, ret);

	/* and it is used again */
	ASSERT_EQ(0, check_read(fd, 0, CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_HOT, CXL, NULL));
	EXPECT_TRUE(POLL(resident_on(fd, CXL, 0, CHUNK) == CHUNK, 10));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

/* a pin is a wish; memory that is going is not kept for it */
TEST_F(hotplug, pinned)
{
	int fd;

	MOUNT("dram=16M,cxl=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PIN, CXL, NULL));
	ASSERT_EQ(2 * CHUNK, tier_pinned(CXL));
	EXPECT_EQ(0, offline());
	EXPECT_TRUE(POLL(!tier_used(CXL), 10));
	EXPECT_EQ(0, check_mapped(fd, 0, SIZE, 1));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(CXL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	EXPECT_EQ(0, online());
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

/* a mount that names a node which is offline */
TEST_F(hotplug, mount_without)
{
	char opts[100];

	snprintf(opts, sizeof(opts), "dram=16M,cxl=8M,cxl_nodes=%d",
		 cxl_node());
	ASSERT_EQ(0, offline());
	EXPECT_EQ(-EINVAL, itme_mount(opts));
	EXPECT_EQ(-EINVAL, itme_mount("dram=16M,cxl=8M"));
	EXPECT_EQ(0, online());
	EXPECT_EQ(0, itme_mount(opts));
}

TEST_HARNESS_MAIN
