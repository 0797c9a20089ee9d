// SPDX-License-Identifier: GPL-2.0
/*
 * Orders that nobody has told: what is read again and again in the same order is
 * read ahead in that order, over file ends as well; what is read at random is not.
 * Seen by the bytes that come from the drive, not by time.
 */
#include "fixture.h"

#define SMALL	(256 * KIB)
#define NR	256		/* chunks in all */

FIXTURE(learn) {};
ITME_FIXTURE(learn)

FIXTURE(order) {};
ITME_FIXTURE(order)

FIXTURE_VARIANT(order)
{
	int files;
	bool mapped;
	uint32_t piece;		/* chunks in file order, then elsewhere */
};

FIXTURE_VARIANT_ADD(order, mapped) { .files = 1, .mapped = true, .piece = 1 };
FIXTURE_VARIANT_ADD(order, read) { .files = 1, .mapped = false, .piece = 1 };
FIXTURE_VARIANT_ADD(order, pieces) { .files = 1, .mapped = true, .piece = 6 };
FIXTURE_VARIANT_ADD(order, in_file_order) { .files = 1, .mapped = true, .piece = NR };
FIXTURE_VARIANT_ADD(order, two_files) { .files = 2, .mapped = true, .piece = 5 };

struct reader {
	int fd[2];
	char *map[2];
	int files;
};

static uint32_t seed = 12345;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint64_t)seed * below >> 32;
}

static int use(struct reader *r, uint32_t n)
{
	uint32_t per = NR / r->files, file = n / per;
	uint64_t off = n % per * SMALL;

	if (r->map[file])
		return pattern_check(r->map[file] + off, SMALL, off, 1 + file);
	return check_read(r->fd[file], off, SMALL, 1 + file);
}

static int begin(struct reader *r, int files, bool mapped)
{
	*r = (struct reader){ .files = files };
	for (int i = 0; i < files; i++) {
		r->fd[i] = import_open(i ? "g" : "f", NR / files * SMALL, 1 + i, SMALL);
		if (r->fd[i] < 0)
			return r->fd[i];
		if (mapped)
			r->map[i] = map_ro(r->fd[i], 0, NR / files * SMALL);
		if (mapped && !r->map[i])
			return -ENOMEM;
	}
	return 0;
}

/* Pieces of @piece chunks, shuffled. */
static void shuffle(uint32_t *order, uint32_t piece)
{
	uint32_t nr = (NR + piece - 1) / piece, *first = calloc(nr, sizeof(*first)), n = 0;

	for (uint32_t i = 0; i < nr; i++)
		first[i] = i * piece;
	for (uint32_t i = nr - 1; i; i--) {
		uint32_t j = rnd(i + 1), t = first[i];

		first[i] = first[j];
		first[j] = t;
	}
	for (uint32_t i = 0; i < nr; i++)
		for (uint32_t k = first[i]; k < first[i] + piece && k < NR; k++)
			order[n++] = k;
	free(first);
}

/* memory for 24 of 64 MiB, of which a ring of 2 once the plan is trusted */
TEST_F(order, becomes_a_plan)
{
	const uint64_t size = NR * SMALL, stays = 22 * MIB;
	struct itme_stats s = {}, before;
	uint64_t least = size;
	uint32_t order[NR];
	struct reader r;

	MOUNT("dram=24M");
	ASSERT_EQ(0, begin(&r, variant->files, variant->mapped));
	shuffle(order, variant->piece);
	for (int pass = 0; pass < 6; pass++) {
		ASSERT_EQ(0, stats_all(&before));
		for (int i = 0; i < NR; i++)
			ASSERT_EQ(0, use(&r, order[i]));
		ASSERT_EQ(0, stats_all(&s));
		s.read_bytes -= before.read_bytes;
		s.demand_bytes -= before.demand_bytes;
		s.prefetch_wasted_bytes -= before.prefetch_wasted_bytes;
		printf("# pass %d: %llu of %llu KiB read, %llu of them waited for, %llu wasted\n",
		       pass, (unsigned long long)s.read_bytes / 1024,
		       (unsigned long long)size / 1024, (unsigned long long)s.demand_bytes / 1024,
		       (unsigned long long)s.prefetch_wasted_bytes / 1024);
		if (s.read_bytes < least)
			least = s.read_bytes;
	}
	/*
	 * What does not stay, and what the ring holds of it. In the best pass: if the host
	 * let us rest in one, the ring has become wider for that.
	 */
	EXPECT_GE((size - stays) * 105 / 100, least);
	EXPECT_GE((size - stays) * 120 / 100, s.read_bytes);
	EXPECT_LE(size - 24 * MIB, s.read_bytes);
	/* who does nothing but read is as fast as the drive, and at times ahead of the ring */
	EXPECT_GE(s.read_bytes / 4, s.demand_bytes);
	EXPECT_GE(s.read_bytes / 50, s.prefetch_wasted_bytes);
}

/* no order: nothing is read that is not asked for */
TEST_F(learn, random_is_no_plan)
{
	struct itme_stats s;
	struct reader r;

	MOUNT("dram=24M");
	ASSERT_EQ(0, begin(&r, 1, true));
	for (int i = 0; i < 6 * NR; i++)
		ASSERT_EQ(0, use(&r, rnd(NR)));
	ASSERT_EQ(0, stats_all(&s));
	printf("# %llu KiB read, %llu of them waited for, %llu wasted\n",
	       (unsigned long long)s.read_bytes / 1024,
	       (unsigned long long)s.demand_bytes / 1024,
	       (unsigned long long)s.prefetch_wasted_bytes / 1024);
	/* but for a few runs that chance has made */
	EXPECT_GE(s.read_bytes / 10, s.prefetch_bytes);
}

/* the order changes: the old one is given up, the new one is learned */
TEST_F(learn, another_order)
{
	struct itme_stats s = {}, before;
	uint32_t order[NR];
	struct reader r;

	MOUNT("dram=24M");
	ASSERT_EQ(0, begin(&r, 1, true));
	for (int change = 0; change < 2; change++) {
		shuffle(order, 1);
		for (int pass = 0; pass < 7; pass++) {
			ASSERT_EQ(0, stats_all(&before));
			for (int i = 0; i < NR; i++)
				ASSERT_EQ(0, use(&r, order[i]));
			ASSERT_EQ(0, stats_all(&s));
			s.read_bytes -= before.read_bytes;
			s.demand_bytes -= before.demand_bytes;
			printf("# order %d, pass %d: %llu KiB read, %llu waited for\n", change,
			       pass, (unsigned long long)s.read_bytes / 1024,
			       (unsigned long long)s.demand_bytes / 1024);
		}
		EXPECT_GE(s.read_bytes / 4, s.demand_bytes);
	}
}

TEST_HARNESS_MAIN
