// SPDX-License-Identifier: GPL-2.0
/* Actors that say where things shall be: hints, moves, drops. */
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static uint64_t hint_bytes(struct me *me, const struct file_spec *f)
{
	return one_in(me, 6) ? f->size : 4 * MIB;
}

void advise_step(struct me *me)
{
	static const uint32_t tiers[] = { DRAM, CXL, NVME, ANY };
	uint32_t advice = rnd(me, ITME_ADVICE_NR);
	uint32_t tier = tiers[rnd(me, ARRAY_LEN(tiers))];
	const struct file_spec *f;
	uint64_t off, len, done = 0;
	int fd, ret;

	f = &files[any_file(me, 0, &fd)];
	any_range(me, f, hint_bytes(me, f), one_in(me, 2) ? 1 : 64 * KIB, &off, &len);
	/* pins fill a tier, and nothing else happens there then */
	if (advice == ITME_ADVICE_PIN && one_in(me, 2))
		advice = ITME_ADVICE_UNPIN;
	if (advice == ITME_ADVICE_UNPIN && one_in(me, 4)) {
		off = 0;
		len = 0;
	}
	doing(me, "%s advice %u tier %u, %llu + %llu", f->name, advice, tier,
	      (unsigned long long)off, (unsigned long long)len);
	ret = advise(fd, off, len, advice, tier, &done);
	/* not every pair of advice and tier is one */
	if (ret && ret != -EINVAL && ret != -EINTR &&
	    !(ret == -ENOSPC && advice == ITME_ADVICE_PIN) &&
	    !(ret == -EIO && shared->poison))
		broken(me, "advise: %s", strerror(-ret));
	if (!ret && done > (len ?: f->size))
		broken(me, "done %llu of %llu", (unsigned long long)done,
		       (unsigned long long)len);
	close(fd);
	nap(me, 5000);
}

void unpin_all(void)
{
	int i, fd;

	for (i = 0; i < NR_FILES; i++) {
		fd = file_open(files[i].name, O_RDONLY);
		if (fd < 0)
			continue;
		advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL);
		close(fd);
	}
}

void madvise_step(struct me *me)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_POPULATE_READ, MADV_COLLAPSE,
		MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP,
	};
	const struct file_spec *f;
	uint64_t off, len;
	int fd, i, ret;
	char *p;

	f = &files[any_file(me, 0, &fd)];
	p = mmap(NULL, page_up(f->size), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	for (i = rnd(me, 10); i >= 0; i--) {
		any_range(me, f, hint_bytes(me, f), PAGE, &off, &len);
		if (one_in(me, 4)) {
			int advice = rnd(me, 6);	/* POSIX_FADV_* */

			doing(me, "%s fadvise %d", f->name, advice);
			ret = posix_fadvise(fd, off, len, advice);
			if (ret && ret != EINTR)
				broken(me, "fadvise: %s", strerror(ret));
		} else {
			int advice = advices[rnd(me, ARRAY_LEN(advices))];

			doing(me, "%s madvise %d, %llu + %llu", f->name, advice,
			      (unsigned long long)off, (unsigned long long)len);
			ret = madvise(p + off, len, advice);
			if (ret && (errno == EIO || errno == EFAULT) && !shared->poison &&
			    advice != MADV_COLLAPSE)
				broken(me, "madvise %d: %s", advice, strerror(errno));
		}
		any_range(me, f, 64 * KIB, 1, &off, &len);
		check_mem(me, f, p + off, off, len);
	}
	munmap(p, page_up(f->size));
	close(fd);
}

/* A range to the other tier, and the data after it. */
void move_step(struct me *me)
{
	const struct file_spec *f;
	uint64_t off, len;
	char buf[16 * KIB];
	int fd, ret;

	f = &files[any_file(me, 0, &fd)];
	any_range(me, f, 6 * MIB, 64 * KIB, &off, &len);
	doing(me, "%s hot, %llu + %llu", f->name, (unsigned long long)off,
	      (unsigned long long)len);
	ret = one_in(me, 4) ? advise(fd, off, len, ITME_ADVICE_PAGEOUT, CXL, NULL) :
			      advise(fd, off, len, ITME_ADVICE_HOT,
				     one_in(me, 2) ? CXL : DRAM, NULL);
	if (ret && ret != -EINTR)
		broken(me, "advise: %s", strerror(-ret));
	doing(me, "%s read after a move, %llu", f->name, (unsigned long long)off);
	check_io(me, f, buf, pread(fd, buf, sizeof(buf), off), off, "read");
	close(fd);
}

