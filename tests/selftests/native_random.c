// SPDX-License-Identifier: GPL-2.0
/*
 * What is done to written files at random: all that native_data.c does one by one, against
 * a copy, by several processes, while the chunks move between the tiers.
 */
#include <linux/falloc.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <time.h>

#include "fixture.h"
#include "written.h"

#define TIERS	"dram=16M,cxl=32M"

FIXTURE(native_random) {};
ITME_FIXTURE(native_random)

#define FSX_MAX		(6 * MIB)
#define FSX_SECONDS	20

struct fsx {
	int fd;
	unsigned int seed;
	char *good;		/* what the file has, zeroes beyond its end */
	char *buf;
	uint64_t size;
	char *map;		/* a mapping that stays, of all that there may be */
	char log[64][80];	/* the last operations */
	int logged;
};

static uint64_t any(struct fsx *x, uint64_t n)
{
	return ((uint64_t)rand_r(&x->seed) << 16 ^ rand_r(&x->seed)) % n;
}

__attribute__((format(printf, 2, 3)))
static void note(struct fsx *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->log[x->logged++ % 64], 80, fmt, ap);
	va_end(ap);
}

static int wrong(struct fsx *x, const char *what, uint64_t at)
{
	fprintf(stderr, "fsx: %s at %#lx, size %#lx, last operations:\n", what, at, x->size);
	for (int i = x->logged > 64 ? x->logged - 64 : 0; i < x->logged; i++)
		fprintf(stderr, "  %d %s\n", i, x->log[i % 64]);
	return 1;
}

static int same(struct fsx *x, const char *p, uint64_t off, uint64_t len, const char *what)
{
	if (!memcmp(p, x->good + off, len))
		return 0;
	for (uint64_t i = 0; i < len; i++)
		if (p[i] != x->good[off + i]) {
			fprintf(stderr, "%s: %02x for %02x\n", what, p[i] & 255,
				x->good[off + i] & 255);
			return wrong(x, what, off + i);
		}
	/* it is right the second time it is looked at */
	return wrong(x, "changed", off);
}

/* A range, most of them small, some beyond the end. */
static uint64_t range(struct fsx *x, uint64_t max, uint64_t *len)
{
	uint64_t off = any(x, max);

	*len = 1 + any(x, any(x, 8) ? 9000 : MIB);
	if (!any(x, 3)) {
		off &= ~(PAGE - 1);
		*len = (*len + PAGE - 1) & ~(PAGE - 1);
	}
	if (off + *len > max)
		*len = max - off;
	return off;
}

static void scribble(struct fsx *x, char *p, uint64_t len)
{
	uint64_t word = (uint64_t)rand_r(&x->seed) << 32 | rand_r(&x->seed) | 1;

	for (; len >= 8; len -= 8, p += 8, word = word * 6364136223846793005 + 1)
		memcpy(p, &word, 8);
	memcpy(p, &word, len);
}

static int fsx_write(struct fsx *x)
{
	uint64_t len, off = range(x, FSX_MAX, &len);

	scribble(x, x->buf, len);
	note(x, "write %#lx + %#lx", off, len);
	if (pwrite(x->fd, x->buf, len, off) != (ssize_t)len)
		return wrong(x, strerror(errno), off);
	memcpy(x->good + off, x->buf, len);
	if (off + len > x->size)
		x->size = off + len;
	return 0;
}

static int fsx_read(struct fsx *x)
{
	uint64_t len, off = range(x, FSX_MAX, &len);
	uint64_t want = off >= x->size ? 0 : len < x->size - off ? len : x->size - off;

	note(x, "read %#lx + %#lx", off, len);
	if (pread(x->fd, x->buf, len, off) != (ssize_t)want)
		return wrong(x, "length of read", off);
	return same(x, x->buf, off, want, "read");
}

static int fsx_map(struct fsx *x, bool write)
{
	uint64_t len, off;

	if (!x->size)
		return 0;
	off = range(x, x->size, &len);
	note(x, "map %s %#lx + %#lx", write ? "write" : "read", off, len);
	if (!write)
		return same(x, x->map + off, off, len, "mapping");
	scribble(x, x->good + off, len);
	memcpy(x->map + off, x->good + off, len);
	return 0;
}

/* a mapping of its own, shared or private, that goes again */
static int fsx_map_new(struct fsx *x)
{
	bool shared = any(x, 2);
	uint64_t len, off, at;
	int ret = 0;
	char *p;

	if (!x->size)
		return 0;
	off = range(x, x->size, &len);
	at = off & ~(PAGE - 1);
	len += off - at;
	note(x, "map new %s %#lx + %#lx", shared ? "shared" : "private", at, len);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, x->fd, at);
	if (p == MAP_FAILED)
		return wrong(x, "mmap", at);
	if (any(x, 2))
		ret = same(x, p, at, len, "new mapping");
	scribble(x, p, len);
	if (shared)
		memcpy(x->good + at, p, len);
	munmap(p, len);
	return ret;
}

