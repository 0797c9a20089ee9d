// SPDX-License-Identifier: GPL-2.0
/*
 * A decode model, as far as memory sees it: all weights are used in the same order
 * in each pass, by loads, and each layer is computed with for a while.
 *
 *   itme-bench model -n NAME -f FILE -d DISK -m STORE [-L LAYERS] [-l LAYER_BYTES]
 *                    [-t PIECE_BYTES] [-c NS] [-s STRIDE] [-p PASSES] [-e EXPERTS]
 *                    [-x] [-z] [-w] [-P]
 *
 * STORE: mmap, willneed (mmap, and a thread that asks for the next layer), anon
 * (anonymous memory), dbuf (two buffers of a layer, read O_DIRECT). -x shuffles
 * layers and pieces, -z takes pieces at random (Zipf), -e experts (some more often
 * than others), -w waits instead of computing, -P sets a plan first.
 *
 * Of each pass is printed: its time, CPU time of the thread, what the drive read and
 * wrote, major faults, ITME's counters. Computing is a loop of counted instructions,
 * so with one instruction a nanosecond it is as long in every pass, whatever else
 * the CPU does meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "model.h"

static struct model model = {
	.layers = 80, .layer = 2560 << 10, .piece = 512 << 10, .stride = 64, .passes = 4,
};

/*
 * Elsewhere: on a GPU, or on CPUs that the kernel's work does not take. Else on this
 * one, two instructions a round.
 */
static void compute(const struct model *m, uint64_t ns)
{
	struct timespec ts = { .tv_nsec = ns };
	uint64_t rounds = ns / 2;

	if (m->elsewhere)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	else if (rounds)
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
}

static uint64_t load(const char *p, uint64_t len, uint64_t stride)
{
	uint64_t a = 0, b = 0, pos = 0;

	for (; pos + 2 * stride <= len; pos += 2 * stride) {
		a += *(const volatile uint64_t *)(p + pos);
		b += *(const volatile uint64_t *)(p + pos + stride);
	}
	for (; pos < len; pos += stride)
		a += *(const volatile uint64_t *)(p + pos);
	return a + b;
}

/* A tile at a time, as in a matrix product; to wait costs more than to begin a loop. */
static void use(const struct model *m, const char *p, uint64_t len)
{
	uint64_t tile = m->elsewhere ? 256 << 10 : 64 << 10;

	for (uint64_t pos = 0; pos < len; pos += tile) {
		uint64_t n = len - pos < tile ? len - pos : tile;

		load(p + pos, n, m->stride);
		compute(m, m->compute_ns * n / m->layer);
	}
}

/* Of the drive: sectors read, and written, since it is there. */
static void drive_bytes(const struct model *m, uint64_t bytes[2])
{
	unsigned long long rd, wr;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", m->disk);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*s %*s %llu %*s %*s %*s %llu", &rd, &wr) != 2)
		die("%s", path);
	fclose(f);
	bytes[0] = rd * 512;
	bytes[1] = wr * 512;
}

/* Anonymous memory, mapping of the file, and ITME's counters of it. */
static const char *weights;
static int weights_fd = -1;

static void mmap_start(const struct model *m)
{
	weights = map_file(weights_fd, model_size(m));
}

/*
 * What is written must not be zeroes, which the kernel need not store. The drive
 * does not give it back, so whatever else this process has must not leave memory.
 */
