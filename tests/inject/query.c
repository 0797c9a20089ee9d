// SPDX-License-Identifier: GPL-2.0
/* The requests that ask: info, tier, object, residency, statistics, statfs. */
#include <sys/vfs.h>

#include "program.h"

#define SIZE	(2 * CHUNK)

static int file = -1;

FIXTURE(query) {};
INJECT_FIXTURE(query)

static void open_file(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, itme_mount("dram=16M"));
	file = import_open("f", SIZE, 1, 64 * KIB);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, check_read(file, 0, SIZE, 1));
}

/* Asking changes nothing. */
static const char *unchanged(int ret)
{
	(void)ret;
	if (resident(file, 0, 0) != SIZE)
		return "not all of the file is in memory any more";
	return accounted(file);
}

static int info_one(void)
{
	struct itme_info info = {};

	if (ioctl(file, ITME_IOC_INFO, &info))
		return -errno;
	return info.chunk_max == CHUNK ? 0 : -EPROTO;
}

static int tier_one(void)
{
	struct itme_tier_info ti;

	return tier_get(DRAM, &ti) ?: ti.used == SIZE ? 0 : -EPROTO;
}

static int tier_same(void)
{
	return tier_set(DRAM, 16 * MIB);
}

static int object_one(void)
{
	char path[512], want[512];
	struct itme_object o = { .path = (uintptr_t)path, .path_len = sizeof(path) };
	int ret = object(file, &o);

	snprintf(want, sizeof(want), "%s/p.%llu.1", lower_dir(), SIZE);
	return ret ?: strcmp(path, want) ? -EPROTO : 0;
}

static int residency_one(void)
{
	struct itme_residency r;
	uint8_t map[SIZE / (64 * KIB)];

	return residency(file, 0, 0, &r, map, sizeof(map)) ?: r.bytes[DRAM] == SIZE ? 0 : -EPROTO;
}

static int stats_one(void)
{
	struct itme_stats s;

	return stats_all(&s) ?: stats_file(file, &s) ?: s.read_bytes == SIZE ? 0 : -EPROTO;
}

static int statfs_one(void)
{
	struct statfs st;

	if (fstatfs(file, &st))
		return -errno;
	return st.f_type == ITME_SUPER_MAGIC ? 0 : -EPROTO;
}

static int mounts_one(void)
{
	char buf[4096];
	int ret = read_file("/proc/self/mountinfo", buf, sizeof(buf));

	return ret < 0 ? ret : 0;
}

TEST_F(query, requests)
{
	static const struct op ops[] = {
		{ .name = "info", .run = info_one, .must = ON(COPY) },
		{ .name = "tier get", .run = tier_one, .must = ON(COPY) },
		{ .name = "tier set", .run = tier_same, .must = ON(COPY) },
		{ .name = "object", .run = object_one,
		  .must = ON(TASK) | ON(SLAB) | ON(COPY) },
		{ .name = "residency", .run = residency_one, .must = ON(COPY) },
		{ .name = "stats", .run = stats_one, .must = ON(COPY) },
	};

	open_file(_metadata);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct op op = ops[i];

		op.kinds = MEMORY | ON(COPY);
		op.after = unchanged;
		SWEEP(&op);
	}
}

TEST_F(query, statfs_and_mounts)
{
	open_file(_metadata);
	SWEEP((&(struct op){
		.name = "statfs", .kinds = MEMORY, .run = statfs_one, .after = unchanged,
	}));
	SWEEP((&(struct op){
		.name = "mountinfo", .kinds = MEMORY, .must = ON(TASK),
		.run = mounts_one, .after = unchanged,
	}));
}

INJECT_NO_LEAK
