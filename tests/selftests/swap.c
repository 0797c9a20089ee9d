// SPDX-License-Identifier: GPL-2.0
/* Written data that is larger than memory: it goes to swap areas and comes back right. */
#include <pthread.h>
#include <sys/vfs.h>

#include "swap.h"

TEST_F(swap, write_and_read)
{
	struct itme_stats s;
	int fd, i;

	MOUNT_AREA("dram=16M", 64, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, put(fd, 0, SIZE, i));
		EXPECT_GE(16 * MIB, tier_used(DRAM));
		EXPECT_EQ(0, check_read(fd, 0, SIZE, i));
	}
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LE(3 * (SIZE - 16 * MIB), s.swap_out_bytes);
	EXPECT_LE(3 * (SIZE - 16 * MIB), s.swap_in_bytes);
	EXPECT_EQ(0, s.swap_errors);
	EXPECT_LE(SIZE - 16 * MIB, swap_used(self->id));
	close(fd);
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_TRUE(POLL(!swap_used(self->id), 10));
	EXPECT_EQ(0, swap_remove(self->id));
}

TEST_F(swap, mapped)
{
	char *p;
	int fd, i;

	MOUNT_AREA("dram=16M", 64, ITME_SWAP_CHECK);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 1; i <= 2; i++) {
		pattern_fill(p, SIZE, 0, i);
		EXPECT_EQ(0, pattern_check(p, SIZE, 0, i));
		EXPECT_EQ(0, check_read(fd, 0, SIZE, i));
	}
	/* a little of each, in another order */
	for (i = 19; i >= 0; i--)
		pattern_fill(p + i * CHUNK + 5 * PAGE, 3 * PAGE, i * CHUNK + 5 * PAGE, 7);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, pattern_check(p + i * CHUNK, 5 * PAGE, i * CHUNK, 2));
		EXPECT_EQ(0, pattern_check(p + i * CHUNK + 5 * PAGE, 3 * PAGE,
					   i * CHUNK + 5 * PAGE, 7));
		EXPECT_EQ(0, pattern_check(p + i * CHUNK + 8 * PAGE, CHUNK - 8 * PAGE,
					   i * CHUNK + 8 * PAGE, 2));
	}
	munmap(p, SIZE);
}

TEST_F(swap, zeroes_take_no_room)
{
	char *buf = calloc(1, CHUNK), *back = malloc(CHUNK);
	struct itme_stats s;
	int fd, i;

	MOUNT_AREA("dram=16M", 64, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	for (i = 0; i < 20; i++)
		ASSERT_EQ(CHUNK, pwrite(fd, buf, CHUNK, i * CHUNK));
	EXPECT_EQ(0, swap_used(self->id));
	/* but they exist */
	EXPECT_EQ(0, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_HOLE));
	for (i = 0; i < 20; i++) {
		memset(back, 1, CHUNK);
		ASSERT_EQ(CHUNK, pread(fd, back, CHUNK, i * CHUNK));
		EXPECT_EQ(0, memcmp(buf, back, CHUNK));
	}
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LE(SIZE - 16 * MIB, s.swap_zero_bytes);
	EXPECT_EQ(0, s.swap_out_bytes);
	/* one page of a chunk that is not zero takes one unit */
	ASSERT_EQ(0, put(fd, 3 * CHUNK + 7 * PAGE, PAGE, 5));
	EXPECT_EQ(0, advise(fd, 0, SIZE, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, resident(fd, 3 * CHUNK, CHUNK));
	EXPECT_EQ(64 * KIB, swap_used(self->id));
	EXPECT_EQ(0, check_read(fd, 3 * CHUNK + 7 * PAGE, PAGE, 5));
}

TEST_F(swap, unchanged_is_not_written_again)
{
	struct itme_stats s, t;
	uint64_t in, out;
	int fd, i;

	MOUNT_AREA("dram=16M", 128, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &t));
	in = t.swap_in_bytes - s.swap_in_bytes;
	out = t.swap_out_bytes - s.swap_out_bytes;
	EXPECT_LE(4 * (SIZE - 16 * MIB), in);
	/* what was in memory then, and once */
	EXPECT_GE(16 * MIB, out);
	EXPECT_LE(in - 16 * MIB - out, t.swap_clean_bytes - s.swap_clean_bytes);
}

