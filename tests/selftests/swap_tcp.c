// SPDX-License-Identifier: GPL-2.0
/*
 * A swap area over NVMe/TCP: the kernel's own target on the loopback, and its
 * own initiator, by their files, so that no tool is needed.
 */
#include <glob.h>
#include <sys/mount.h>

#include "area.h"
#include "fixture.h"
#include "written.h"

#define NQN	"itme-selftest"
#define NVMET	"/sys/kernel/config/nvmet"
#define SUBSYS	NVMET "/subsystems/" NQN
#define NS	SUBSYS "/namespaces/1"
#define PORT	NVMET "/ports/77"
#define LINK	PORT "/subsystems/" NQN
#define SIZE	(20 * CHUNK)

FIXTURE(swap_tcp)
{
	uint32_t id;
};

static const char *target_up(void)
{
	char path[512];
	int fd = area_ready("remote", 64);

	if (fd < 0)
		return "cannot make the file of the target";
	close(fd);
	run_cmd("modprobe -a nvmet nvmet-tcp nvme-tcp");
	mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NVMET, F_OK) || access("/dev/nvme-fabrics", F_OK))
		return "no NVMe target or no fabrics";
	strcpy(path, lower_path("remote"));
	if (mkdir(SUBSYS, 0755) || write_file(SUBSYS "/attr_allow_any_host", "1") ||
	    mkdir(NS, 0755) || write_file(NS "/device_path", path) ||
	    write_file(NS "/enable", "1"))
		return "cannot set up the namespace";
	if (mkdir(PORT, 0755) || write_file(PORT "/addr_trtype", "tcp") ||
	    write_file(PORT "/addr_adrfam", "ipv4") ||
	    write_file(PORT "/addr_traddr", "127.0.0.1") ||
	    write_file(PORT "/addr_trsvcid", "4477") || symlink(SUBSYS, LINK))
		return "no port for NVMe/TCP";
	return NULL;
}

/* of the files that match, the one whose text is that of the subsystem */
static int find(const char *pattern, char *path, size_t len)
{
	char text[256];
	glob_t found;
	int ret = -ENODEV;
	size_t i;

	if (glob(pattern, 0, NULL, &found))
		return ret;
	for (i = 0; i < found.gl_pathc && ret; i++) {
		if (read_file(found.gl_pathv[i], text, sizeof(text)) <= 0 ||
		    strncmp(text, NQN, strlen(NQN)))
			continue;
		snprintf(path, len, "%s", found.gl_pathv[i]);
		ret = 0;
	}
	globfree(&found);
	return ret;
}

static void target_down(void)
{
	char path[512];

	while (!find("/sys/class/nvme/nvme*/subsysnqn", path, sizeof(path))) {
		strcpy(strrchr(path, '/'), "/delete_controller");
		if (write_file(path, "1"))
			break;
	}
	unlink(LINK);
	rmdir(PORT);
	write_file(NS "/enable", "0");
	rmdir(NS);
	rmdir(SUBSYS);
}

/* the device: an O_RDWR fd, or -errno */
static int attach(const char *options)
{
	char text[256], path[512], dev[64];
	int fd = open("/dev/nvme-fabrics", O_RDWR | O_CLOEXEC);
	int n = snprintf(text, sizeof(text),
			 "transport=tcp,traddr=127.0.0.1,trsvcid=4477,nqn=" NQN ",%s", options);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != n)
		err = -errno;
	close(fd);
	if (err)
		return err;
	/* not nvmeXcYnZ: with multipath that is one of the paths, and has no node */
	if (!POLL(!find("/sys/block/nvme[0-9]n*/device/subsysnqn", path, sizeof(path)), 20))
		return -ENODEV;
	snprintf(dev, sizeof(dev), "/dev/%.*s", (int)strcspn(path + 11, "/"), path + 11);
	if (!POLL(!access(dev, F_OK), 20))
		return -errno;
	fd = open(dev, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

FIXTURE_SETUP(swap_tcp)
{
	const char *why = missing();

	if (!why) {
		cleanup_before();
		target_down();
		why = target_up();
	}
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, itme_mount("dram=16M"));
}

FIXTURE_TEARDOWN_PARENT(swap_tcp)
{
	const char *wrong;

	/* before the unmount: what waits for the device is let go of */
	target_down();
	wrong = cleanup_after();
	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
}

static int use_it(void *arg)
{
	int fd = *(int *)arg;

	return put(fd, 0, SIZE, 2) || check_read(fd, 0, SIZE, 2);
}

TEST_F(swap_tcp, reconnect)
{
	struct itme_swap s;
	int area, fd;
	pid_t pid;

	area = attach("reconnect_delay=1,ctrl_loss_tmo=120");
	ASSERT_LE(0, area);
	ASSERT_EQ(0, swap_add(area, -1, ITME_SWAP_CHECK, &self->id));
	close(area);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	EXPECT_LE(SIZE - 16 * MIB, swap_used(self->id));

	/* it is not there for a while, and is waited for */
	ASSERT_EQ(0, unlink(LINK));
	pid = spawn(use_it, &fd);
	sleep(5);
	ASSERT_EQ(0, symlink(SUBSYS, LINK));
	EXPECT_EQ(0, reap(pid, 120));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 2));
	ASSERT_EQ(0, swap_get(self->id, &s));
	EXPECT_EQ(ITME_SWAP_CHECK, s.flags);
	EXPECT_EQ(0, s.errors);
	close(fd);
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_EQ(0, swap_remove(self->id));
}

/* it does not come back: what is in memory stays, what was there is an error */
TEST_F(swap_tcp, gone)
{
	unsigned int good = 0, bad = 0;
	struct itme_swap s;
	char path[512], buf[PAGE];
	int area, fd, i;

	area = attach("reconnect_delay=1,ctrl_loss_tmo=60");
	ASSERT_LE(0, area);
	ASSERT_EQ(0, swap_add(area, -1, 0, &self->id));
	close(area);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	ASSERT_EQ(0, find("/sys/class/nvme/nvme*/subsysnqn", path, sizeof(path)));
	strcpy(strrchr(path, '/'), "/delete_controller");
	ASSERT_EQ(0, write_file(path, "1"));
	EXPECT_TRUE(POLL(!swap_get(self->id, &s) && s.flags == ITME_SWAP_BAD, 20));
	for (i = 0; i < 20; i++) {
		if (resident(fd, i * CHUNK, CHUNK) == CHUNK) {
			EXPECT_EQ(0, check_read(fd, i * CHUNK, CHUNK, 1));
			good++;
		} else if (pread(fd, buf, PAGE, i * CHUNK) < 0) {
			EXPECT_EQ(EIO, errno);
			bad++;
		}
	}
	EXPECT_LT(0, good);
	EXPECT_LT(0, bad);
	close(fd);
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_TRUE(POLL(!swap_used(self->id), 10));
	EXPECT_EQ(0, swap_remove(self->id));
}

TEST_HARNESS_MAIN
