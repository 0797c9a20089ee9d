// SPDX-License-Identifier: GPL-2.0
/*
 * An actor that mounts, sets all in motion, and unmounts: fills, moves, hints and
 * what the kernel does to the pages are under way when the end comes.
 */
#include <sys/mount.h>

#include "stress.h"

bool cycle_init(struct me *me)
{
	(void)me;
	cleanup_before();	/* of one that was killed */
	return true;
}

static bool mount_any(struct me *me, int *ret)
{
	char opts[100];

	snprintf(opts, sizeof(opts), "dram=%lluM,cxl=%lluM",
		 (unsigned long long)rnd_in(me, 4, 16) * 2,
		 (unsigned long long)(one_in(me, 3) ? 0 : rnd_in(me, 4, 8) * 2));
	doing(me, "mount %s", opts);
	*ret = itme_mount(opts);
	return !*ret;
}

static bool umount_it(int *ret)
{
	*ret = itme_umount();
	return !*ret;
}

/* Use one file a little, and leave things under way in it. */
static void set_in_motion(struct me *me, const struct file_spec *f)
{
	int fd, i, low = lower(f->size, f->seed);
	char buf[8 * KIB];
	uint64_t off, len;
	char *p;

	if (low < 0)
		broken(me, "lower file: %d", low);
	doing(me, "import %s", f->name);
	i = import_fd(f->name, low, one_in(me, 2) ? 64 * KIB : f->chunk);
	close(low);
	if (i)
		broken(me, "import: %s", strerror(-i));
	fd = file_open(f->name, O_RDONLY);
	if (fd < 0)
		broken(me, "open: %s", strerror(-fd));
	doing(me, "use of %s", f->name);
	p = mmap(NULL, page_up(f->size), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	for (i = rnd(me, 4); i > 0; i--) {
		any_range(me, f, sizeof(buf), 1, &off, &len);
		check_mem(me, f, p + off, off, len);
		any_range(me, f, sizeof(buf), 1, &off, &len);
		check_io(me, f, buf, pread(fd, buf, len, off), off, "read");
	}
	munmap(p, page_up(f->size));
	if (one_in(me, 2))
		advise(fd, 0, 4 * MIB, ITME_ADVICE_PIN, rnd(me, 2), NULL);
	if (one_in(me, 2))
		advise(fd, 0, 0, ITME_ADVICE_HOT, rnd(me, 2), NULL);
	/* last, as these go on when nobody waits */
	advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL);
	posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	close(fd);
}

void cycle_step(struct me *me)
{
	bool lazy = one_in(me, 4);
	int i, ret;

	/* a node may just be offline, or what was detached not be gone yet */
	if (!POLL(mount_any(me, &ret), 20))
		broken(me, "mount: %s", strerror(-ret));
	for (i = 0; i < NR_FILES; i++)
		if (one_in(me, 2))
			set_in_motion(me, &files[i]);
	if (one_in(me, 3))
		nap(me, 50000);
	doing(me, "umount");
	root_close();
	if (lazy && !umount2(mnt_dir(), MNT_DETACH)) {
		me->slot->done++;
		return;
	}
	if (!POLL(umount_it(&ret), 5))
		broken(me, "umount with nothing open: %s", strerror(-ret));
	me->slot->done++;
}
