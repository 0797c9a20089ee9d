// SPDX-License-Identifier: GPL-2.0
/*
 * A drive that fails or hangs when told. Made by ioctl: in the debug kernel of
 * the lab a run of dmsetup(8) or losetup(8) takes as long as the test.
 */
#include <glob.h>
#include <linux/dm-ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "common.h"
#include "dm.h"

#define NAME	"itme-selftest"
#define EXTENTS	32
#define SECTOR	512

/* a request to device-mapper, and the table that goes with it */
struct table {
	struct dm_ioctl head;
	char room[2 * EXTENTS * (sizeof(struct dm_target_spec) + 64)];
	size_t used;
};

static char loop_dev[64], dev[64];
/* held, as there may be a table that does not name it */
static int loop_fd = -1;
static uint64_t sectors;

static const char *dm_dir(void)
{
	static char dir[300];

	snprintf(dir, sizeof(dir), "%s.dm", mnt_dir());
	return dir;
}

/* sectors [start, end) are those of the loop device, or errors */
static void add_target(struct table *t, const char *type, uint64_t start,
		       uint64_t end)
{
	struct dm_target_spec *spec = (void *)(t->room + t->used);
	char *args = (char *)(spec + 1);

	if (start == end)
		return;
	spec->sector_start = start;
	spec->length = end - start;
	strcpy(spec->target_type, type);
	if (!strcmp(type, "flakey"))
		sprintf(args, "%s %llu 0 3600 1 error_writes", loop_dev,
			(unsigned long long)start);
	else if (!strcmp(type, "linear"))
		sprintf(args, "%s %llu", loop_dev, (unsigned long long)start);
	/* the next one's place, as seen from this one */
	spec->next = (sizeof(*spec) + strlen(args) + 1 + 7) & ~7UL;
	t->used += spec->next;
	t->head.target_count++;
}

static int dm_request(unsigned long cmd, struct table *t, uint32_t flags)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	t->head.version[0] = DM_VERSION_MAJOR;
	t->head.data_size = sizeof(t->head) + sizeof(t->room);
	t->head.data_start = sizeof(t->head);
	t->head.flags = flags;
	strcpy(t->head.name, NAME);
	ret = ioctl(fd, cmd, t) ? -errno : 0;
	close(fd);
	return ret;
}

static int dm_simple(unsigned long cmd, uint32_t flags)
{
	struct table t = {};

	return dm_request(cmd, &t, flags);
}

/* put another table under the file system; I/O in flight is finished first */
static int swap_table(struct table *t)
{
	return dm_request(DM_TABLE_LOAD, t, 0) ?:
	       dm_simple(DM_DEV_SUSPEND, DM_SUSPEND_FLAG |
					 DM_SKIP_LOCKFS_FLAG) ?:
	       dm_resume();
}

/*
 * Attach the image to a loop device that is freed when its last user goes: the
 * device's fd, or -errno.
 */
static int make_loop(const char *image)
{
	struct loop_config config = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control, file, fd, n, ret;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (n < 0)
		return -errno;
	snprintf(loop_dev, sizeof(loop_dev), "/dev/loop%d", n);
	fd = open(loop_dev, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	file = open(image, O_RDWR | O_CLOEXEC);
	config.fd = file;
	ret = file < 0 || ioctl(fd, LOOP_CONFIGURE, &config) ? -errno : 0;
	if (file >= 0)
		close(file);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* the loop device of a test that is no more */
static int find_loop(const char *image)
{
	char line[600];
	glob_t found;
	int ret = -ENODEV;
	size_t i;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &found))
		return ret;
	for (i = 0; i < found.gl_pathc && ret; i++) {
		FILE *f = fopen(found.gl_pathv[i], "re");

		if (f && fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = 0;
			if (!strcmp(line, image) &&
			    sscanf(found.gl_pathv[i], "/sys/block/%15[^/]",
				   line) == 1) {
				snprintf(loop_dev, sizeof(loop_dev),
					 "/dev/%.15s", line);
				ret = 0;
			}
		}
		if (f)
			fclose(f);
	}
	globfree(&found);
	return ret;
}

const char *dm_path(void)
{
	return dev;
}

const char *dm_image(void)
{
	return lower_path("disk");
}

const char *dm_device(unsigned int mib)
{
	char image[512];
	struct table t = {};
	int fd;

	if (access("/dev/loop-control", F_OK) ||
	    access("/dev/mapper/control", F_OK))
		run_cmd("modprobe -a loop dm-mod");
	strcpy(image, lower_path("disk"));
	fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, mib * MIB))
		return "cannot make the image";
	close(fd);
	sectors = mib * MIB / SECTOR;
	loop_fd = make_loop(image);
	if (loop_fd < 0)
		return "no loop device";
	add_target(&t, "linear", 0, sectors);
	if (dm_simple(DM_DEV_CREATE, 0))
		return "no device-mapper";
	if (dm_request(DM_TABLE_LOAD, &t, 0) || dm_resume())
		return "no table of the drive";
	snprintf(dev, sizeof(dev), "/dev/dm-%u", minor(t.head.dev));
	return NULL;
}

const char *dm_setup(unsigned int mib)
{
	const char *why = dm_device(mib);

	if (why)
		return why;
	/* a journal would write on its own */
	if (run_cmd("mkfs.ext4 -q -F -O ^has_journal -E nodiscard,lazy_itable_init=0 %s",
		    dev))
		return "mkfs failed";
	mkdir(dm_dir(), 0755);
	if (mount(dev, dm_dir(), "ext4", 0, NULL))
		return "mount of the drive failed";
	return NULL;
}

void dm_teardown(void)
{
	char image[512];
	struct stat st;

	strcpy(image, lower_path("disk"));
	if (!dm_simple(DM_DEV_STATUS, 0)) {
		dm_resume();
		if (!find_loop(image) && !stat(image, &st)) {
			sectors = st.st_size / SECTOR;
			dm_heal();
		}
		if (!POLL(!umount2(dm_dir(), 0) || errno == EINVAL ||
			  errno == ENOENT, 5))
			umount2(dm_dir(), MNT_DETACH);
		POLL(!dm_simple(DM_DEV_REMOVE, 0), 5);
	}
	if (loop_fd >= 0)
		close(loop_fd);
	loop_fd = -1;
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
	struct table t = {};
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
		add_target(&t, "linear", at, start);
		add_target(&t, "error", start, start + count);
		at = start + count;
	}
	free(map);
	add_target(&t, "linear", at, sectors);
	return swap_table(&t);
}

int dm_fail_all(void)
{
	struct table t = {};

	add_target(&t, "error", 0, sectors);
	return swap_table(&t);
}

int dm_fail_writes(void)
{
	struct table t = {};

	run_cmd("modprobe dm-flakey");
	add_target(&t, "flakey", 0, sectors);
	return swap_table(&t);
}

int dm_heal(void)
{
	struct table t = {};

	add_target(&t, "linear", 0, sectors);
	return swap_table(&t);
}

int dm_suspend(void)
{
	return dm_simple(DM_DEV_SUSPEND, DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG |
					 DM_SKIP_LOCKFS_FLAG);
}

int dm_resume(void)
{
	return dm_simple(DM_DEV_SUSPEND, 0);
}
