// SPDX-License-Identifier: GPL-2.0
/* Actors that change mappings: munmap, mremap, mprotect, mlock, fork and exit. */
#include <signal.h>
#include <sys/wait.h>

#include "stress.h"

/* A mapping with holes: page -> is it there. */
void vma_step(struct me *me)
{
	const struct file_spec *f;
	uint64_t pages, size, i, j;
	uint8_t *gone;
	int fd, k;
	char *p, *q;

	f = &files[any_file(me, 0, &fd)];
	size = page_up(f->size);
	pages = size / PAGE;
	gone = calloc(1, pages);
	p = mmap(NULL, size, PROT_READ, one_in(me, 2) ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || !gone)
		broken(me, "mmap: %s", strerror(errno));
	for (k = rnd_in(me, 1, 12); k > 0; k--) {
		uint64_t at = rnd(me, pages), n = rnd_in(me, 1, 600);

		if (n > pages - at)
			n = pages - at;
		doing(me, "%s parts of a mapping, page %llu + %llu", f->name,
		      (unsigned long long)at, (unsigned long long)n);
		switch (rnd(me, 4)) {
		case 0:
			munmap(p + at * PAGE, n * PAGE);
			memset(gone + at, 1, n);
			break;
		case 1:		/* to another place; what is there is put back */
			if (memchr(gone + at, 1, n))
				break;
			q = mremap(p + at * PAGE, n * PAGE, n * PAGE, MREMAP_MAYMOVE);
			if (q == MAP_FAILED)
				break;
			if (q == p + at * PAGE) {
				q = mmap(NULL, n * PAGE, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
				if (q == MAP_FAILED)
					break;
				q = mremap(p + at * PAGE, n * PAGE, n * PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, q);
				if (q == MAP_FAILED)
					break;
			}
			check_mem(me, f, q, at * PAGE, n * PAGE < 32 * KIB ? n * PAGE : 32 * KIB);
			if (mremap(q, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   p + at * PAGE) == MAP_FAILED)
				broken(me, "mremap back: %s", strerror(errno));
			break;
		case 2:
			mprotect(p + at * PAGE, n * PAGE, PROT_NONE);
			mprotect(p + at * PAGE, n * PAGE, PROT_READ);
			break;
		default:
			break;
		}
		for (i = at, j = 0; i < pages && j < 16; i++, j++)
			if (!gone[i])
				check_mem(me, f, p + i * PAGE, i * PAGE, PAGE);
	}
	munmap(p, size);
	free(gone);
}

/* Children that inherit the mapping and end in all ways, some at once. */
void fork_step(struct me *me)
{
	const struct file_spec *f;
	int fd, i, nr = rnd_in(me, 1, 4);
	uint64_t off, len, size;
	pid_t pid;
	char *p;

	f = &files[any_file(me, 0, &fd)];
	size = page_up(f->size);
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	any_range(me, f, 256 * KIB, 1, &off, &len);
	check_mem(me, f, p + off, off, len);
	doing(me, "%s, %d children", f->name, nr);
	for (i = 0; i < nr; i++) {
		pid = fork();
		if (pid)
			continue;
		me->rng = mix(me->rng, i);
		any_range(me, f, 256 * KIB, 1, &off, &len);
		check_mem(me, f, p + off, off, len);
		if (one_in(me, 2))
			munmap(p, size / 2 & ~(PAGE - 1));
		if (one_in(me, 4))
			for (;;)
				pause();	/* killed below */
		_exit(0);
	}
	if (one_in(me, 2))
		munmap(p, size);
	nap(me, 20000);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);	/* the actor has a process group of its own */
	for (i = 0; i < 400; i++) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0)
			break;
		if (!pid)
			usleep(5000);
		me->slot->beat++;
	}
	signal(SIGTERM, SIG_DFL);
	munmap(p, size);
	close(fd);
}

/* What mlock(2) holds may not fill a tier: others must be able to read. */
void mlock_step(struct me *me)
{
	const struct file_spec *f;
	uint64_t off, len, size;
	int fd;
	char *p;

	f = &files[any_file(me, 0, &fd)];
	size = page_up(f->size);
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	any_range(me, f, 3 * MIB, PAGE, &off, &len);
	doing(me, "%s mlock, %llu + %llu", f->name, (unsigned long long)off,
	      (unsigned long long)len);
	if (mlock2(p + off, len, one_in(me, 3) ? MLOCK_ONFAULT : 0) &&
	    errno != EAGAIN && errno != EINTR && !shared->poison)
		broken(me, "mlock: %s", strerror(errno));
	nap(me, 30000);
	check_mem(me, f, p + off, off, len < 64 * KIB ? len : 64 * KIB);
	if (one_in(me, 2))
		munlock(p + off, len);
	munmap(p, size);
}
