// SPDX-License-Identifier: GPL-2.0
/* A drive that fails or hangs when told, made with dmsetup(8). */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/mount.h>

#include "common.h"
#include "dm.h"

#define NAME	"itme-selftest"
#define EXTENTS	32
#define SECTOR	512

static char loop_dev[64];
static uint64_t sectors;

static const char *dm_dir(void)
{
	static char dir[300];

	snprintf(dir, sizeof(dir), "%s.dm", mnt_dir());
	return dir;
}

/* there may be no udev to make or await device nodes */
static int dmsetup(const char *args)
{
	return run_cmd("DM_DISABLE_UDEV=1 dmsetup --noudevsync %s", args) ?
		       -EIO : 0;
}

/* put another table under the file system; I/O in flight is finished first */
static int swap_table(const char *table)
{
	char path[512];
	int fd, ret;

	snprintf(path, sizeof(path), "/tmp/%s.table", NAME);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = write(fd, table, strlen(table)) == (ssize_t)strlen(table) ?
		      0 : -EIO;
	close(fd);
	ret = ret ?: dmsetup("load " NAME " /tmp/" NAME ".table");
	unlink(path);
	ret = ret ?: dmsetup("suspend --nolockfs " NAME);
	return ret ?: dmsetup("resume " NAME);
}

static int find_loop(const char *file)
{
	char cmd[700];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "losetup -j %s 2>/dev/null", file);
	f = popen(cmd, "r");
	loop_dev[0] = 0;
	if (f && fgets(loop_dev, sizeof(loop_dev), f))
		loop_dev[strcspn(loop_dev, ":\n")] = 0;
	if (f)
		pclose(f);
	return loop_dev[0] ? 0 : -ENODEV;
}

const char *dm_setup(unsigned int mib)
{
	char image[512], args[256];
	int fd;

	run_cmd("modprobe -a loop dm-mod");
	if (run_cmd("command -v dmsetup") || run_cmd("command -v losetup") ||
	    run_cmd("command -v mkfs.ext4"))
		return "no dmsetup, losetup or mkfs.ext4";
	if (run_cmd("dmsetup version"))
		return "no device-mapper";

	strcpy(image, lower_path("disk"));
	fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, mib * MIB))
		return "cannot make the image";
	close(fd);
	sectors = mib * MIB / SECTOR;
	if (run_cmd("losetup -f %s", image) || find_loop(image))
		return "no loop device";
	snprintf(args, sizeof(args),
		 "create " NAME " --table '0 %llu linear %s 0'",
		 (unsigned long long)sectors, loop_dev);
	if (dmsetup(args))
		return "dmsetup create failed";
	/* a journal would write on its own */
	if (run_cmd("mkfs.ext4 -q -F -O ^has_journal -E nodiscard,lazy_itable_init=0 "
		    "/dev/mapper/" NAME))
		return "mkfs failed";
	mkdir(dm_dir(), 0755);
	if (mount("/dev/mapper/" NAME, dm_dir(), "ext4", 0, NULL))
		return "mount of the drive failed";
	return NULL;
}

void dm_teardown(void)
{
	char image[512];

	strcpy(image, lower_path("disk"));
	if (!run_cmd("dmsetup info " NAME)) {
		dm_resume();
		if (!find_loop(image)) {
			struct stat st;

			if (!stat(image, &st))
				sectors = st.st_size / SECTOR;
			dm_heal();
		}
		if (!POLL(!umount2(dm_dir(), 0) || errno == EINVAL ||
			  errno == ENOENT, 5))
			umount2(dm_dir(), MNT_DETACH);
		POLL(!dmsetup("remove " NAME), 5);
	}
	if (!find_loop(image))
		run_cmd("losetup -d %s", loop_dev);
	unlink(image);
}

int dm_lower(const char *name, uint64_t size, uint64_t seed)
{
	char path[600];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dm_dir(), name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = write_pattern(fd, size, seed);
	close(fd);
	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int by_place(const void *a, const void *b)
{
	const struct fiemap_extent *x = a, *y = b;

	return x->fe_physical < y->fe_physical ? -1 :
	       x->fe_physical > y->fe_physical;
}

int dm_fail(int lower_fd, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, at = 0;
	char table[EXTENTS * 200], *p = table;
	struct fiemap_extent *e;
	struct fiemap *map;
	unsigned int i, n;

	map = calloc(1, sizeof(*map) + EXTENTS * sizeof(*e));
	if (!map)
		return -ENOMEM;
	map->fm_start = off;
	map->fm_length = len;
	map->fm_extent_count = EXTENTS;
	if (ioctl(lower_fd, FS_IOC_FIEMAP, map) || !map->fm_mapped_extents) {
		free(map);
		return -EIO;
	}
	n = map->fm_mapped_extents;
	e = map->fm_extents;
	qsort(e, n, sizeof(*e), by_place);
	for (i = 0; i < n; i++) {
		uint64_t from = off > e[i].fe_logical ? off : e[i].fe_logical;
		uint64_t to = e[i].fe_logical + e[i].fe_length;
		uint64_t start, count;

		to = to < end ? to : end;
		start = (e[i].fe_physical + from - e[i].fe_logical) / SECTOR;
		count = (to - from + SECTOR - 1) / SECTOR;
		if (start > at)
			p += sprintf(p, "%llu %llu linear %s %llu\n",
				     (unsigned long long)at,
				     (unsigned long long)(start - at), loop_dev,
				     (unsigned long long)at);
		p += sprintf(p, "%llu %llu error\n", (unsigned long long)start,
			     (unsigned long long)count);
		at = start + count;
	}
	free(map);
	if (at < sectors)
		sprintf(p, "%llu %llu linear %s %llu\n",
			(unsigned long long)at,
			(unsigned long long)(sectors - at), loop_dev,
			(unsigned long long)at);
	return swap_table(table);
}

int dm_fail_all(void)
{
	char table[100];

	sprintf(table, "0 %llu error\n", (unsigned long long)sectors);
	return swap_table(table);
}

int dm_heal(void)
{
	char table[200];

	sprintf(table, "0 %llu linear %s 0\n", (unsigned long long)sectors,
		loop_dev);
	return swap_table(table);
}

int dm_suspend(void)
{
	return dmsetup("suspend --noflush --nolockfs " NAME);
}

int dm_resume(void)
{
	return dmsetup("resume " NAME);
}
