// SPDX-License-Identifier: GPL-2.0
/* Ends of files: every size is exact, by read and by mapping. */
#include <signal.h>

#include "fixture.h"

FIXTURE(tails) {};
ITME_FIXTURE(tails)

FIXTURE_VARIANT(tails)
{
	uint64_t size;
	uint32_t chunk;
};

#define SIZE_VARIANT(name, bytes)					\
FIXTURE_VARIANT_ADD(tails, name) { .size = (bytes), .chunk = 0 };	\
FIXTURE_VARIANT_ADD(tails, name##_small) { .size = (bytes), .chunk = 64 * KIB }

SIZE_VARIANT(one, 1);
SIZE_VARIANT(page_less_1, 4095);
SIZE_VARIANT(page, 4096);
SIZE_VARIANT(page_plus_1, 4097);
SIZE_VARIANT(odd, 70001);
SIZE_VARIANT(chunk_less_1, 2 * MIB - 1);
SIZE_VARIANT(chunk, 2 * MIB);
SIZE_VARIANT(chunk_plus_1, 2 * MIB + 1);
SIZE_VARIANT(several, 5 * MIB + 123);

/* read, ask past the end, map, and look at what is beside the file */
static const char *check_all(int fd, uint64_t size)
{
	uint64_t pages = (size + PAGE - 1) / PAGE * PAGE, i;
	const char *wrong = NULL;
	char buf[64], *p;

	if (check_read(fd, 0, size, 1))
		return "content by read";
	if (pread(fd, buf, sizeof(buf), size) != 0)
		return "read at the end";
	if (pread(fd, buf, sizeof(buf), size + CHUNK) != 0)
		return "read past the end";
	if (pread(fd, buf, sizeof(buf), size - 1) != 1)
		return "read of the last byte";
	if (pattern_check(buf, 1, size - 1, 1))
		return "the last byte";

	p = map_ro(fd, 0, pages + 2 * CHUNK);
	if (!p)
		return "mmap";
	if (pattern_check(p, size, 0, 1))
		wrong = "content by mmap";
	for (i = size; i < pages && !wrong; i++)
		if (p[i])
			wrong = "not zero behind the end";
	if (!wrong && touch(p + pages) != SIGBUS)
		wrong = "no SIGBUS in the first page behind";
	if (!wrong && touch(p + pages + 2 * CHUNK - 1) != SIGBUS)
		wrong = "no SIGBUS in the last page behind";
	if (!wrong && touch(p + pages - 1))
		wrong = "SIGBUS in the last page";
	munmap(p, pages + 2 * CHUNK);
	return wrong;
}

TEST_F(tails, exact)
{
	struct itme_residency r;
	struct stat st;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", variant->size, 1, variant->chunk);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(variant->size, st.st_size);
	EXPECT_EQ(variant->size, lseek(fd, 0, SEEK_END));

	/* mapping first, so that faults do the filling */
	EXPECT_EQ(0, check_mapped(fd, 0, variant->size, 1));
	EXPECT_STREQ("", check_all(fd, variant->size) ?: "");

	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_TRUE(POLL(resident(fd, 0, 0) == 0, 10));
	EXPECT_STREQ("", check_all(fd, variant->size) ?: "");

	/* all of it, and no more than it, lies somewhere */
	ASSERT_EQ(0, residency(fd, 0, 0, &r, NULL, 0));
	EXPECT_EQ(variant->size,
		  r.bytes[DRAM] + r.bytes[CXL] + r.bytes[NVME]);
	EXPECT_EQ(variant->size, r.bytes[DRAM]);
}

TEST_HARNESS_MAIN
