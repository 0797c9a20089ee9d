// SPDX-License-Identifier: GPL-2.0
/* The tracepoints: there, and told of each fill, drop, move and stall. */
#include <sys/mount.h>

#include "fixture.h"

#define TRACING	"/sys/kernel/tracing"

FIXTURE(trace) {};
ITME_FIXTURE(trace)

static int events(const char *on)
{
	return write_file(TRACING "/events/itme/enable", on);
}

static int lines_of(const char *event)
{
	FILE *f = fopen(TRACING "/trace", "r");
	char line[1024];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += line[0] != '#' && !!strstr(line, event);
	fclose(f);
	return n;
}

TEST_F(trace, events)
{
	int fd;

	if (access(TRACING "/events", F_OK) &&
	    mount("tracefs", TRACING, "tracefs", 0, NULL))
		SKIP(return, "no tracefs");
	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, events("1"));
	ASSERT_EQ(0, write_file(TRACING "/trace", ""));
	ASSERT_EQ(0, write_file(TRACING "/tracing_on", "1"));
	EXPECT_EQ(0, check_mapped(fd, 0, 4 * CHUNK, 1));
	EXPECT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_HOT, CXL, NULL));
	EXPECT_EQ(0, advise(fd, CHUNK, 2 * CHUNK, ITME_ADVICE_PAGEOUT, ANY,
			    NULL));
	EXPECT_EQ(0, events("0"));

	EXPECT_LE(4, lines_of("itme_fill:"));
	EXPECT_LE(2, lines_of("itme_drop:"));
	EXPECT_LE(1, lines_of("itme_move:"));
	EXPECT_LE(1, lines_of("itme_stall:"));
}

TEST_HARNESS_MAIN
