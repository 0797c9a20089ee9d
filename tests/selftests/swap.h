/* SPDX-License-Identifier: GPL-2.0 */
/* The fixture of what is larger than memory: a mount, and swap areas that may fail. */
#ifndef ITME_SELFTEST_SWAP_H
#define ITME_SELFTEST_SWAP_H

#include "area.h"
#include "dm.h"
#include "fixture.h"
#include "written.h"

/* of the file that is written */
#define SIZE	(20 * CHUNK)

FIXTURE(swap)
{
	int area;
	uint32_t id;
};

FIXTURE_SETUP(swap)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	dm_teardown();
	self->area = -1;
}

FIXTURE_TEARDOWN_PARENT(swap)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

/* a mount and an area that is a file of so many MiB */
#define MOUNT_AREA(opts, mib, flags)					\
do {									\
	MOUNT(opts);							\
	self->area = area_ready("area", mib);				\
	ASSERT_LE(0, self->area);					\
	ASSERT_EQ(0, swap_add(self->area, -1, flags, &self->id));	\
} while (0)

/* the same, a device that can be made to fail */
#define ADD_DM(mib, prio, flags, id)					\
do {									\
	int __fd;							\
	ASSERT_NULL(dm_device(mib));					\
	ASSERT_EQ(0, run_cmd("mkswap %s", dm_path()));			\
	__fd = open(dm_path(), O_RDWR | O_CLOEXEC);			\
	ASSERT_LE(0, __fd);						\
	ASSERT_EQ(0, swap_add(__fd, prio, flags, id));			\
	close(__fd);							\
} while (0)

#endif
