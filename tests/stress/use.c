// SPDX-License-Identifier: GPL-2.0
/* Actors that use files: mapped, copied on write, read, by several threads. */
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "stress.h"

#define BUF	(1 * MIB)

/* A mapping that is used for a number of steps. */
struct map {
	const struct file_spec *f;
	char *p;
	uint64_t size;
	int steps;
	uint64_t at;
	uint8_t *mine;		/* cow: pages that were written */
	uint64_t stamp;
};

static void map_any(struct me *me, struct map *m, int prot, int flags)
{
	int fd, i = any_file(me, 0, &fd);

	m->f = &files[i];
	m->size = page_up(m->f->size);
	m->p = mmap(NULL, m->size, prot, flags, fd, 0);
	close(fd);
	if (m->p == MAP_FAILED)
		broken(me, "mmap of %s: %s", m->f->name, strerror(errno));
	m->steps = rnd_in(me, 5, 100);
	m->at = 0;
}

bool fault_init(struct me *me)
{
	me->state = calloc(1, sizeof(struct map));
	return me->state;
}

void fault_step(struct me *me)
{
	struct map *m = me->state;
	uint64_t off, len;

	if (!m->p)
		map_any(me, m, PROT_READ, MAP_SHARED |
			(one_in(me, 16) ? MAP_POPULATE : 0));
	if (one_in(me, 3)) {
		any_range(me, m->f, 512 * KIB, 1, &off, &len);
	} else {	/* in order, as a model is read */
		off = m->at;
		len = 64 * KIB;
		m->at = m->at + len < m->f->size ? m->at + len : 0;
	}
	doing(me, "%s mapped, %llu + %llu", m->f->name,
	      (unsigned long long)off, (unsigned long long)len);
	check_mem(me, m->f, m->p + off, off, len);
	if (!m->steps--) {
		munmap(m->p, m->size);
		m->p = NULL;
	}
}

/* one that may be written to: a memory error may come instead */
static bool word_at(struct me *me, const uint64_t *word, uint64_t *seen)
{
	return GUARDED(me, *seen = *(const volatile uint64_t *)word);
}

static bool set_word(struct me *me, uint64_t *word, uint64_t to)
{
	return GUARDED(me, *(volatile uint64_t *)word = to);
}

/* the word that cow writes at the begin of a page */
static uint64_t own_word(const struct map *m, uint64_t page)
{
	return mix(m->stamp, page);
}

static void cow_check_page(struct me *me, struct map *m, uint64_t page)
{
	uint64_t *word = (uint64_t *)(m->p + page * PAGE);
	uint64_t skip = m->mine[page] ? 8 : 0;
	uint64_t seen = 0;

	if (skip && word_at(me, word, &seen) && seen != own_word(m, page))
		broken(me, "lost what was written to private page %llu of %s",
		       (unsigned long long)page, m->f->name);
	check_mem(me, m->f, m->p + page * PAGE + skip, page * PAGE + skip,
		  PAGE - skip);
}

static void cow_write(struct me *me, struct map *m, uint64_t page)
{
	uint64_t *word = (uint64_t *)(m->p + page * PAGE);

	if (set_word(me, word, own_word(m, page)))
		m->mine[page] = 1;
}