TEST_F(swap, full)
{
	struct itme_stats s;
	uint64_t off;
	char *p;
	int fd, err = 0;

	MOUNT_AREA("dram=16M", 8, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	for (off = 0; !err && off < SIZE; off += err ? 0 : MIB)
		err = put(fd, off, MIB, 1);
	EXPECT_EQ(-ENOSPC, err);
	/* more than memory beside the ring, and all of it is right */
	EXPECT_LE(12 * MIB, off);
	off -= MIB;
	EXPECT_EQ(0, check_read(fd, 0, off, 1));
	/* over and over, although the area is full */
	ASSERT_EQ(0, put(fd, 0, off, 2));
	EXPECT_EQ(0, check_read(fd, 0, off, 2));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(0, s.swap_errors);
	/* a mapping is told by a signal */
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(SIGBUS, touch(p + SIZE - 1));
	munmap(p, SIZE);
	EXPECT_EQ(0, check_read(fd, 0, off, 2));
	/* and there is room again */
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(0, put(fd, 0, 12 * MIB, 3));
	EXPECT_EQ(0, check_read(fd, 0, 12 * MIB, 3));
}

/*
 * One page of each unit of an area takes the unit, so they fill an area of 8 MiB long
 * before they fill 8 MiB. What streams need stays free of them all the same.
 */
TEST_F(swap, sparse)
{
	struct statfs sf;
	uint64_t i, nr;
	int fd, import, err = 0;

	MOUNT_AREA("dram=16M", 8, 0);
	import = import_open("i", 12 * MIB, 9, 0);
	ASSERT_LE(0, import);
	ASSERT_EQ(0, statfs(file_path("."), &sf));
	fd = create("f");
	ASSERT_LE(0, fd);
	for (i = 0; !err && i < sf.f_blocks; i++)
		err = put(fd, i * 64 * KIB, PAGE, 1);
	EXPECT_EQ(-ENOSPC, err);
	nr = i - 1;
	/* memory beside the ring can have them all, and not more */
	EXPECT_LE(7 * MIB / PAGE, nr);
	EXPECT_GE(8 * MIB / PAGE, nr);
	EXPECT_EQ(0, check_read(import, 0, 12 * MIB, 9));
	EXPECT_EQ(0, check_read(import, 0, 12 * MIB, 9));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, check_read(fd, i * 64 * KIB, PAGE, 1));
	/* a range that is allocated counts its units, too; those it has it may fill */
	EXPECT_EQ(-1, fallocate(fd, 0, nr * 64 * KIB, MIB));
	EXPECT_EQ(ENOSPC, errno);
	ASSERT_EQ(0, ftruncate(fd, 64 * 64 * KIB));
	EXPECT_EQ(0, fallocate(fd, 0, 0, 64 * 64 * KIB));
	/* what is dense has all of it: no unit was forgotten */
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, statfs(file_path("."), &sf));
	EXPECT_EQ(sf.f_blocks, sf.f_bfree);
	EXPECT_EQ(0, put(fd, 0, 13 * MIB, 2));
	EXPECT_EQ(0, check_read(import, 0, 12 * MIB, 9));
	EXPECT_EQ(0, check_read(fd, 0, 13 * MIB, 2));
	close(import);
	close(fd);
}

