// SPDX-License-Identifier: GPL-2.0
/* Actors that change the machine: budgets, memory, processors, NUMA balancing. */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "stress.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* From now on use may be above a budget; called again: no more. */
static void budget_window(void)
{
	__atomic_add_fetch(&shared->budget_seq, 1, __ATOMIC_SEQ_CST);
}

void budget_step(struct me *me)
{
	uint64_t dram = rnd_in(me, 4, 12) * CHUNK;
	uint64_t cxl = one_in(me, 4) ? 0 : rnd_in(me, 4, 8) * CHUNK;
	bool both = one_in(me, 4);
	uint32_t tier = rnd(me, 2);
	char opts[100];
	int ret;

	doing(me, "budgets %llu and %llu", (unsigned long long)dram, (unsigned long long)cxl);
	budget_window();
	if (both) {
		snprintf(opts, sizeof(opts), "dram=%llu,cxl=%llu",
			 (unsigned long long)dram, (unsigned long long)cxl);
		ret = itme_remount(opts);
	} else {
		ret = tier_set(tier, tier == DRAM ? dram : cxl);
	}
	budget_window();
	/* pins, what is held, a node that is offline */
	if (ret && ret != -EBUSY && ret != -EINVAL && ret != -EINTR)
		broken(me, "budget: %s", strerror(-ret));
	me->slot->done += !ret;
	nap(me, one_in(me, 4) ? 300000 : 20000);
}

/* The memory blocks of the CXL node. */
#define MEMORY	"/sys/devices/system/memory"

static int blocks(int *nr, int max)
{
	struct dirent *e;
	char path[100];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", cxl_node());
	d = opendir(path);
	while (d && (e = readdir(d)) && n < max)
		n += sscanf(e->d_name, "memory%d", &nr[n]) == 1;
	if (d)
		closedir(d);
	return n;
}

static int set_block(int block, const char *state)
{
	char path[100];

	snprintf(path, sizeof(path), MEMORY "/memory%d/state", block);
	return write_file(path, state);
}

/* Whatever is off comes back. */
void plug_restore(void)
{
	char path[300], state[16];
	struct dirent *e;
	DIR *d = opendir(MEMORY);
	int block;

	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "memory%d", &block) != 1)
			continue;
		snprintf(path, sizeof(path), MEMORY "/%s/state", e->d_name);
		if (read_file(path, state, sizeof(state)) > 0 && !strncmp(state, "offline", 7))
			set_block(block, "online_movable");
	}
	if (d)
		closedir(d);
}

struct plug {
	int nr[64];
	int n;
};

bool plug_init(struct me *me)
{
	struct plug *s = calloc(1, sizeof(*s));

	/* an earlier one may have been killed while it was off */
	plug_restore();
	if (!s || !have_cxl_node())
		return false;
	s->n = blocks(s->nr, ARRAY_LEN(s->nr));
	me->state = s;
	return s->n;
}

static void on_alarm(int sig)
{
	(void)sig;
}

void plug_step(struct me *me)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct plug *s = me->state;
	int i, from = rnd(me, s->n), n = one_in(me, 3) ? s->n : 1;
	int ret;

	/* offlining goes on for as long as something is held, but for a signal */
	sigaction(SIGALRM, &sa, NULL);
	for (i = 0; i < n && !shared->stop; i++) {
		int block = s->nr[(from + i) % s->n];

		doing(me, "block %d goes offline", block);
		alarm(20);
		ret = set_block(block, "offline");
		alarm(0);
		me->slot->done += !ret;
		me->slot->beat++;
	}
	doing(me, "blocks are offline");
	nap(me, 1000000);
	for (i = 0; i < n; i++) {
		int block = s->nr[(from + i) % s->n];

		doing(me, "block %d comes online", block);
		set_block(block, "online_movable");
		me->slot->beat++;
	}
	nap(me, 500000);
}

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

bool cpu_init(struct me *me)
{
	(void)me;
	return !access(CPU1, W_OK);
}

void cpu_step(struct me *me)
{
	doing(me, "processor 1 goes");
	write_file(CPU1, "0");
	nap(me, 300000);
	doing(me, "processor 1 comes");
	write_file(CPU1, "1");
	nap(me, 3000000);
}

void cpu_restore(void)
{
	write_file(CPU1, "1");
}

/*
 * Takes what memory there is, but for a rest, and lets some of it go again and
 * again. It is the first that the OOM killer would take, which is a failure.
 */
#define HOG_REST	(112 * MIB)
#define HOG_MAX		(8192 * MIB)
#define HOG_STEP	(16 * MIB)

struct hog {
	char *p;
	uint64_t at;
};

