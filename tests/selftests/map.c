// SPDX-License-Identifier: GPL-2.0
/* Everything a process does with a mapping of a file. */
#include <sys/uio.h>
#include <sys/wait.h>

#include "fixture.h"

#define SIZE	(5 * CHUNK + 12345)
#define LEN	(6 * CHUNK)

FIXTURE(map) {};
ITME_FIXTURE(map)

FIXTURE_VARIANT(map)
{
	const char *opts;	/* all fits, or not */
	uint32_t chunk;
};

FIXTURE_VARIANT_ADD(map, fits) { .opts = "dram=24M" };
FIXTURE_VARIANT_ADD(map, tight) { .opts = "dram=8M" };
FIXTURE_VARIANT_ADD(map, small) { .opts = "dram=8M", .chunk = 64 * KIB };

#define OPEN(fd)							\
do {									\
	MOUNT(variant->opts);						\
	fd = import_open("f", SIZE, 1, variant->chunk);			\
	ASSERT_LE(0, fd);						\
} while (0)

TEST_F(map, shared_and_private)
{
	char *s, *p;
	int fd;

	OPEN(fd);
	s = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, s);
	p = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	EXPECT_EQ(0, pattern_check(s, SIZE, 0, 1));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, pattern_check(s, SIZE, 0, 1));
}

TEST_F(map, backwards_and_offset)
{
	uint64_t off;
	int fd;

	OPEN(fd);
	for (off = SIZE / PAGE * PAGE; off; off -= PAGE * 37) {
		ASSERT_EQ(0, check_mapped(fd, off, SIZE - off < 100 ?
					  SIZE - off : 100, 1));
		if (off < PAGE * 37)
			break;
	}
	/* a start that is in the middle of a chunk, a length over several */
	EXPECT_EQ(0, check_mapped(fd, CHUNK + 3 * PAGE, 2 * CHUNK, 1));
	EXPECT_EQ(0, check_mapped(fd, 5 * CHUNK - PAGE, PAGE + 12345, 1));
}

TEST_F(map, head_and_tail_unmapped)
{
	uint64_t from = CHUNK / 2 + PAGE, to = 4 * CHUNK - 5 * PAGE;
	char *p;
	int fd;

	/* as llama.cpp does: the whole, then only where the tensors are */
	OPEN(fd);
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, madvise(p, SIZE, MADV_WILLNEED));
	close(fd);
	ASSERT_EQ(0, munmap(p, from));
	ASSERT_EQ(0, munmap(p + to, SIZE - to));
	EXPECT_EQ(0, pattern_check(p + from, to - from, from, 1));
	EXPECT_EQ(SIGSEGV, touch(p + from - 1));
	EXPECT_EQ(SIGSEGV, touch(p + to));
	EXPECT_EQ(0, pattern_check(p + from, to - from, from, 1));
	ASSERT_EQ(0, munmap(p + from + CHUNK, PAGE));
	EXPECT_EQ(0, pattern_check(p + from, CHUNK, from, 1));
}

