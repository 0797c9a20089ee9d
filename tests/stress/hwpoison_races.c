// SPDX-License-Identifier: GPL-2.0
/*
 * Memory errors in pages of imported files: in DRAM and in CXL, in folios of all
 * sizes, pinned, held, private, being filled, being moved. The page is lost and is
 * not used again; the data is read again, and who had it mapped goes on.
 *
 * The pages are truly taken from the machine until it is booted again.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>

#include "fixture.h"
#include "dm.h"
#include "pfn.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* The last page of the file is a folio of its own in a chunk of its own. */
#define SIZE	(2 * CHUNK + PAGE)
#define MIDDLE	(CHUNK + 5 * PAGE)
#define LAST	(2 * CHUNK)

static uint64_t counted(void)
{
	return (tier_used(DRAM) + tier_used(CXL)) / PAGE;
}

/* pages of a mapping that are in the page cache */
static uint64_t cached(void *p, uint64_t size)
{
	static unsigned char vec[SIZE / PAGE];
	uint64_t n = 0, i;

	if (mincore(p, size, vec))
		return UINT64_MAX;
	for (i = 0; i < (size + PAGE - 1) / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static void note(int sig)
{
	(void)sig;
}

/*
 * As if the processor had met the error in an access of this process: where the
 * page cannot be replaced, a SIGBUS comes with it. Return: 0 or errno
 */
static int inject(void *p, int advice)
{
	struct sigaction sa = { .sa_handler = note }, old;
	int err;

	sigaction(SIGBUS, &sa, &old);
	err = madvise(p, PAGE, advice) ? errno : 0;
	sigaction(SIGBUS, &old, NULL);
	return err;
}

#define EXPECT_COUNTED(p)						\
	EXPECT_TRUE(POLL(counted() == cached(p, SIZE), 10))		\
		TH_LOG("%llu pages counted, %llu there",		\
		       (unsigned long long)counted(),			\
		       (unsigned long long)cached(p, SIZE))

#define SKIP_IF_NO_ERRORS(err)						\
	if ((err) == EINVAL || (err) == EPERM || (err) == EOPNOTSUPP ||	\
	    (err) == ENOENT || !kpageflags_work())			\
		SKIP(return, "no memory error can be injected or seen")

FIXTURE(hwpoison_races) {};
ITME_FIXTURE(hwpoison_races)

FIXTURE_VARIANT(hwpoison_races)
{
	int advice;
	uint32_t chunk;
	uint32_t tier;
	uint64_t at;
};

#define VARIANT(name, ...)						\
FIXTURE_VARIANT_ADD(hwpoison_races, name) { __VA_ARGS__ }

VARIANT(hard, .advice = MADV_HWPOISON, .at = MIDDLE);
VARIANT(hard_64k, .advice = MADV_HWPOISON, .at = MIDDLE, .chunk = 64 * KIB);
VARIANT(hard_page, .advice = MADV_HWPOISON, .at = LAST);
VARIANT(hard_cxl, .advice = MADV_HWPOISON, .at = MIDDLE, .tier = CXL);
VARIANT(hard_page_cxl, .advice = MADV_HWPOISON, .at = LAST, .tier = CXL);
VARIANT(soft, .advice = MADV_SOFT_OFFLINE, .at = MIDDLE);
VARIANT(soft_64k, .advice = MADV_SOFT_OFFLINE, .at = MIDDLE, .chunk = 64 * KIB);
VARIANT(soft_page, .advice = MADV_SOFT_OFFLINE, .at = LAST);
VARIANT(soft_cxl, .advice = MADV_SOFT_OFFLINE, .at = MIDDLE, .tier = CXL);

/* The process that has it mapped goes on, and reads what was there. */
TEST_F(hwpoison_races, mapped)
{
	uint64_t pfn, used;
	int fd, err;
	char *p;

	if (variant->tier == CXL) {
		MOUNT_CXL("dram=16M,cxl=16M");
	} else {
		MOUNT("dram=16M");
	}
	fd = import_open("f", SIZE, 1, variant->chunk);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	if (variant->tier == CXL) {
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_HOT, CXL, NULL));
		ASSERT_EQ(SIZE, resident_on(fd, CXL, 0, 0));
	}
	used = counted();
	ASSERT_EQ(SIZE / PAGE, used);
	ASSERT_EQ(0, touch(p + variant->at));
	pfn = pfn_of(p + variant->at);
	err = inject(p + variant->at, variant->advice);
	SKIP_IF_NO_ERRORS(err);
	ASSERT_EQ(0, err);
	ASSERT_NE(0, pfn);
	EXPECT_TRUE(is_poisoned(pfn));
	/* one page is gone at most, and not counted any more */
	EXPECT_LE(used - 1, counted());
	EXPECT_COUNTED(p);

	ASSERT_EQ(0, touch(p + variant->at));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_NE(pfn, pfn_of(p + variant->at));
	EXPECT_EQ(used, counted());
	EXPECT_EQ(SIZE, resident(fd, 0, 0));
	EXPECT_COUNTED(p);
	/* it does not come again */
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	EXPECT_FALSE(uses_pfn(p, SIZE, pfn));
	EXPECT_TRUE(is_poisoned(pfn));
}

