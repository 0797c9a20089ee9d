// SPDX-License-Identifier: GPL-2.0
/* What is promised to written files on a mount with the option reserve: all of their size. */
#include <linux/falloc.h>
#include <signal.h>
#include <sys/wait.h>

#include "area.h"
#include "names.h"
#include "room.h"
#include "written.h"

FIXTURE(quota_reserve) {};
ITME_FIXTURE(quota_reserve)

/* An open file of a size, made for it, or -errno */
static int sized(const char *name, uint64_t size)
{
	int fd = open(at(name), O_CREAT | O_RDWR, 0644);

	if (fd >= 0 && ftruncate(fd, size)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static uint64_t left(void)
{
	return room(".").f_bfree * PAGE;
}

/* In a child, as what has no room is SIGBUS: write to each page of a mapping. */
struct span {
	int fd;
	uint64_t from, to;
};

static int write_mapped(void *arg)
{
	struct span *s = arg;
	char *p = mmap(NULL, s->to, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return 1;
	for (uint64_t off = s->from; off < s->to; off += PAGE)
		*(volatile uint64_t *)(p + off) = off + 1;
	for (uint64_t off = s->from; off < s->to; off += PAGE)
		if (*(volatile uint64_t *)(p + off) != off + 1)
			return 2;
	return 0;
}

static int maps(int fd, uint64_t from, uint64_t to)
{
	struct span s = { fd, from, to };

	return in_child(write_mapped, &s, 60);
}

TEST_F(quota_reserve, reserve_all)
{
	uint64_t size;
	int fd, other, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = open(at("f"), O_CREAT | O_RDWR, 0644));
	FAILS(ENOSPC, ftruncate(fd, size + 1));
	FAILS(ENOSPC, ftruncate(fd, 1LL << 50));
	FAILS(ENOSPC, truncate(at("f"), size + PAGE));
	EXPECT_EQ(0, size_of(fd));
	EXPECT_EQ(size, left());
	ASSERT_EQ(0, ftruncate(fd, size));
	EXPECT_EQ(0, blocks("f"));
	EXPECT_EQ(0, left());
	FAILS(ENOSPC, ftruncate(fd, size + 1));
	EXPECT_EQ(size, size_of(fd));
	/* nobody else has it */
	EXPECT_EQ(-ENOSPC, sized("g", 1));
	EXPECT_EQ(0, fill("g", 0, PAGE, &err));
	EXPECT_EQ(ENOSPC, err);
	ASSERT_LE(0, other = open(at("g"), O_RDWR));
	FAILS(ENOSPC, fallocate(other, 0, 0, PAGE));
	close(other);
	EXPECT_EQ(0, maps(fd, 0, size));
	EXPECT_EQ(size, blocks("f"));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

TEST_F(quota_reserve, reserve_beside)
{
	uint64_t size, done;
	int fd, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	EXPECT_EQ(-ENOSPC, sized("h", size - 8 * MIB + 1));
	done = fill("g", 0, size, &err);
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(size - 8 * MIB, done);
	EXPECT_EQ(0, left());
	/* of two chunks; a mapping gets all of them at once */
	EXPECT_EQ(0, maps(fd, MIB, 3 * MIB));
	EXPECT_EQ(MIB, fill("f", 2 * MIB, MIB, &err));
	EXPECT_EQ(0, fallocate(fd, 0, 3 * MIB + 5, MIB));
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, MIB));
	FAILS(ENOSPC, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, MIB + 1));
	EXPECT_EQ(0, left());
	/* a hole in it is promised again, whole pages and others */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB + 100, MIB));
	EXPECT_EQ(4 * MIB + 2 * PAGE, blocks("f"));
	EXPECT_EQ(0, left());
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4 * MIB));
	EXPECT_EQ(0, maps(fd, 0, 8 * MIB));
	EXPECT_EQ(0, left());
	/* smaller, that is given back; what it has and what it has not */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, MIB));
	ASSERT_EQ(0, ftruncate(fd, 4 * MIB + 1));
	EXPECT_EQ(4 * MIB - PAGE, left());
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(8 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(8 * MIB, left());
}

