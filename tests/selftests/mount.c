// SPDX-License-Identifier: GPL-2.0
/* Mounting: options, errors, sharing, remount, and what keeps a mount busy. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "fixture.h"

FIXTURE(mount) {};
ITME_FIXTURE(mount)

static const char * const bad_options[] = {
	NULL,				/* dram is required */
	"",
	"cxl=8M",
	"dram=",
	"dram=0",
	"dram=-16M",
	"dram=6M",			/* under four chunks */
	"dram=8191K",
	"dram=16X",
	"dram=1e3M",
	"dram=16M16M",
	"dram=9999999G",		/* more than the node has */
	"dram=18446744073709551615",
	"dram=99999999999999999999G",
	"dram=17592186044416T",		/* 2^64: wraps to 0 */
	"dram=16M,cxl=9999999G",
	"dram=16M,cxl=-1",
	"dram=16M,cxl=2M",		/* under four chunks, not 0 */
	"dram=16M,dram_nodes=",
	"dram=16M,dram_nodes=77",
	"dram=16M,dram_nodes=1024",
	"dram=16M,dram_nodes=a",
	"dram=16M,dram_nodes=1-",
	"dram=16M,dram_nodes=0-",
	"dram=16M,dram_nodes=99999999999",
	"dram=16M,cxl=8M,cxl_nodes=77",
	"dram=16M,cxl=8M,cxl_nodes=2-1",
	"dram=16M,cxl=8M,dram_nodes=0,cxl_nodes=0",	/* in both tiers */
	"dram=16M,mode=9",
	"dram=16M,mode=",
	"dram=16M,bogus",
	"dram=16M,bogus=1",
	"dram",
};

TEST_F(mount, bad_options)
{
	struct statfs before, after;
	size_t i;

	ASSERT_EQ(0, mkdir(mnt_dir(), 0755) && errno != EEXIST);
	ASSERT_EQ(0, statfs(mnt_dir(), &before));
	for (i = 0; i < ARRAY_LEN(bad_options); i++) {
		int ret = itme_mount_at(mnt_dir(), bad_options[i]);

		EXPECT_EQ(-EINVAL, ret)
			TH_LOG("options \"%s\"", bad_options[i] ?: "(none)");
		if (!ret)
			umount2(mnt_dir(), 0);
	}
	ASSERT_EQ(0, statfs(mnt_dir(), &after));
	EXPECT_EQ(before.f_type, after.f_type);
	/* a failed mount leaves nothing in the way of a good one */
	MOUNT("dram=16M");
}

/* @reason: what the kernel says of it, through the file system context */
static int fs_create(const char *key, const char *val, char *reason, size_t len)
{
	int fd = fsopen("itmefs", FSOPEN_CLOEXEC);
	int ret = 0;
	ssize_t n;

	reason[0] = 0;
	if (fd < 0)
		return -errno;
	if (fsconfig(fd, FSCONFIG_SET_STRING, key, val, 0) ||
	    fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		ret = -errno;
	n = read(fd, reason, len - 1);
	reason[n > 0 ? n : 0] = 0;
	close(fd);
	return ret;
}

TEST_F(mount, says_why)
{
	static const struct {
		const char *key, *val;
	} bad[] = {
		{ "dram", "0" }, { "dram", "9999999G" }, { "dram", "4M" },
		{ "dram", "many" }, { "cxl_nodes", "77" },
		{ "dram_nodes", "x" }, { "cxl", "8M" }, { "bogus", "1" },
	};
	char reason[512];
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		EXPECT_EQ(-EINVAL, fs_create(bad[i].key, bad[i].val, reason,
					     sizeof(reason)));
		EXPECT_EQ('e', reason[0])
			TH_LOG("no reason told for %s=%s", bad[i].key,
			       bad[i].val);
	}
}

