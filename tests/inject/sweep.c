// SPDX-License-Identifier: GPL-2.0
/* The sweep over the points of an operation, and what is looked at after each try. */
#include <signal.h>
#include <sys/mount.h>

#include "sweep.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* kmemleak does not look at what is younger */
#define LEAK_AGE	6
/* so many points are each followed by a try with nothing made to fail, then every fourth */
#define EACH		32
/* as many fail one after the other in a burst */
#define BURST		4
/* things told in full */
#define TOLD		20

static unsigned int wrong;

bool soak(void)
{
	const char *s = getenv("ITME_SOAK");

	return s && *s && *s != '0';
}

int as_errno(int sig)
{
	return sig == SIGBUS ? -EIO : sig ? -EFAULT : 0;
}

/* Chunks in transit; -errno. */
static int moving(int fd)
{
	struct itme_residency r;
	uint8_t map[512];
	int n = 0, ret;

	ret = residency(fd, 0, 0, &r, map, sizeof(map));
	if (ret)
		return ret;
	for (uint64_t i = 0; i < r.map_len && i < sizeof(map); i++)
		n += !!(map[i] & ITME_MAP_FILLING);
	return n;
}

/* Work that has not begun is not seen: so it has to be quiet for a while. */
bool settle(int fd)
{
	uint64_t before = 0, used;
	int quiet = 0;
	double end = now() + 60;

	while (quiet < 3) {
		used = tier_used(DRAM) + tier_used(CXL);
		quiet = !moving(fd) && used == before ? quiet + 1 : 0;
		before = used;
		if (now() > end)
			return false;
		usleep(3000);
	}
	return true;
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

static bool balanced(int fd, uint32_t tier, uint64_t *in_use, uint64_t *there)
{
	*in_use = tier_used(tier);
	*there = whole_pages(resident_on(fd, tier, 0, 0));
	return *in_use == *there;
}

const char *accounted(int fd)
{
	static char text[256];
	uint64_t in_use = 0, there = 0;
	uint32_t tier;

	if (!settle(fd))
		return "a chunk stays in transit";
	for (tier = DRAM; tier <= CXL; tier++) {
		if (!POLL(balanced(fd, tier, &in_use, &there), 10)) {
			snprintf(text, sizeof(text), "tier %u: %llu bytes used, %llu resident",
				 tier, (unsigned long long)in_use, (unsigned long long)there);
			return text;
		}
		if (tier_pinned(tier)) {
			snprintf(text, sizeof(text), "tier %u: %llu bytes pinned", tier,
				 (unsigned long long)tier_pinned(tier));
			return text;
		}
	}
	return NULL;
}

static bool dropped(int fd, int *ret)
{
	*ret = advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL);
	return *ret || (!tier_used(DRAM) && !tier_used(CXL));
}

int drop_all(int fd)
{
	int ret = 0;

	/* one in transit, or just looked at, does not leave: ask again */
	return POLL(dropped(fd, &ret), 20) ? ret : -EBUSY;
}

static int do_umount(void *unused)
{
	(void)unused;
	return umount2(mnt_dir(), 0) ? errno : 0;
}

int umount_at_once(void)
{
	int ret;

	root_close();
	ret = in_child(do_umount, NULL, 30);
	return ret < 0 ? -ETIMEDOUT : -ret;
}