FIXTURE(hwpoison_held) {};
ITME_FIXTURE(hwpoison_held)

/* A pin of ITME's is no reason to keep a bad page, and stands. */
TEST_F(hwpoison_held, pinned)
{
	int fd, err;
	uint64_t pfn;
	char *p;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PIN, DRAM, NULL));
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch(p + MIDDLE));
	pfn = pfn_of(p + MIDDLE);
	err = inject(p + MIDDLE, MADV_HWPOISON);
	SKIP_IF_NO_ERRORS(err);
	EXPECT_EQ(0, err);
	ASSERT_EQ(0, touch(p + MIDDLE));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_FALSE(uses_pfn(p, SIZE, pfn));
	EXPECT_EQ(SIZE, resident_on(fd, DRAM, 0, 0));
	EXPECT_EQ(tier_pinned(DRAM), page_round(SIZE));
	EXPECT_COUNTED(p);
}

/* A page that is only suspected can stay where it was pinned to. */
TEST_F(hwpoison_held, pinned_soft)
{
	int fd, err;
	char *p;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PIN, DRAM, NULL));
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch(p + MIDDLE));
	err = inject(p + MIDDLE, MADV_SOFT_OFFLINE);
	SKIP_IF_NO_ERRORS(err);
	EXPECT_EQ(EBUSY, err);
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(SIZE, resident_on(fd, DRAM, 0, 0));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	ASSERT_EQ(0, touch(p + MIDDLE));
	EXPECT_EQ(0, inject(p + MIDDLE, MADV_SOFT_OFFLINE));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_COUNTED(p);
}

/*
 * Somebody holds a page of the same folio, so that it cannot be split: the bad
 * page is an error to who maps it, the others are not; and when it has been let
 * go of, all is as before.
 */
TEST_F(hwpoison_held, held)
{
	struct iovec iov;
	int fd, pipes[2], err;
	uint64_t pfn;
	char *p;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	ASSERT_EQ(0, touch(p + MIDDLE));
	pfn = pfn_of(p + MIDDLE);
	ASSERT_EQ(0, pipe(pipes));
	iov = (struct iovec){ p + MIDDLE + PAGE, PAGE };
	ASSERT_EQ((ssize_t)PAGE, vmsplice(pipes[1], &iov, 1, 0));
	err = inject(p + MIDDLE, MADV_HWPOISON);
	SKIP_IF_NO_ERRORS(err);
	EXPECT_TRUE(is_poisoned(pfn));
	EXPECT_EQ(0, pattern_check(p, CHUNK, 0, 1));
	EXPECT_EQ(0, pattern_check(p + LAST, PAGE, LAST, 1));
	EXPECT_COUNTED(p);

	close(pipes[0]);
	close(pipes[1]);
	EXPECT_TRUE(POLL(!advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL) &&
			 !resident(fd, 0, 0), 10));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_FALSE(uses_pfn(p, SIZE, pfn));
	EXPECT_COUNTED(p);
}

