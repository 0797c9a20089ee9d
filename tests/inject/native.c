// SPDX-License-Identifier: GPL-2.0
/* Written files: names, and pages that come into being. */
#include <sys/xattr.h>

#include "dm.h"
#include "program.h"
#include "scene.h"

static uint64_t len;
static char *p;

FIXTURE(native) {};
INJECT_FIXTURE(native)

static char *at(const char *name)
{
	static char path[4][600];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof(path[n]), "%s/%s", mnt_dir(), name);
	return path[n];
}

static bool exists(const char *name)
{
	struct stat st;

	return !lstat(at(name), &st);
}

/* Names. */

static int make_file(void)
{
	return close_it(open(at("n"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int make_nameless(void)
{
	return close_it(open(mnt_dir(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
}

static int make_dir(void)
{
	return mkdir(at("n"), 0700) ? -errno : 0;
}

static int make_symlink(void)
{
	memset(data, 'x', 300);
	data[300] = 0;
	return symlink(data, at("n")) ? -errno : 0;
}

static int make_node(void)
{
	return mknod(at("n"), S_IFIFO | 0600, 0) ? -errno : 0;
}

static int make_link(void)
{
	return link(at("f"), at("n")) ? -errno : 0;
}

static const char *made(int ret)
{
	struct stat st;

	if (exists("n") != !ret)
		return ret ? "it failed, and is there" : "it is not there";
	if (fstat(file, &st) || st.st_nlink > 2 - !!ret)
		return "more names than it has";
	if (!ret && remove(at("n")))
		return "it cannot be removed";
	return room();
}

static const char *nameless(int ret)
{
	(void)ret;
	return room();
}

static int two_names(void)
{
	int ret = close_it(create("n", PAGE));

	return ret ?: close_it(create("o", 2 * PAGE));
}

static int rename_one(void)
{
	return rename(at("n"), at("o")) ? -errno : 0;
}

static int exchange(void)
{
	return renameat2(AT_FDCWD, at("n"), AT_FDCWD, at("o"), 2) ? -errno : 0;
}

static uint64_t named_size(const char *name)
{
	struct stat st;

	return stat(at(name), &st) ? 0 : (uint64_t)st.st_size;
}

static const char *two_removed(void)
{
	unlink(at("n"));
	return unlink(at("o")) ? "it cannot be removed" : room();
}

static const char *renamed(int ret)
{
	if (named_size("n") != (ret ? PAGE : 0) || named_size("o") != (ret ? 2 : 1) * PAGE)
		return "the names do not say so";
	return two_removed();
}

static const char *exchanged(int ret)
{
	if (named_size("n") != (ret ? 1 : 2) * PAGE || named_size("o") != (ret ? 2 : 1) * PAGE)
		return "the names do not say so";
	return two_removed();
}

static int one_name(void)
{
	return close_it(create("n", LEN));
}

static int unlink_one(void)
{
	return unlink(at("n")) ? -errno : 0;
}

static const char *unlinked(int ret)
{
	if (exists("n") != !!ret)
		return "the directory does not say so";
	if (ret && unlink(at("n")))
		return "it cannot be removed";
	return accounted(file) ?: room();
}

static int with_attr(void)
{
	return setxattr(at("f"), "user.a", "old", 3, 0) ? -errno : 0;
}

static int set_attr(void)
{
	memset(data, 'x', 300);
	return setxattr(at("f"), "user.a", data, 300, 0) ? -errno : 0;
}

static const char *attr_right(int ret)
{
	ssize_t n = getxattr(at("f"), "user.a", back, 300);

	if (n != (ret ? 3 : 300) || back[0] != (ret ? 'o' : 'x'))
		return "the attribute is neither of both";
	return removexattr(at("f"), "user.a") ? "it cannot be removed" : room();
}

TEST_F(native, names)
{
	static const struct {
		const char *name;
		int (*run)(void);
		const char *(*after)(int ret);
		int (*before)(void);
	} ops[] = {
		{ "create", make_file, made, NULL },
		{ "O_TMPFILE", make_nameless, nameless, NULL },
		{ "mkdir", make_dir, made, NULL },
		{ "symlink", make_symlink, made, NULL },
		{ "mknod", make_node, made, NULL },
		{ "link", make_link, made, NULL },
		{ "rename", rename_one, renamed, two_names },
		{ "exchange", exchange, exchanged, two_names },
		{ "unlink", unlink_one, unlinked, one_name },
		{ "setxattr", set_attr, attr_right, with_attr },
	};

	ASSERT_EQ(0, written_open("dram=16M"));
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		SWEEP_WARM((&(struct op){
			.name = ops[i].name, .kinds = MEMORY | ON(COPY), .must = ON(TASK),
			.before = ops[i].before, .run = ops[i].run, .after = ops[i].after,
		}));
}

/* Pages that come. Without a hole promised, what is behind the base is beyond the end. */

static uint64_t start;

static int write_it(void)
{
	return put(file, AT, len, 2);
}

/* What has been written is there, and as far as the size says. */
static const char *write_right(int ret)
{
	uint64_t size = size_of(file);

	if (ret ? size != start && (size <= AT || size > AT + len) : size < AT + len)
		return "another size than it may have";
	if (!ret && check_read(file, AT, len, 2))
		return "wrong content";
	if (ret && size > AT && !blank(AT, size < AT + len ? size - AT : len, true))
		return "wrong content of a part";
	if (size > BASE && !blank(BASE, PAGE, false))
		return "the hole is not empty";
	return undone(start);
}

static int poke_it(void)
{
	return as_errno(poke(p + AT));
}

static int touch_it(void)
{
	return as_errno(touch(p + AT));
}

static const char *poke_right(int ret)
{
	if (pread(file, back, PAGE, AT) != (ssize_t)PAGE || back[0] != (ret ? 0 : 'x') ||
	    !blank(AT + 1, LEN - 1, false))
		return "wrong content";
	return undone(start);
}

static const char *touch_right(int ret)
{
	(void)ret;
	return blank(AT, LEN, false) ? undone(start) : "wrong content";
}

static int allocate(void)
{
	return fallocate(file, 0, AT + PAGE, 2 * CHUNK) ? -errno : 0;
}

static int allocate_beyond(void)
{
	return fallocate(file, FALLOC_FL_KEEP_SIZE, AT + PAGE, 2 * CHUNK) ? -errno : 0;
}

/* When it fails, the size is as before; the pages that it has made go with the size. */
static const char *allocated(int ret)
{
	if (ret && size_of(file) != start)
		return "it failed, and the file has grown";
	/* what is beyond the end is in none of the file's ranges */
	if (ftruncate(file, BASE))
		return "it cannot be cut off";
	return undone(start);
}

static int grow(void)
{
	return ftruncate(file, AT + 2 * CHUNK) ? -errno : 0;
}

enum what { WRITE, ALLOCATE, FAULT };

static void sweep_new(struct __test_metadata *_metadata, const char *opts, enum what what)
{
	static const struct {
		enum what what;
		const char *name;
		int (*run)(void);
		const char *(*after)(int ret);
		uint64_t len;	/* of a write; 0: the file is larger before */
	} ops[] = {
		{ WRITE, "ftruncate", grow, allocated, PAGE },
		{ WRITE, "write of a page", write_it, write_right, PAGE },
		{ WRITE, "write of a chunk", write_it, write_right, CHUNK },
		{ ALLOCATE, "fallocate", allocate, allocated, PAGE },
		{ ALLOCATE, "fallocate beyond the end", allocate_beyond, allocated, PAGE },
		{ ALLOCATE, "fallocate of a hole", allocate, allocated, 0 },
		{ FAULT, "write fault on a hole", poke_it, poke_right, 0 },
		{ FAULT, "read fault on a hole", touch_it, touch_right, 0 },
	};

	ASSERT_EQ(0, written_open(opts));
	p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (ops[i].what != what)
			continue;
		start = ops[i].len ? BASE : AT + CHUNK;
		len = ops[i].len;
		ASSERT_EQ(0, ftruncate(file, start));
		SWEEP_WARM((&(struct op){
			.name = ops[i].name, .may = { ENOSPC },
			.kinds = MEMORY | (ops[i].run == write_it ? ON(COPY) : 0),
			.must = ops[i].run == grow ? 0 : ON(SLAB) | ON(PAGES),
			.run = ops[i].run, .after = ops[i].after, .late = &file,
		}));
	}
}

TEST_F(native, write)
{
	sweep_new(_metadata, "dram=16M", WRITE);
}

TEST_F(native, write_reserved)
{
	sweep_new(_metadata, "dram=16M,reserve", WRITE);
}

TEST_F(native, allocate)
{
	sweep_new(_metadata, "dram=16M", ALLOCATE);
}

TEST_F(native, allocate_reserved)
{
	sweep_new(_metadata, "dram=16M,reserve", ALLOCATE);
}

TEST_F(native, fault)
{
	sweep_new(_metadata, "dram=16M", FAULT);
}

TEST_F(native, fault_reserved)
{
	sweep_new(_metadata, "dram=16M,reserve", FAULT);
}

INJECT_NO_LEAK
