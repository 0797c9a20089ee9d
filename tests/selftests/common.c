// SPDX-License-Identifier: GPL-2.0
/* The environment, the mount, and clearing up. */
#include <dirent.h>
#include <limits.h>
#include <sys/mount.h>
#include <time.h>

#include "common.h"

static int root = -1;

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

const char *mnt_dir(void)
{
	return getenv("ITME_MNT") ?: "/tmp/itme-selftest";
}

const char *lower_dir(void)
{
	return getenv("ITME_LOWER_DIR");
}

bool profile_is(const char *name)
{
	const char *p = getenv("ITME_PROFILE");

	return p && !strcmp(p, name);
}

/* bits 0 to 63 of a node list such as "0-1,3" */
static uint64_t node_list(const char *path)
{
	uint64_t mask = 0;
	char buf[256];
	char *p = buf;

	if (read_file(path, buf, sizeof(buf)) < 0)
		return 0;
	while (*p >= '0' && *p <= '9') {
		long a = strtol(p, &p, 10), b = a;

		if (*p == '-')
			b = strtol(p + 1, &p, 10);
		for (; a <= b && a < 64; a++)
			mask |= 1ULL << a;
		if (*p == ',')
			p++;
	}
	return mask;
}

int cxl_node(void)
{
	uint64_t mask = node_list("/sys/devices/system/node/has_memory") &
			~node_list("/sys/devices/system/node/has_cpu");

	return mask ? __builtin_ctzll(mask) : -1;
}

bool have_cxl_node(void)
{
	return cxl_node() >= 0;
}

const char *missing(void)
{
	if (geteuid())
		return "not root";
	if (!lower_dir())
		return "ITME_LOWER_DIR is not set";
	if (access("/sys/module/itme", F_OK))
		return "the module itme is not loaded";
	return NULL;
}

int root_fd(void)
{
	if (root < 0)
		root = open(mnt_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root;
}

void root_close(void)
{
	if (root >= 0)
		close(root);
	root = -1;
}

int itme_mount_at(const char *dir, const char *opts)
{
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	return mount("itme", dir, "itmefs", 0, opts) ? -errno : 0;
}

int itme_mount(const char *opts)
{
	int ret = itme_mount_at(mnt_dir(), opts);

	if (ret)
		return ret;
	root_close();
	return root_fd() < 0 ? -errno : 0;
}

int itme_remount(const char *opts)
{
	return mount("itme", mnt_dir(), "itmefs", MS_REMOUNT, opts) ? -errno : 0;
}

int itme_umount(void)
{
	root_close();
	return umount2(mnt_dir(), 0) ? -errno : 0;
}

/* the first place an itmefs is mounted at, or NULL */
static const char *mounted_at(void)
{
	static char dir[256];
	char line[1024], type[64];
	const char *found = NULL;
	FILE *f = fopen("/proc/mounts", "r");

	if (!f)
		return NULL;
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %255s %63s", dir, type) == 2 &&
		    !strcmp(type, "itmefs"))
			found = dir;
	fclose(f);
	return found;
}

static void unlink_all(const char *path, const char *prefix)
{
	struct dirent *e;
	DIR *d = opendir(path);

	if (!d)
		return;
	/* itmefs may not keep its place over unlink: begin again */
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    strncmp(e->d_name, prefix, strlen(prefix)))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0)) {
			char sub[PATH_MAX];

			if (errno != EISDIR)
				break;
			snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
			unlink_all(sub, "");
			if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR))
				break;
		}
		rewinddir(d);
	}
	closedir(d);
}

static void remove_lower(void)
{
	if (lower_dir())
		unlink_all(lower_dir(), "t.");
}

void cleanup_before(void)
{
	const char *dir;
	int tries = 100;

	root_close();
	while ((dir = mounted_at()) && tries--) {
		unlink_all(dir, "");
		if (umount2(dir, 0)) {
			usleep(50000);
			if (tries < 50)
				umount2(dir, MNT_DETACH);
		}
	}
	remove_lower();
}

static bool module_unused(void)
{
	char buf[32];

	return read_file("/sys/module/itme/refcnt", buf, sizeof(buf)) <= 0 ||
	       atoi(buf) == 0;
}

/* Seconds. A child that took most of the memory, and is killed with its test, takes long. */
#define GONE_SECS	60

const char *cleanup_after(void)
{
	static char wrong[256];
	const char *dir;

	wrong[0] = 0;
	root_close();
	dir = mounted_at();
	if (dir) {
		unlink_all(dir, "");
		root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (!POLL(!tier_used(DRAM) && !tier_used(CXL), 20))
			snprintf(wrong, sizeof(wrong),
				 "%llu bytes of DRAM, %llu of CXL used without a file",
				 (unsigned long long)tier_used(DRAM),
				 (unsigned long long)tier_used(CXL));
		else if (tier_pinned(DRAM) || tier_pinned(CXL))
			snprintf(wrong, sizeof(wrong), "pinned without a file");
		root_close();
	}
	while ((dir = mounted_at())) {
		if (!POLL(!umount2(dir, 0), GONE_SECS)) {
			snprintf(wrong, sizeof(wrong), "umount %s: %s", dir,
				 strerror(errno));
			umount2(dir, MNT_DETACH);
		}
	}
	if (!wrong[0] && !POLL(module_unused(), GONE_SECS))
		snprintf(wrong, sizeof(wrong), "module in use after umount");
	remove_lower();
	return wrong[0] ? wrong : NULL;
}
