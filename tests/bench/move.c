// SPDX-License-Identifier: GPL-2.0
/*
 * Moves between the nodes: ITME's, and copies of memory that is there already.
 *
 * The emulator's price of a copy goes by instructions, not by bytes, so a copy
 * with wide vector registers beats any that a kernel may do. Three copies are
 * measured: `words` loads and stores 8 bytes a time, as the kernel's memcpy()
 * does on the lab's CPU; `string` is `rep movsq`; `libc` is what memcpy(3) takes.
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

int job_move(int argc, char **argv)
{
	uint64_t len;
	int fd;

	if (argc != 4)
		return 2;
	len = size_arg(argv[2]);
	fd = open_or_die(argv[3], O_RDONLY);
	for (int n = atoi(argv[1]); n > 0; n--) {
		move_to(fd, len, ITME_TIER_CXL, "cxl");
		move_to(fd, len, ITME_TIER_DRAM, "dram");
	}
	return 0;
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

static void copy_string(void *to, const void *from, size_t len)
{
	size_t n = len / 8;

	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}

static void copy_libc(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

static const struct {
	const char *name;
	void (*copy)(void *to, const void *from, size_t len);
} copies[] = {
	{ "words", copy_words },
	{ "string", copy_string },
	{ "libc", copy_libc },
};

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

int job_copy(int argc, char **argv)
{
	char *dram, *cxl;
	uint64_t len;

	if (argc != 5)
		return 2;
	len = size_arg(argv[2]) & ~(CHUNK - 1);
	dram = memory_on(atoi(argv[3]), len);
	cxl = memory_on(atoi(argv[4]), len);
	for (int n = atoi(argv[1]); n > 0; n--) {
		for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
			char job[32];

			snprintf(job, sizeof(job), "copy.%s", copies[i].name);
			copy_between(job, "cxl", cxl, dram, len, copies[i].copy);
			copy_between(job, "dram", dram, cxl, len, copies[i].copy);
		}
	}
	printf("{\"job\":\"copy.huge\",\"bytes\":%" PRIu64 ",\"huge\":%" PRIu64 "}\n", 2 * len,
	       proc_value("/proc/self/smaps", "AnonHugePages"));
	return 0;
}
