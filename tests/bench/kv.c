// SPDX-License-Identifier: GPL-2.0
/*
 * A KV cache in a file: appended in large pieces as a prompt is worked off, then, for
 * the next turn, read in the order in which it was stored, also while the new turn is
 * being appended.
 *
 *   itme-bench kv [-d DISK] [-p PASSES] [-a PIECE] [-e EVERY] NAME FILE SIZE
 *
 * FILE is made, appended to through a shared mapping PIECE by PIECE, read PASSES times,
 * a word of every 64 bytes, then once more while another thread appends a piece to
 * FILE.next for each EVERY pieces that are read. What is read has to be what was written.
 * Of each part is printed: time, bytes, what DISK read and wrote meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define WORDS_A_LINE	8

static struct {
	const char *disk, *name;
	uint64_t passes, piece, every, size;
} opt = { .passes = 2, .piece = 16 << 20, .every = 8 };

struct traffic {
	uint64_t read, written, ns;
};

static struct traffic traffic(void)
{
	unsigned long long sectors_read = 0, sectors_written = 0;
	char path[128];
	FILE *f;

	if (opt.disk) {
		snprintf(path, sizeof(path), "/sys/block/%s/stat", opt.disk);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%*s %*s %llu %*s %*s %*s %llu", &sectors_read,
				 &sectors_written) != 2)
			die("%s", path);
		fclose(f);
	}
	return (struct traffic){
		sectors_read * 512, sectors_written * 512, now_ns(CLOCK_MONOTONIC),
	};
}

static void print_part(const char *part, uint64_t pass, uint64_t bytes, struct traffic since)
{
	struct traffic now = traffic();

	printf("{\"job\":\"%s\",\"part\":\"%s\",\"pass\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"ns\":%" PRIu64 ",\"disk_read\":%" PRIu64 ",\"disk_written\":%" PRIu64 "}\n",
	       opt.name, part, pass, bytes, now.ns - since.ns, now.read - since.read,
	       now.written - since.written);
	fflush(stdout);
}

/* No two words are the same, so that equal sums mean equal data. */
static uint64_t word_at(uint64_t index)
{
	return index * 0x9e3779b97f4a7c15ULL;
}

static uint64_t *make_buf(void)
{
	uint64_t *buf = malloc(opt.piece);

	if (!buf)
		die("no memory");
	for (uint64_t i = 0; i < opt.piece / 8; i++)
		buf[i] = word_at(i);
	return buf;
}

/* As an engine copies a block of its KV cache out, from memory of its own. What is made anew is
 * what will be read: the rest would be the time of this program and of no file system.
 */
static void append(char *to, uint64_t pos, uint64_t len, uint64_t *buf)
{
	for (uint64_t i = 0; i < len / 8; i += WORDS_A_LINE)
		buf[i] = word_at(pos / 8 + i);
	memcpy(to + pos, buf, len);
}

static uint64_t sum_words(const char *p, uint64_t len)
{
	const volatile uint64_t *word = (const volatile uint64_t *)p;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < len / 8; i += WORDS_A_LINE)
		sum += word[i];
	return sum;
}

static uint64_t sum_wanted(uint64_t size)
{
	uint64_t n = size / 64;

	/* The sum of the first n lines' first words: 8 * (0 + 1 + ... + n - 1) times the factor. */
	return word_at(WORDS_A_LINE * (n * (n - 1) / 2));
}

static char *make_file(const char *path, uint64_t size)
{
	int fd = open_or_die(path, O_RDWR | O_CREAT | O_TRUNC);
	char *p;

	if (ftruncate(fd, size))
		die("truncate of %s", path);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return p;
}

static struct next_turn {
	sem_t wanted;
	char *map;
	uint64_t pieces, done;
} next_turn;

static void *append_next(void *unused)
{
	uint64_t *buf = make_buf();

	(void)unused;
	while (next_turn.done < next_turn.pieces) {
		while (sem_wait(&next_turn.wanted))
			;
		append(next_turn.map, next_turn.done++ * opt.piece, opt.piece, buf);
	}
	free(buf);
	return NULL;
}

static void read_all(const char *map, uint64_t every)
{
	uint64_t sum = 0, piece = 0;

	for (uint64_t pos = 0; pos < opt.size; pos += opt.piece) {
		sum += sum_words(map + pos, opt.piece);
		if (every && ++piece % every == 0)
			sem_post(&next_turn.wanted);
	}
	if (sum != sum_wanted(opt.size)) {
		errno = 0;
		die("%s: what is read is not what was written", opt.name);
	}
}

static void append_all(char *map)
{
	uint64_t *buf = make_buf();

	for (uint64_t pos = 0; pos < opt.size; pos += opt.piece)
		append(map, pos, opt.piece, buf);
	free(buf);
}

static void read_while_appending(const char *map, const char *path)
{
	struct traffic since;
	char next[4096];
	pthread_t thread;

	snprintf(next, sizeof(next), "%s.next", path);
	next_turn.pieces = opt.size / opt.piece / opt.every;
	next_turn.map = make_file(next, next_turn.pieces * opt.piece);
	if (sem_init(&next_turn.wanted, 0, 0) || pthread_create(&thread, NULL, append_next, NULL))
		die("no thread");
	since = traffic();
	read_all(map, opt.every);
	print_part("mixed", 0, opt.size, since);
	pthread_join(thread, NULL);
	if (sum_words(next_turn.map, next_turn.pieces * opt.piece) !=
	    sum_wanted(next_turn.pieces * opt.piece)) {
		errno = 0;
		die("%s: what was appended is wrong", opt.name);
	}
	print_part("mixed_appended", 0, next_turn.pieces * opt.piece, since);
	if (unlink(next))
		die("unlink");
}

int job_kv(int argc, char **argv)
{
	struct traffic since;
	char *map;
	int c;

	while ((c = getopt(argc, argv, "d:p:a:e:")) != -1) {
		switch (c) {
		case 'd':
			opt.disk = optarg;
			break;
		case 'p':
			opt.passes = size_arg(optarg);
			break;
		case 'a':
			opt.piece = size_arg(optarg);
			break;
		case 'e':
			opt.every = size_arg(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3)
		return 2;
	opt.name = argv[optind];
	opt.size = size_arg(argv[optind + 2]);
	if (!opt.piece || opt.piece % 64 || opt.size % opt.piece ||
	    opt.size / opt.piece < opt.every)
		return 2;
	map = make_file(argv[optind + 1], opt.size);
	since = traffic();
	append_all(map);
	print_part("append", 0, opt.size, since);
	for (uint64_t n = 0; n < opt.passes; n++) {
		since = traffic();
		read_all(map, 0);
		print_part("read", n, opt.size, since);
	}
	if (opt.every)
		read_while_appending(map, argv[optind + 1]);
	if (unlink(argv[optind + 1]))
		die("unlink");
	return 0;
}
