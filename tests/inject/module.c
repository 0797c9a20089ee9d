// SPDX-License-Identifier: GPL-2.0
/* Insertion and removal of the module. */
#include <sys/syscall.h>

#include "program.h"

#define STRIPPED	"/tmp/itme-inject.ko"

static void *image;
static size_t image_size;

FIXTURE(module) {};
INJECT_FIXTURE(module)

/* Without what a debugger wants of it: nine tenths, which the kernel would copy at each try. */
static int load_image(void)
{
	const char *ko = getenv("ITME_KO");
	struct stat st;
	int fd;

	if (!ko || run_cmd("strip -g -o " STRIPPED " %s", ko))
		return -ENOENT;
	fd = open(STRIPPED, O_RDONLY | O_CLOEXEC);
	unlink(STRIPPED);
	if (fd < 0 || fstat(fd, &st))
		return -ENOENT;
	image_size = st.st_size;
	image = malloc(image_size);
	if (!image || read(fd, image, image_size) != (ssize_t)image_size)
		return -EIO;
	return close(fd);
}

static bool inserted(void)
{
	return !access("/sys/module/itme", F_OK);
}

static int remove_module(void)
{
	return syscall(SYS_delete_module, "itme", O_NONBLOCK) ? -errno : 0;
}

static int gone(void)
{
	/* a super block goes a moment after its last user */
	return inserted() && !POLL(!remove_module(), 10) ? -EBUSY : 0;
}

static int insert(void)
{
	/* not finit_module(2): its read of the file is not what is looked at */
	return syscall(SYS_init_module, image, image_size, "") ? -errno : 0;
}

/* Its slab cache, where the kernel shows them. */
static bool cache_there(void)
{
	return !access("/sys/kernel/slab/itme_inode", F_OK);
}

/* Of use, or not there, and neither is what it registers. */
static const char *inserted_after(int ret)
{
	const char *what = NULL;
	char buf[4096];
	int fd;

	if (inserted() != !ret)
		return "not what init_module said";
	if (read_file("/proc/filesystems", buf, sizeof(buf)) < 0 || !!strstr(buf, "itmefs") != !ret)
		return "not what is in /proc/filesystems";
	if (!access("/sys/kernel/slab", F_OK) && cache_there() != !ret)
		return "not what is in /sys/kernel/slab";
	if (ret)
		return NULL;
	if (itme_mount("dram=16M"))
		return "it cannot be mounted";
	fd = import_open("f", 64 * KIB, 1, 64 * KIB);
	if (fd < 0 || check_mapped(fd, 0, 64 * KIB, 1))
		what = "wrong content";
	close(fd);
	return itme_umount() ? "umount failed" : what;
}

TEST_F_TIMEOUT(module, insert, 1200)
{
	ASSERT_EQ(0, load_image());
	/* the module's own init, without the some 1000 points of the loader */
	ASSERT_EQ(0, inject_task_within("do_one_initcall"));
	/* a cache that cannot be made is a call trace on the console, and its name lost */
	ASSERT_EQ(0, inject_task_but("__kmem_cache_create_args"));
	SWEEP((&(struct op){
		.name = "init_module", .kinds = ON(TASK), .must = ON(TASK),
		.before = gone, .run = insert, .after = inserted_after,
	}));
}

static int there(void)
{
	return inserted() ? 0 : insert();
}

static const char *removed_after(int ret)
{
	return inserted() != !!ret ? "not what delete_module said" : NULL;
}

TEST_F_TIMEOUT(module, remove, 1200)
{
	ASSERT_EQ(0, load_image());
	SWEEP((&(struct op){
		.name = "delete_module", .kinds = ON(TASK), .must = ON(TASK),
		.before = there, .run = remove_module, .after = removed_after,
	}));
	ASSERT_EQ(0, there());
}

INJECT_NO_LEAK