/* A child has the same, may write it, and changes nothing for us. */
static void cow_fork(struct me *me, struct map *m)
{
	uint64_t pages = m->size / PAGE;
	int status, i;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return;
	if (!pid) {
		for (i = 0; i < 20; i++) {
			uint64_t page = rnd(me, pages);

			cow_check_page(me, m, page);
			m->stamp = rnd(me, UINT64_MAX);
			memset(m->mine, 0, pages);
			madvise(m->p, m->size, MADV_DONTNEED);
			cow_write(me, m, page);
		}
		_exit(0);
	}
	for (i = 0; i < 20; i++)
		cow_write(me, m, rnd(me, pages));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

void cow_step(struct me *me)
{
	struct map *m = me->state;
	uint64_t pages, page, i, n;

	if (!m->p) {
		map_any(me, m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
		m->stamp = rnd(me, UINT64_MAX);
		m->mine = calloc(1, m->size / PAGE);
	}
	pages = m->size / PAGE;
	page = rnd(me, pages);
	n = rnd_in(me, 1, 32);
	if (n > pages - page)
		n = pages - page;
	doing(me, "%s private, page %llu + %llu", m->f->name,
	      (unsigned long long)page, (unsigned long long)n);
	/* little is written: a private copy is anonymous memory, not ours */
	for (i = page; i < page + n; i++) {
		cow_check_page(me, m, i);
		if (one_in(me, 16))
			cow_write(me, m, i);
	}
	if (one_in(me, 12)) {
		madvise(m->p + page * PAGE, n * PAGE, MADV_DONTNEED);
		memset(m->mine + page, 0, n);
	}
	if (one_in(me, 20))
		cow_fork(me, m);
	if (!m->steps--) {
		munmap(m->p, m->size);
		m->p = NULL;
		free(m->mine);
	}
}

bool read_init(struct me *me)
{
	void *buf;

	if (posix_memalign(&buf, PAGE, BUF))
		return false;
	me->state = buf;
	return true;
}

static ssize_t by_splice(int fd, char *buf, uint64_t off, uint64_t len)
{
	ssize_t n, done = 0;
	loff_t at = off;
	int p[2];

	if (pipe(p))
		return -1;
	n = splice(fd, &at, p[1], NULL, len < 64 * KIB ? len : 64 * KIB, 0);
	while (n > 0 && done < n) {
		ssize_t got = read(p[0], buf + done, n - done);

		if (got <= 0)
			break;
		done += got;
	}
	close(p[0]);
	close(p[1]);
	return n < 0 ? n : done;
}

void read_step(struct me *me)
{
	char *buf = me->state;
	const struct file_spec *f;
	uint64_t off, len;
	struct iovec iov[2];
	int fd, i, kind;
	ssize_t n;

	f = &files[any_file(me, one_in(me, 3) ? O_DIRECT : 0, &fd)];
	for (i = rnd_in(me, 1, 20); i > 0; i--) {
		any_range(me, f, BUF, 1, &off, &len);
		kind = rnd(me, 4);
		doing(me, "%s read in way %d, %llu + %llu", f->name, kind,
		      (unsigned long long)off, (unsigned long long)len);
		switch (kind) {
		case 0:
			n = by_splice(fd, buf, off, len);
			break;
		case 1:
			iov[0] = (struct iovec){ buf, len / 3 };
			iov[1] = (struct iovec){ buf + len / 3, len - len / 3 };
			n = preadv2(fd, iov, 2, off, RWF_NOWAIT);
			if (n < 0 && errno == EAGAIN)
				continue;
			break;
		default:
			n = pread(fd, buf, len, off);
			break;
		}
		check_io(me, f, buf, n, off, kind ? "read" : "splice");
	}
	close(fd);
}

/*
 * Threads of one process on one mapping: two check it, one puts the same over
 * parts of it, one advises.
 */
struct team {
	struct me *me;
	struct map map;
	int fd;
	volatile bool stop;
	pthread_t thread[4];
};

static struct me self(struct team *t, int salt)
{
	struct me me = *t->me;

	me.rng = mix(t->me->rng, salt);
	return me;
}

static void *team_check(void *arg)
{
	struct team *t = arg;
	struct me me = self(t, 1);
	uint64_t off, len;

	while (!t->stop && !shared->stop) {
		any_range(&me, t->map.f, 128 * KIB, 1, &off, &len);
		check_mem(&me, t->map.f, t->map.p + off, off, len);
	}
	return NULL;
}

static void *team_check_back(void *arg)
{
	struct team *t = arg;
	struct me me = self(t, 2);
	uint64_t off = t->map.f->size;

	while (!t->stop && !shared->stop) {
		uint64_t n = off < 16 * KIB ? off : 16 * KIB;

		off -= n;
		check_mem(&me, t->map.f, t->map.p + off, off, n);
		if (!off)
			off = t->map.f->size;
	}
	return NULL;
}

static void *team_remap(void *arg)
{
	struct team *t = arg;
	struct me me = self(t, 3);
	uint64_t off, len;

	while (!t->stop && !shared->stop) {
		any_range(&me, t->map.f, 4 * MIB, PAGE, &off, &len);
		if (mmap(t->map.p + off, len, PROT_READ, MAP_SHARED | MAP_FIXED,
			 t->fd, off) == MAP_FAILED)
			broken(&me, "mmap over: %s", strerror(errno));
		nap(&me, 2000);
	}
	return NULL;
}

static void *team_advise(void *arg)
{
	static const int advices[] = { MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT,
				       MADV_WILLNEED, MADV_POPULATE_READ };
	struct team *t = arg;
	struct me me = self(t, 4);
	uint64_t off, len;

	while (!t->stop && !shared->stop) {
		any_range(&me, t->map.f, 2 * MIB, PAGE, &off, &len);
		madvise(t->map.p + off, len, advices[rnd(&me, ARRAY_LEN(advices))]);
		nap(&me, 2000);
	}
	return NULL;
}

bool team_init(struct me *me)
{
	me->state = calloc(1, sizeof(struct team));
	return me->state;
}

void team_step(struct me *me)
{
	static void *(*const work[])(void *) = {
		team_check, team_check_back, team_remap, team_advise
	};
	struct team *t = me->state;
	size_t i;

	t->me = me;
	t->stop = false;
	t->map.f = &files[any_file(me, 0, &t->fd)];
	t->map.size = page_up(t->map.f->size);
	t->map.p = mmap(NULL, t->map.size, PROT_READ, MAP_SHARED, t->fd, 0);
	if (t->map.p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	doing(me, "threads on %s", t->map.f->name);
	for (i = 0; i < ARRAY_LEN(work); i++)
		if (pthread_create(&t->thread[i], NULL, work[i], t))
			broken(me, "no thread");
	for (i = 0; i < 40 && !shared->stop; i++) {
		nap(me, 20000);
		me->slot->beat++;
	}
	t->stop = true;
	doing(me, "threads on %s, at the end", t->map.f->name);
	for (i = 0; i < ARRAY_LEN(work); i++)
		pthread_join(t->thread[i], NULL);
	munmap(t->map.p, t->map.size);
	close(t->fd);
}
