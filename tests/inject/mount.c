// SPDX-License-Identifier: GPL-2.0
/*
 * Mount, the same with the newer calls, remount, and unmount. A mount is the work
 * of the task that asks for it alone, so TASK has all that can fail.
 */
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "program.h"

#define OPTIONS		"dram=16M,cxl=16M,mode=0750"
#define SIZE		(12 * MIB)
#define SMALL		(64 * KIB)

static int file = -1;

FIXTURE(mount) {};
INJECT_FIXTURE(mount)

static const char *options(void)
{
	return have_cxl_node() ? OPTIONS : "dram=16M,mode=0750";
}

static bool mounted(void)
{
	struct stat st, up;

	return !stat(mnt_dir(), &st) && !stat("/tmp", &up) && st.st_dev != up.st_dev;
}

static int mount_one(void)
{
	return mount("itme", mnt_dir(), "itmefs", 0, options()) ? -errno : 0;
}

static int make_dir(void)
{
	return mkdir(mnt_dir(), 0755) && errno != EEXIST ? -errno : 0;
}

/*
 * Workqueues of ours that have a rescuer, by its name, that of a thread being cut
 * after 15 characters. No leak to kmemleak, as the kernel lists all workqueues.
 */
static int rescuers(void)
{
	return run_cmd("! grep -q ^kworker/R-itme_ /proc/[0-9]*/comm");
}

/* Mounted and of use, or not there at all. */
static const char *mounted_after(int ret)
{
	struct itme_tier_info ti;
	const char *what = NULL;
	struct stat st;
	int fd;

	if (mounted() != !ret)
		return "not what mount said";
	if (ret)
		return NULL;
	if (root_fd() < 0)
		return "no root directory";
	fd = import_open("f", 2 * SMALL, 1, SMALL);
	if (fd < 0 || check_read(fd, 0, SMALL, 1))
		what = "wrong content";
	else if (fstat(root_fd(), &st) || (st.st_mode & 07777) != 0750)
		what = "wrong mode";
	else if (tier_get(DRAM, &ti) || ti.budget != 16 * MIB)
		what = "wrong budget";
	else
		what = accounted(fd);
	if (fd >= 0)
		close(fd);
	return itme_umount() ? "umount failed" : what;
}

TEST_F(mount, mount)
{
	SWEEP((&(struct op){
		.name = "mount", .kinds = ON(TASK), .must = ON(TASK),
		.before = make_dir, .run = mount_one, .after = mounted_after,
	}));
	EXPECT_EQ(0, rescuers());
	ASSERT_EQ(0, mount_one());
	EXPECT_NE(0, rescuers());
}

static int set_option(int fs, unsigned int cmd, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, cmd, key, value, 0) ? -errno : 0;
}

static int fsmount_one(void)
{
	int fs, mnt = -1, ret;

	fs = syscall(SYS_fsopen, "itmefs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	ret = set_option(fs, FSCONFIG_SET_STRING, "dram", "16M") ?:
	      set_option(fs, FSCONFIG_SET_STRING, "dram_nodes", "0") ?:
	      set_option(fs, FSCONFIG_SET_STRING, "mode", "0750") ?:
	      set_option(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (!ret) {
		mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
		ret = mnt < 0 ? -errno : 0;
	}
	if (!ret && syscall(SYS_move_mount, mnt, "", AT_FDCWD, mnt_dir(), MOVE_MOUNT_F_EMPTY_PATH))
		ret = -errno;
	if (mnt >= 0)
		close(mnt);
	close(fs);
	return ret;
}

/* What has been set up and was not moved to its place goes as its fd does. */
TEST_F(mount, fsmount)
{
	SWEEP((&(struct op){
		.name = "fsopen to move_mount", .kinds = ON(TASK), .must = ON(TASK),
		.before = make_dir, .run = fsmount_one, .after = mounted_after,
	}));
}

static int second(const char *opts)
{
	static char dir[300];

	snprintf(dir, sizeof(dir), "%s.2", mnt_dir());
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	if (mount("itme", dir, "itmefs", 0, opts))
		return -errno;
	return umount2(dir, 0) ? -errno : 0;
}

static int second_same(void)
{
	return second(options());
}

static int second_other(void)
{
	int ret = second("dram=32M");

	/* that it is refused is what is right */
	return ret == -EBUSY ? 0 : ret ?: -EPROTO;
}

static int start(void)
{
	int ret = itme_mount(options());

	if (ret)
		return ret;
	file = import_open("f", SIZE, 1, 0);
	return file < 0 ? file : check_read(file, 0, SIZE, 1);
}

static const char *first_stands(int ret)
{
	struct itme_tier_info ti;
	char dir[300];

	snprintf(dir, sizeof(dir), "%s.2", mnt_dir());
	if (ret && umount2(dir, 0) == 0)
		return NULL;	/* it was umount(2) that failed */
	if (tier_get(DRAM, &ti) || ti.budget != 16 * MIB)
		return "another budget";
	if (check_read(file, 0, CHUNK, 1))
		return "wrong content";
	return accounted(file);
}

TEST_F(mount, second)
{
	ASSERT_EQ(0, start());
	SWEEP((&(struct op){
		.name = "second mount", .kinds = ON(TASK), .must = ON(TASK),
		.run = second_same, .after = first_stands,
	}));
	SWEEP((&(struct op){
		.name = "second mount, other options", .kinds = ON(TASK), .must = ON(TASK),
		.run = second_other, .after = first_stands,
	}));
}

static int remount_before(void)
{
	return tier_set(DRAM, 16 * MIB) ?: check_read(file, 0, SIZE, 1);
}

static int shrink(void)
{
	return itme_remount("dram=8M");
}

static int grow(void)
{
	return itme_remount("dram=64M");
}

/* The one budget or the other; in use no more than it allows. */
static const char *remounted(int ret)
{
	struct itme_tier_info ti;

	if (tier_get(DRAM, &ti))
		return "no tier";
	if (ret && ti.budget != 16 * MIB)
		return "another budget though it failed";
	if (!ret && ti.budget != 8 * MIB && ti.budget != 64 * MIB)
		return "the old budget though it worked";
	if (ti.used > ti.budget)
		return "more in use than the budget allows";
	if (check_read(file, 0, SIZE, 1))
		return "wrong content";
	return accounted(file);
}

TEST_F(mount, remount)
{
	ASSERT_EQ(0, start());
	SWEEP((&(struct op){
		.name = "remount, smaller", .kinds = MEMORY, .must = ON(TASK),
		.before = remount_before, .run = shrink, .after = remounted, .late = &file,
	}));
	SWEEP((&(struct op){
		.name = "remount, larger", .kinds = MEMORY, .must = ON(TASK),
		.before = remount_before, .run = grow, .after = remounted, .late = &file,
	}));
}

static int umount_before(void)
{
	int ret;

	if (mounted())
		return 0;
	ret = start();
	if (ret)
		return ret;
	/* with memory in use, and reads under way */
	ret = advise(file, 0, 2 * CHUNK, ITME_ADVICE_PAGEOUT, NVME, NULL) ?:
	      advise(file, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL);
	close(file);
	root_close();
	return ret;
}

static int umount_one(void)
{
	return umount2(mnt_dir(), 0) ? -errno : 0;
}

static const char *unmounted(int ret)
{
	return mounted() != !!ret ? "not what umount said" : NULL;
}

TEST_F(mount, umount)
{
	SWEEP((&(struct op){
		.name = "umount", .kinds = MEMORY | IO, .must = ON(TASK),
		.before = umount_before, .run = umount_one, .after = unmounted,
	}));
}

INJECT_NO_LEAK
