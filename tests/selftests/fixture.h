/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one fixture of the itmefs selftests: it skips where nothing can be
 * tested and clears away what an earlier test left. A test mounts what it
 * needs itself. Afterwards, in a process of its own, so that it is done
 * whatever became of the test, every file is removed, both tiers must be empty
 * again, and the unmount must work: so each test is an accounting test too.
 */
#ifndef ITME_SELFTEST_FIXTURE_H
#define ITME_SELFTEST_FIXTURE_H

#include "common.h"
#include "kselftest_harness.h"

/* An emulated CPU is slow and may have to share its host. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define ITME_FIXTURE(fixture_name)					\
FIXTURE_SETUP(fixture_name)						\
{									\
	if (missing())							\
		SKIP(return, "%s", missing());				\
	cleanup_before();						\
}									\
FIXTURE_TEARDOWN_PARENT(fixture_name)					\
{									\
	const char *wrong = cleanup_after();				\
									\
	/* not EXPECT alone: a failed ASSERT is still pending here */	\
	if (wrong)							\
		EXPECT_NULL(wrong)					\
			TH_LOG("after the test: %s", wrong);		\
}

/* itme_mount() or fail */
#define MOUNT(opts)	ASSERT_EQ(0, itme_mount(opts))

/* as MOUNT(), skipping where there is no CXL node */
#define MOUNT_CXL(opts)							\
do {									\
	if (!have_cxl_node())						\
		SKIP(return, "no memory node without CPU");		\
	MOUNT(opts);							\
} while (0)

#endif
