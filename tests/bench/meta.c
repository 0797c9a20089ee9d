// SPDX-License-Identifier: GPL-2.0
/* Kernel memory that importing a file takes: of a large one, less of a small one, by chunks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
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

	if (argc != 4)
		return 2;
	fd = open_or_die(argv[3], O_RDONLY);
	chunks = file_size(fd) / CHUNK;
	close(fd);
	snprintf(path, sizeof(path), "%s/meta", argv[2]);
	for (int n = atoi(argv[1]); n > 0; n--) {
		uint64_t before = kernel_memory(), after;

		import_file(argv[2], argv[3], "meta");
		after = kernel_memory();
		if (unlink(path))
			die("unlink");
		/* The inode goes after a grace period. */
		sleep(1);
		printf("{\"job\":\"meta\",\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
		       chunks, after > before ? after - before : 0);
	}
	return 0;
}