static void anon_start(const struct model *m)
{
	char *p;

	if (mlockall(MCL_CURRENT))
		die("mlockall");
	p = mmap(NULL, model_size(m), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (uint64_t pos = 0; pos < model_size(m); pos += 4096)
		*(volatile uint64_t *)(p + pos) = pos + 1;
	weights = p;
}

/* The helper of `willneed`: asks for the layer after the one in use. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint64_t posted, served, next;
} helper = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void *helper_thread(void *arg)
{
	const struct model *m = arg;

	pthread_mutex_lock(&helper.lock);
	for (;;) {
		uint64_t off;

		while (helper.served == helper.posted)
			pthread_cond_wait(&helper.cond, &helper.lock);
		helper.served = helper.posted;
		off = model_layer_start(m, helper.next);
		pthread_mutex_unlock(&helper.lock);
		if (madvise((void *)(weights + off), m->layer, MADV_WILLNEED))
			die("madvise");
		pthread_mutex_lock(&helper.lock);
	}
	return NULL;
}

static void willneed_start(const struct model *m)
{
	pthread_t thread;

	mmap_start(m);
	errno = pthread_create(&thread, NULL, helper_thread, (void *)m);
	if (errno)
		die("pthread_create");
}

static const char *willneed_layer(const struct model *m, uint64_t nth)
{
	pthread_mutex_lock(&helper.lock);
	helper.next = (nth + 1) % m->layers;
	helper.posted++;
	pthread_cond_signal(&helper.cond);
	pthread_mutex_unlock(&helper.lock);
	return weights;
}

const struct store stores[] = {
	{ "mmap", mmap_start, NULL },
	{ "willneed", willneed_start, willneed_layer },
	{ "anon", anon_start, NULL },
	{ "dbuf", dbuf_start, dbuf_layer },
	{ },
};

static void print_counters(const struct itme_stats *b, const struct itme_stats *a)
{
	printf(",\"stalls\":%llu,\"stall_ns\":%llu,\"read\":%llu,\"demand\":%llu,\"used\":%llu"
	       ",\"late\":%llu,\"wasted\":%llu,\"dropped\":%llu,\"small\":%llu",
	       a->stalls - b->stalls, a->stall_ns - b->stall_ns, a->read_bytes - b->read_bytes,
	       a->demand_bytes - b->demand_bytes, a->prefetch_used_bytes - b->prefetch_used_bytes,
	       a->prefetch_late_bytes - b->prefetch_late_bytes,
	       a->prefetch_wasted_bytes - b->prefetch_wasted_bytes,
	       a->dropped_bytes - b->dropped_bytes,
	       a->small_folio_chunks - b->small_folio_chunks);
}

static void run_pass(const struct model *m, const struct store *store)
{
	uint64_t per_layer = m->layer / m->piece;
	const char *base = weights;

	for (uint64_t i = 0; i < m->nr_pieces; i++) {
		if (store->layer && !(i % per_layer))
			base = store->layer(m, i / per_layer);
		use(m, base + m->order[i], m->piece);
	}
}

static void pass(struct model *m, const struct store *store, uint64_t n)
{
	struct itme_stats before, after;
	uint64_t start, ns, cpu, disk[2], disk2[2];
	struct rusage ru, ru2;
	bool itme;

	if (m->zipf || m->experts)
		model_order(m, n);
	itme = itme_counters(weights_fd, &before);
	drive_bytes(m, disk);
	getrusage(RUSAGE_SELF, &ru);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	start = now_ns(CLOCK_MONOTONIC);
	run_pass(m, store);
	ns = now_ns(CLOCK_MONOTONIC) - start;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	getrusage(RUSAGE_SELF, &ru2);
	drive_bytes(m, disk2);
	printf("{\"job\":\"%s\",\"pass\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64
	       ",\"cpu_ns\":%" PRIu64 ",\"disk\":%" PRIu64 ",\"written\":%" PRIu64
	       ",\"majflt\":%ld",
	       m->name, n, m->nr_pieces * m->piece, ns, cpu, disk2[0] - disk[0],
	       disk2[1] - disk[1], ru2.ru_majflt - ru.ru_majflt);
	if (itme && itme_counters(weights_fd, &after))
		print_counters(&before, &after);
	printf("}\n");
	fflush(stdout);
}

static void run(struct model *m, const struct store *store, bool plan)
{
	if (prctl(PR_SET_TIMERSLACK, 1UL))
		die("prctl");
	weights_fd = open_or_die(m->path, O_RDONLY);
	if (file_size(weights_fd) < model_size(m))
		die("%s is too small", m->path);
	model_order(m, 0);
	if (plan)
		plan_tell(m, weights_fd);
	store->start(m);
	for (uint64_t n = 0; n < m->passes; n++)
		pass(m, store, n);
}

static const struct store *find_store(const char *name)
{
	for (const struct store *s = stores; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	die("no such store: %s", name);
}

int job_model(int argc, char **argv)
{
	const struct store *store = &stores[0];
	struct model *m = &model;
	bool plan = false;
	int c;

	while ((c = getopt(argc, argv, "n:f:d:m:L:l:t:c:s:p:e:xzwP")) != -1) {
		switch (c) {
		case 'n':
			m->name = optarg;
			break;
		case 'f':
			m->path = optarg;
			break;
		case 'd':
			m->disk = optarg;
			break;
		case 'm':
			store = find_store(optarg);
			break;
		case 'L':
			m->layers = size_arg(optarg);
			break;
		case 'l':
			m->layer = size_arg(optarg);
			break;
		case 't':
			m->piece = size_arg(optarg);
			break;
		case 'c':
			m->compute_ns = size_arg(optarg);
			break;
		case 's':
			m->stride = size_arg(optarg);
			break;
		case 'p':
			m->passes = size_arg(optarg);
			break;
		case 'e':
			m->experts = size_arg(optarg);
			break;
		case 'x':
			m->shuffle = true;
			break;
		case 'z':
			m->zipf = true;
			break;
		case 'w':
			m->elsewhere = true;
			break;
		case 'P':
			plan = true;
			break;
		default:
			return 2;
		}
	}
	if (!m->name || !m->path || !m->disk || !m->layers || !m->piece || !m->stride ||
	    m->layer % m->piece || (store->layer && (m->zipf || m->experts)) ||
	    (m->experts && (m->experts < 2 || !model_blocks(m))))
		return 2;
	run(m, store, plan);
	return 0;
}
