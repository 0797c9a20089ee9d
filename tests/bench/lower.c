// SPDX-License-Identifier: GPL-2.0
/* The lower file: every word another, so that equal sums mean equal data. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

int job_write(int argc, char **argv)
{
	uint64_t size, *buf;
	int fd;

	if (argc != 3)
		return 2;
	size = size_arg(argv[2]);
	fd = open_or_die(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT);
	buf = aligned_alloc(CHUNK, CHUNK);
	if (!buf)
		die("no memory");
	for (uint64_t pos = 0; pos < size; pos += CHUNK) {
		uint64_t n = size - pos < CHUNK ? size - pos : CHUNK;

		for (uint64_t i = 0; i < CHUNK / 8; i++)
			buf[i] = (pos / 8 + i) * 0x9e3779b97f4a7c15ULL;
		errno = 0;
		if (write(fd, buf, n) != (ssize_t)n)
			die("write to %s", argv[1]);
	}
	if (fsync(fd))
		die("fsync");
	free(buf);
	close(fd);
	return 0;
}
