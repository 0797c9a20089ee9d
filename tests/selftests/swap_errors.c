// SPDX-License-Identifier: GPL-2.0
/*
 * Drives that hang, fail, vanish or give back something else, with data in their swap
 * areas: it stays in memory, goes elsewhere, or is an error of that chunk alone.
 */
#include <signal.h>

#include "swap.h"

static bool is_bad(uint32_t id)
{
	struct itme_swap s;

	return !swap_get(id, &s) && s.id == id && s.flags & ITME_SWAP_BAD;
}

static void nothing(int sig __attribute__((unused)))
{
}

static int remove_it(void *arg)
{
	struct sigaction sa = { .sa_handler = nothing };

	sigaction(SIGALRM, &sa, NULL);
	alarm(5);
	return -swap_remove(*(uint32_t *)arg);
}

TEST_F(swap, remove_is_interrupted)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	bool gone[20] = {};
	struct itme_swap s;
	int left = 20;
	pid_t pid;
	int fd, i;

	MOUNT("dram=32M");
	ADD_DM(64, -1, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	/* so much goes of what is in memory that there is room for what is not */
	for (i = 0; i < 20 && left > 9; i++) {
		if (!resident(fd, i * CHUNK, CHUNK))
			continue;
		ASSERT_EQ(0, fallocate(fd, punch, i * CHUNK, CHUNK));
		gone[i] = true;
		left--;
	}
	ASSERT_EQ(9, left);
	ASSERT_LT(0, swap_used(self->id));
	/* the drive does not answer */
	ASSERT_EQ(0, dm_suspend());
	pid = spawn(remove_it, &self->id);
	EXPECT_TRUE(POLL(!swap_get(self->id, &s) && s.flags == ITME_SWAP_DRAINING, 2));
	EXPECT_EQ(-EBUSY, swap_remove(self->id));
	EXPECT_EQ(EINTR << 8, reap(pid, 20));
	ASSERT_EQ(0, dm_resume());
	ASSERT_EQ(0, swap_get(self->id, &s));
	EXPECT_EQ(0, s.flags);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, gone[i] ? 0 : check_read(fd, i * CHUNK, CHUNK, 1));
	EXPECT_EQ(0, swap_remove(self->id));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, gone[i] ? 0 : check_read(fd, i * CHUNK, CHUNK, 1));
}

static int fault_all(void *arg)
{
	volatile char *p = arg;

	for (uint64_t off = 0; off < SIZE; off += PAGE)
		p[off] = 1;
	return 0;
}

static int write_all(void *arg)
{
	return put(*(int *)arg, 0, SIZE, 1) ? 1 : 0;
}

/* who waits for a write that does not end can be killed, and holds up nobody else */
TEST_F(swap, killed_while_the_drive_hangs)
{
	pid_t by_fault, by_write;
	int fd, other;
	char *p;

	MOUNT("dram=16M");
	ADD_DM(64, -1, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	other = create("g");
	ASSERT_LE(0, other);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, dm_suspend());
	by_fault = spawn(fault_all, p);
	by_write = spawn(write_all, &other);
	EXPECT_TRUE(POLL(tier_used(DRAM) > 15 * MIB, 20));
	usleep(300000);
	EXPECT_EQ(0, waitpid(by_fault, NULL, WNOHANG));
	EXPECT_EQ(0, waitpid(by_write, NULL, WNOHANG));
	kill(by_fault, SIGKILL);
	kill(by_write, SIGKILL);
	EXPECT_EQ(SIGKILL, reap(by_fault, 20));
	EXPECT_EQ(SIGKILL, reap(by_write, 20));
	ASSERT_EQ(0, dm_resume());
	ASSERT_EQ(0, put(other, 0, SIZE, 2));
	EXPECT_EQ(0, check_read(other, 0, SIZE, 2));
	munmap(p, SIZE);
}