static bool can_write(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool writable_again(const char *path)
{
	/* a file is closed for good a moment after the call that closed it */
	return POLL(can_write(path), 10);
}

static void tell(const struct op *op, enum fault kind, unsigned int n, const char *what)
{
	if (wrong++ < TOLD)
		fprintf(stderr, "# %s, %s %u: %s\n", op->name, inject_name(kind), n, what);
}

static bool may_return(const struct op *op, enum fault kind, int err)
{
	size_t i;

	if (err == -ENOMEM || (err == -EIO && kind != COPY))
		return true;
	if (err == -EFAULT && (kind == TASK || kind == COPY))
		return true;
	for (i = 0; i < ARRAY_LEN(op->may); i++)
		if (op->may[i] && err == -op->may[i])
			return true;
	return false;
}

static void look(const struct op *op, enum fault kind, unsigned int n, int ret)
{
	const char *what = op->after ? op->after(ret) : NULL;

	if (what)
		tell(op, kind, n, what);
}

/*
 * One try: @n 0 with nothing made to fail, else the n-th, or with @burst several
 * from @n units on. True when something was.
 */
static bool try_one(const struct op *op, enum fault kind, unsigned int n, bool burst,
		    unsigned int *failed)
{
	char text[128];
	bool hit = false;
	int ret;

	ret = op->before ? op->before() : 0;
	if (ret) {
		snprintf(text, sizeof(text), "nothing to try it on: %s", strerror(-ret));
		tell(op, kind, n, text);
		return false;
	}
	if (burst)
		inject_burst(kind, n - 1, BURST);
	else if (n)
		inject_nth(kind, n);
	ret = op->run();
	/* to look whether all is at rest is to copy as well */
	if (n && (kind == TASK || kind == COPY))
		hit = inject_end(kind);
	if (op->late && !settle(*op->late))
		tell(op, kind, n, "a chunk stays in transit");
	if (n && kind != TASK && kind != COPY)
		hit = inject_end(kind);
	if (ret && !(hit && may_return(op, kind, ret))) {
		snprintf(text, sizeof(text), "%s (%d), %s", strerror(-ret), ret,
			 hit ? "not an error it may return" : "though nothing was made to fail");
		tell(op, kind, n, text);
	}
	if (hit && ret)
		++*failed;
	look(op, kind, n, ret);
	return hit;
}

static bool try(const struct op *op, enum fault kind, unsigned int n, unsigned int *failed)
{
	return try_one(op, kind, n, false, failed);
}

static void sweep_bursts(const struct op *op, enum fault kind)
{
	/* a node of the page cache has 576 bytes, a folio of a chunk 16 pages or more */
	unsigned int step = kind == PAGES ? 16 : op->late && !soak() ? 2048 : 512;
	unsigned int at = 1, tries = 0, failed = 0, before = wrong;
	double start = now();

	while (try_one(op, kind, at, true, &failed) && tries < POINTS_MAX &&
	       wrong - before < TOLD) {
		tries++;
		at += at / 2 + 8 < step ? at / 2 + 8 : step;
		if (!(tries % 4) || soak())
			try(op, kind, 0, &failed);
	}
	try(op, kind, 0, &failed);
	printf("# %s: %s in bursts: %u tries, %u times it failed for them, %.1f s\n", op->name,
	       inject_name(kind), tries, failed, now() - start);
	fflush(stdout);
}

static unsigned int sweep_kind(const struct op *op, enum fault kind)
{
	unsigned int n, failed = 0, before = wrong;
	double start = now();
	bool hit = true;

	for (n = 1; hit && n < POINTS_MAX && wrong - before < TOLD; n++) {
		/* see inject_nth(): the first one brings the count to where it begins */
		hit = kind == TASK || try(op, kind, n, &failed) || try(op, kind, n, &failed);
		hit = hit && try(op, kind, n, &failed);
		if (n <= EACH || !(n % 4) || !hit || soak())
			try(op, kind, 0, &failed);
	}
	n -= hit ? 1 : 2;
	if (hit && wrong == before)
		tell(op, kind, n, "the sweep has no end");
	printf("# %s: %s: %u points, %u times it failed for them, %.1f s\n", op->name,
	       inject_name(kind), n, failed, now() - start);
	fflush(stdout);
	return n;
}

unsigned int sweep(const struct op *op)
{
	enum fault kind;

	wrong = 0;
	/* the debug kernel may not know all kinds, and then says so */
	for (kind = TASK; kind < KINDS; kind++) {
		if (!(op->kinds & ON(kind)))
			continue;
		if (!inject_have(kind)) {
			printf("# %s: %s: not known to this kernel\n", op->name,
			       inject_name(kind));
			continue;
		}
		/* what the file system below has to write shall not be hit */
		if (kind == DRIVE)
			sync();
		if (sweep_kind(op, kind)) {
			if (kind == SLAB || kind == PAGES)
				sweep_bursts(op, kind);
		} else if (op->must & ON(kind)) {
			tell(op, kind, 0, "there was nothing to fail");
		}
	}
	return wrong;
}

void kmemleak_clear(void)
{
	write_file(KMEMLEAK, "clear");
}

const char *kmemleak_begin(void)
{
	const char *lab = getenv("LAB_KMEMLEAK");

	/* a look takes a quarter of a minute */
	if (lab && *lab == '1' && !soak())
		return "the lab looks for leaks after the last program";
	return access(KMEMLEAK, W_OK) ? "this kernel has no kmemleak" : NULL;
}

unsigned int kmemleak_found(void)
{
	unsigned int found = 0;
	char line[256];
	FILE *f;

	double start = now();

	sleep(LEAK_AGE);
	/* what has changed since the last time is not told yet */
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");
	printf("# looked for leaks in %.1f s\n", now() - start);
	f = fopen(KMEMLEAK, "r");
	while (f && fgets(line, sizeof(line), f)) {
		found += !strncmp(line, "unreferenced object", 19);
		if (found <= 5)
			fprintf(stderr, "# %s", line);
	}
	if (f)
		fclose(f);
	return found;
}