struct touched {
	int fd;
	bool write;
};

/* A private mapping: its own copy is lost with the page, the file's is not. */
static int private_dies(void *arg)
{
	struct touched *x = arg;
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, x->fd, 0);
	int err;

	if (p == MAP_FAILED || touch(p + MIDDLE))
		return 100;
	if (x->write)
		p[MIDDLE] ^= 1;
	err = inject(p + MIDDLE, MADV_HWPOISON);
	if (err)
		return err;
	if (x->write)
		return touch(p + MIDDLE) == SIGBUS ? 0 : 101;
	return touch(p + MIDDLE) ? 102 : pattern_check(p, SIZE, 0, 1);
}

TEST_F(hwpoison_held, private)
{
	struct touched x;
	int ret;
	char *p;

	MOUNT("dram=16M");
	x.fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, x.fd);
	p = map_ro(x.fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	x.write = false;
	ret = in_child(private_dies, &x, 30);
	SKIP_IF_NO_ERRORS(ret);
	EXPECT_EQ(0, ret);
	x.write = true;
	EXPECT_EQ(0, in_child(private_dies, &x, 30));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(SIZE, resident(x.fd, 0, 0));
	EXPECT_COUNTED(p);
}

static void *read_chunk(void *arg)
{
	return (void *)(long)check_read(*(int *)arg, 0, CHUNK, 1);
}

static bool corrupt(uint64_t pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn);
	return !write_file("/sys/kernel/debug/hwpoison/corrupt-pfn", text);
}

static void *corrupt_one(void *arg)
{
	return (void *)(long)corrupt(*(uint64_t *)arg);
}

/* While the drive is being read into it. Who waits for it gets his data. */
TEST_F(hwpoison_held, being_filled)
{
	pthread_t reader, injector;
	int low, fd;
	uint64_t pfn;
	void *ret;
	char *p;

	run_cmd("modprobe hwpoison-inject");
	if (access("/sys/kernel/debug/hwpoison/corrupt-pfn", W_OK) || !kpageflags_work())
		SKIP(return, "no memory error can be injected by page number");
	if (dm_setup(64))
		SKIP(return, "no device mapper");
	low = dm_lower("f", CHUNK, 1);
	ASSERT_LE(0, low);
	MOUNT("dram=16M");
	ASSERT_EQ(0, import_fd("f", low, 0));
	fd = file_open("f", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_suspend());
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_chunk, &fd));
	EXPECT_TRUE(POLL((pfn = find_being_read()), 20));
	if (pfn) {
		pfn += 7;
		/* it waits for the read, so it may not be waited for */
		ASSERT_EQ(0, pthread_create(&injector, NULL, corrupt_one, &pfn));
		usleep(200000);
	}
	ASSERT_EQ(0, dm_resume());
	pthread_join(reader, &ret);
	EXPECT_EQ(NULL, ret);
	if (pfn) {
		pthread_join(injector, NULL);
		EXPECT_TRUE(is_poisoned(pfn));
		p = map_ro(fd, 0, CHUNK);
		ASSERT_NE(NULL, p);
		TH_LOG("page 7 %s, poisoned %d, folio of 2 MiB: %llu", touch(p + 7 * PAGE) ?
		       "is an error" : "can be read", is_poisoned(pfn_of(p + 7 * PAGE)),
		       (unsigned long long)pfn_of(p) % 512);
		munmap(p, CHUNK);
	}
	EXPECT_EQ(0, check_mapped(fd, 0, CHUNK, 1));
	EXPECT_EQ(CHUNK, resident(fd, 0, 0));
	EXPECT_EQ(CHUNK / PAGE, counted());
	close(fd);
	close(low);
	file_unlink("f");
	EXPECT_EQ(0, itme_umount());
	dm_teardown();
}