bool hog_init(struct me *me)
{
	struct hog *h = calloc(1, sizeof(*h));

	if (!h)
		return false;
	write_file("/proc/self/oom_score_adj", "1000");
	h->p = mmap(NULL, HOG_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* a gigabyte in small pages is minutes under a debug kernel */
	madvise(h->p, HOG_MAX, MADV_HUGEPAGE);
	me->state = h;
	return h->p != MAP_FAILED;
}

void hog_step(struct me *me)
{
	struct hog *h = me->state;
	int64_t left = kb_value("/proc/meminfo", "MemAvailable");

	doing(me, "hog of %llu", (unsigned long long)h->at);
	if (left > (int64_t)(HOG_REST + HOG_STEP) && h->at < HOG_MAX) {
		madvise(h->p + h->at, HOG_STEP, MADV_POPULATE_WRITE);
		h->at += HOG_STEP;
		return;
	}
	/* as low as it shall get */
	while (left < (int64_t)HOG_REST && h->at) {
		uint64_t give = rnd_in(me, 1, 6) * HOG_STEP;

		if (give > h->at)
			give = h->at;
		h->at -= give;
		madvise(h->p + h->at, give, MADV_DONTNEED);
		left = kb_value("/proc/meminfo", "MemAvailable");
	}
	me->slot->done++;
	nap(me, 50000);
}

/* A process in a small cgroup: its faults may not be charged to it, nor reclaim from it hang. */
#define CGROUP	"/sys/fs/cgroup/itme-stress"

bool cgroup_init(struct me *me)
{
	char pid[20];

	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	me->state = calloc(1, sizeof(struct hog));
	return !write_file(CGROUP "/memory.high", "12M") &&
	       !write_file(CGROUP "/cgroup.procs", pid) && me->state;
}

void cgroup_step(struct me *me)
{
	const struct file_spec *f;
	int fd, i = any_file(me, 0, &fd);
	uint64_t off, len;
	char *p, *own;

	f = &files[i];
	doing(me, "%s in a small cgroup", f->name);
	p = mmap(NULL, page_up(f->size), PROT_READ, MAP_SHARED, fd, 0);
	own = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || own == MAP_FAILED)
		broken(me, "mmap: %s", strerror(errno));
	memset(own, 1, 8 * MIB);
	for (i = 0; i < 8; i++) {
		any_range(me, f, 512 * KIB, 1, &off, &len);
		check_mem(me, f, p + off, off, len);
		me->slot->beat++;
	}
	munmap(p, page_up(f->size));
	munmap(own, 8 * MIB);
	close(fd);
	if (one_in(me, 4))
		write_file(CGROUP "/memory.reclaim", "8M");
}

void cgroup_restore(void)
{
	(void)POLL(!rmdir(CGROUP) || errno == ENOENT, 5);
}

#define BALANCE	"/proc/sys/kernel/numa_balancing"
#define SCAN	"/sys/kernel/debug/sched/numa_balancing/"

bool balance_init(struct me *me)
{
	(void)me;
	if (access(BALANCE, W_OK))
		return false;
	/* all of a process, ten times a second */
	write_file(SCAN "scan_delay_ms", "10");
	write_file(SCAN "scan_period_min_ms", "100");
	write_file(SCAN "scan_period_max_ms", "100");
	return true;
}

void balance_step(struct me *me)
{
	static const char * const mode[] = { "1", "2", "3", "1", "2", "0" };

	write_file(BALANCE, mode[rnd(me, ARRAY_LEN(mode))]);
	doing(me, "NUMA balancing");
	nap(me, 2000000);
}

void balance_restore(void)
{
	write_file(BALANCE, "0");
}

/*
 * Memory errors in pages of a mapping. Whoever has a page mapped may be killed
 * for it, so a child does it.
 */
void poison_step(struct me *me)
{
	const struct file_spec *f;
	uint64_t off, len;
	int fd, status;
	pid_t pid;
	char *p;

	shared->poison = 1;
	f = &files[any_file(me, 0, &fd)];
	any_range(me, f, 8 * PAGE, PAGE, &off, &len);
	doing(me, "%s poison at %llu", f->name, (unsigned long long)off);
	pid = fork();
	if (!pid) {
		p = mmap(NULL, page_up(f->size), PROT_READ,
			 one_in(me, 3) ? MAP_PRIVATE : MAP_SHARED, fd, 0);
		if (p == MAP_FAILED || touch(p + off))
			_exit(1);
		_exit(madvise(p + off, PAGE, one_in(me, 2) ? MADV_HWPOISON :
			      MADV_SOFT_OFFLINE) ? 1 : 0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && !status)
		me->slot->done++;
	close(fd);
	nap(me, 200000);
}
