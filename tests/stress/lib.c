// SPDX-License-Identifier: GPL-2.0
/* What every actor needs: numbers, files, ranges, checks. */
#include <signal.h>
#include <stdarg.h>

#include "stress.h"

/*
 * Sizes that end in the middle of a chunk, of a page, and at none; a last chunk
 * of 7 or 46 pages is read into several folios.
 */
const struct file_spec files[NR_FILES] = {
	{ "f0", 6 * CHUNK, 11, 0 },
	{ "f1", 5 * MIB + 77, 12, 64 * KIB },
	{ "f2", 8 * MIB, 13, 256 * KIB },
	{ "f3", CHUNK + 6 * PAGE + 1, 14, 0 },
	{ "f4", 9 * CHUNK + 45 * PAGE + 57, 15, 0 },
};

struct shared *shared;
__thread sigjmp_buf guard_env;
__thread volatile int guarded;

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;

	x = (x ^ (x >> 29)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 32)) ?: 1;
}

uint64_t rnd(struct me *me, uint64_t n)
{
	me->rng ^= me->rng << 13;
	me->rng ^= me->rng >> 7;
	me->rng ^= me->rng << 17;
	return n ? (me->rng >> 11) % n : 0;
}

uint64_t rnd_in(struct me *me, uint64_t lo, uint64_t hi)
{
	return lo + rnd(me, hi - lo + 1);
}

bool one_in(struct me *me, uint64_t n)
{
	return !rnd(me, n);
}

void doing(struct me *me, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(me->slot->doing, sizeof(me->slot->doing), fmt, ap);
	va_end(ap);
}

void broken(struct me *me, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!__sync_fetch_and_add(&shared->failed, 1))
		snprintf(shared->why, sizeof(shared->why), "%s: %s (%s)",
			 me->actor->name, what, me->slot->doing);
	fprintf(stderr, "# %s: %s (%s)\n", me->actor->name, what,
		me->slot->doing);
	_exit(2);
}

void nap(struct me *me, uint64_t max_us)
{
	usleep(rnd(me, max_us));
}

int any_file(struct me *me, int flags, int *fd)
{
	int tries;

	/* one may just be removed and imported again; they are not all at once */
	for (tries = 0; tries < 1000; tries++) {
		int i = rnd(me, NR_FILES);

		*fd = file_open(files[i].name, O_RDONLY | flags);
		if (*fd >= 0)
			return i;
		if (*fd != -ENOENT && *fd != -ENFILE)
			broken(me, "open %s: %d", files[i].name, *fd);
		usleep(1000);
	}
	broken(me, "no file to open");
}

void any_range(struct me *me, const struct file_spec *f, uint64_t max,
	       uint64_t align, uint64_t *off, uint64_t *len)
{
	uint64_t size = align > 1 ? page_up(f->size) : f->size;

	/* ends of chunks and of the file more often than others */
	*off = rnd(me, size);
	if (one_in(me, 4))
		*off &= ~(CHUNK - 1);
	else if (one_in(me, 8))
		*off = size - rnd_in(me, 1, size < 3 * PAGE ? size : 3 * PAGE);
	*off -= *off % align;
	*len = rnd_in(me, 1, one_in(me, 4) ? max : max / 16 + 1);
	*len += (align - *len % align) % align;
	if (*len > size - *off)
		*len = size - *off;
}

void check_mem(struct me *me, const struct file_spec *f, const char *p,
	       uint64_t off, uint64_t len)
{
	volatile int bad = 0;

	if (off >= f->size)
		return;
	if (len > f->size - off)
		len = f->size - off;
	GUARDED(me, bad = pattern_check(p, len, off, f->seed));
	if (bad)
		broken(me, "wrong content of %s at %llu + %llu", f->name,
		       (unsigned long long)off, (unsigned long long)len);
}

void check_io(struct me *me, const struct file_spec *f, const char *buf,
	      ssize_t n, uint64_t off, const char *what)
{
	int err = errno;

	if (n < 0 && (err == EINTR || (shared->poison && (err == EIO || err == EFAULT))))
		return;
	if (n < 0)
		broken(me, "%s of %s at %llu: %s", what, f->name,
		       (unsigned long long)off, strerror(err));
	if (!n && off < f->size)
		broken(me, "%s of %s at %llu: nothing", what, f->name,
		       (unsigned long long)off);
	if (off + n > f->size)
		broken(me, "%s of %s at %llu: %zd bytes, past the end", what,
		       f->name, (unsigned long long)off, n);
	if (pattern_check(buf, n, off, f->seed))
		broken(me, "wrong content from %s of %s at %llu + %zd", what,
		       f->name, (unsigned long long)off, n);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (guarded)
		siglongjmp(guard_env, sig);
	signal(sig, SIG_DFL);
}

void guard_install(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}