#define MIGRATE_MAX	1536

struct migrate {
	void *page[MIGRATE_MAX];
	int node[MIGRATE_MAX];
	int status[MIGRATE_MAX];
};

bool migrate_init(struct me *me)
{
	me->state = malloc(sizeof(struct migrate));
	return me->state && have_cxl_node();
}

/* The kernel is told to move pages that are mapped. */
void migrate_step(struct me *me)
{
	unsigned long zero = 1, one = 1UL << cxl_node(), both = zero | one;
	struct migrate *m = me->state;
	const struct file_spec *f;
	uint64_t off, len, n, i;
	int fd, node;
	char *p;

	f = &files[any_file(me, 0, &fd)];
	p = mmap(NULL, page_up(f->size), PROT_READ,
		 one_in(me, 3) ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	any_range(me, f, 6 * MIB, PAGE, &off, &len);
	doing(me, "%s migrate, %llu + %llu", f->name, (unsigned long long)off,
	      (unsigned long long)len);
	n = len / PAGE < MIGRATE_MAX ? len / PAGE : MIGRATE_MAX;
	node = one_in(me, 2) ? 0 : cxl_node();
	for (i = 0; i < n; i++) {
		uint64_t at = off + i * PAGE;

		if (!(i % 16) || one_in(me, 4))
			check_mem(me, f, p + at, at, 64);
		m->page[i] = p + at;
		m->node[i] = one_in(me, 50) ? 0 : node;
	}
	switch (rnd(me, 4)) {
	case 0:		/* of the whole process, itself included */
		syscall(SYS_migrate_pages, 0, 64UL, node ? &zero : &one,
			node ? &one : &zero);
		break;
	case 1:
		syscall(SYS_mbind, p + off, len, MPOL_BIND, node ? &one : &zero, 64UL,
			MPOL_MF_MOVE | MPOL_MF_MOVE_ALL);
		syscall(SYS_mbind, p + off, len, MPOL_BIND, &both, 64UL, 0);
		break;
	default:
		syscall(SYS_move_pages, 0, n, m->page, m->node, m->status,
			one_in(me, 2) ? MPOL_MF_MOVE : MPOL_MF_MOVE_ALL);
		break;
	}
	check_mem(me, f, p + off, off, len < 64 * KIB ? len : 64 * KIB);
	munmap(p, page_up(f->size));
	nap(me, 10000);
}

void drop_step(struct me *me)
{
	const struct file_spec *f;
	uint64_t off, len;
	int fd, ret;

	f = &files[any_file(me, 0, &fd)];
	any_range(me, f, hint_bytes(me, f), 1, &off, &len);
	doing(me, "%s pageout, %llu + %llu", f->name, (unsigned long long)off,
	      (unsigned long long)len);
	ret = advise(fd, off, len, ITME_ADVICE_PAGEOUT, NVME, NULL);
	if (ret && ret != -EINTR)
		broken(me, "pageout: %s", strerror(-ret));
	close(fd);
	if (one_in(me, 10)) {
		doing(me, "drop_caches");
		write_file("/proc/sys/vm/drop_caches", "1");
	}
	nap(me, 20000);
}

/* What the kernel does to all memory; no file of ours is opened for it. */
void compact_step(struct me *me)
{
	bool drop = one_in(me, 3);

	doing(me, drop ? "drop_caches" : "compact_memory");
	if (drop)
		write_file("/proc/sys/vm/drop_caches", one_in(me, 2) ? "1" : "3");
	else
		write_file("/proc/sys/vm/compact_memory", "1");
	nap(me, 200000);
}