TEST_F(quota_reserve, reserve_sparse_write)
{
	const void *volatile nowhere = NULL;
	uint64_t size;
	int fd;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 0));
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + 10));
	EXPECT_EQ(PAGE, blocks("f"));
	EXPECT_EQ(size - MIB - PAGE, left());
	/* no room for the hole, or for what is after it */
	FAILS(ENOSPC, pwrite(fd, "x", 1, size + PAGE));
	FAILS(ENOSPC, pwrite(fd, "x", 1, size));
	FAILS(EFAULT, pwrite(fd, nowhere, 1, 4 * MIB));
	EXPECT_EQ(MIB + 11, size_of(fd));
	EXPECT_EQ(size - MIB - PAGE, left());
	/* in the page after the end, or the same */
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + 100));
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + PAGE + 100));
	EXPECT_EQ(size - MIB - 2 * PAGE, left());
	ASSERT_EQ(1, pwrite(fd, "x", 1, size - 1));
	EXPECT_EQ(0, left());
	EXPECT_EQ(0, maps(fd, 0, size));
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

/* What fallocate(2) makes beyond the end is counted once when the file grows over it. */
TEST_F(quota_reserve, reserve_beyond)
{
	uint64_t size;
	int fd, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 100));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * MIB, 2 * MIB + 5));
	EXPECT_EQ(size - 2 * MIB - 2 * PAGE, left());
	EXPECT_EQ(3 * MIB, fill("f", 0, 3 * MIB, &err));
	EXPECT_EQ(size - 4 * MIB - PAGE, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, 2 * MIB));
	EXPECT_EQ(size - 9 * MIB, left());
	/* a hole over the end is promised up to it */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * MIB + MIB / 2,
			       MIB));
	EXPECT_EQ(size - 8 * MIB - MIB / 2, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	/* one that cannot be had changes nothing, and one that grows takes holes, too */
	FAILS(ENOSPC, fallocate(fd, 0, 9 * MIB, size));
	FAILS(ENOSPC, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, size - 7 * MIB + PAGE));
	EXPECT_EQ(8 * MIB, size_of(fd));
	EXPECT_EQ(size - 8 * MIB, left());
	ASSERT_EQ(0, fallocate(fd, 0, 10 * MIB, MIB));
	EXPECT_EQ(size - 11 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 1));
	EXPECT_EQ(size - PAGE, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

TEST_F(quota_reserve, reserve_below_a_limit)
{
	uint64_t bytes = 0, used;
	int fd, err;

	MOUNT("dram=32M,reserve");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, set_limit("d", 4 * MIB));
	EXPECT_EQ(-ENOSPC, sized("d/f", 4 * MIB + 1));
	ASSERT_LE(0, fd = sized("d/f", 3 * MIB));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(3 * MIB, used);
	EXPECT_EQ(MIB, room("d").f_bfree * PAGE);
	EXPECT_EQ(MIB, fill("d/g", 0, 2 * MIB, &err));
	/* lowered, it is kept */
	ASSERT_EQ(0, set_limit("d", MIB));
	EXPECT_EQ(0, maps(fd, 0, 3 * MIB));
	close(fd);
}

/* Where its pages are is promised, too; the first 240 MiB cost nothing. */
TEST_F(quota_reserve, reserve_tables)
{
	uint64_t size, far = 250 * MIB;
	int fd, err;

	MOUNT("dram=320M,reserve");
	size = left();
	if (size < far + 2 * PAGE)
		SKIP(return, "not enough memory");
	ASSERT_LE(0, fd = sized("f", 240 * MIB));
	EXPECT_EQ(size - 240 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, far));
	EXPECT_EQ(size - far - PAGE, left());
	fill("g", 0, size, &err);
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(0, left());
	EXPECT_EQ(0, maps(fd, far - MIB, far));
	/* it stays as long as the file does */
	ASSERT_EQ(0, ftruncate(fd, MIB));
	EXPECT_EQ(far - MIB, left());
	ASSERT_EQ(0, ftruncate(fd, far));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(far + PAGE, left());
}