TEST_F(swap, what_ceases_gives_room)
{
	uint64_t used;
	int fd;

	MOUNT_AREA("dram=16M", 64, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	EXPECT_EQ(0, advise(fd, 0, SIZE, ITME_ADVICE_PAGEOUT, ANY, NULL));
	used = swap_used(self->id);
	EXPECT_EQ(SIZE, used);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, CHUNK / 2,
			       4 * CHUNK));
	EXPECT_GE(used - 3 * CHUNK, swap_used(self->id));
	EXPECT_EQ(0, check_read(fd, 0, CHUNK / 2, 1));
	EXPECT_EQ(0, check_read(fd, 4 * CHUNK + CHUNK / 2, 15 * CHUNK, 1));
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	EXPECT_GE(64 * KIB, swap_used(self->id));
	EXPECT_EQ(0, check_read(fd, 0, PAGE, 1));
}

TEST_F(swap, priorities)
{
	uint32_t low, same;
	int fd, a;

	/* the lowest is not needed, the others take turns */
	MOUNT("dram=16M");
	a = area_ready("a", 32);
	ASSERT_EQ(0, swap_add(a, 5, 0, &self->id));
	a = area_ready("b", 32);
	ASSERT_EQ(0, swap_add(a, 5, 0, &same));
	a = area_ready("c", 32);
	ASSERT_EQ(0, swap_add(a, -1, 0, &low));
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	EXPECT_EQ(0, swap_used(low));
	EXPECT_LE(4 * CHUNK, swap_used(self->id));
	EXPECT_LE(4 * CHUNK, swap_used(same));
	/* both of them full */
	ASSERT_EQ(0, put(fd, SIZE, SIZE, 1));
	EXPECT_LT(0, swap_used(low));
	EXPECT_EQ(0, check_read(fd, 0, 2 * SIZE, 1));
}

/* an area whose blocks do not lie side by side */
TEST_F(swap, fragmented_area)
{
	char *zero = calloc(1, 12 * KIB);
	int fd, other, i;

	self->area = open(lower_path("area"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	other = open(lower_path("other"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->area);
	for (i = 0; i < 2048; i++) {
		ASSERT_EQ(12 * KIB, write(self->area, zero, 12 * KIB));
		ASSERT_EQ(12 * KIB, write(other, zero, 12 * KIB));
		if (!(i % 16)) {
			fdatasync(self->area);
			fdatasync(other);
		}
	}
	ASSERT_EQ(0, area_header(self->area, &(struct header){
		.version = 1, .last_page = 3 * 2048 - 1 }));
	MOUNT("dram=16M");
	ASSERT_EQ(0, swap_add(self->area, -1, 0, &self->id));
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, 24 * MIB, 1));
	EXPECT_EQ(0, check_read(fd, 0, 24 * MIB, 1));
	ASSERT_EQ(0, put(fd, 0, 24 * MIB, 2));
	EXPECT_EQ(0, check_read(fd, 0, 24 * MIB, 2));
	/* what lies between is not ours */
	for (i = 0; i < 2048; i++) {
		char buf[12 * KIB];

		ASSERT_EQ(12 * KIB, pread(other, buf, sizeof(buf), i * sizeof(buf)));
		ASSERT_EQ(0, memcmp(buf, zero, sizeof(buf)));
	}
}

TEST_F(swap, remove_moves_all)
{
	struct itme_swap s;
	uint32_t other;
	int fd, a;

	MOUNT_AREA("dram=16M", 64, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	/* nowhere to go: it stays as it was */
	EXPECT_EQ(-ENOSPC, swap_remove(self->id));
	ASSERT_EQ(0, swap_get(self->id, &s));
	EXPECT_EQ(0, s.flags);
	ASSERT_EQ(0, put(fd, 0, SIZE, 2));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 2));

	a = area_ready("other", 64);
	ASSERT_EQ(0, swap_add(a, -1, ITME_SWAP_CHECK, &other));
	EXPECT_EQ(0, swap_used(other));
	ASSERT_EQ(0, swap_remove(self->id));
	EXPECT_EQ(0, ftruncate(self->area, 0));
	EXPECT_LE(SIZE - 16 * MIB, swap_used(other));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 2));
	/* what fits into memory needs no area */
	ASSERT_EQ(0, ftruncate(fd, 4 * CHUNK));
	EXPECT_EQ(0, swap_remove(other));
	EXPECT_EQ(0, check_read(fd, 0, 4 * CHUNK, 2));
}

