// SPDX-License-Identifier: GPL-2.0
/* Each advice, to each tier it takes: fills and moves by workers among them. */
#include "program.h"

static uint64_t size;
static int file = -1;
static uint32_t advice, target;

FIXTURE(advise) {};
INJECT_FIXTURE(advise)

static int dropped(void)
{
	return drop_all(file);
}

static int in_tier(uint32_t tier)
{
	int ret = drop_all(file) ?: advise(file, 0, 0, ITME_ADVICE_HOT, tier, NULL);

	return ret ?: resident_on(file, tier, 0, 0) == size ? 0 : -EPROTO;
}

static int in_dram(void)
{
	return in_tier(DRAM);
}

static int in_cxl(void)
{
	return in_tier(CXL);
}

static int pinned(void)
{
	return in_dram() ?: advise(file, 0, 0, ITME_ADVICE_PIN, DRAM, NULL);
}

static int advise_one(void)
{
	return advise(file, 0, 0, advice, target, NULL);
}

/* Pinned all of it, or none. */
static const char *pins(int ret)
{
	uint32_t tier = target == CXL ? CXL : DRAM;
	uint64_t want = 0;

	/* done, but the result could not be told */
	if (ret == -EFAULT && tier_pinned(tier) == (advice == ITME_ADVICE_PIN ? size : 0))
		ret = 0;
	if (advice == ITME_ADVICE_PIN && !ret)
		want = size;
	if (advice == ITME_ADVICE_UNPIN && ret)
		want = size;
	if (tier_pinned(tier) != want || tier_pinned(DRAM) + tier_pinned(CXL) != want)
		return ret ? "pinned otherwise, though it failed" : "not pinned as asked for";
	if (advice == ITME_ADVICE_PIN && !ret && resident_on(file, tier, 0, 0) != size)
		return "pinned, but not in memory";
	return advise(file, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL) ? "unpin failed" : NULL;
}

static const char *right(int ret)
{
	const char *what = settle(file) ? pins(ret) : "a chunk stays in transit";

	what = what ?: accounted(file);
	if (!what && check_read(file, 0, size, 1))
		what = "wrong content";
	return what ?: accounted(file);
}

static const struct advice {
	struct op op;
	uint32_t advice, target;
} advices[] = {
	{ { .name = "WILLNEED", .kinds = MEMORY | IO, .before = dropped,
	    .must = MEMORY | IO }, ITME_ADVICE_WILLNEED, ANY },
	{ { .name = "WILLNEED to CXL", .kinds = MEMORY | IO, .before = dropped,
	    .must = MEMORY | IO }, ITME_ADVICE_WILLNEED, CXL },
	/* what only changes a queue or lets go asks for nothing */
	{ { .name = "COLD", .kinds = MEMORY | ON(COPY), .before = in_dram,
	    .must = ON(COPY) }, ITME_ADVICE_COLD, ANY },
	{ { .name = "PAGEOUT", .kinds = MEMORY | ON(COPY), .before = in_dram,
	    .must = ON(COPY) }, ITME_ADVICE_PAGEOUT, ANY },
	{ { .name = "PAGEOUT to CXL", .kinds = MEMORY | ON(COPY), .before = in_dram,
	    .must = ON(PAGES) }, ITME_ADVICE_PAGEOUT, CXL },
	{ { .name = "HOT", .kinds = MEMORY | IO, .before = dropped,
	    .must = MEMORY | IO }, ITME_ADVICE_HOT, ANY },
	{ { .name = "HOT from CXL", .kinds = MEMORY | IO, .before = in_cxl,
	    .must = MEMORY }, ITME_ADVICE_HOT, DRAM },
	{ { .name = "HOT to CXL", .kinds = MEMORY, .before = in_dram,
	    .must = MEMORY }, ITME_ADVICE_HOT, CXL },
	{ { .name = "PIN", .kinds = MEMORY | IO, .before = dropped,
	    .must = MEMORY | IO }, ITME_ADVICE_PIN, ANY },
	{ { .name = "PIN what is in CXL", .kinds = MEMORY, .before = in_cxl, .may = { ENOSPC },
	    .must = MEMORY }, ITME_ADVICE_PIN, DRAM },
	{ { .name = "PIN to CXL", .kinds = MEMORY | IO, .before = dropped,
	    .must = MEMORY | IO }, ITME_ADVICE_PIN, CXL },
	{ { .name = "UNPIN", .kinds = MEMORY | ON(COPY), .before = pinned,
	    .must = ON(COPY) }, ITME_ADVICE_UNPIN, ANY },
};

static void sweep_advice(struct __test_metadata *_metadata, uint32_t which)
{
	for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
		struct op op = advices[i].op;

		if (advices[i].advice != which)
			continue;
		if (!have_cxl_node() && (advices[i].target == CXL || op.before == in_cxl))
			continue;
		advice = advices[i].advice;
		target = advices[i].target;
		op.run = advise_one;
		op.after = right;
		op.late = &file;
		SWEEP(&op);
	}
}

static void sweep_advices(struct __test_metadata *_metadata, uint32_t which)
{
	FOR_EACH_CHUNK(chunk) {
		size = 4 * chunk;
		ASSERT_EQ(0, itme_mount(have_cxl_node() ? "dram=16M,cxl=16M" : "dram=16M"));
		file = import_open("f", size, 1, chunk);
		ASSERT_LE(0, file);
		sweep_advice(_metadata, which);
		close(file);
		ASSERT_EQ(0, file_unlink("f"));
		ASSERT_EQ(0, itme_umount());
	}
}

TEST_F(advise, willneed)
{
	sweep_advices(_metadata, ITME_ADVICE_WILLNEED);
}

TEST_F(advise, cold)
{
	sweep_advices(_metadata, ITME_ADVICE_COLD);
}

TEST_F(advise, pageout)
{
	sweep_advices(_metadata, ITME_ADVICE_PAGEOUT);
}

TEST_F(advise, hot)
{
	sweep_advices(_metadata, ITME_ADVICE_HOT);
}

TEST_F(advise, pin)
{
	sweep_advices(_metadata, ITME_ADVICE_PIN);
}

TEST_F(advise, unpin)
{
	sweep_advices(_metadata, ITME_ADVICE_UNPIN);
}

INJECT_NO_LEAK
