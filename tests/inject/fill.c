// SPDX-License-Identifier: GPL-2.0
/*
 * Not one failure but many: the reserve that a fill begins with, small pages
 * where large ones are not to be had, no memory for long.
 */
#include <pthread.h>

#include "program.h"

#define SIZE	(8 * CHUNK)
#define READERS	24
#define ALL	1000000

static int file = -1;

FIXTURE(fill) {};
INJECT_FIXTURE(fill)

static void open_file(struct __test_metadata *_metadata, uint32_t chunk)
{
	ASSERT_EQ(0, itme_mount("dram=32M"));
	file = import_open("f", SIZE, 1, chunk);
	ASSERT_LE(0, file);
}

static void finish(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, check_read(file, 0, SIZE, 1));
	EXPECT_ACCOUNTED(file);
	EXPECT_EQ(0, drop_all(file));
}

struct reader {
	pthread_t thread;
	uint64_t off;
	int ret;
};

static void *read_some(void *arg)
{
	struct reader *r = arg;

	r->ret = check_read(file, r->off, 8 * KIB, 1);
	return NULL;
}

/* More at once than the reserve has: some wait for others, all are served. */
TEST_F(fill, reserve_carries)
{
	struct reader r[READERS];
	unsigned int n;

	open_file(_metadata, 64 * KIB);
	ASSERT_EQ(0, inject_within(SLAB, "itme_fill"));
	inject_first(SLAB, ALL);
	for (int i = 0; i < READERS; i++) {
		r[i].off = i * SIZE / READERS / PAGE * PAGE;
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_some, &r[i]));
	}
	for (int i = 0; i < READERS; i++) {
		pthread_join(r[i].thread, NULL);
		EXPECT_EQ(0, r[i].ret);
	}
	EXPECT_EQ(0, check_mapped(file, SIZE / 2, SIZE / 4, 1));
	n = inject_end(SLAB);
	printf("# reserve: %u allocations failed\n", n);
	EXPECT_LE(READERS, n);
	finish(_metadata);
}

/* The first 1, 2, 4, ... fail: smaller pages, another try, a wait; never an error. */
static void first_fail(struct __test_metadata *_metadata, enum fault kind, unsigned int max)
{
	unsigned int n, hit;

	for (n = 1; n <= max; n *= 2) {
		ASSERT_EQ(0, drop_all(file));
		inject_first(kind, n);
		EXPECT_EQ(0, check_read(file, CHUNK, 2 * CHUNK, 1));
		settle(file);
		hit = inject_end(kind);
		EXPECT_ACCOUNTED(file);
		EXPECT_LE(1, hit);
		printf("# the first %u of %s: %u failed\n", n, inject_name(kind), hit);
	}
	finish(_metadata);
}

TEST_F(fill, first_pages_fail)
{
	open_file(_metadata, 0);
	first_fail(_metadata, PAGES, 256);
}

TEST_F(fill, first_pages_fail_small_chunks)
{
	open_file(_metadata, 64 * KIB);
	first_fail(_metadata, PAGES, 64);
}

/* With no large page to be had, single ones do. */
TEST_F(fill, single_pages)
{
	struct itme_residency r;
	struct itme_stats s;

	open_file(_metadata, 0);
	inject_min_order(1);
	inject_first(PAGES, ALL);
	EXPECT_EQ(0, check_read(file, 0, 4 * CHUNK, 1));
	EXPECT_LT(0, inject_end(PAGES));
	inject_min_order(0);
	ASSERT_EQ(0, residency(file, 0, 4 * CHUNK, &r, NULL, 0));
	EXPECT_EQ(4 * CHUNK, r.bytes[DRAM]);
	EXPECT_EQ(0, r.large);
	ASSERT_EQ(0, stats_file(file, &s));
	EXPECT_LE(4, s.small_folio_chunks);
	finish(_metadata);
}

static int64_t free_memory(void)
{
	write_file("/proc/sys/vm/drop_caches", "3");
	return kb_value("/proc/meminfo", "MemFree") + kb_value("/proc/meminfo", "Slab");
}

/* Pages are no objects of kmemleak: what fills that fail take has to come back. */
TEST_F(fill, pages_come_back)
{
	static const enum fault which[] = { SLAB, SUBMIT };
	int64_t before = 0, after;
	unsigned int i, n, hit = 0;

	open_file(_metadata, 0);
	for (n = 0; n < 24; n++) {
		/* what is allocated once and kept is in the first rounds */
		if (n == 6) {
			ASSERT_EQ(0, drop_all(file));
			before = free_memory();
		}
		ASSERT_EQ(0, drop_all(file));
		for (i = 0; i < ARRAY_LEN(which); i++) {
			if (!inject_have(which[i]))
				continue;
			inject_within(which[i], "fill_step");
			inject_rate(which[i], 20);
		}
		advise(file, 0, SIZE / 2, ITME_ADVICE_WILLNEED, ANY, NULL);
		scan(file, 0, SIZE / 2, 1);
		settle(file);
		for (i = 0; i < ARRAY_LEN(which); i++)
			if (inject_have(which[i]))
				hit += inject_end(which[i]);
		EXPECT_ACCOUNTED(file);
	}
	ASSERT_EQ(0, drop_all(file));
	after = free_memory();
	printf("# %u failed, %lld KiB less than before\n", hit,
	       (long long)(before - after) / 1024);
	EXPECT_LE(24, hit);
	/* of so many folios of 2 MiB; without a leak it is some MiB, up and down */
	EXPECT_LT(before - (int64_t)(24 * MIB), after);
	finish(_metadata);
}

static int read_errno(void *arg)
{
	char buf[64];

	(void)arg;
	return pread(file, buf, sizeof(buf), 0) < 0 ? errno : 0;
}

static int fault_signal(void *arg)
{
	const char *p = map_ro(file, CHUNK, CHUNK);

	(void)arg;
	return p ? touch(p) : 255;
}

/* No memory at all for longer than a reader waits: an error, and then all is well. */
static void none(struct __test_metadata *_metadata, enum fault kind)
{
	pid_t reader, faulter;
	int status;

	open_file(_metadata, 0);
	inject_first(kind, INT32_MAX);
	reader = spawn(read_errno, NULL);
	faulter = spawn(fault_signal, NULL);
	status = reap(reader, 150);
	EXPECT_EQ(0, status & 0x7f);
	EXPECT_EQ(ENOMEM, status >> 8);
	status = reap(faulter, 150);
	EXPECT_EQ(0, status & 0x7f);
	EXPECT_EQ(SIGBUS, status >> 8);
	EXPECT_LT(0, inject_end(kind));
	EXPECT_ACCOUNTED(file);
	EXPECT_EQ(0, tier_used(DRAM));
	finish(_metadata);
}

TEST_F(fill, no_pages)
{
	none(_metadata, PAGES);
}

TEST_F(fill, no_slab)
{
	if (!soak())
		SKIP(return, "only with ITME_SOAK");
	none(_metadata, SLAB);
}

INJECT_NO_LEAK
