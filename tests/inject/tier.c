// SPDX-License-Identifier: GPL-2.0
/* Memory that changes hands: budgets, demotion, the shrinker, moves by the kernel. */
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "program.h"

#define SMALL	(512 * KIB)
#define SIZE	(12 * MIB)

static int file = -1;
static char *p;
static int node;

FIXTURE(tier) {};
INJECT_FIXTURE(tier)

static void open_file(struct __test_metadata *_metadata, const char *opts)
{
	ASSERT_EQ(0, itme_mount(opts));
	file = import_open("f", SIZE, 1, SMALL);
	ASSERT_LE(0, file);
}

static const char *right(int ret)
{
	struct itme_tier_info ti;
	const char *what = accounted(file);

	(void)ret;
	for (uint32_t tier = DRAM; !what && tier <= CXL; tier++)
		if (!tier_get(tier, &ti) && ti.used > ti.budget)
			what = "more in use than the budget allows";
	/* a word of each page */
	if (!what && scan(file, 0, SIZE, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

static int full(void)
{
	int ret = tier_set(DRAM, 16 * MIB) ?: drop_all(file) ?: scan(file, 0, SIZE, 1);

	return ret ?: resident_on(file, DRAM, 0, 0) == SIZE ? 0 : -EPROTO;
}

static int smaller(void)
{
	return tier_set(DRAM, 8 * MIB);
}

static const char *budget_right(int ret)
{
	struct itme_tier_info ti;

	if (tier_get(DRAM, &ti))
		return "no tier";
	/* done, but the result could not be told */
	if (ret == -EFAULT && ti.budget == 8 * MIB)
		ret = 0;
	if (ti.budget != (ret ? 16 * MIB : 8 * MIB))
		return "another budget than it said";
	return right(ret);
}

TEST_F(tier, budget)
{
	open_file(_metadata, "dram=16M");
	/* what is dropped asks for no memory */
	SWEEP((&(struct op){
		.name = "smaller budget", .kinds = MEMORY | ON(COPY), .must = ON(COPY),
		.before = full, .run = smaller, .after = budget_right, .late = &file,
	}));
}

TEST_F(tier, budget_demotes)
{
	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	open_file(_metadata, "dram=16M,cxl=16M");
	SWEEP((&(struct op){
		.name = "smaller budget, to CXL", .kinds = ON(TASK) | ON(PAGES),
		.must = ON(PAGES),
		.before = full, .run = smaller, .after = budget_right, .late = &file,
	}));
}

static int one_in_dram(void)
{
	return drop_all(file) ?: check_read(file, 0, SMALL, 1);
}

static int one_to_cxl(void)
{
	return advise(file, 0, 0, ITME_ADVICE_PAGEOUT, CXL, NULL);
}

static const char *one_right(int ret)
{
	const char *what = accounted(file);

	(void)ret;
	if (!what && check_read(file, 0, SMALL, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

/* With nothing else in the page cache of the file, its nodes go and come as well. */
TEST_F(tier, move_of_all)
{
	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	ASSERT_EQ(0, itme_mount("dram=16M,cxl=16M"));
	file = import_open("f", SMALL, 1, SMALL);
	ASSERT_LE(0, file);
	SWEEP((&(struct op){
		.name = "move of all of a file", .kinds = ON(SLAB) | ON(PAGES),
		.must = ON(SLAB) | ON(PAGES),
		.before = one_in_dram, .run = one_to_cxl, .after = one_right, .late = &file,
	}));
}

static int half_full(void)
{
	return drop_all(file) ?: scan(file, 0, 8 * MIB, 1);
}

static int read_on(void)
{
	return check_read(file, 9 * MIB, 4 * KIB, 1);
}

/* A fill that needs the room of another chunk, which goes to CXL for it. */
TEST_F(tier, fill_evicts)
{
	open_file(_metadata, have_cxl_node() ? "dram=8M,cxl=16M" : "dram=8M");
	SWEEP((&(struct op){
		.name = "fill that evicts", .kinds = MEMORY | IO,
		.must = ON(SLAB) | ON(PAGES) | IO,
		.before = half_full, .run = read_on, .after = right, .late = &file,
	}));
}

static int shrink_caches(void)
{
	return write_file("/proc/sys/vm/drop_caches", "2");
}

TEST_F(tier, shrinker)
{
	open_file(_metadata, have_cxl_node() ? "dram=16M,cxl=16M" : "dram=16M");
	SWEEP((&(struct op){
		.name = "shrinker", .kinds = ON(SLAB) | ON(PAGES),
		.must = have_cxl_node() ? ON(PAGES) : 0,
		.before = full, .run = shrink_caches, .after = right, .late = &file,
	}));
}

static int in_dram(void)
{
	if (full())
		return -EPROTO;
	for (uint64_t off = 0; off < SIZE; off += PAGE)
		if (touch(p + off))
			return -EIO;
	return 0;
}

/* The kernel copies, itmefs counts: no error is of interest, but those it makes. */
static int move_by_kernel(void)
{
	void *pages[8];
	int nodes[8], status[8];

	for (int i = 0; i < 8; i++) {
		pages[i] = p + i * SMALL;
		nodes[i] = node;
	}
	/* a page that stays where it is counts in what is returned */
	return syscall(SYS_move_pages, 0, 8UL, pages, nodes, status, MPOL_MF_MOVE) < 0 ? -errno : 0;
}

TEST_F(tier, move_pages)
{
	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	open_file(_metadata, "dram=16M,cxl=16M");
	node = cxl_node();
	p = map_ro(file, 0, SIZE);
	ASSERT_NE(NULL, p);
	SWEEP((&(struct op){
		.name = "move_pages", .kinds = MEMORY, .must = ON(TASK),
		.may = { EFAULT, ENOENT, EBUSY },
		.before = in_dram, .run = move_by_kernel, .after = right, .late = &file,
	}));
}

INJECT_NO_LEAK
