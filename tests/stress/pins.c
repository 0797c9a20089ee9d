// SPDX-License-Identifier: GPL-2.0
/* Actors that hold pages of a mapping by reference: GUP, pipes, io_uring. */
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "stress.h"

#define PIN_MAX		(256 * KIB)

struct pins {
	char *buf;
	int out;		/* a lower file, O_DIRECT */
};

bool pin_init(struct me *me)
{
	struct pins *s = calloc(1, sizeof(*s));
	char path[600];
	void *buf;

	if (!s || posix_memalign(&buf, PAGE, PIN_MAX))
		return false;
	snprintf(path, sizeof(path), "%s/t.pin.%d", lower_dir(), getpid());
	s->out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	unlink(path);
	s->buf = buf;
	me->state = s;
	return s->out >= 0;
}

static char *map_for(struct me *me, const struct file_spec **f, uint64_t *off, uint64_t *len)
{
	int fd, i = any_file(me, 0, &fd);
	char *p;

	*f = &files[i];
	p = mmap(NULL, page_up((*f)->size), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	do
		any_range(me, *f, PIN_MAX, PAGE, off, len);
	while (*off >= (*f)->size);
	if (*len > PIN_MAX)
		*len = PIN_MAX;
	return p;
}

static bool may_fail(int err)
{
	return err == EINTR || (shared->poison && (err == EFAULT || err == EIO));
}

/* The drive reads the pages, by DMA; then they are compared. */
void direct_step(struct me *me)
{
	struct pins *s = me->state;
	const struct file_spec *f;
	uint64_t off, len;
	ssize_t n;
	char *p = map_for(me, &f, &off, &len);

	doing(me, "%s direct write from the mapping, %llu + %llu", f->name,
	      (unsigned long long)off, (unsigned long long)len);
	n = pwrite(s->out, p + off, len, 0);
	if (n < 0 && !may_fail(errno))
		broken(me, "direct write from the mapping: %s", strerror(errno));
	if (n > 0 && pread(s->out, s->buf, n, 0) == n) {
		if (off + n > f->size)
			n = f->size - off;
		check_io(me, f, s->buf, n, off, "direct write from the mapping");
	}
	munmap(p, page_up(f->size));
}

/* What is held stays in the page cache, where a budget counts it. */
static void check_stays(struct me *me, char *p, uint64_t len)
{
	unsigned char vec[16];
	uint64_t i;

	if (shared->poison || mincore(p, len, vec))
		return;
	for (i = 0; i < len / PAGE; i++)
		if (!(vec[i] & 1))
			broken(me, "a page that is held has left");
}

/* Pages are put into a pipe, and stay there for a while. */
void pipe_step(struct me *me)
{
	struct pins *s = me->state;
	const struct file_spec *f;
	uint64_t off, len;
	struct iovec iov;
	int fds[2];
	ssize_t n;
	char *p = map_for(me, &f, &off, &len);

	if (pipe(fds))
		broken(me, "pipe: %s", strerror(errno));
	iov = (struct iovec){ p + off, len < 16 * PAGE ? len : 16 * PAGE };
	doing(me, "%s vmsplice, %llu + %zu", f->name, (unsigned long long)off, iov.iov_len);
	n = vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (n < 0 && errno != EAGAIN && !may_fail(errno))
		broken(me, "vmsplice: %s", strerror(errno));
	if (one_in(me, 2)) {
		munmap(p, page_up(f->size));
		p = NULL;
	}
	nap(me, one_in(me, 10) ? 500000 : 30000);
	if (p && n > 0)
		check_stays(me, p + off, n & ~(PAGE - 1));
	if (n > 0 && read(fds[0], s->buf, n) == n) {
		if (off + n > f->size)
			n = f->size - off;
		check_io(me, f, s->buf, n, off, "vmsplice from the mapping");
	}
	close(fds[0]);
	close(fds[1]);
	if (p)
		munmap(p, page_up(f->size));
}

bool vmread_init(struct me *me)
{
	struct iovec self = { me, 1 };

	/* a kernel may do without it */
	return pin_init(me) && process_vm_readv(getpid(), &self, 1, &self, 1, 0) == 1;
}

/* Another process' view: short GUP of each page. */
void vmread_step(struct me *me)
{
	struct pins *s = me->state;
	struct iovec local, remote;
	const struct file_spec *f;
	uint64_t off, len;
	ssize_t n;
	char *p = map_for(me, &f, &off, &len);

	doing(me, "%s process_vm_readv, %llu + %llu", f->name,
	      (unsigned long long)off, (unsigned long long)len);
	local = (struct iovec){ s->buf, len };
	remote = (struct iovec){ p + off, len };
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (n < 0 && !may_fail(errno))
		broken(me, "process_vm_readv: %s", strerror(errno));
	if (n > 0) {
		if (off + n > f->size)
			n = f->size - off;
		check_io(me, f, s->buf, n, off, "process_vm_readv");
	}
	munmap(p, page_up(f->size));
	nap(me, 5000);
}

/*
 * io_uring: one ring with two buffers registered for long. From a private
 * mapping, so that the pin breaks COW: the pages are copies, never ours; and
 * reads of an itmefs file into the second.
 */
struct ring {
	struct pins pins;
	int fd;
	struct io_uring_params par;
	char *sq, *cq;
	struct io_uring_sqe *sqe;
};

bool uring_init(struct me *me)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r || !pin_init(me))
		return false;
	r->pins = *(struct pins *)me->state;
	r->fd = syscall(SYS_io_uring_setup, 4, &r->par);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, r->par.sq_off.array + r->par.sq_entries * 4, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->par.cq_off.cqes + r->par.cq_entries * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, r->par.sq_entries * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	me->state = r;
	return r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqe != MAP_FAILED;
}

