// SPDX-License-Identifier: GPL-2.0
/*
 * Moves between the nodes: ITME's, and copies of memory that is there already.
 *
 *   itme-bench move ROUNDS LENGTH DRAM_NODE CXL_NODE FILE
 *   itme-bench touch NODE LENGTH
 *
 * touch: the emulator gets a guest page from its host at the first touch, which
 * costs more than a copy; so all memory that will be used is touched before.
 *
 * A round is: the file's range to CXL, `words` and `libc` copies that way, then
 * the same back; what disturbs one disturbs its neighbours. `libc` is memcpy(3).
 * `words` loads and stores 8 bytes a time, as the kernel's memcpy() does on the
 * lab's CPU: where time is counted in instructions (icount) it is the peer, as
 * there a vector register moves 32 bytes in the time of 8.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

static void report(const char *job, const char *to, uint64_t len, uint64_t ns)
{
	printf("{\"job\":\"%s\",\"to\":\"%s\",\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n",
	       job, to, len, ns);
}

static void move_to(int fd, uint64_t len, uint32_t tier, const char *to)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	uint64_t done = advise(fd, 0, len, ITME_ADVICE_HOT, tier);

	report("move", to, len, now_ns(CLOCK_MONOTONIC) - start);
	errno = 0;
	if (done != len)
		die("only %" PRIu64 " of %" PRIu64 " bytes moved to %s", done, len, to);
}

__attribute__((optimize("no-tree-vectorize", "no-tree-loop-distribute-patterns")))
static void copy_words(void *to, const void *from, size_t len)
{
	const uint64_t *s = from;
	uint64_t *d = to;

	for (size_t i = 0; i < len / 8; i += 4) {
		uint64_t a = s[i], b = s[i + 1], e = s[i + 2], f = s[i + 3];

		d[i] = a;
		d[i + 1] = b;
		d[i + 2] = e;
		d[i + 3] = f;
	}
}

static void copy_libc(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

/* Populated 2 MiB pages of one node. */
static void *memory_on(int node, uint64_t len)
{
	unsigned long mask[16] = { };
	char *p = mmap(NULL, len + CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	p = (char *)(((uintptr_t)p + CHUNK - 1) & ~(CHUNK - 1));
	mask[node / 64] = 1UL << (node % 64);
	if (syscall(SYS_mbind, p, len, MPOL_BIND, mask, 1024UL, 0))
		die("mbind to node %d", node);
	if (madvise(p, len, MADV_HUGEPAGE))
		die("MADV_HUGEPAGE");
	memset(p, node + 1, len);
	return p;
}

/* A chunk a call, as a mover copies. */
static void copy_between(const char *job, const char *to, char *dst, const char *src,
			 uint64_t len, void (*copy)(void *, const void *, size_t))
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	for (uint64_t pos = 0; pos < len; pos += CHUNK)
		copy(dst + pos, src + pos, CHUNK);
	report(job, to, len, now_ns(CLOCK_MONOTONIC) - start);
}

static void round_to(const char *to, int fd, uint32_t tier, char *dst, const char *src,
		     uint64_t len)
{
	move_to(fd, len, tier, to);
	copy_between("copy.words", to, dst, src, len, copy_words);
	copy_between("copy.libc", to, dst, src, len, copy_libc);
}

int job_touch(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	memory_on(atoi(argv[1]), size_arg(argv[2]) & ~(CHUNK - 1));
	return 0;
}

int job_move(int argc, char **argv)
{
	char *dram, *cxl;
	uint64_t len;
	int fd;

	if (argc != 6)
		return 2;
	len = size_arg(argv[2]) & ~(CHUNK - 1);
	dram = memory_on(atoi(argv[3]), len);
	cxl = memory_on(atoi(argv[4]), len);
	fd = open_or_die(argv[5], O_RDONLY);
	for (int n = atoi(argv[1]); n > 0; n--) {
		round_to("cxl", fd, ITME_TIER_CXL, cxl, dram, len);
		round_to("dram", fd, ITME_TIER_DRAM, dram, cxl, len);
	}
	printf("{\"job\":\"copy.huge\",\"bytes\":%" PRIu64 ",\"huge\":%" PRIu64 "}\n", 2 * len,
	       proc_value("/proc/self/smaps", "AnonHugePages"));
	return 0;
}
