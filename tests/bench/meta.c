// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel memory that importing a file takes. With many chunks, what a file takes
 * anyway does not count.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

static uint64_t kernel_memory(void)
{
	return proc_value("/proc/meminfo", "Slab") + proc_value("/proc/meminfo", "VmallocUsed");
}

int job_meta(int argc, char **argv)
{
	uint64_t chunks;
	char path[4096];
	int fd;

	if (argc != 5)
		return 2;
	fd = open_or_die(argv[4], O_RDONLY);
	chunks = file_size(fd) / CHUNK;
	close(fd);
	snprintf(path, sizeof(path), "%s/meta", argv[3]);
	for (int n = atoi(argv[2]); n > 0; n--) {
		uint64_t before = kernel_memory(), after;

		import_file(argv[3], argv[4], "meta", 0);
		after = kernel_memory();
		if (unlink(path))
			die("unlink");
		/* The inode goes after a grace period. */
		sleep(1);
		printf("{\"job\":\"%s\",\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", argv[1],
		       chunks, after > before ? after - before : 0);
	}
	return 0;
}