static int fsx_truncate(struct fsx *x)
{
	uint64_t size = any(x, 3) ? x->size + any(x, 20000) : any(x, FSX_MAX);

	if (any(x, 2) && x->size > 20000)
		size = x->size - any(x, 20000);
	if (size > FSX_MAX)
		size = FSX_MAX;
	note(x, "truncate %#lx", size);
	if (ftruncate(x->fd, size))
		return wrong(x, strerror(errno), size);
	if (size < x->size)
		memset(x->good + size, 0, x->size - size);
	x->size = size;
	return 0;
}

static int fsx_punch(struct fsx *x)
{
	uint64_t len, off = range(x, FSX_MAX, &len);

	note(x, "punch %#lx + %#lx", off, len);
	if (fallocate(x->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len))
		return wrong(x, strerror(errno), off);
	memset(x->good + off, 0, len);
	return 0;
}

static int fsx_remove(struct fsx *x)
{
	uint64_t len, off = range(x, FSX_MAX, &len);

	off &= ~(PAGE - 1);
	len = (len + PAGE - 1) & ~(PAGE - 1);
	note(x, "remove %#lx + %#lx", off, len);
	if (madvise(x->map + off, len, MADV_REMOVE))
		return wrong(x, strerror(errno), off);
	memset(x->good + off, 0, len);
	return 0;
}

static int fsx_allocate(struct fsx *x)
{
	int mode = any(x, 2) ? FALLOC_FL_KEEP_SIZE : 0;
	uint64_t len, off = range(x, FSX_MAX, &len);

	if (!any(x, 3))
		mode |= FALLOC_FL_ZERO_RANGE;
	note(x, "allocate %d %#lx + %#lx", mode, off, len);
	if (fallocate(x->fd, mode, off, len))
		return wrong(x, strerror(errno), off);
	if (mode & FALLOC_FL_ZERO_RANGE)
		memset(x->good + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > x->size)
		x->size = off + len;
	return 0;
}

