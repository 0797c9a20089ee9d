// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <signal.h>
#include <sys/vfs.h>

#include "scene.h"

int file = -1;
char *data, *back;
static struct statfs before;
/* not yet seen */
static bool any_room = true;

/* What files take, as the mount tells it, is what it was. */
static bool same_room(struct statfs *sf)
{
	return !statfs(mnt_dir(), sf) && sf->f_blocks == before.f_blocks &&
	       sf->f_bfree == before.f_bfree && sf->f_ffree == before.f_ffree;
}

void room_now(void)
{
	statfs(mnt_dir(), &before);
	any_room = false;
}

const char *room(void)
{
	static char text[160];
	struct statfs sf;

	if (any_room || POLL(same_room(&sf), 5))
		return NULL;
	snprintf(text, sizeof(text), "%lu of %lu pages, %lu inodes free, not %lu of %lu, %lu",
		 sf.f_bfree, sf.f_blocks, sf.f_ffree, before.f_bfree, before.f_blocks,
		 before.f_ffree);
	return text;
}

unsigned int sweep_warm(const struct op *op)
{
	any_room = true;
	if (op->before)
		op->before();
	op->run();
	if (op->after)
		op->after(0);
	room_now();
	return sweep(op);
}

int put(int fd, uint64_t off, uint64_t n, uint64_t seed)
{
	while (n) {
		size_t part = n < CHUNK ? n : CHUNK;
		ssize_t done;

		pattern_fill(data, part, off, seed);
		done = pwrite(fd, data, part, off);
		if (done <= 0)
			return done ? -errno : -ENODATA;
		off += done;
		n -= done;
	}
	return 0;
}

int create(const char *name, uint64_t size)
{
	int fd = open(file_path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int ret = fd < 0 ? -errno : put(fd, 0, size, 1);

	if (ret && fd >= 0)
		close(fd);
	return ret ?: fd;
}

int close_it(int fd)
{
	return fd < 0 ? -errno : close(fd);
}

int written_open(const char *opts)
{
	int ret = itme_mount(opts);

	if (ret)
		return ret;
	data = calloc(1, CHUNK);
	back = calloc(1, CHUNK);
	if (!data || !back)
		return -ENOMEM;
	/* so that nothing has to come for them while all fails */
	mlock(data, CHUNK);
	mlock(back, CHUNK);
	file = create("f", BASE);
	return file < 0 ? file : 0;
}

bool blank(uint64_t off, uint64_t n, bool either)
{
	if (pread(file, back, n, off) != (ssize_t)n)
		return false;
	pattern_fill(data, n, off, 2);
	for (uint64_t i = 0; i < n; i++)
		if (back[i] && !(either && back[i] == data[i]))
			return false;
	return true;
}

uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? UINT64_MAX : (uint64_t)st.st_size;
}

const char *undone(uint64_t size)
{
	const char *what = accounted(file);

	if (what)
		return what;
	if (ftruncate(file, BASE) || ftruncate(file, size))
		return "it cannot be cut off";
	return check_read(file, 0, BASE, 1) ? "wrong content before it" : room();
}

static sigjmp_buf poke_env;

static void poke_signal(int sig)
{
	siglongjmp(poke_env, sig);
}

int poke(volatile char *where)
{
	struct sigaction sa = { .sa_handler = poke_signal }, bus;
	int sig;

	sigaction(SIGBUS, &sa, &bus);
	sig = sigsetjmp(poke_env, 1);
	if (!sig)
		*where = 'x';
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}
