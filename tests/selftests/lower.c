// SPDX-License-Identifier: GPL-2.0
/* Files: the pattern, lower files, imported files, and checking them. */
#include <setjmp.h>
#include <signal.h>

#include "common.h"

#define BUF	(256 * KIB)

uint64_t pattern_word(uint64_t index, uint64_t seed)
{
	uint64_t x = (index + seed * 0x100000001b3ULL) * 0x9e3779b97f4a7c15ULL;

	return x ^ (x >> 32);
}

static uint8_t pattern_byte(uint64_t off, uint64_t seed)
{
	return pattern_word(off / 8, seed) >> (8 * (off % 8));
}

void pattern_fill(void *buf, size_t len, uint64_t off, uint64_t seed)
{
	uint8_t *p = buf;

	for (; len && off % 8; len--, off++)
		*p++ = pattern_byte(off, seed);
	for (; len >= 8; len -= 8, off += 8, p += 8) {
		uint64_t w = pattern_word(off / 8, seed);

		memcpy(p, &w, 8);
	}
	for (; len; len--, off++)
		*p++ = pattern_byte(off, seed);
}

static int mismatch(const uint8_t *seen, uint64_t off, uint64_t seed)
{
	fprintf(stderr, "# wrong byte at %llu (chunk %llu + %llu): %02x, not %02x\n",
		(unsigned long long)off, (unsigned long long)(off / CHUNK),
		(unsigned long long)(off % CHUNK), *seen,
		pattern_byte(off, seed));
	return 1;
}

static int check_bytes(const uint8_t *p, size_t len, uint64_t off,
		       uint64_t seed)
{
	for (; len; len--, off++, p++)
		if (*p != pattern_byte(off, seed))
			return mismatch(p, off, seed);
	return 0;
}

int pattern_check(const void *buf, size_t len, uint64_t off, uint64_t seed)
{
	size_t head = (8 - off % 8) % 8, words, i;
	const uint8_t *p = buf;

	if (head > len)
		head = len;
	if (check_bytes(p, head, off, seed))
		return 1;
	p += head;
	off += head;
	words = (len - head) / 8;
	for (i = 0; i < words; i++) {
		uint64_t w;

		memcpy(&w, p + i * 8, 8);
		if (w != pattern_word(off / 8 + i, seed))
			return check_bytes(p + i * 8, 8, off + i * 8, seed);
	}
	return check_bytes(p + words * 8, (len - head) % 8, off + words * 8,
			   seed);
}

int write_pattern(int fd, uint64_t size, uint64_t seed)
{
	char *buf = malloc(BUF);
	uint64_t off;
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	for (off = 0; off < size && !ret; off += BUF) {
		size_t n = size - off < BUF ? size - off : BUF;

		pattern_fill(buf, n, off, seed);
		if (pwrite(fd, buf, n, off) != (ssize_t)n)
			ret = -(errno ?: ENOSPC);
	}
	free(buf);
	if (!ret && fsync(fd))
		ret = -errno;
	/* what is in the page cache already would need no drive */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return ret;
}

static int make(const char *path, uint64_t size, uint64_t seed)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_pattern(fd, size, seed);
	close(fd);
	return ret;
}

int lower(uint64_t size, uint64_t seed)
{
	char path[512], tmp[512];
	struct stat st;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/p.%llu.%llu", lower_dir(),
		 (unsigned long long)size, (unsigned long long)seed);
	snprintf(tmp, sizeof(tmp), "%s/t.making", lower_dir());
	if (stat(path, &st) || (uint64_t)st.st_size != size) {
		ret = make(tmp, size, seed);
		if (ret)
			return ret;
		if (rename(tmp, path))
			return -errno;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const char *lower_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/t.%s", lower_dir(), name);
	return path;
}

int lower_new(const char *name, uint64_t size, uint64_t seed)
{
	int ret = make(lower_path(name), size, seed);

	if (ret)
		return ret;
	ret = open(lower_path(name), O_RDONLY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

const char *file_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", mnt_dir(), name);
	return path;
}

int file_open(const char *name, int flags)
{
	int fd = open(file_path(name), flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int file_unlink(const char *name)
{
	return unlink(file_path(name)) ? -errno : 0;
}

int import_open(const char *name, uint64_t size, uint64_t seed, uint32_t chunk)
{
	int ret, fd = lower(size, seed);

	if (fd < 0)
		return fd;
	ret = import_fd(name, fd, chunk);
	close(fd);
	return ret ?: file_open(name, O_RDONLY);
}

static int read_through(int fd, uint64_t off, uint64_t len, uint64_t seed,
			size_t step)
{
	char *buf = malloc(BUF);
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	while (len && !ret) {
		size_t want = len < BUF ? len : BUF, i;
		ssize_t n = pread(fd, buf, want, off);

		if (n <= 0) {
			ret = n ? -errno : -ENODATA;
			break;
		}
		if (!step)
			ret = pattern_check(buf, n, off, seed);
		for (i = 0; step && i + 8 <= (size_t)n && !ret; i += step)
			ret = pattern_check(buf + i, 8, off + i, seed);
		off += n;
		len -= n;
	}
	free(buf);
	return ret;
}

int check_read(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	return read_through(fd, off, len, seed, 0);
}

int scan(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	return read_through(fd, off, len, seed, 512);
}

void *map_ro(int fd, uint64_t off, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, off);

	return p == MAP_FAILED ? NULL : p;
}

int check_mapped(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	uint64_t start = off & ~(PAGE - 1);
	char *p = map_ro(fd, start, off + len - start);
	int ret;

	if (!p)
		return -errno;
	ret = pattern_check(p + (off - start), len, off, seed);
	munmap(p, off + len - start);
	return ret;
}

static __thread sigjmp_buf touch_env;

static void touch_signal(int sig)
{
	siglongjmp(touch_env, sig);
}

int touch(const volatile void *p)
{
	struct sigaction sa = { .sa_handler = touch_signal }, bus, segv;
	int sig;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	sig = sigsetjmp(touch_env, 1);
	if (!sig)
		(void)*(const volatile char *)p;
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}
