// SPDX-License-Identifier: GPL-2.0
/*
 * The hole that a memory error leaves is read again, with that made to fail.
 * Each try takes a page from the machine until reboot.
 */
#include "program.h"

#define SIZE	(2 * CHUNK)

static uint64_t at;
static int file = -1;

FIXTURE(poison) {};
INJECT_FIXTURE(poison)

/* who has it mapped may be killed for it */
static int poison(void *arg)
{
	char *p = map_ro(file, 0, SIZE);

	(void)arg;
	if (!p || touch(p + at))
		return 100;
	return madvise(p + at, PAGE, MADV_HWPOISON) ? errno : 0;
}

static int with_hole(void)
{
	int ret = check_read(file, 0, SIZE, 1);

	at = (at + 5 * PAGE) % SIZE;
	if (ret)
		return ret;
	in_child(poison, NULL, 30);
	/* the hole; it may be that of the whole folio */
	return resident(file, 0, 0) < SIZE ? 0 : -EPROTO;
}

static int refill(void)
{
	char buf[64];
	ssize_t n = pread(file, buf, sizeof(buf), at);

	if (n < 0)
		return -errno;
	return pattern_check(buf, n, at, 1) ? -EBADMSG : 0;
}

static const char *right(int ret)
{
	const char *what = accounted(file);

	(void)ret;
	if (!what && check_read(file, 0, SIZE, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

static void poison_sweep(struct __test_metadata *_metadata, uint32_t chunk)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", SIZE, 1, chunk);
	ASSERT_LE(0, file);
	SWEEP((&(struct op){
		.name = "refill of a hole", .kinds = MEMORY | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = with_hole, .run = refill, .after = right, .late = &file,
	}));
}

TEST_F(poison, large)
{
	poison_sweep(_metadata, 0);
}

TEST_F(poison, small)
{
	poison_sweep(_metadata, 64 * KIB);
}

INJECT_NO_LEAK
