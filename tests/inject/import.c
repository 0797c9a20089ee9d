// SPDX-License-Identifier: GPL-2.0
/* Names: import, lookup and open, readdir, unlink. */
#include <dirent.h>

#include "program.h"

#define SIZE	(2 * CHUNK)

static int lower_fd = -1;
static char lower_name[512];
static uint32_t chunk;

FIXTURE(import) {};
INJECT_FIXTURE(import)

static int names(void)
{
	DIR *d = opendir(mnt_dir());
	struct dirent *e;
	int n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int import_one(void)
{
	return import_fd("f", lower_fd, chunk);
}

/* It is there whole, or not at all. Where the result could not be told, either. */
static const char *imported(int ret)
{
	int fd;

	if (ret == -EFAULT && names() == 1)
		ret = 0;
	if (names() != !ret)
		return "the directory does not say so";
	if (!ret) {
		fd = file_open("f", O_RDONLY);
		if (fd < 0)
			return "what was imported cannot be opened";
		if (check_read(fd, 0, SIZE, 1))
			return "wrong content";
		if (accounted(fd))
			return accounted(fd);
		close(fd);
		if (file_unlink("f"))
			return "it cannot be unlinked";
	}
	if (!POLL(!tier_used(DRAM), 10))
		return "memory in use without a file";
	close(lower_fd);
	if (!writable_again(lower_name))
		return "the lower file is still held";
	lower_fd = open(lower_name, O_RDONLY | O_CLOEXEC);
	return NULL;
}

static void import_sweep(struct __test_metadata *_metadata, uint32_t size)
{
	chunk = size;
	ASSERT_EQ(0, itme_mount("dram=16M"));
	lower_fd = lower_new("f", SIZE, 1);
	ASSERT_LE(0, lower_fd);
	snprintf(lower_name, sizeof(lower_name), "%s", lower_path("f"));
	SWEEP((&(struct op){
		.name = "import", .kinds = MEMORY | ON(COPY),
		.must = ON(TASK) | ON(SLAB) | ON(COPY),
		.run = import_one, .after = imported,
	}));
}

TEST_F(import, import)
{
	import_sweep(_metadata, 0);
}

TEST_F(import, import_small_chunks)
{
	import_sweep(_metadata, 64 * KIB);
}

/* A table of chunks that only vmalloc() can give: that it cannot is no news for the console. */
static const char *imported_large(int ret)
{
	if (ret == -EFAULT && names() == 1)
		ret = 0;
	if (names() != !ret)
		return "the directory does not say so";
	return !ret && file_unlink("f") ? "it cannot be unlinked" : NULL;
}

TEST_F(import, import_large)
{
	uint64_t size = 8192 * MIB;

	chunk = 64 * KIB;
	ASSERT_EQ(0, itme_mount("dram=16M"));
	lower_fd = lower_new("f", PAGE, 1);
	ASSERT_LE(0, lower_fd);
	ASSERT_EQ(0, truncate(lower_path("f"), size));
	SWEEP((&(struct op){
		.name = "import of 8 GiB", .kinds = MEMORY,
		.must = ON(TASK) | ON(SLAB) | ON(PAGES),
		.run = import_one, .after = imported_large,
	}));
}

static int opened = -1;

static int open_one(void)
{
	opened = file_open("f", O_RDONLY);
	return opened < 0 ? opened : 0;
}

static const char *open_after(int ret)
{
	struct itme_object o = {};
	const char *what = NULL;

	if (ret)
		return NULL;
	if (object(opened, &o) || o.opens != 1)
		what = "more than one file description";
	else if (check_read(opened, 0, 8 * KIB, 1))
		what = "wrong content";
	close(opened);
	return what;
}

TEST_F(import, lookup_and_open)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	ASSERT_LE(0, close(import_open("f", SIZE, 1, 0)));
	SWEEP((&(struct op){
		.name = "open", .kinds = MEMORY, .must = ON(TASK),
		.run = open_one, .after = open_after,
	}));
}

static int list(void)
{
	char buf[512];
	int n, fd = open(mnt_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = getdents64(fd, buf, sizeof(buf));
	n = n < 0 ? -errno : n ? 0 : -ENODATA;
	close(fd);
	return n;
}

TEST_F(import, readdir)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	ASSERT_LE(0, close(import_open("f", SIZE, 1, 0)));
	SWEEP((&(struct op){
		.name = "readdir", .kinds = MEMORY | ON(COPY), .must = ON(TASK), .run = list,
	}));
}

static int unlink_before(void)
{
	int fd;

	if (names())
		return 0;
	fd = import_fd("f", lower_fd, 0) ?: file_open("f", O_RDONLY);
	if (fd < 0)
		return fd;
	/* the last reference goes with memory in use, and with a read under way */
	if (check_read(fd, 0, 8 * KIB, 1) || advise(fd, CHUNK, 0, ITME_ADVICE_WILLNEED, ANY, NULL))
		return -EIO;
	return close(fd);
}

static int unlink_one(void)
{
	return file_unlink("f");
}

static const char *unlinked(int ret)
{
	if (names() != !!ret)
		return "the directory does not say so";
	if (ret)
		return NULL;
	if (!POLL(!tier_used(DRAM), 10))
		return "memory in use without a file";
	close(lower_fd);
	if (!writable_again(lower_name))
		return "the lower file is still held";
	lower_fd = open(lower_name, O_RDONLY | O_CLOEXEC);
	return NULL;
}

TEST_F(import, unlink)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	lower_fd = lower_new("f", SIZE, 1);
	ASSERT_LE(0, lower_fd);
	snprintf(lower_name, sizeof(lower_name), "%s", lower_path("f"));
	SWEEP((&(struct op){
		.name = "unlink", .kinds = MEMORY | IO, .must = ON(TASK),
		.before = unlink_before, .run = unlink_one, .after = unlinked,
	}));
}

INJECT_NO_LEAK
