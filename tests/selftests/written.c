// SPDX-License-Identifier: GPL-2.0
#include "common.h"
#include "written.h"

int create(const char *name)
{
	int fd = open(file_path(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

uint64_t pages_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? UINT64_MAX : st.st_blocks * 512 / PAGE;
}

off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

int put(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	char *buf = malloc(MIB);
	int err = buf ? 0 : -ENOMEM;

	while (!err && len) {
		size_t n = len < MIB ? len : MIB;
		ssize_t done;

		pattern_fill(buf, n, off, seed);
		done = pwrite(fd, buf, n, off);
		if (done != (ssize_t)n)
			err = done < 0 ? -errno : -ENOSPC;
		off += n;
		len -= n;
	}
	free(buf);
	return err;
}

int all_zero(const char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

int reads_zero(int fd, uint64_t off, uint64_t len)
{
	char *buf = malloc(len);
	int ok = buf && pread(fd, buf, len, off) == (ssize_t)len && all_zero(buf, len);

	free(buf);
	return ok;
}

int write_at(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	char *buf = malloc(len);
	ssize_t n;

	pattern_fill(buf, len, off, seed);
	n = pwrite(fd, buf, len, off);
	free(buf);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

int limit(const char *dir, uint32_t flags, uint64_t *bytes, uint64_t *used)
{
	struct itme_limit arg = { .bytes = *bytes, .flags = flags };
	int fd = open(file_path(dir), O_RDONLY), err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, ITME_IOC_LIMIT, &arg) ? -errno : 0;
	close(fd);
	*bytes = arg.bytes;
	if (used)
		*used = arg.used;
	return err;
}
