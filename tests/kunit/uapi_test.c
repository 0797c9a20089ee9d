// SPDX-License-Identifier: GPL-2.0
/*
 * What programs have been compiled with: the numbers below never change, whatever the
 * header says. And what a chunk costs, of which there is one for each 2 MiB of a model.
 */
#include "world.h"

static void uapi_numbers(struct kunit *test)
{
	static const struct {
		unsigned int is, was;
	} numbers[] = {
		{ ITME_IOC_INFO, 0xc0404940 },
		{ ITME_IOC_TIER_GET, 0xc0d04941 },
		{ ITME_IOC_TIER_SET, 0xc0d04942 },
		{ ITME_IOC_IMPORT, 0xc0304943 },
		{ ITME_IOC_OBJECT, 0xc0504944 },
		{ ITME_IOC_ADVISE, 0xc0404945 },
		{ ITME_IOC_RESIDENCY, 0xc0604946 },
		{ ITME_IOC_STATS, 0xc0d84947 },
		{ ITME_IOC_PREFETCH, 0xc0404948 },
		{ ITME_IOC_WAIT, 0xc0404949 },
		{ ITME_IOC_SWAP_ADD, 0xc030494a },
		{ ITME_IOC_SWAP_REMOVE, 0xc020494b },
		{ ITME_IOC_SWAP_GET, 0xc080494c },
		{ ITME_IOC_LIMIT, 0xc030494d },
		{ ITME_SUPER_MAGIC, 0x49544d45 },
		{ ITME_TIER_ANY, 255 },
		{ ITME_ADVICE_UNPIN, 5 },
		{ ITME_MAP_ERROR, 0x80 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		KUNIT_EXPECT_EQ_MSG(test, numbers[i].is, numbers[i].was, "number %zu", i);
}

#define AT(type, member, offset)	{ #type "." #member, offsetof(struct type, member), offset }

static void uapi_offsets(struct kunit *test)
{
	static const struct {
		const char *what;
		size_t is, was;
	} offsets[] = {
		AT(itme_info, chunk_min, 16),
		AT(itme_info, reserved, 24),
		AT(itme_tier_info, budget, 8),
		AT(itme_tier_info, free, 48),
		AT(itme_tier_info, nodes, 80),
		AT(itme_import, name_len, 12),
		AT(itme_import, name, 16),
		AT(itme_object, path_len, 28),
		AT(itme_object, lower_dev, 48),
		AT(itme_advise, advice, 16),
		AT(itme_advise, done, 32),
		AT(itme_residency, map, 40),
		AT(itme_residency, chunk_size, 56),
		AT(itme_residency, large, 64),
		AT(itme_stats, read_bytes, 8),
		AT(itme_stats, hints, 144),
		AT(itme_stats, hints_dropped, 152),
		AT(itme_stats, swap_out_bytes, 160),
		AT(itme_stats, swap_errors, 192),
		AT(itme_swap_add, id, 12),
		AT(itme_limit, used, 8),
		AT(itme_limit, flags, 16),
		AT(itme_swap, path_len, 12),
		AT(itme_swap, errors, 56),
		AT(itme_swap, uuid, 80),
		AT(itme_prefetch, count, 8),
		AT(itme_prefetch, fd, 20),
		AT(itme_prefetch, done, 24),
		AT(itme_wait, timeout_ns, 16),
		AT(itme_wait, done, 32),
		AT(itme_wait, missing, 40),
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		KUNIT_EXPECT_EQ_MSG(test, offsets[i].is, offsets[i].was, "%s", offsets[i].what);
}

static void uapi_chunk_cost(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct itme_chunk), 32);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(uapi_numbers),
	KUNIT_CASE(uapi_offsets),
	KUNIT_CASE(uapi_chunk_cost),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_uapi",
	.test_cases = cases,
};

kunit_test_suite(suite);
