// SPDX-License-Identifier: GPL-2.0
/* Swap areas: they come and go, written data goes there and comes back. */
#include <linux/fs.h>

#include "area.h"
#include "dm.h"
#include "program.h"
#include "scene.h"

/* of a file all blocks are looked up each time: MiB */
#define AREA	8
#define AREA_LONG 64
#define LONG	(20 * MIB)

static int area = -1;
static uint32_t id;
static char *p;

FIXTURE(swap) {};
INJECT_FIXTURE(swap)

static const char *gone(void)
{
	struct itme_swap s;

	return swap_get(0, &s) == -ENOENT ? NULL : "there is an area";
}

static int add_area(void)
{
	return swap_add(area, -1, ITME_SWAP_CHECK, &id);
}

static const char *added(int ret)
{
	struct itme_swap s;

	/* the result could not be told */
	if (ret == -EFAULT && !swap_get(0, &s)) {
		id = s.id;
		ret = 0;
	}
	if (!ret && swap_remove(id))
		return "it cannot be removed";
	return gone() ?: room();
}

/* so that its header has to be read */
static int forget_file(void)
{
	return fsync(area) ? -errno : -posix_fadvise(area, 0, 0, POSIX_FADV_DONTNEED);
}

TEST_F(swap, add_file)
{
	ASSERT_EQ(0, written_open("dram=16M"));
	ASSERT_LE(0, area = area_ready("area", AREA));
	SWEEP_WARM((&(struct op){
		.name = "swap add of a file", .kinds = MEMORY | ON(COPY) | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		/* what the file system below could not look up is a hole, or not known */
		.may = { EINVAL, EOPNOTSUPP },
		.before = forget_file, .run = add_area, .after = added,
	}));
}

static const char *added_device(int ret)
{
	const char *what = added(ret);
	int fd = open(dm_path(), O_RDWR | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return what ?: "the device is still claimed";
	close(fd);
	return what;
}

/* likewise */
static int forget_device(void)
{
	return ioctl(area, BLKFLSBUF) ? -errno : 0;
}

TEST_F(swap, add_device)
{
	char path[128];

	ASSERT_EQ(0, written_open("dram=16M"));
	ASSERT_NULL(dm_device(AREA));
	ASSERT_EQ(0, run_cmd("mkswap %s", dm_path()));
	ASSERT_LE(0, area = open(dm_path(), O_RDWR | O_CLOEXEC));
	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail", strrchr(dm_path(), '/') + 1);
	ASSERT_EQ(0, write_file(path, "1"));
	SWEEP_WARM((&(struct op){
		.name = "swap add of a device", .kinds = MEMORY | ON(COPY) | ON(SUBMIT),
		.must = ON(SLAB) | ON(PAGES) | ON(SUBMIT),
		.before = forget_device, .run = add_area, .after = added_device,
	}));
	close(area);
}

/* There is one that can be written. */
static int good_area(void)
{
	struct itme_swap s;
	int ret = swap_get(0, &s);

	if (!ret && s.flags == ITME_SWAP_CHECK) {
		id = s.id;
		return 0;
	}
	if (!ret)
		ret = swap_remove(s.id);
	return ret && ret != -ENOENT ? ret : add_area();
}

static int page_out(void)
{
	return advise(file, AT, LEN, ITME_ADVICE_PAGEOUT, NVME, NULL);
}

static int dirty(void)
{
	return good_area() ?: put(file, AT, LEN, 2);
}

static const char *swap_undone(void)
{
	const char *what = accounted(file);

	/* all of it: what comes before may have left, to make room */
	if (!what && ftruncate(file, 0))
		what = "it cannot be cut off";
	if (!what && good_area())
		what = "no area that can be written";
	if (!what && !POLL(!swap_used(id), 10))
		what = "swap area in use without anything stored";
	if (!what && put(file, 0, BASE, 1))
		what = "it cannot be written again";
	return what ?: undone(BASE);
}

static const char *stored_right(int ret)
{
	(void)ret;
	return check_read(file, AT, LEN, 2) ? "wrong content" : swap_undone();
}

static bool is_out(void)
{
	return !page_out() && !resident(file, AT, LEN);
}

static int stored(void)
{
	int ret = good_area();

	if (!ret && (size_of(file) != AT + LEN || !blank(AT, LEN, true)))
		ret = put(file, AT, LEN, 2);
	return ret ?: POLL(is_out(), 20) ? 0 : -EBUSY;
}

static int read_it(void)
{
	ssize_t n = pread(file, back, LEN / 4, AT + LEN / 4);

	return n < 0 ? -errno : pattern_check(back, n, AT + LEN / 4, 2) ? -EBADMSG : 0;
}

static int poke_it(void)
{
	return as_errno(poke(p + AT));
}

static int touch_it(void)
{
	return as_errno(touch(p + AT));
}

static const char *poked_right(int ret)
{
	if (pread(file, back, 1, AT) != 1 || (!ret && back[0] != 'x') || put(file, AT, 8, 2))
		return "a word that is not what was written";
	return stored_right(ret);
}

static int write_part(void)
{
	return put(file, AT + 100, 100, 2);
}

#define CUT	(AT + 100)
#define CUT_LEN	(LEN / 2)

static int punch(void)
{
	return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, CUT, CUT_LEN) ?
	       -errno : 0;
}

static int punch_wide(void)
{
	return put(file, AT, CHUNK, 2);
}