TEST_F(map, copy_on_write)
{
	char *p, *s;
	uint64_t i;
	int fd;

	OPEN(fd);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	s = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, s);
	/* one page of each chunk, touched before in every second */
	for (i = 0; i < 5; i++) {
		if (i % 2)
			ASSERT_EQ(0, touch(p + i * CHUNK));
		memset(p + i * CHUNK + 7 * PAGE, 0xa0 + i, PAGE);
	}
	EXPECT_EQ(0, pattern_check(s, SIZE, 0, 1));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	for (i = 0; i < 5; i++) {
		char *at = p + i * CHUNK;

		EXPECT_EQ(0, pattern_check(at, 7 * PAGE, i * CHUNK, 1));
		EXPECT_EQ((char)(0xa0 + i), at[7 * PAGE]);
		EXPECT_EQ((char)(0xa0 + i), at[8 * PAGE - 1]);
		EXPECT_EQ(0, pattern_check(at + 8 * PAGE, CHUNK - 8 * PAGE,
					   i * CHUNK + 8 * PAGE, 1));
	}
	/* thrown away: the file shows again */
	ASSERT_EQ(0, madvise(p, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_F(map, no_writable_sharing)
{
	char *p;
	int fd;

	OPEN(fd);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0));
	EXPECT_EQ(EACCES, errno);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(-1, mprotect(p, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, madvise(p, PAGE, MADV_REMOVE));
	EXPECT_EQ(-1, madvise(p, PAGE, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

/* What is in transit, as it was read ahead, does not leave the first time. */
static bool paged_out(int fd, char *p, size_t *in)
{
	unsigned char vec[LEN / PAGE];
	size_t i;

	if (advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL) || mincore(p, SIZE, vec))
		return false;
	for (i = 0, *in = 0; i < SIZE / PAGE; i++)
		*in += vec[i] & 1;
	return !*in && !resident(fd, 0, 0);
}

TEST_F(map, populate_and_mincore)
{
	unsigned char vec[LEN / PAGE];
	size_t i, in = 0;
	char *p;
	int fd;

	OPEN(fd);
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	if (!strcmp(variant->opts, "dram=24M")) {
		ASSERT_EQ(0, mincore(p, SIZE, vec));
		for (i = 0; i < SIZE / PAGE; i++)
			in += vec[i] & 1;
		EXPECT_EQ(SIZE / PAGE, in);
		EXPECT_EQ(SIZE, resident(fd, 0, 0));
	}
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_TRUE(POLL(paged_out(fd, p, &in), 10));
	EXPECT_EQ(0, in);
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_F(map, mlock)
{
	char *p;
	int fd;

	OPEN(fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	/* never an endless loop, and never wrong, also when it cannot fit */
	EXPECT_EQ(0, mlock(p + CHUNK, CHUNK));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, mlock(p, SIZE));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, munlock(p, SIZE));
	EXPECT_EQ(0, mlock2(p, SIZE, MLOCK_ONFAULT));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, munmap(p, SIZE));
}

TEST_F(map, mremap)
{
	char *p, *q;
	int fd;

	OPEN(fd);
	p = map_ro(fd, 0, CHUNK);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, pattern_check(p, CHUNK, 0, 1));
	q = mremap(p, CHUNK, LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(0, pattern_check(q, SIZE, 0, 1));
	/* to a place that is not aligned to anything large */
	p = mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	q = mremap(q, LEN, LEN - PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   p + PAGE);
	ASSERT_EQ(p + PAGE, q);
	EXPECT_EQ(0, pattern_check(q, SIZE, 0, 1));
	q = mremap(q, LEN - PAGE, CHUNK + PAGE, 0);
	ASSERT_EQ(p + PAGE, q);
	EXPECT_EQ(0, pattern_check(q, CHUNK + PAGE, 0, 1));
}

struct shared {
	char *p;
	int go[2];
};

static int check_when_told(void *arg)
{
	struct shared *s = arg;
	char c;

	if (read(s->go[0], &c, 1) != 1)
		return 2;
	return pattern_check(s->p, SIZE, 0, 1);
}

TEST_F(map, fork)
{
	struct shared s;
	int fd, status;
	pid_t pid;

	OPEN(fd);
	s.p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, s.p);
	ASSERT_EQ(0, touch(s.p + 3 * CHUNK));
	ASSERT_EQ(0, pipe(s.go));
	pid = spawn(check_when_told, &s);
	ASSERT_LT(0, pid);
	/* the parent's copies and its going away are no matter to the child */
	memset(s.p, 0x55, CHUNK);
	munmap(s.p, SIZE);
	close(fd);
	ASSERT_EQ(1, write(s.go[1], "g", 1));
	status = reap(pid, 60);
	EXPECT_EQ(0, status);
}

TEST_F(map, read_by_others)
{
	struct iovec l, r;
	char *p, *buf;
	int fd, mem;

	OPEN(fd);
	buf = malloc(CHUNK);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	/* through the page tables of a process, as debuggers do */
	mem = open("/proc/self/mem", O_RDONLY);
	ASSERT_EQ(CHUNK, pread(mem, buf, CHUNK, (uintptr_t)p + CHUNK / 2));
	EXPECT_EQ(0, pattern_check(buf, CHUNK, CHUNK / 2, 1));
	l = (struct iovec){ buf, CHUNK };
	r = (struct iovec){ p + 2 * CHUNK + 5, CHUNK };
	ASSERT_EQ(CHUNK, process_vm_readv(getpid(), &l, 1, &r, 1, 0));
	EXPECT_EQ(0, pattern_check(buf, CHUNK, 2 * CHUNK + 5, 1));
	/* as the buffer of a write(2) */
	mem = memfd_create("out", 0);
	ASSERT_EQ(CHUNK, write(mem, p + 3 * CHUNK + 1, CHUNK));
	ASSERT_EQ(CHUNK, pread(mem, buf, CHUNK, 0));
	EXPECT_EQ(0, pattern_check(buf, CHUNK, 3 * CHUNK + 1, 1));
}

TEST_F(map, execute)
{
	struct stat st;
	char exe[512];
	int fd;

	MOUNT(variant->opts);
	ASSERT_EQ(0, run_cmd("cp /bin/ls %s", lower_path("ls")));
	fd = open(lower_path("ls"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, import_fd("ls", fd, variant->chunk));
	close(fd);
	fd = file_open("ls", O_RDONLY);
	ASSERT_EQ(0, fstat(fd, &st));
	close(fd);
	if (!(st.st_mode & 0111))
		SKIP(return, "imported files are not executable");
	strcpy(exe, file_path("ls"));
	EXPECT_EQ(0, run_cmd("%s %s | grep -qx ls", exe, mnt_dir()));
}

TEST_HARNESS_MAIN