/* one request and its result; -EINTR and the like do not happen without signals */
static int uring_do(struct ring *r, const struct io_uring_sqe *sqe)
{
	uint32_t *tail = (uint32_t *)(r->sq + r->par.sq_off.tail);
	uint32_t *chead = (uint32_t *)(r->cq + r->par.cq_off.head);
	uint32_t mask = *(uint32_t *)(r->sq + r->par.sq_off.ring_mask);
	uint32_t cmask = *(uint32_t *)(r->cq + r->par.cq_off.ring_mask);
	uint32_t at = *tail & mask;
	struct io_uring_cqe *cqe;

	r->sqe[at] = *sqe;
	((uint32_t *)(r->sq + r->par.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	cqe = (struct io_uring_cqe *)(r->cq + r->par.cq_off.cqes) + (*chead & cmask);
	__atomic_store_n(chead, *chead + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

void uring_step(struct me *me)
{
	struct ring *r = me->state;
	struct iovec reg[2];
	const struct file_spec *f;
	uint64_t off, len, n;
	int fd, res;
	char *p;

	f = &files[any_file(me, one_in(me, 2) ? O_DIRECT : 0, &fd)];
	any_range(me, f, PIN_MAX, PAGE, &off, &len);
	if (len > PIN_MAX)
		len = PIN_MAX;
	n = off + len > f->size ? f->size - off : len;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, off);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	reg[0] = (struct iovec){ p, len };
	reg[1] = (struct iovec){ r->pins.buf, PIN_MAX };
	doing(me, "%s io_uring, %llu + %llu", f->name, (unsigned long long)off,
	      (unsigned long long)len);
	if (syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, reg, 2)) {
		if (errno != ENOMEM && !may_fail(errno))
			broken(me, "io_uring registers no buffer: %s", strerror(errno));
		goto out;
	}
	/* from the file into the one, checked; from the other to the drive and back */
	res = uring_do(r, &(struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED, .fd = fd, .off = off, .buf_index = 1,
		.addr = (uintptr_t)r->pins.buf, .len = len,
		.flags = one_in(me, 4) ? IOSQE_ASYNC : 0 });
	errno = -res;
	check_io(me, f, r->pins.buf, res < 0 ? -1 : res, off, "io_uring read");
	res = uring_do(r, &(struct io_uring_sqe){
		.opcode = IORING_OP_WRITE_FIXED, .fd = r->pins.out, .buf_index = 0,
		.addr = (uintptr_t)p, .len = len });
	if (res == (int)len && pread(r->pins.out, r->pins.buf, len, 0) == (ssize_t)len)
		check_io(me, f, r->pins.buf, n, off, "io_uring write from the mapping");
	else if (!may_fail(-res))
		broken(me, "io_uring write: %d", res);
	syscall(SYS_io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
out:
	munmap(p, len);
	close(fd);
}
