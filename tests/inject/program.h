/* SPDX-License-Identifier: GPL-2.0 */
/* A program of tests that inject faults: its fixture, its last test, its main(). */
#ifndef ITME_INJECT_PROGRAM_H
#define ITME_INJECT_PROGRAM_H

#include "dm.h"
#include "fixture.h"
#include "sweep.h"

/* A sweep has hundreds of tries, and the machine may have others to serve. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600

#define SWEEP(op)	EXPECT_EQ(0, sweep(op))

/* The chunk sizes that a sweep is made with: one, or with ITME_SOAK all kinds. */
#define FOR_EACH_CHUNK(size)						\
	for (uint32_t size = 256 * KIB; size;				\
	     size = !soak() ? 0 : size == 256 * KIB ? 64 * KIB :	\
		    size == 64 * KIB ? CHUNK : 0)

#define EXPECT_ACCOUNTED(fd)						\
do {									\
	const char *what_ = accounted(fd);				\
									\
	EXPECT_EQ(0, !!what_)						\
		TH_LOG("%s", what_);					\
} while (0)

/* What a test of these needs. The device of dm.h is taken away, too. */
#define INJECT_FIXTURE(fixture_name)					\
FIXTURE_SETUP(fixture_name)						\
{									\
	const char *why = missing() ?: inject_setup();			\
									\
	if (why)							\
		SKIP(return, "%s", why);				\
	cleanup_before();						\
	dm_teardown();							\
	/* the text of this program shall not be read while all fails */ \
	mlockall(MCL_CURRENT);						\
}									\
FIXTURE_TEARDOWN_PARENT(fixture_name)					\
{									\
	const char *wrong;						\
									\
	if (!missing() && !inject_setup()) {				\
		wrong = cleanup_after();				\
		dm_teardown();						\
		if (wrong)						\
			EXPECT_NULL(wrong)				\
				TH_LOG("after the test: %s", wrong);	\
	}								\
}

/* The last test of each program: kmemleak finds nothing. */
#define INJECT_NO_LEAK							\
FIXTURE(leak) {};							\
FIXTURE_SETUP(leak) {}							\
FIXTURE_TEARDOWN(leak) {}						\
TEST_F(leak, none)							\
{									\
	const char *why = kmemleak_begin();				\
									\
	if (why)							\
		SKIP(return, "%s", why);				\
	EXPECT_EQ(0, kmemleak_found());					\
}									\
int main(int argc, char **argv)						\
{									\
	inject_look();							\
	kmemleak_clear();						\
	return test_harness_run(argc, argv);				\
}

#endif
