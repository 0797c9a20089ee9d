// SPDX-License-Identifier: GPL-2.0
/* The ioctls of itmefs, one function each. */
#include <assert.h>
#include <sys/syscall.h>

#include "common.h"

/* 32-bit programs have the same, and nothing is added in between */
static_assert(sizeof(struct itme_info) == 64, "");
static_assert(sizeof(struct itme_tier_info) == 208, "");
static_assert(sizeof(struct itme_import) == 48, "");
static_assert(sizeof(struct itme_object) == 80, "");
static_assert(sizeof(struct itme_advise) == 64, "");
static_assert(sizeof(struct itme_residency) == 96, "");
static_assert(sizeof(struct itme_stats) == 216, "");
static_assert(sizeof(struct itme_span) == 16, "");
static_assert(sizeof(struct itme_prefetch) == 64, "");
static_assert(sizeof(struct itme_prefetch_result) == 32, "");
static_assert(sizeof(struct itme_wait) == 64, "");
static_assert(sizeof(struct itme_limit) == 48, "");

int tier_get(uint32_t tier, struct itme_tier_info *ti)
{
	memset(ti, 0, sizeof(*ti));
	ti->tier = tier;
	return ioctl(root_fd(), ITME_IOC_TIER_GET, ti) ? -errno : 0;
}

int tier_set(uint32_t tier, uint64_t budget)
{
	struct itme_tier_info ti = { .tier = tier, .budget = budget };

	return ioctl(root_fd(), ITME_IOC_TIER_SET, &ti) ? -errno : 0;
}

uint64_t tier_used(uint32_t tier)
{
	struct itme_tier_info ti;

	return tier_get(tier, &ti) ? UINT64_MAX : ti.used;
}

uint64_t tier_pinned(uint32_t tier)
{
	struct itme_tier_info ti;

	return tier_get(tier, &ti) ? UINT64_MAX : ti.pinned;
}

int import_len(const void *name, uint32_t len, int lower_fd, uint32_t chunk)
{
	struct itme_import im = {
		.lower_fd = lower_fd,
		.chunk_size = chunk,
		.name_len = len,
		.name = (uintptr_t)name,
	};

	return ioctl(root_fd(), ITME_IOC_IMPORT, &im) ? -errno : 0;
}

int import_fd(const char *name, int lower_fd, uint32_t chunk)
{
	return import_len(name, strlen(name), lower_fd, chunk);
}

int advise(int fd, uint64_t off, uint64_t len, uint32_t advice, uint32_t tier,
	   uint64_t *done)
{
	struct itme_advise a = {
		.offset = off,
		.length = len,
		.advice = advice,
		.tier = tier,
	};

	if (ioctl(fd, ITME_IOC_ADVISE, &a))
		return -errno;
	if (done)
		*done = a.done;
	return 0;
}

int residency(int fd, uint64_t off, uint64_t len, struct itme_residency *r,
	      uint8_t *map, uint64_t map_len)
{
	memset(r, 0, sizeof(*r));
	r->offset = off;
	r->length = len;
	r->map = (uintptr_t)map;
	r->map_len = map_len;
	return ioctl(fd, ITME_IOC_RESIDENCY, r) ? -errno : 0;
}

uint64_t resident_on(int fd, uint32_t tier, uint64_t off, uint64_t len)
{
	struct itme_residency r;

	return residency(fd, off, len, &r, NULL, 0) ? UINT64_MAX :
						      r.bytes[tier];
}

uint64_t resident(int fd, uint64_t off, uint64_t len)
{
	struct itme_residency r;

	return residency(fd, off, len, &r, NULL, 0) ?
		       UINT64_MAX : r.bytes[DRAM] + r.bytes[CXL];
}

int stats_all(struct itme_stats *s)
{
	memset(s, 0, sizeof(*s));
	return ioctl(root_fd(), ITME_IOC_STATS, s) ? -errno : 0;
}

int stats_file(int fd, struct itme_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->flags = ITME_STATS_FILE;
	return ioctl(fd, ITME_IOC_STATS, s) ? -errno : 0;
}

int prefetch(int fd, const struct itme_span *spans, uint32_t count, uint32_t tier,
	     uint64_t *done)
{
	struct itme_prefetch p = {
		.spans = (uintptr_t)spans,
		.count = count,
		.tier = tier,
	};

	if (ioctl(fd, ITME_IOC_PREFETCH, &p))
		return -errno;
	if (done)
		*done = p.done;
	return p.fd;
}

int prefetch_result(int fd, struct itme_prefetch_result *r)
{
	ssize_t n = read(fd, r, sizeof(*r));

	if (n < 0)
		return -errno;
	return n == sizeof(*r) ? 0 : -EIO;
}

int wait_range(int fd, uint64_t off, uint64_t len, int64_t ns, struct itme_wait *w)
{
	*w = (struct itme_wait){ .offset = off, .length = len, .timeout_ns = ns };
	return ioctl(fd, ITME_IOC_WAIT, w) ? -errno : 0;
}

int object(int fd, struct itme_object *o)
{
	return ioctl(fd, ITME_IOC_OBJECT, o) ? -errno : 0;
}

int page_node(const void *p)
{
	void *page = (void *)((uintptr_t)p & ~(PAGE - 1));
	int node = -1, tries = 100;

	/* without target nodes move_pages(2) only tells */
	do {
		if (touch(p))
			return -EFAULT;
		if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0))
			return -errno;
	} while (node == -ENOENT && tries--);
	return node;
}