/* what is said to be a hole reads as zeroes, and the two kinds meet */
static int fsx_seek(struct fsx *x)
{
	off_t at = 0, data, hole;

	note(x, "seek");
	while (at < (off_t)x->size) {
		data = lseek(x->fd, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return wrong(x, "SEEK_DATA", at);
		if (data < 0)
			data = x->size;
		if (!all_zero(x->good + at, data - at))
			return wrong(x, "data in a hole", at);
		if (data >= (off_t)x->size)
			break;
		hole = lseek(x->fd, data, SEEK_HOLE);
		if (hole <= data)
			return wrong(x, "SEEK_HOLE", data);
		at = hole;
	}
	return 0;
}

/* send a part of it about, or away */
static int fsx_advise(struct fsx *x)
{
	static const uint32_t advice[] = { ITME_ADVICE_HOT, ITME_ADVICE_PAGEOUT, ITME_ADVICE_COLD,
					   ITME_ADVICE_WILLNEED, ITME_ADVICE_PAGEOUT };
	static const uint32_t tier[] = { DRAM, CXL, ANY, ANY, ANY };
	int i = any(x, ARRAY_LEN(advice));
	uint64_t done;

	if (!x->size)
		return 0;
	note(x, "advise %u", advice[i]);
	advise(x->fd, any(x, x->size), 0, advice[i], tier[i], &done);
	return 0;
}

static int fsx_step(struct fsx *x)
{
	switch (any(x, 32)) {
	case 0 ... 6:
		return fsx_write(x);
	case 7 ... 11:
		return fsx_read(x);
	case 12 ... 15:
		return fsx_map(x, true);
	case 16 ... 19:
		return fsx_map(x, false);
	case 20 ... 22:
		return fsx_map_new(x);
	case 23 ... 24:
		return fsx_truncate(x);
	case 25:
		return fsx_punch(x);
	case 26:
		return fsx_remove(x);
	case 27:
		return fsx_allocate(x);
	case 28:
		return fsx_seek(x);
	default:
		return fsx_advise(x);
	}
}

struct job {
	int (*run)(struct job *job);
	unsigned int seed;
	pid_t pid;
	unsigned long *steps;
};

static double stop_at;

static int run_fsx(struct job *job)
{
	struct fsx *x = calloc(1, sizeof(*x));
	char name[32];
	int ret = 0;

	snprintf(name, sizeof(name), "fsx.%u", job->seed);
	x->seed = job->seed;
	x->fd = create(name);
	x->good = calloc(1, FSX_MAX);
	x->buf = malloc(FSX_MAX);
	x->map = mmap(NULL, FSX_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, x->fd, 0);
	if (x->fd < 0 || x->map == MAP_FAILED)
		return 2;
	while (!ret && now() < stop_at) {
		ret = fsx_step(x);
		if (!ret && !any(x, 100))
			ret = same(x, x->map, 0, x->size, "all of the mapping");
		++*job->steps;
	}
	if (!ret && pread(x->fd, x->buf, FSX_MAX, 0) != (ssize_t)x->size)
		ret = wrong(x, "length at the end", 0);
	return ret ?: same(x, x->buf, 0, x->size, "all of it at the end");
}

/*
 * Several processes on one file: each has every WRITERS-th piece, not of pages but of odd
 * size, so that two of them write to the same page all the time.
 */
#define WRITERS		2
#define PIECE		1500
#define SHARED_PIECES	(4 * MIB / PIECE / WRITERS)

static int run_shared(struct job *job)
{
	unsigned int seed = job->seed, me = job->seed % WRITERS;
	uint32_t *round = calloc(SHARED_PIECES, sizeof(*round));
	int fd = file_open("shared", O_RDWR);
	char *map = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char want[PIECE], have[PIECE];

	if (fd < 0 || map == MAP_FAILED)
		return 2;
	while (now() < stop_at) {
		uint32_t i = rand_r(&seed) % SHARED_PIECES;
		uint64_t off = (uint64_t)(i * WRITERS + me) * PIECE;

		if (round[i])
			pattern_fill(want, PIECE, off & ~7ULL, round[i] * 2 + me);
		else
			memset(want, 0, PIECE);
		if (rand_r(&seed) & 1)
			memcpy(have, map + off, PIECE);
		else if (pread(fd, have, PIECE, off) != PIECE)
			return 3;
		if (memcmp(want, have, PIECE)) {
			fprintf(stderr, "shared: piece %u of %u, round %u is wrong\n", i, me,
				round[i]);
			return 1;
		}
		round[i]++;
		pattern_fill(want, PIECE, off & ~7ULL, round[i] * 2 + me);
		if (rand_r(&seed) & 1)
			memcpy(map + off, want, PIECE);
		else if (pwrite(fd, want, PIECE, off) != PIECE)
			return 4;
		++*job->steps;
	}
	return 0;
}

/* reads a model that does not fit beside what is written */
static int run_model(struct job *job)
{
	int fd = file_open("model", O_RDONLY);
	unsigned int seed = job->seed;
	int ret = 0;

	while (!ret && now() < stop_at) {
		uint64_t off = rand_r(&seed) % 16 * CHUNK + rand_r(&seed) % CHUNK;

		ret = check_read(fd, off, rand_r(&seed) % (CHUNK / 2), 7);
		++*job->steps;
	}
	return ret;
}

/* the machine takes what it can, and somebody holds pages */
static int run_machine(struct job *job)
{
	int fd = file_open("shared", O_RDONLY), pipes[2];
	char *map = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	unsigned int seed = job->seed;
	char buf[4 * PAGE];

	if (fd < 0 || map == MAP_FAILED || pipe(pipes))
		return 2;
	while (now() < stop_at) {
		struct iovec iov = { map + rand_r(&seed) % 1000 * PAGE, 2 * PAGE };
		ssize_t n;

		write_file("/proc/sys/vm/drop_caches", "1");
		n = vmsplice(pipes[1], &iov, 1, 0);
		usleep(20000);
		if (n > 0 && read(pipes[0], buf, n) != n)
			return 3;
		if (!(++*job->steps % 8))
			write_file("/proc/sys/vm/compact_memory", "1");
	}
	return 0;
}

TEST_F_TIMEOUT(native_random, random, 300)
{
	struct job jobs[] = {
		{ .run = run_fsx, .seed = 1 }, { .run = run_fsx, .seed = 2 },
		{ .run = run_fsx, .seed = 3 }, { .run = run_shared, .seed = 4 },
		{ .run = run_shared, .seed = 5 }, { .run = run_model, .seed = 6 },
		{ .run = run_machine, .seed = 7 },
	};
	unsigned long *steps = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *env = getenv("ITME_SEED");
	int fd;

	/* the first as given, or by the clock: it is told when something is wrong */
	unsigned int seed = env ? (unsigned int)atoi(env) : (unsigned int)time(NULL);

	MOUNT(have_cxl_node() ? TIERS : "dram=48M");
	fd = import_open("model", 17 * CHUNK, 7, 0);
	ASSERT_LE(0, fd);
	close(fd);
	fd = create("shared");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 4 * MIB));
	close(fd);
	stop_at = now() + FSX_SECONDS * (getenv("ITME_SOAK") ? 30 : 1);
	for (unsigned int i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i].seed += seed / 2 * 8;
		jobs[i].steps = steps + i * 8;
		jobs[i].pid = fork();
		if (!jobs[i].pid)
			_exit(jobs[i].run(&jobs[i]));
	}
	for (unsigned int i = 0; i < ARRAY_LEN(jobs); i++) {
		int status = reap(jobs[i].pid, stop_at - now() + 60);

		EXPECT_EQ(0, status)
			TH_LOG("job %u, seed %u, after %lu steps", i, seed, *jobs[i].steps);
		EXPECT_LT(0, *jobs[i].steps);
		TH_LOG("job %u: %lu steps", i, *jobs[i].steps);
	}
	EXPECT_EQ(0, file_unlink("model"));
	munmap(steps, PAGE);
}

TEST_HARNESS_MAIN