struct race {
	int fd;
	uint64_t seed;
	volatile bool stop;
	uint64_t *pfns;
	int hits;
};

static void *race_move(void *arg)
{
	struct race *r = arg;
	int tier = 0;

	while (!r->stop) {
		tier = !tier;
		advise(r->fd, 0, 0, ITME_ADVICE_HOT, tier, NULL);
		if (!(++r->seed % 4))
			advise(r->fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL);
	}
	return NULL;
}

/* Where pages were a moment ago: now in use, being moved, or free. */
static void *race_inject(void *arg)
{
	struct race *r = arg;
	char *p = map_ro(r->fd, 0, SIZE);
	unsigned int seed = r->seed;

	while (p && !r->stop && r->hits < 60) {
		uint64_t at = (uint64_t)rand_r(&seed) % (SIZE / PAGE) * PAGE;
		uint64_t pfn = touch(p + at) ? 0 : pfn_of(p + at);

		usleep(rand_r(&seed) % 3000);
		if (pfn && corrupt(pfn))
			r->hits++;
		usleep(20000);
	}
	return NULL;
}

/* An access may be told of the error; what it is told is never wrong. */
static void *race_read(void *arg)
{
	struct race *r = arg;
	char buf[16 * KIB];
	unsigned int seed = r->seed + 1;

	while (!r->stop) {
		uint64_t off = rand_r(&seed) % SIZE;
		ssize_t n = pread(r->fd, buf, sizeof(buf), off);

		if (n > 0 && pattern_check(buf, n, off, 1))
			return arg;
	}
	return NULL;
}

static int race_all(void *arg)
{
	struct race *r = arg;
	double end = now() + (getenv("ITME_SOAK") ? 60 : 8);
	pthread_t t[4];
	void *ret;
	int bad = 0, i;

	signal(SIGBUS, SIG_IGN);
	if (pthread_create(&t[0], NULL, race_move, r) ||
	    pthread_create(&t[1], NULL, race_inject, r) ||
	    pthread_create(&t[2], NULL, race_read, r) ||
	    pthread_create(&t[3], NULL, race_read, r))
		return 100;
	while (now() < end)
		usleep(100000);
	r->stop = true;
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &ret);
		bad |= !!ret;
	}
	fprintf(stderr, "# %d memory errors\n", r->hits);
	return bad ? 101 : r->hits ? 0 : 102;
}

/* In the middle of moves, drops and fills. */
TEST_F(hwpoison_held, races)
{
	struct race r = { .seed = 1 };
	char *p;

	run_cmd("modprobe hwpoison-inject");
	if (access("/sys/kernel/debug/hwpoison/corrupt-pfn", W_OK) || !kpageflags_work())
		SKIP(return, "no memory error can be injected by page number");
	if (getenv("ITME_SEED"))
		r.seed = strtoull(getenv("ITME_SEED"), NULL, 0);
	TH_LOG("ITME_SEED=%llu", (unsigned long long)r.seed);
	MOUNT_CXL("dram=16M,cxl=16M");
	r.fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, r.fd);
	ASSERT_EQ(0, in_child(race_all, &r, 110));
	p = map_ro(r.fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	EXPECT_COUNTED(p);
	EXPECT_TRUE(POLL(!advise(r.fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL) &&
			 !resident(r.fd, 0, 0), 20));
	EXPECT_EQ(0, counted());
	EXPECT_EQ(0, check_read(r.fd, 0, SIZE, 1));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(SIZE, resident(r.fd, 0, 0));
	EXPECT_FALSE(uses_poisoned(p, SIZE));
}

TEST_HARNESS_MAIN