struct writer {
	pthread_t thread;
	volatile bool *stop;
	volatile uint64_t *map;
	uint64_t word, last;
};

/* counts in one word of each chunk */
static void *count(void *arg)
{
	struct writer *w = arg;
	unsigned int i;

	for (w->last = 1; !*w->stop; w->last++)
		for (i = 0; i < 20; i++)
			w->map[i * CHUNK / 8 + w->word] = w->last;
	return NULL;
}

/* while it is being written out, it is written to */
TEST_F(swap, no_write_is_lost)
{
	volatile bool stop = false;
	struct writer w[2];
	char *p;
	int fd, i, k;

	MOUNT_AREA("dram=16M", 64, ITME_SWAP_CHECK);
	fd = create("f");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, put(fd, 0, SIZE, 1));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (k = 0; k < 2; k++) {
		w[k] = (struct writer){ .stop = &stop, .map = (uint64_t *)p,
					.word = 1000 + 512 * k };
		ASSERT_EQ(0, pthread_create(&w[k].thread, NULL, count, &w[k]));
	}
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, scan(fd, 0, SIZE, 1));
	stop = true;
	for (k = 0; k < 2; k++)
		pthread_join(w[k].thread, NULL);
	for (k = 0; k < 2; k++) {
		EXPECT_LT(1, w[k].last);
		for (i = 0; i < 20; i++)
			EXPECT_EQ(w[k].last - 1, w[k].map[i * CHUNK / 8 + w[k].word]);
	}
	munmap(p, SIZE);
}

struct filler {
	pthread_t thread;
	int fd, err;
};

/* a chunk, a page at a time, each a write of its own */
static void *fill_slowly(void *arg)
{
	struct filler *f = arg;
	char page[PAGE];
	uint64_t off;

	for (off = 0; !f->err && off < CHUNK; off += PAGE) {
		pattern_fill(page, PAGE, off, f->fd);
		if (pwrite(f->fd, page, PAGE, off) != PAGE)
			f->err = errno;
	}
	return NULL;
}

/* who waits for room keeps nobody's data from leaving: more who write than memory has chunks */
TEST_F(swap, writers_wait_for_each_other)
{
	struct filler f[16];
	char name[8];
	int i;

	MOUNT_AREA("dram=8M", 64, 0);
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		f[i] = (struct filler){ .fd = create(name) };
		ASSERT_LE(0, f[i].fd);
	}
	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, pthread_create(&f[i].thread, NULL, fill_slowly, &f[i]));
	for (i = 0; i < 16; i++) {
		pthread_join(f[i].thread, NULL);
		EXPECT_EQ(0, f[i].err);
	}
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(0, check_read(f[i].fd, 0, CHUNK, f[i].fd));
		close(f[i].fd);
	}
}

TEST_F(swap, two_tiers)
{
	int fd, i;

	if (!have_cxl_node())
		SKIP(return, "no memory node without CPU");
	MOUNT_AREA("dram=16M,cxl=16M", 96, 0);
	fd = create("f");
	ASSERT_LE(0, fd);
	for (i = 1; i <= 2; i++) {
		ASSERT_EQ(0, put(fd, 0, 2 * SIZE, i));
		EXPECT_EQ(0, check_read(fd, 0, 2 * SIZE, i));
	}
	EXPECT_LT(0, tier_used(CXL));
	EXPECT_LE(2 * SIZE - 32 * MIB, swap_used(self->id));
}

TEST_HARNESS_MAIN
