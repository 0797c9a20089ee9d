// SPDX-License-Identifier: GPL-2.0
/*
 * A drive that hangs: whoever waits for it can be killed at once, others are
 * not held up, and when the drive comes back all is as it should be.
 */
#include <signal.h>
#include <sys/wait.h>

#include "dm.h"
#include "fixture.h"

#define SIZE	(6 * CHUNK)

FIXTURE(fault_kill)
{
	int lower;
};

FIXTURE_VARIANT(fault_kill)
{
	int (*wait)(void *arg);		/* a child that will hang */
	int sig;
};

FIXTURE_SETUP(fault_kill)
{
	const char *why = missing();

	if (!why) {
		cleanup_before();
		dm_teardown();
		why = dm_setup(32);
	}
	if (why)
		SKIP(return, "%s", why);
	self->lower = dm_lower("f", SIZE, 1);
	ASSERT_LE(0, self->lower);
	/* so that the drive alone is what there is to wait for */
	ASSERT_EQ(0, check_read(self->lower, 0, SIZE, 1));
}

FIXTURE_TEARDOWN_PARENT(fault_kill)
{
	const char *wrong;

	dm_resume();
	wrong = cleanup_after();
	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

static int by_fault(void *arg)
{
	char *p = map_ro(*(int *)arg, 0, SIZE);

	return p ? touch(p + CHUNK + 7) : 100;
}

static int by_populate(void *arg)
{
	return mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE,
		    *(int *)arg, 0) == MAP_FAILED;
}

static int by_read(void *arg)
{
	char buf[PAGE];

	return pread(*(int *)arg, buf, PAGE, CHUNK + 7) != PAGE;
}

static int by_splice(void *arg)
{
	off_t off = CHUNK + 7;
	int p[2];

	return pipe(p) ||
	       splice(*(int *)arg, &off, p[1], NULL, PAGE, 0) <= 0;
}

static int by_pin(void *arg)
{
	return advise(*(int *)arg, CHUNK, CHUNK, ITME_ADVICE_PIN, ANY,
		      NULL) != 0;
}

static int by_mlock(void *arg)
{
	char *p = map_ro(*(int *)arg, 0, SIZE);

	return !p || mlock(p, SIZE);
}

#define KILL_VARIANT(how, with)						\
FIXTURE_VARIANT_ADD(fault_kill, how##_##with) {				\
	.wait = by_##how, .sig = with,					\
}

KILL_VARIANT(fault, SIGKILL);
KILL_VARIANT(fault, SIGTERM);
KILL_VARIANT(populate, SIGKILL);
KILL_VARIANT(read, SIGKILL);
KILL_VARIANT(read, SIGINT);
KILL_VARIANT(splice, SIGKILL);
KILL_VARIANT(pin, SIGKILL);
KILL_VARIANT(mlock, SIGKILL);

/* chunk 1 or another is being read */
static bool filling(int fd)
{
	struct itme_residency r;
	uint8_t map[6] = {};
	int i;

	if (residency(fd, 0, 0, &r, map, sizeof(map)))
		return false;
	for (i = 0; i < 6; i++)
		if (map[i] & ITME_MAP_FILLING)
			return true;
	return false;
}

TEST_F(fault_kill, ends_at_once)
{
	int fd, status;
	double start;
	pid_t pid;

	MOUNT("dram=32M");
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_suspend());
	pid = spawn(variant->wait, &fd);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(POLL(filling(fd), 10));
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	start = now();
	ASSERT_EQ(0, kill(pid, variant->sig));
	status = reap(pid, 10);
	EXPECT_TRUE(status >= 0 && WIFSIGNALED(status))
		TH_LOG("status %d after %.1f s", status, now() - start);
	EXPECT_GT(5, now() - start);
	EXPECT_EQ(0, tier_pinned(DRAM));

	/* the read it left behind comes to its end, and is right */
	ASSERT_EQ(0, dm_resume());
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	EXPECT_EQ(0, check_mapped(fd, 0, SIZE, 1));
}