/* An area that is counted on stays, even if there is nothing on it. */
TEST_F(quota_reserve, reserve_needs_area)
{
	uint64_t size;
	int fd, area;
	uint32_t id;

	MOUNT("dram=16M,reserve");
	size = left();
	ASSERT_LE(0, area = area_ready("area", 32));
	ASSERT_EQ(0, swap_add(area, 0, 0, &id));
	close(area);
	ASSERT_LT(size + 16 * MIB, left());
	ASSERT_LE(0, fd = sized("f", size + 16 * MIB));
	EXPECT_EQ(0, swap_used(id));
	EXPECT_EQ(-ENOSPC, swap_remove(id));
	EXPECT_EQ(0, maps(fd, 0, size + 16 * MIB));
	EXPECT_EQ(-ENOSPC, swap_remove(id));
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, ftruncate(fd, size));
	EXPECT_EQ(0, swap_remove(id));
	EXPECT_EQ(0, maps(fd, 0, size));
	close(fd);
}

static void fault_at_random(int fd, uint64_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	/* beyond the end it is SIGBUS */
	for (unsigned int i = 0; i < 3000; i++) {
		if (fork() == 0) {
			for (int n = 0; n < 64; n++)
				p[(uint64_t)((i * 64 + n) * 7919 % (size / PAGE)) * PAGE] = 1;
			_exit(0);
		}
		wait(NULL);
	}
	_exit(0);
}

/* All kinds of change, while others fault: what is promised stays right. */
TEST_F(quota_reserve, reserve_races)
{
	uint64_t size, full = 12 * MIB;
	pid_t pid[2];
	int fd;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", full));
	for (int i = 0; i < 2; i++) {
		ASSERT_LE(0, pid[i] = fork());
		if (!pid[i])
			fault_at_random(fd, full);
	}
	srand(1);
	for (int i = 0; i < 1500; i++) {
		uint64_t from = rand() % full, len = rand() % (2 * MIB) + 1;

		switch (rand() % 5) {
		case 0:
			ASSERT_EQ(0, ftruncate(fd, from));
			break;
		case 1:
			ASSERT_EQ(0, ftruncate(fd, full));
			break;
		case 2:
			ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       from, len));
			break;
		case 3:
			ASSERT_EQ(0, fallocate(fd, rand() % 2 ? FALLOC_FL_KEEP_SIZE : 0, from,
					       len));
			break;
		case 4:
			ASSERT_EQ(1, pwrite(fd, "x", 1, from));
			break;
		}
	}
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	ASSERT_EQ(0, ftruncate(fd, full));
	/* of the same size again, so that what lies beyond goes */
	ASSERT_EQ(0, ftruncate(fd, full));
	EXPECT_EQ(size - full, left());
	EXPECT_EQ(0, maps(fd, 0, full));
	EXPECT_EQ(full, blocks("f"));
	EXPECT_EQ(size - full, left());
	ASSERT_EQ(0, ftruncate(fd, 5 * MIB));
	EXPECT_EQ(size - 5 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(size, left());
	close(fd);
}

/* Nothing is promised without it, and what stands is shown. */
TEST_F(quota_reserve, reserve_is_an_option)
{
	uint64_t size;
	int fd;

	MOUNT("dram=32M,noreserve");
	EXPECT_NE(0, run_cmd("grep -q ' itmefs .*reserve' /proc/mounts"));
	size = left();
	ASSERT_LE(0, fd = sized("f", 1ULL << 50));
	EXPECT_EQ(size, left());
	ASSERT_EQ(1, pwrite(fd, "x", 1, 1ULL << 51));
	EXPECT_EQ(0, maps(fd, 0, CHUNK));
	EXPECT_EQ(size - CHUNK - 2 * PAGE, left());
	close(fd);
	EXPECT_EQ(-EINVAL, itme_remount("reserve"));
	EXPECT_EQ(0, itme_remount("noreserve"));
	ASSERT_EQ(0, itme_umount());
	MOUNT("dram=32M,reserve");
	EXPECT_EQ(0, run_cmd("grep -q ' itmefs .*,reserve ' /proc/mounts"));
	EXPECT_EQ(-EINVAL, itme_remount("noreserve"));
	EXPECT_EQ(0, itme_remount("reserve"));
	EXPECT_EQ(0, itme_remount("dram=16M"));
	EXPECT_EQ(0, run_cmd("mount -o remount,dram=32M %s", mnt_dir()));
	EXPECT_EQ(-ENOSPC, sized("f", 1ULL << 50));
}

TEST_HARNESS_MAIN
