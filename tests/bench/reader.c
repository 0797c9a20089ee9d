// SPDX-License-Identifier: GPL-2.0
/*
 * Reads files through mmap as a model's weights are read, and measures passes.
 *
 *   itme-bench read [-p PASSES] [-s STRIDE] [-l LENGTH] [-d DISK] [-o ORDER]
 *                   [-c US] [-z] NAME=FILE...
 *
 * A word every STRIDE bytes is loaded and summed (64: every cache line). With
 * several files the passes alternate between them, so that what disturbs one
 * disturbs the other. -z unmaps the pages before each pass (they stay cached).
 * -o file: in file order; -o random: 2 MiB pieces in an order that differs from
 * pass to pass and not from file to file. -c computes that many microseconds
 * after each 2 MiB, as a model does with its weights.
 *
 * Of each pass is printed: time, CPU time of the reader, bytes that DISK read,
 * the sum, ITME's stall time; after the last, what smaps says of the mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define FILES_MAX	4

struct target {
	const char *name;
	int fd;
	uint64_t len;
	const char *map;
};

static struct {
	uint64_t passes, stride, len, compute_ns;
	const char *disk;
	bool random, zap;
} opt = { .passes = 1, .stride = 64 };

static uint64_t disk_bytes(void)
{
	unsigned long long sectors;
	char path[128];
	FILE *f;

	if (!opt.disk)
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s/stat", opt.disk);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*s %*s %llu", &sectors) != 1)
		die("%s", path);
	fclose(f);
	return sectors * 512;
}

/* Of the thread's own CPU time, or waiting for the CPU would count as computing. */
static void compute(void)
{
	uint64_t end = now_ns(CLOCK_THREAD_CPUTIME_ID) + opt.compute_ns;

	while (opt.compute_ns && now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 1000; i++)
			;
}

/* Four words at a time, or the loop would cost more than the memory. */
static uint64_t sum_piece(const char *p, uint64_t len, uint64_t stride)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, pos = 0;

	for (; pos + 4 * stride <= len; pos += 4 * stride) {
		a += *(const volatile uint64_t *)(p + pos);
		b += *(const volatile uint64_t *)(p + pos + stride);
		c += *(const volatile uint64_t *)(p + pos + 2 * stride);
		d += *(const volatile uint64_t *)(p + pos + 3 * stride);
	}
	for (; pos < len; pos += stride)
		a += *(const volatile uint64_t *)(p + pos);
	return a + b + c + d;
}

static void make_order(uint32_t *order, uint64_t nr, uint64_t seed)
{
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t j = i;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		if (opt.random)
			j = (seed >> 33) % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

static uint64_t sum_file(const struct target *t, const uint32_t *order)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i * CHUNK < t->len; i++) {
		uint64_t pos = order[i] * CHUNK;
		uint64_t len = t->len - pos < CHUNK ? t->len - pos : CHUNK;

		sum += sum_piece(t->map + pos, len, opt.stride);
		compute();
	}
	return sum;
}

static void pass(const struct target *t, uint64_t n)
{
	struct itme_stats before, after;
	uint64_t nr = (t->len + CHUNK - 1) / CHUNK;
	uint32_t *order = calloc(nr, sizeof(*order));
	uint64_t start, ns, cpu, disk, sum;
	bool itme;

	if (!order)
		die("no memory");
	make_order(order, nr, n + 1);
	if (opt.zap && madvise((void *)t->map, t->len, MADV_DONTNEED))
		die("madvise");
	itme = itme_counters(t->fd, &before);
	disk = disk_bytes();
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	start = now_ns(CLOCK_MONOTONIC);
	sum = sum_file(t, order);
	ns = now_ns(CLOCK_MONOTONIC) - start;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	disk = disk_bytes() - disk;
	printf("{\"job\":\"%s\",\"pass\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64
	       ",\"cpu_ns\":%" PRIu64 ",\"disk\":%" PRIu64 ",\"sum\":%" PRIu64,
	       t->name, n, t->len, ns, cpu, disk, sum);
	if (itme && itme_counters(t->fd, &after))
		printf(",\"stalls\":%llu,\"stall_ns\":%llu,\"promoted\":%llu,\"demoted\":%llu",
		       after.stalls - before.stalls, after.stall_ns - before.stall_ns,
		       after.promoted_bytes - before.promoted_bytes,
		       after.demoted_bytes - before.demoted_bytes);
	printf("}\n");
	fflush(stdout);
	free(order);
}

static void print_smaps(const struct target *t)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long long start, kb, rss = 0, pmd = 0;
	bool mine = false;
	char line[512];

	if (!f)
		die("smaps");
	while (fgets(line, sizeof(line), f)) {
		char mode[5];

		if (sscanf(line, "%llx-%*x %4s", &start, mode) == 2)
			mine = start == (uintptr_t)t->map;
		else if (mine && sscanf(line, "Rss: %llu", &kb) == 1)
			rss = kb << 10;
		else if (mine && sscanf(line, "FilePmdMapped: %llu", &kb) == 1)
			pmd = kb << 10;
	}
	fclose(f);
	printf("{\"job\":\"%s\",\"rss\":%llu,\"pmd\":%llu,\"aligned\":%d}\n", t->name, rss, pmd,
	       !((uintptr_t)t->map % CHUNK));
}

static int parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:s:l:d:o:c:z")) != -1) {
		switch (c) {
		case 'p':
			opt.passes = size_arg(optarg);
			break;
		case 's':
			opt.stride = size_arg(optarg);
			break;
		case 'l':
			opt.len = size_arg(optarg);
			break;
		case 'd':
			opt.disk = optarg;
			break;
		case 'o':
			opt.random = !strcmp(optarg, "random");
			break;
		case 'c':
			opt.compute_ns = size_arg(optarg) * 1000;
			break;
		case 'z':
			opt.zap = true;
			break;
		default:
			return -1;
		}
	}
	return optind;
}

int job_read(int argc, char **argv)
{
	struct target t[FILES_MAX];
	int first = parse(argc, argv);
	int nr = argc - first;

	if (first < 0 || nr < 1 || nr > FILES_MAX || !opt.stride)
		return 2;
	for (int i = 0; i < nr; i++) {
		char *path = strchr(argv[first + i], '=');

		if (!path)
			return 2;
		*path++ = 0;
		t[i].name = argv[first + i];
		t[i].fd = open_or_die(path, O_RDONLY);
		t[i].len = opt.len ? opt.len : file_size(t[i].fd);
		t[i].map = map_file(t[i].fd, t[i].len);
	}
	for (uint64_t n = 0; n < opt.passes; n++)
		for (int i = 0; i < nr; i++)
			pass(&t[i], n);
	for (int i = 0; i < nr; i++)
		print_smaps(&t[i]);
	return 0;
}
