// SPDX-License-Identifier: GPL-2.0
/* Actors on the tree: import and remove, mount and unmount, calls that must fail. */
#include <dirent.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "stress.h"

static int import_again(const struct file_spec *f, uint32_t chunk)
{
	int fd = lower(f->size, f->seed), ret;

	if (fd < 0)
		return fd;
	ret = import_fd(f->name, fd, chunk);
	close(fd);
	return ret;
}

void names_step(struct me *me)
{
	const struct file_spec *f = &files[rnd(me, NR_FILES)];
	uint32_t chunk = one_in(me, 3) ? 64 * KIB << rnd(me, 6) : f->chunk;
	uint64_t off, len;
	char buf[8 * KIB];
	char *p = NULL;
	int fd, i, ret;

	doing(me, "%s removed", f->name);
	fd = file_open(f->name, O_RDONLY);
	if (fd >= 0) {
		p = mmap(NULL, page_up(f->size), PROT_READ, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			broken(me, "mmap: %s", strerror(errno));
		ret = file_unlink(f->name);
		if (ret && ret != -ENOENT)
			broken(me, "unlink: %s", strerror(-ret));
	}
	doing(me, "%s imported", f->name);
	ret = import_again(f, chunk);
	if (ret && ret != -EEXIST && ret != -EINTR)
		broken(me, "import: %s", strerror(-ret));
	/* two of it now, the old one without a name */
	doing(me, "%s without a name", f->name);
	for (i = 0; fd >= 0 && i < 5; i++) {
		any_range(me, f, sizeof(buf), 1, &off, &len);
		check_io(me, f, buf, pread(fd, buf, len, off), off, "read");
		check_mem(me, f, p + off, off, len);
	}
	if (fd >= 0) {
		close(fd);
		munmap(p, page_up(f->size));
	}
	nap(me, 200000);
}

static const char *second_dir(void)
{
	static char dir[300];

	snprintf(dir, sizeof(dir), "%s.2", mnt_dir());
	return dir;
}

/* Busy is busy; a second mount of it comes and goes. */
void umount_step(struct me *me)
{
	struct itme_tier_info dram, cxl;
	char opts[100], path[400];
	char buf[PAGE];
	int i, fd, ret;

	doing(me, "umount of what is busy");
	if (!umount2(mnt_dir(), one_in(me, 2) ? 0 : UMOUNT_NOFOLLOW))
		broken(me, "what is in use could be unmounted");
	if (errno != EBUSY)
		broken(me, "umount: %s", strerror(errno));
	while (!umount2(second_dir(), MNT_DETACH))
		;	/* of one that was killed */
	if (tier_get(DRAM, &dram) || tier_get(CXL, &cxl))
		broken(me, "tier_get: %s", strerror(errno));
	snprintf(opts, sizeof(opts), "dram=%llu,cxl=%llu", (unsigned long long)dram.budget,
		 (unsigned long long)cxl.budget);
	doing(me, "second mount");
	ret = itme_mount_at(second_dir(), opts);
	if (ret && ret != -EBUSY && ret != -EINVAL && ret != -EINTR)
		broken(me, "second mount: %s", strerror(-ret));
	if (!ret) {
		i = rnd(me, NR_FILES);
		snprintf(path, sizeof(path), "%s/%s", second_dir(), files[i].name);
		fd = open(path, O_RDONLY);
		doing(me, "second umount");
		if (umount2(second_dir(), fd < 0 || one_in(me, 2) ? MNT_DETACH : 0) &&
		    errno != EBUSY)
			broken(me, "second umount: %s", strerror(errno));
		if (fd >= 0) {
			check_io(me, &files[i], buf, pread(fd, buf, PAGE, PAGE), PAGE, "read");
			close(fd);
		}
		umount2(second_dir(), 0);
		me->slot->done++;
	}
	nap(me, 100000);
}

void umount_restore(void)
{
	while (!umount2(second_dir(), MNT_DETACH))
		;
	rmdir(second_dir());
}

static const unsigned long cmds[] = {
	ITME_IOC_INFO, ITME_IOC_TIER_GET, ITME_IOC_TIER_SET, ITME_IOC_IMPORT,
	ITME_IOC_OBJECT, ITME_IOC_ADVISE, ITME_IOC_RESIDENCY, ITME_IOC_STATS,
	_IO(ITME_IOC_MAGIC, 0x40), _IOWR(ITME_IOC_MAGIC, 0x7f, long),
};

/* Arguments at wrong places, some of them in a mapping of the very file. */
static void bad_ioctl(struct me *me, int fd, const struct file_spec *f)
{
	unsigned long cmd = cmds[rnd(me, ARRAY_LEN(cmds))];
	uint64_t off = rnd(me, f->size) & ~(PAGE - 1);
	uint64_t words[32];
	char *p;
	size_t i;

	/* with a page behind it that is none: else what ends there might be that of the runner */
	p = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	if (mmap(p, PAGE, PROT_READ | (one_in(me, 2) ? PROT_WRITE : 0), MAP_PRIVATE | MAP_FIXED, fd,
		 off) == MAP_FAILED) {
		munmap(p, 2 * PAGE);
		return;
	}
	for (i = 0; i < ARRAY_LEN(words); i++)
		words[i] = one_in(me, 3) ? 0 : rnd(me, UINT64_MAX) >> rnd(me, 64);
	words[0] |= 1ULL << 40;		/* flags of TIER_SET: it may not succeed */
	doing(me, "%s bad ioctl %lx", f->name, cmd);
	switch (rnd(me, 4)) {
	case 0:
		ioctl(fd, cmd, NULL);
		break;
	case 1:
		ioctl(fd, cmd, p + PAGE - 8);
		break;
	case 2:
		ioctl(one_in(me, 2) ? fd : root_fd(), cmd, words);
		break;
	default:	/* the page is brought in while the ioctl copies */
		ioctl(one_in(me, 2) ? fd : root_fd(), cmd, p);
		break;
	}
	munmap(p, 2 * PAGE);
}

/* Residency told into a private mapping of the file that is asked for. */
static void residency_into_itself(struct me *me, int fd, const struct file_spec *f)
{
	struct itme_residency r;
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	int ret;

	if (p == MAP_FAILED)
		return;
	doing(me, "%s residency into itself", f->name);
	ret = residency(fd, 0, 0, &r, (uint8_t *)p, PAGE);
	if (ret && !shared->poison)
		broken(me, "residency: %s", strerror(-ret));
	if (!ret && r.bytes[DRAM] + r.bytes[CXL] + r.bytes[NVME] != f->size)
		broken(me, "residency counts %llu of %llu bytes",
		       (unsigned long long)(r.bytes[DRAM] + r.bytes[CXL] + r.bytes[NVME]),
		       (unsigned long long)f->size);
	munmap(p, PAGE);
}

static void must_fail(struct me *me, const char *what, int ret)
{
	if (!ret || ret > 0)
		broken(me, "%s worked", what);
}

/* A file that is written. It has lost its names when it gets pages: who is killed leaves none. */
static void own_file(struct me *me)
{
	uint64_t off = rnd(me, 4 * MIB) & ~(PAGE - 1);
	char path[400], other[400], page[PAGE], back[PAGE];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/own.%d", mnt_dir(), getpid());
	snprintf(other, sizeof(other), "%s/other.%d", mnt_dir(), getpid());
	doing(me, "a file of its own at %llu", (unsigned long long)off);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	fsetxattr(fd, "user.x", "y", 1, 0);
	rename(path, other);
	link(other, path);
	unlink(other);
	unlink(path);
	if (!mkdir(other, 0700))
		rmdir(other);
	memset(page, 'a' + off / PAGE % 26, PAGE);
	n = pwrite(fd, page, PAGE, off);
	if (n == (ssize_t)PAGE) {
		n = pread(fd, back, PAGE, off);
		if (n == (ssize_t)PAGE ? memcmp(page, back, PAGE) : !shared->poison)
			broken(me, "%zd bytes read of what was written", n);
	}
	if (one_in(me, 2))
		ftruncate(fd, off + 1);
	close(fd);
}

static void bad_call(struct me *me, int fd, const struct file_spec *f)
{
	char path[400];
	struct statfs sfs;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", mnt_dir(), f->name);
	doing(me, "%s, calls that must fail", f->name);
	switch (rnd(me, 9)) {
	case 0: return must_fail(me, "ftruncate", ftruncate(fd, 1));
	case 1: return must_fail(me, "truncate", truncate(path, 1));
	case 2: return must_fail(me, "fallocate", fallocate(fd, 0, 0, PAGE));
	case 3: return must_fail(me, "write", pwrite(fd, "x", 1, 0));
	case 4: return must_fail(me, "open for writing", open(path, O_RDWR));
	case 5: return must_fail(me, "open with O_TRUNC", open(path, O_RDONLY | O_TRUNC));
	case 6: return must_fail(me, "writable mapping",
				 mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
				 MAP_FAILED ? -1 : 0);
	case 7:	/* these are no harm */
		flock(fd, LOCK_SH | LOCK_NB);
		fcntl(fd, F_SETLEASE, F_RDLCK);
		fcntl(fd, F_SETFL, O_DIRECT);
		fsync(fd);
		syncfs(fd);
		fstatfs(fd, &sfs);
		readahead(fd, 0, 4 * MIB);
		break;
	default:
		d = opendir(mnt_dir());
		while (d && readdir(d))
			;
		if (d)
			closedir(d);
		break;
	}
}

void hostile_step(struct me *me)
{
	const struct file_spec *f;
	int fd;

	f = &files[any_file(me, 0, &fd)];
	switch (rnd(me, 4)) {
	case 0:
		bad_ioctl(me, fd, f);
		break;
	case 2:
		own_file(me);
		break;
	case 1:
		residency_into_itself(me, fd, f);
		break;
	default:
		bad_call(me, fd, f);
		break;
	}
	close(fd);
	nap(me, 5000);
}
