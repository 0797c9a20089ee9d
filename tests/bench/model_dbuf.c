// SPDX-License-Identifier: GPL-2.0
/*
 * The bound of I/O: two buffers of a layer each, one is used while the other one is
 * read, O_DIRECT by io_uring, 512 KiB a request. On the kernel's own interface, as
 * liburing need not be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model.h"

#define ENTRIES	64
#define REQUEST	(512UL << 10)

static struct {
	int fd, ring;
	uint32_t *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	char *buf[2];
	uint32_t pending;
	uint64_t used;
} d;

static void *map_ring(uint64_t off, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, d.ring, off);

	if (p == MAP_FAILED)
		die("mmap of io_uring");
	return p;
}

static void ring_open(void)
{
	struct io_uring_params p = {};
	char *sq, *cq;

	d.ring = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (d.ring < 0)
		die("io_uring_setup");
	sq = map_ring(IORING_OFF_SQ_RING, p.sq_off.array + p.sq_entries * sizeof(uint32_t));
	cq = map_ring(IORING_OFF_CQ_RING, p.cq_off.cqes + p.cq_entries * sizeof(*d.cqes));
	d.sqes = map_ring(IORING_OFF_SQES, p.sq_entries * sizeof(*d.sqes));
	d.sq_tail = (uint32_t *)(sq + p.sq_off.tail);
	d.sq_mask = (uint32_t *)(sq + p.sq_off.ring_mask);
	d.sq_array = (uint32_t *)(sq + p.sq_off.array);
	d.cq_head = (uint32_t *)(cq + p.cq_off.head);
	d.cq_tail = (uint32_t *)(cq + p.cq_off.tail);
	d.cq_mask = (uint32_t *)(cq + p.cq_off.ring_mask);
	d.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void submit(char *buf, uint64_t off, uint64_t len)
{
	uint32_t tail = *d.sq_tail, n = 0;

	for (uint64_t pos = 0; pos < len; pos += REQUEST, n++) {
		uint32_t i = (tail + n) & *d.sq_mask;

		d.sqes[i] = (struct io_uring_sqe){
			.opcode = IORING_OP_READ,
			.fd = d.fd,
			.addr = (uintptr_t)(buf + pos),
			.len = len - pos < REQUEST ? len - pos : REQUEST,
			.off = off + pos,
		};
		d.sq_array[i] = i;
	}
	atomic_store_explicit((_Atomic uint32_t *)d.sq_tail, tail + n, memory_order_release);
	if (syscall(SYS_io_uring_enter, d.ring, n, 0, 0, NULL, 0) != (long)n)
		die("io_uring_enter");
	d.pending += n;
}

static void finish(void)
{
	while (d.pending) {
		uint32_t head = *d.cq_head;
		uint32_t tail = atomic_load_explicit((_Atomic uint32_t *)d.cq_tail,
						     memory_order_acquire);

		for (; head != tail; head++, d.pending--) {
			errno = 0;
			if (d.cqes[head & *d.cq_mask].res <= 0)
				die("a read failed: %d", d.cqes[head & *d.cq_mask].res);
		}
		atomic_store_explicit((_Atomic uint32_t *)d.cq_head, head, memory_order_release);
		if (d.pending && syscall(SYS_io_uring_enter, d.ring, 0, d.pending,
					 IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
	}
}

void dbuf_start(const struct model *m)
{
	uint64_t len = (m->layer + CHUNK - 1) / CHUNK * CHUNK;

	d.fd = open_or_die(m->path, O_RDONLY | O_DIRECT);
	for (int i = 0; i < 2; i++) {
		d.buf[i] = aligned_alloc(CHUNK, len);
		if (!d.buf[i] || mlock(d.buf[i], len))
			die("no memory");
	}
	if (m->layer / REQUEST >= ENTRIES)
		die("a layer is too large");
	ring_open();
	submit(d.buf[0], model_layer_start(m, 0), m->layer);
}

const char *dbuf_layer(const struct model *m, uint64_t nth)
{
	const char *buf = d.buf[d.used % 2];

	finish();
	d.used++;
	submit(d.buf[d.used % 2], model_layer_start(m, (nth + 1) % m->layers), m->layer);
	return buf - model_layer_start(m, nth);
}