TEST_F(mount, budgets_as_asked)
{
	struct itme_tier_info ti;

	MOUNT_CXL("dram=16M,cxl=8192K");
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(16 * MIB, ti.budget);
	EXPECT_EQ(0, ti.used);
	EXPECT_EQ(1, ti.nodes[0] & 1);
	EXPECT_LT(16 * MIB, ti.capacity);
	EXPECT_LE(ti.free, ti.capacity);
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(8 * MIB, ti.budget);
	EXPECT_EQ(1ULL << cxl_node(), ti.nodes[0]);
	EXPECT_LT(8 * MIB, ti.capacity);
}

TEST_F(mount, no_cxl_by_default)
{
	struct itme_tier_info ti;

	MOUNT("dram=8M");
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(0, ti.budget);
}

TEST_F(mount, nodes_chosen)
{
	struct itme_tier_info ti;
	char opts[128];

	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	snprintf(opts, sizeof(opts), "dram=16M,cxl=8M,dram_nodes=0,cxl_nodes=%d",
		 cxl_node());
	MOUNT(opts);
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(1, ti.nodes[0]);
	ASSERT_EQ(0, itme_umount());
	snprintf(opts, sizeof(opts), "dram=16M,dram_nodes=0:%d", cxl_node());
	MOUNT(opts);
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(1 | 1ULL << cxl_node(), ti.nodes[0]);
}

TEST_F(mount, statfs_and_root)
{
	struct statfs sf;
	struct stat st;

	MOUNT("dram=16M,mode=0750");
	ASSERT_EQ(0, statfs(mnt_dir(), &sf));
	EXPECT_EQ(ITME_SUPER_MAGIC, sf.f_type);
	EXPECT_EQ(ITME_NAME_MAX, sf.f_namelen);
	EXPECT_LT(0, sf.f_bsize);
	ASSERT_EQ(0, stat(mnt_dir(), &st));
	EXPECT_EQ(S_IFDIR | 0750, st.st_mode);
}

/* size of "key=16M" in a line of /proc/mounts, or -1 */
static int64_t option_size(const char *line, const char *key)
{
	const char *p = strstr(line, key);
	unsigned long long v;
	char *end;

	if (!p || (p[-1] != ',' && p[-1] != ' '))
		return -1;
	v = strtoull(p + strlen(key), &end, 0);
	switch (*end) {
	case 'k': case 'K': return v << 10;
	case 'm': case 'M': return v << 20;
	case 'g': case 'G': return v << 30;
	}
	return v;
}

TEST_F(mount, shown_in_proc_mounts)
{
	char line[1024], found[1024] = "";
	FILE *f;

	MOUNT_CXL("dram=24M,cxl=8M");
	f = fopen("/proc/mounts", "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, " itmefs "))
			strcpy(found, line);
	fclose(f);
	EXPECT_EQ(0, strncmp(found, "itme ", 5));
	EXPECT_EQ(24 * MIB, option_size(found, "dram="))
		TH_LOG("%s", found);
	EXPECT_EQ(8 * MIB, option_size(found, "cxl="));
}

TEST_F(mount, second_mount_shares)
{
	struct stat a, b;
	char dir[256], file[300];
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 3 * CHUNK + 100, 1, 0);
	ASSERT_LE(0, fd);
	snprintf(dir, sizeof(dir), "%s.2", mnt_dir());
	snprintf(file, sizeof(file), "%s/f", dir);

	EXPECT_EQ(-EBUSY, itme_mount_at(dir, "dram=32M"));
	EXPECT_EQ(-EBUSY, itme_mount_at(dir, "dram=16M,mode=0711"));
	ASSERT_EQ(0, itme_mount_at(dir, NULL));
	ASSERT_EQ(0, fstat(fd, &a));
	ASSERT_EQ(0, stat(file, &b));
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_EQ(a.st_ino, b.st_ino);
	close(fd);

	/* either goes, the other keeps the files and the budget */
	ASSERT_EQ(0, itme_umount());
	fd = open(file, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_read(fd, 0, 3 * CHUNK + 100, 1));
	close(fd);
	ASSERT_EQ(0, itme_mount_at(mnt_dir(), "dram=16M"));
	EXPECT_EQ(0, umount2(dir, 0));
	EXPECT_EQ(0, access(file_path("f"), R_OK));
}

