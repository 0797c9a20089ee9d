// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static const struct job {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} jobs[] = {
	{ "write", job_write, "FILE SIZE" },
	{ "import", job_import, "MOUNT LOWER NAME [CHUNK]" },
	{ "read", job_read, "[options] NAME=FILE..., see reader.c" },
	{ "move", job_move, "ROUNDS LENGTH DRAM_NODE CXL_NODE FILE" },
	{ "touch", job_touch, "NODE LENGTH" },
	{ "meta", job_meta, "NAME ROUNDS MOUNT LOWER" },
	{ "kv", job_kv, "[options] NAME FILE SIZE, see kv.c" },
	{ "model", job_model, "[options], see model.c" },
};

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "itme-bench: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, err ? ": %s\n" : "\n", strerror(err));
	va_end(ap);
	exit(1);
}

uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t size_arg(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t n = strtoull(text, &end, 0);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == text || (*end && (!unit || end[1])))
		die("not a size: %s", text);
	return unit ? n << (10 * (unit - units + 1)) : n;
}

uint64_t proc_value(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(key);
	uint64_t sum = 0;
	char line[512];

	if (!f)
		die("%s", path);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			sum += strtoull(line + len + 1, NULL, 10) << 10;
	fclose(f);
	return sum;
}

int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s", path);
	return fd;
}

uint64_t file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return st.st_size;
}

void *map_file(int fd, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

void import_file(const char *mount, const char *lower, const char *name, uint32_t chunk)
{
	int dir = open_or_die(mount, O_RDONLY | O_DIRECTORY);
	int fd = open_or_die(lower, O_RDONLY);
	struct itme_import req = {
		.lower_fd = fd,
		.chunk_size = chunk,
		.name_len = strlen(name),
		.name = (uintptr_t)name,
	};

	if (ioctl(dir, ITME_IOC_IMPORT, &req))
		die("import of %s", lower);
	close(fd);
	close(dir);
}

int job_import(int argc, char **argv)
{
	if (argc != 4 && argc != 5)
		return 2;
	import_file(argv[1], argv[2], argv[3], argc == 5 ? size_arg(argv[4]) : 0);
	return 0;
}

uint64_t advise(int fd, uint64_t off, uint64_t len, uint32_t advice, uint32_t tier)
{
	struct itme_advise req = {
		.offset = off, .length = len, .advice = advice, .tier = tier,
	};

	if (ioctl(fd, ITME_IOC_ADVISE, &req))
		die("advice %u", advice);
	return req.done;
}

bool itme_counters(int fd, struct itme_stats *st)
{
	memset(st, 0, sizeof(*st));
	return !ioctl(fd, ITME_IOC_STATS, st);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		int ret;

		if (strcmp(argv[1], jobs[i].name))
			continue;
		ret = jobs[i].run(argc - 1, argv + 1);
		if (ret == 2)
			fprintf(stderr, "usage: itme-bench %s %s\n", jobs[i].name, jobs[i].usage);
		return ret;
	}
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		fprintf(stderr, "usage: itme-bench %s %s\n", jobs[i].name, jobs[i].usage);
	return 2;
}