static const char *cut_right(int ret)
{
	uint64_t end = size_of(file);

	if (!blank(CUT, CUT_LEN, ret))
		return "the hole is not empty";
	if (check_read(file, AT, CUT - AT, 2) ||
	    check_read(file, CUT + CUT_LEN, end - CUT - CUT_LEN, 2))
		return "wrong content around the hole";
	return swap_undone();
}

static int shorten(void)
{
	return ftruncate(file, CUT) ? -errno : 0;
}

static const char *short_right(int ret)
{
	if (size_of(file) != (ret ? AT + LEN : CUT))
		return "another size than it said";
	if (!ret && (ftruncate(file, AT + LEN) || !blank(CUT, AT + LEN - CUT, false)))
		return "what was cut off has come back";
	return check_read(file, AT, CUT - AT, 2) ? "wrong content" : swap_undone();
}

static int remove_it(void)
{
	return swap_remove(id);
}

static const char *removed(int ret)
{
	struct itme_swap s;
	int err = swap_get(id, &s);

	if (ret == -EFAULT && err)
		ret = 0;
	if (!err != !!ret)
		return ret ? "it failed, and is gone" : "it is not gone";
	if (ret && s.flags != ITME_SWAP_CHECK)
		return "it is not used as before";
	return stored_right(ret);
}

#define SWAP_SWEEP(op_name, how, first, what, then, needs)		\
	SWEEP_WARM((&(struct op){					\
		.name = op_name, .kinds = MEMORY | (how), .must = needs,	\
		.may = { ENOSPC }, .before = first, .run = what, .after = then,	\
		.late = &file,						\
	}))

static void open_area(struct __test_metadata *_metadata, unsigned int mib)
{
	ASSERT_EQ(0, written_open("dram=16M"));
	ASSERT_LE(0, area = area_ready("area", mib));
	ASSERT_EQ(0, add_area());
	p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, p);
}

TEST_F(swap, store)
{
	open_area(_metadata, AREA);
	SWAP_SWEEP("page out", IO, dirty, page_out, stored_right, ON(SLAB) | IO);
	SWAP_SWEEP("punch of a part", 0, punch_wide, punch, cut_right, ON(PAGES));
}

TEST_F(swap, read_back)
{
	open_area(_metadata, AREA);
	SWAP_SWEEP("read of what is stored", IO | ON(COPY), stored, read_it, stored_right,
		   ON(SLAB) | ON(PAGES) | IO);
	SWAP_SWEEP("fault on what is stored", IO, stored, touch_it, stored_right,
		   ON(SLAB) | ON(PAGES) | IO);
	SWAP_SWEEP("write fault on it", IO, stored, poke_it, poked_right, ON(SLAB) | IO);
	SWAP_SWEEP("write to a part of it", IO, stored, write_part, stored_right, ON(SLAB) | IO);
}

TEST_F(swap, cut_stored)
{
	open_area(_metadata, AREA);
	SWAP_SWEEP("punch of what is stored", IO, stored, punch, cut_right, ON(SLAB) | IO);
	SWAP_SWEEP("ftruncate of it", IO, stored, shorten, short_right, ON(SLAB) | IO);
}

TEST_F(swap, remove_area)
{
	open_area(_metadata, AREA);
	SWAP_SWEEP("swap remove", IO, stored, remove_it, removed, ON(SLAB) | ON(PAGES) | IO);
}

/* More than memory, while many fail: an error or not, what is there is right. */
static const char *overflow(enum fault kind, uint32_t n, unsigned int percent)
{
	unsigned int hit;
	uint64_t size;
	int ret;

	if (percent)
		inject_rate(kind, percent);
	else
		inject_first(kind, n);
	ret = put(file, AT, LONG, 2);
	if (percent)
		scan(file, AT, LONG, 2);
	settle(file);
	hit = inject_end(kind);
	size = size_of(file);
	printf("# %s: %u failed, %llu KiB written: %s\n", inject_name(kind), hit,
	       (unsigned long long)(size > AT ? size - AT : 0) / 1024, strerror(-ret));
	if (ret ? ret != -ENOMEM && ret != -ENOSPC && ret != -EIO : size != AT + LONG)
		return "not an error it may return";
	/* with an area that is bad, what is stored there has no room in memory */
	if (tier_set(DRAM, 48 * MIB))
		return "the budget cannot be raised";
	if (size > AT && check_read(file, AT, size - AT, 2))
		return "wrong content";
	if (ftruncate(file, BASE))
		return "it cannot be cut off";
	/* before the room is looked at, of which this is a part */
	return tier_set(DRAM, 16 * MIB) ? "nor lowered again" : swap_undone();
}

TEST_F(swap, overflow)
{
	static const enum fault which[] = { SLAB, PAGES, SUBMIT, DRIVE };
	const char *what;

	open_area(_metadata, AREA_LONG);
	ASSERT_EQ(0, put(file, AT, LONG, 2));
	ASSERT_EQ(0, ftruncate(file, BASE));
	room_now();
	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		for (uint32_t n = 1; n <= 1024 && inject_have(which[i]); n *= 4) {
			what = overflow(which[i], n, 0);
			EXPECT_NULL(what)
				TH_LOG("the first %u of %s: %s", n, inject_name(which[i]), what);
		}
		what = inject_have(which[i]) ? overflow(which[i], 0, 10) : NULL;
		EXPECT_NULL(what)
			TH_LOG("a tenth of %s: %s", inject_name(which[i]), what);
	}
}

INJECT_NO_LEAK