FIXTURE(hung)
{
	int lower;
};

FIXTURE_SETUP(hung)
{
	fault_kill_setup(_metadata, (void *)self, NULL);
	(void)variant;
}

FIXTURE_TEARDOWN_PARENT(hung)
{
	fault_kill_teardown(_metadata, (void *)self, NULL);
	(void)variant;
}

static void nothing(int sig)
{
	(void)sig;
}

/* a signal that is handled: interrupted or not, but never wrong data */
static int read_all_interrupted(void *arg)
{
	struct sigaction sa = { .sa_handler = nothing };
	int ret;

	sigaction(SIGUSR1, &sa, NULL);
	do {
		ret = check_read(*(int *)arg, 0, SIZE, 1);
	} while (ret == -EINTR);
	return ret != 0;
}

TEST_F(hung, handled_signals)
{
	int fd, i;
	pid_t pid;

	MOUNT("dram=32M");
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_suspend());
	pid = spawn(read_all_interrupted, &fd);
	ASSERT_TRUE(POLL(filling(fd), 10));
	for (i = 0; i < 50; i++) {
		kill(pid, SIGUSR1);
		usleep(1000);
	}
	ASSERT_EQ(0, dm_resume());
	EXPECT_EQ(0, reap(pid, 30));
}

/* other files, on a drive that works, go on */
TEST_F(hung, others_go_on)
{
	int fd, g, i;
	double start;
	pid_t pid[4];

	MOUNT("dram=32M");
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	g = import_open("g", SIZE, 2, 0);
	ASSERT_LE(0, g);
	ASSERT_EQ(0, dm_suspend());
	for (i = 0; i < 4; i++)
		pid[i] = spawn(by_read, &fd);
	ASSERT_TRUE(POLL(filling(fd), 10));
	start = now();
	EXPECT_EQ(0, check_read(g, 0, SIZE, 2));
	EXPECT_EQ(0, check_mapped(g, 0, SIZE, 2));
	EXPECT_GT(20, now() - start);
	ASSERT_EQ(0, dm_resume());
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, reap(pid[i], 20));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

static int unmount(void *arg)
{
	(void)arg;
	return itme_umount() != 0;
}

/* unmounting waits for reads that nobody waits for any more */
TEST_F(hung, umount)
{
	pid_t pid;
	int fd;

	MOUNT("dram=32M");
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_suspend());
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_TRUE(POLL(filling(fd), 10));
	close(fd);
	root_close();
	pid = spawn(unmount, NULL);
	usleep(100000);
	ASSERT_EQ(0, dm_resume());
	EXPECT_EQ(0, reap(pid, 20));
	/* the lower file is free again */
	MOUNT("dram=32M");
	fd = dm_lower("f", SIZE, 2);
	EXPECT_LE(0, fd);
	ASSERT_EQ(0, import_fd("f", fd, 0));
	fd = file_open("f", O_RDONLY);
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 2));
}

/* a budget can be made smaller while reads hang, or the call can be ended */
static int shrink(void *arg)
{
	(void)arg;
	return tier_set(DRAM, 8 * MIB) != 0;
}

TEST_F(hung, shrink)
{
	int fd, status;
	pid_t pid;

	MOUNT("dram=32M");
	ASSERT_EQ(0, import_fd("f", self->lower, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_suspend());
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_TRUE(POLL(filling(fd), 10));
	pid = spawn(shrink, NULL);
	if (!POLL(waitpid(pid, &status, WNOHANG) == pid, 2)) {
		kill(pid, SIGKILL);
		EXPECT_TRUE(POLL(waitpid(pid, &status, WNOHANG) == pid, 5));
	}
	ASSERT_EQ(0, dm_resume());
	EXPECT_EQ(0, tier_set(DRAM, 8 * MIB));
	EXPECT_TRUE(POLL(tier_used(DRAM) <= 8 * MIB, 10));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_HARNESS_MAIN