TEST_F(swap, write_error_goes_elsewhere)
{
	struct itme_swap s;
	uint32_t other;
	int fd;

	MOUNT_AREA("dram=16M", 64, 0);
	other = self->id;
	ADD_DM(64, 10, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	EXPECT_EQ(0, swap_used(other));
	ASSERT_EQ(0, dm_fail_writes());
	/* half of it is stored there and only there: it can be read still */
	ASSERT_EQ(0, put(fd, SIZE / 2, SIZE / 2, 2));
	ASSERT_EQ(0, put(fd, SIZE, 4 * CHUNK, 1));
	EXPECT_EQ(0, check_read(fd, 0, SIZE / 2, 1));
	EXPECT_EQ(0, check_read(fd, SIZE / 2, SIZE / 2, 2));
	EXPECT_EQ(0, check_read(fd, SIZE, 4 * CHUNK, 1));
	EXPECT_TRUE(is_bad(self->id));
	ASSERT_EQ(0, swap_get(self->id, &s));
	EXPECT_LT(0, s.errors);
	EXPECT_LT(0, swap_used(other));
	/* it is let go of, as what is there can be read */
	EXPECT_EQ(0, swap_remove(self->id));
	EXPECT_EQ(0, check_read(fd, 0, SIZE / 2, 1));
	EXPECT_EQ(0, check_read(fd, SIZE / 2, SIZE / 2, 2));
}

TEST_F(swap, write_error_keeps_it_in_memory)
{
	struct itme_stats s;
	uint64_t off = 0;
	int fd, err = 0;

	MOUNT("dram=16M");
	ADD_DM(64, -1, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail_writes());
	while (!err && off < SIZE) {
		err = put(fd, off, MIB, 1);
		off += err ? 0 : MIB;
	}
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_TRUE(is_bad(self->id));
	EXPECT_EQ(0, check_read(fd, 0, off, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LT(0, s.swap_errors);
	EXPECT_EQ(0, s.swap_out_bytes);
	ASSERT_EQ(0, put(fd, 0, 4 * MIB, 2));
	EXPECT_EQ(0, check_read(fd, 0, 4 * MIB, 2));
}

/* Has the write-out ahead of need come to its end? */
static bool at_rest(uint32_t id)
{
	uint32_t used = swap_used(id);
	unsigned int reads = 1, writes = 1;
	char path[64];
	FILE *f;

	usleep(200000);
	snprintf(path, sizeof(path), "/sys/block/%s/inflight", dm_path() + strlen("/dev/"));
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%u %u", &reads, &writes) != 2)
		writes = 1;
	fclose(f);
	return !writes && swap_used(id) == used;
}

TEST_F(swap, read_error_is_of_the_chunk)
{
	unsigned int bad = 0, good = 0;
	char buf[PAGE];
	char *p;
	int fd, i;

	MOUNT("dram=16M");
	ADD_DM(64, -1, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	/* there is room for what is read, with nothing to be written for it */
	ASSERT_EQ(0, advise(fd, 0, SIZE, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_EQ(0, check_read(fd, 16 * CHUNK, 4 * CHUNK, 1));
	ASSERT_TRUE(POLL(at_rest(self->id), 20));
	ASSERT_EQ(0, dm_fail_all());
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	for (i = 0; i < 20; i++) {
		if (resident(fd, i * CHUNK, CHUNK)) {
			good += !check_read(fd, i * CHUNK, CHUNK, 1);
			continue;
		}
		EXPECT_EQ(-1, pread(fd, buf, PAGE, i * CHUNK));
		EXPECT_EQ(EIO, errno);
		EXPECT_EQ(SIGBUS, touch(p + i * CHUNK));
		bad++;
	}
	EXPECT_LE(4, good);
	EXPECT_LE(12, bad);
	/* reads do not make it bad */
	EXPECT_FALSE(is_bad(self->id));
	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	munmap(p, SIZE);
}

TEST_F(swap, device_gone)
{
	int fd;

	MOUNT("dram=16M");
	ADD_DM(64, -1, 0, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	ASSERT_EQ(0, dm_fail_all());
	/* cannot be let go of as long as something needs it */
	EXPECT_NE(0, swap_remove(self->id));
	close(fd);
	EXPECT_EQ(0, file_unlink("f"));
	EXPECT_TRUE(POLL(!swap_used(self->id), 10));
	EXPECT_EQ(0, swap_remove(self->id));
}

TEST_F(swap, wrong_data_is_an_error)
{
	char *junk = malloc(MIB);
	unsigned int bad = 0;
	struct itme_swap s;
	char buf[PAGE];
	uint64_t at;
	int fd, image, i;

	MOUNT("dram=16M");
	ADD_DM(64, -1, ITME_SWAP_CHECK, &self->id);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	image = open(dm_image(), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, image);
	/* a bit of each page */
	for (at = 0; at < 64 * MIB; at += MIB) {
		ASSERT_EQ(MIB, pread(image, junk, MIB, at));
		for (i = 0; i < 256; i++)
			junk[i * PAGE + 1000] ^= 4;
		ASSERT_EQ(MIB, pwrite(image, junk, MIB, at));
	}
	for (i = 0; i < 20; i++) {
		if (resident(fd, i * CHUNK, CHUNK))
			continue;
		bad++;
		EXPECT_EQ(-1, pread(fd, buf, PAGE, i * CHUNK + 3 * PAGE));
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_LE(12, bad);
	ASSERT_EQ(0, swap_get(self->id, &s));
	EXPECT_LE(bad, s.errors);
	/* what is written anew is right */
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, put(fd, 0, SIZE, 2));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 2));
}

TEST_HARNESS_MAIN
