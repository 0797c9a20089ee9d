// SPDX-License-Identifier: GPL-2.0
/* pagemap and kpageflags, see Documentation/admin-guide/mm/pagemap.rst. */
#include <linux/kernel-page-flags.h>

#include "common.h"
#include "pfn.h"

static bool read_word(const char *path, uint64_t index, uint64_t *word)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && pread(fd, word, 8, index * 8) == 8;

	if (fd >= 0)
		close(fd);
	return ok;
}

uint64_t pfn_of(const void *p)
{
	uint64_t word;

	if (!read_word("/proc/self/pagemap", (uintptr_t)p / PAGE, &word) || !(word >> 63))
		return 0;
	return word & ((1ULL << 55) - 1);
}

bool kpageflags_work(void)
{
	return !access("/proc/kpageflags", R_OK);
}

bool is_poisoned(uint64_t pfn)
{
	uint64_t flags;

	return read_word("/proc/kpageflags", pfn, &flags) && flags >> KPF_HWPOISON & 1;
}

/* touched as often as it takes: ITME unmaps what it has now and then */
static uint64_t pfn_touched(const char *p)
{
	uint64_t pfn = 0;
	int i;

	for (i = 0; i < 100 && !pfn; i++) {
		if (touch(p))
			return 0;
		pfn = pfn_of(p);
	}
	return pfn;
}

bool uses_pfn(const char *p, uint64_t size, uint64_t pfn)
{
	uint64_t off;

	for (off = 0; off < size; off += PAGE)
		if (pfn_touched(p + off) == pfn)
			return true;
	return false;
}

bool uses_poisoned(const char *p, uint64_t size)
{
	uint64_t off, pfn;

	for (off = 0; off < size; off += PAGE) {
		pfn = pfn_touched(p + off);
		if (pfn && is_poisoned(pfn)) {
			fprintf(stderr, "# page %llu is poisoned and in use\n",
				(unsigned long long)(off / PAGE));
			return true;
		}
	}
	return false;
}

uint64_t find_being_read(void)
{
	static uint64_t flags[4096];
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t pfn = 0, found = 0;
	ssize_t n, i;

	while (fd >= 0 && !found && (n = read(fd, flags, sizeof(flags))) > 0) {
		for (i = 0; i < n / 8 && !found; i++)
			if (flags[i] >> KPF_LOCKED & 1 && flags[i] >> KPF_LRU & 1 &&
			    flags[i] >> KPF_UNEVICTABLE & 1 && !(flags[i] >> KPF_UPTODATE & 1) &&
			    !((pfn + i) % 512))
				found = pfn + i;
		pfn += n / 8;
	}
	if (fd >= 0)
		close(fd);
	return found;
}
