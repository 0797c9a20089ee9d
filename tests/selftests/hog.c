// SPDX-License-Identifier: GPL-2.0
/* A process that takes the memory of node 0 away. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common.h"
#include "hog.h"

#define MEMINFO		"/sys/devices/system/node/node0/meminfo"
#define STEP		(8 * MIB)

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

struct hog_state {
	volatile uint64_t taken;
	volatile int error, ready;
	uint64_t bytes, holes;
	bool locked;
};

int64_t node0_free(void)
{
	return kb_value(MEMINFO, "MemFree");
}

int64_t node0_available(void)
{
	return node0_free() + kb_value(MEMINFO, "Active(file)") +
	       kb_value(MEMINFO, "Inactive(file)");
}

static int take(struct hog_state *s, char *p)
{
	uint64_t off;

	for (off = 0; off < s->bytes; off += STEP) {
		if (madvise(p + off, STEP, MADV_POPULATE_WRITE))
			return -errno;
		s->taken = off + STEP;
	}
	if (s->locked && mlock2(p, s->bytes, MLOCK_ONFAULT))
		return -errno;
	for (off = 0; off < s->holes; off += 2 * PAGE)
		if (madvise(p + off, PAGE, MADV_DONTNEED_LOCKED))
			return -errno;
	return 0;
}

static int hog_main(void *arg)
{
	struct hog_state *s = arg;
	char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	write_file("/proc/self/oom_score_adj", "1000");
	if (s->locked)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (bind_to_node(0))
		return 1;
	p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->error = p == MAP_FAILED ? -errno : take(s, p);
	s->ready = 1;
	for (;;)
		pause();
}

bool hog_alive(struct hog *hog)
{
	return hog->pid > 0 && !waitpid(hog->pid, NULL, WNOHANG);
}

uint64_t hog_taken(struct hog *hog)
{
	return hog->state->taken;
}

int hog_start(struct hog *hog, uint64_t bytes, bool locked, uint64_t holes,
	      double secs)
{
	struct hog_state *s;

	hog->pid = -1;
	s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -errno;
	hog->state = s;
	s->bytes = bytes & ~(STEP - 1);
	s->holes = holes < s->bytes ? holes : s->bytes;
	s->locked = locked;
	hog->pid = spawn(hog_main, s);
	if (hog->pid < 0)
		return -errno;
	if (!POLL(s->ready || !hog_alive(hog), secs))
		return -ETIMEDOUT;
	return s->ready ? s->error : -ESRCH;
}

void hog_stop(struct hog *hog)
{
	if (hog->pid > 0 && !kill(hog->pid, SIGKILL))
		waitpid(hog->pid, NULL, 0);
	hog->pid = -1;
}