TEST_F(mount, remount)
{
	struct itme_tier_info ti;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));

	ASSERT_EQ(0, itme_remount("dram=24M"));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(24 * MIB, ti.budget);
	ASSERT_EQ(0, itme_remount("dram=8M"));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(8 * MIB, ti.budget);
	EXPECT_GE(8 * MIB, ti.used);

	/* nothing said, or nothing that can be done: nothing changes */
	EXPECT_EQ(0, itme_remount(NULL));
	EXPECT_EQ(-EINVAL, itme_remount("dram=0"));
	EXPECT_EQ(-EINVAL, itme_remount("dram=4M"));
	EXPECT_EQ(-EINVAL, itme_remount("dram=9999999G"));
	EXPECT_EQ(-EINVAL, itme_remount("bogus=1"));
	EXPECT_EQ(-EINVAL, itme_remount("dram=16M,cxl=9999999G"));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(8 * MIB, ti.budget);
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
}

/* mount(8) reads the options that are shown and gives them all again */
TEST_F(mount, remount_by_command)
{
	struct itme_tier_info ti;

	MOUNT_CXL("dram=16M,cxl=8M,mode=0750");
	EXPECT_EQ(0, run_cmd("mount -o remount,dram=24M %s", mnt_dir()));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(24 * MIB, ti.budget);
	EXPECT_EQ(0, run_cmd("mount -o remount,cxl=16M %s", mnt_dir()));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(24 * MIB, ti.budget);
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(16 * MIB, ti.budget);
}

static int mount_other(void *arg)
{
	int ret = itme_mount_at(mnt_dir(), "dram=16M");

	(void)arg;
	return ret < 0 ? -ret : 0;
}

static int mount_in_userns(void *arg)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) ? 255 : mount_other(arg);
}

static int mount_unprivileged(void *arg)
{
	return drop_sys_admin() ? 254 : mount_other(arg);
}

TEST_F(mount, privileged)
{
	int ret;

	EXPECT_EQ(EPERM, in_child(mount_unprivileged, NULL, 20));
	ret = in_child(mount_in_userns, NULL, 20);
	if (ret != 255)
		EXPECT_EQ(EPERM, ret);
}

TEST_F(mount, busy_while_open)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, itme_umount());
	EXPECT_EQ(0, check_read(fd, 0, CHUNK, 1));
	close(fd);
	EXPECT_EQ(0, itme_umount());
}

TEST_F(mount, busy_while_mapped)
{
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 2 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, 2 * CHUNK);
	ASSERT_NE(NULL, p);
	close(fd);
	EXPECT_EQ(-EBUSY, itme_umount());
	EXPECT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1));
	munmap(p, 2 * CHUNK);
	EXPECT_EQ(0, itme_umount());
}

TEST_F(mount, detached_while_mapped)
{
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 12 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, 12 * CHUNK);
	ASSERT_NE(NULL, p);
	close(fd);
	root_close();
	ASSERT_EQ(0, umount2(mnt_dir(), MNT_DETACH));
	EXPECT_EQ(0, pattern_check(p, 12 * CHUNK, 0, 1));
	/* the tree lives as long as it is used, so this is the same one */
	MOUNT(NULL);
	EXPECT_EQ(0, access(file_path("f"), R_OK));
	EXPECT_EQ(0, pattern_check(p, 12 * CHUNK, 0, 1));
	munmap(p, 12 * CHUNK);
}

TEST_F(mount, rmmod_while_mounted)
{
	int ret, fd;

	MOUNT("dram=16M");
	fd = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ret = syscall(SYS_delete_module, "itme", O_NONBLOCK) ? errno : 0;
	EXPECT_TRUE(ret == EBUSY || ret == EWOULDBLOCK)
		TH_LOG("delete_module: %d", ret);
	EXPECT_EQ(0, check_read(fd, 0, CHUNK, 1));
}

TEST_HARNESS_MAIN
