// SPDX-License-Identifier: GPL-2.0
/* The actors of a round: begun, killed and begun anew, watched, ended. */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "stress.h"

/* A step takes milliseconds; a debug kernel on a busy host makes seconds of it. */
#define STALL		60.0
#define EXIT_SKIP	77

static struct proc {
	const struct actor *actor;
	pid_t pid;
	int life;
	bool killed;
	uint64_t beat;
	double at;
} procs[MAX_ACTORS];
static int nr_procs;
static uint64_t round_seed;
static struct me watcher;

static void act(int i)
{
	struct proc *x = &procs[i];
	struct me me = {
		.actor = x->actor,
		.slot = &shared->slot[i],
		.rng = mix(round_seed, i * 1000 + x->life),
	};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	guard_install();
	doing(&me, "init");
	if (x->actor->init && !x->actor->init(&me))
		_exit(EXIT_SKIP);
	while (!shared->stop) {
		me.slot->beat++;
		x->actor->step(&me);
		if (!x->actor->optional)
			me.slot->done++;
	}
	_exit(0);
}

static void begin(int i)
{
	struct proc *x = &procs[i];

	fflush(stdout);
	fflush(stderr);
	x->killed = false;
	x->at = now();
	x->pid = fork();
	if (!x->pid)
		act(i);
	/* here as well, so that it is one whoever runs first */
	if (x->pid > 0)
		setpgid(x->pid, x->pid);
}

void watch_begin(const struct actor *const *set, const int *count, int nr, uint64_t seed)
{
	int i, j;

	memset(shared, 0, sizeof(*shared));
	nr_procs = 0;
	round_seed = seed;
	watcher.rng = mix(seed, 99);
	for (i = 0; i < nr; i++)
		for (j = 0; j < count[i] && nr_procs < MAX_ACTORS; j++) {
			memset(&procs[nr_procs], 0, sizeof(procs[0]));
			procs[nr_procs].actor = set[i];
			begin(nr_procs++);
		}
}

static void fail(const char *who, const char *what, const char *doing)
{
	fprintf(stderr, "# %s: %s (%s)\n", who, what, doing);
	if (!__sync_fetch_and_add(&shared->failed, 1))
		snprintf(shared->why, sizeof(shared->why), "%s: %s (%s)", who, what, doing);
}

static void dump_stack(pid_t pid)
{
	char path[64], buf[4096];
	struct dirent *e;
	DIR *d;

	/* one that runs has no stack to show */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file(path, buf, sizeof(buf)) > 0 && strstr(buf, "State:"))
		fprintf(stderr, "# %.20s\n", strstr(buf, "State:"));
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		char *line, *save;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stack", pid, e->d_name);
		if (read_file(path, buf, sizeof(buf)) <= 0)
			continue;
		fprintf(stderr, "# task %s:\n", e->d_name);
		for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			fprintf(stderr, "#   %s\n", line);
	}
	if (d)
		closedir(d);
}

static void dump_all(void)
{
	int i;

	for (i = 0; i < nr_procs; i++)
		if (procs[i].pid > 0) {
			fprintf(stderr, "# %s %d (%s)\n", procs[i].actor->name, procs[i].pid,
				shared->slot[i].doing);
			dump_stack(procs[i].pid);
		}
	write_file("/proc/sysrq-trigger", "w");
}

static bool has_ended(int i)
{
	struct proc *x = &procs[i];
	char what[40];
	int status;

	if (x->pid <= 0)
		return true;
	if (waitpid(x->pid, &status, WNOHANG) != x->pid)
		return false;
	x->pid = 0;
	/* its children: those of a killed one that PDEATHSIG does not reach */
	if (!strcmp(x->actor->name, "budget") && shared->budget_seq % 2)
		shared->budget_seq++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		snprintf(shared->slot[i].doing, sizeof(shared->slot[i].doing), "skipped");
		x->life = -1;
	} else if (x->killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		x->life++;
	} else if (WIFSIGNALED(status) && !(shared->poison && WTERMSIG(status) == SIGBUS)) {
		snprintf(what, sizeof(what), "died of signal %d", WTERMSIG(status));
		fail(x->actor->name, what, shared->slot[i].doing);
	} else if (WIFEXITED(status) && WEXITSTATUS(status)) {
		if (!shared->failed)
			fail(x->actor->name, "failed", shared->slot[i].doing);
	} else {
		x->life++;
	}
	return true;
}

static void watch_beats(void)
{
	int i;

	for (i = 0; i < nr_procs; i++) {
		struct proc *x = &procs[i];

		if (has_ended(i)) {
			if (x->life >= 0 && !shared->stop)
				begin(i);
			continue;
		}
		if (shared->slot[i].beat != x->beat) {
			x->beat = shared->slot[i].beat;
			x->at = now();
		} else if (now() - x->at > STALL) {
			fail(x->actor->name, x->killed ? "killed, and still there after 60 s" :
			     "no step within 60 s", shared->slot[i].doing);
			dump_all();
			return;
		}
	}
}

/* what the one who changes budgets was at */
static const char *budget_doing(void)
{
	static char text[160];
	int i;

	for (i = 0; i < nr_procs; i++)
		if (!strcmp(procs[i].actor->name, "budget"))
			snprintf(text, sizeof(text), "life %d, step %llu, %s%s", procs[i].life,
				 (unsigned long long)shared->slot[i].beat, shared->slot[i].doing,
				 procs[i].killed ? ", killed" : "");
	return text;
}

static void watch_budgets(void)
{
	uint32_t tier, seq;

	for (tier = DRAM; tier <= CXL; tier++) {
		struct itme_tier_info ti, later;
		char what[160];

		seq = __atomic_load_n(&shared->budget_seq, __ATOMIC_SEQ_CST);
		if (seq % 2 || tier_get(tier, &ti) ||
		    seq != __atomic_load_n(&shared->budget_seq, __ATOMIC_SEQ_CST))
			continue;
		if (ti.used <= ti.budget && ti.pinned <= ti.budget)
			continue;
		/* does it stay so? */
		usleep(200000);
		if (tier_get(tier, &later))
			later = ti;
		snprintf(what, sizeof(what),
			 "tier %u: %lld KiB used, %lld pinned, of %lld; then %lld of %lld", tier,
			 (long long)ti.used / 1024, (long long)ti.pinned / 1024,
			 (long long)ti.budget / 1024, (long long)later.used / 1024,
			 (long long)later.budget / 1024);
		fail("budget", what, budget_doing());
	}
}

bool watch_run(double secs, bool kills, bool mounted)
{
	double end = now() + secs, kill_at = now() + 0.5;

	while (now() < end && !shared->failed) {
		watch_beats();
		/* without a mount that stays, there is nothing to ask */
		if (mounted)
			watch_budgets();
		if (kills && now() > kill_at) {
			struct proc *x = &procs[rnd(&watcher, nr_procs)];

			if (x->pid > 0 && !x->killed) {
				x->killed = true;
				kill(-x->pid, SIGKILL);
			}
			kill_at = now() + rnd(&watcher, 400) / 1000.0;
		}
		usleep(5000);
	}
	return !shared->failed;
}

static bool all_ended(void)
{
	bool all = true;
	int i;

	for (i = 0; i < nr_procs; i++)
		all &= has_ended(i);
	return all;
}

/* Return: true when no actor is left, and none found anything wrong */
bool watch_end(void)
{
	int i;

	shared->stop = 1;
	if (!POLL(all_ended(), STALL)) {
		for (i = 0; i < nr_procs; i++)
			if (procs[i].pid > 0)
				fail(procs[i].actor->name, "does not end",
				     shared->slot[i].doing);
		dump_all();
	}
	for (i = 0; i < nr_procs; i++)
		if (procs[i].pid > 0)
			kill(-procs[i].pid, SIGKILL);
	if (!POLL(all_ended(), 30))
		fail("an actor", "cannot be killed", "");
	for (i = 0; i < nr_procs; i++)
		if (procs[i].actor->restore)
			procs[i].actor->restore();
	for (i = 0; i < nr_procs; i++)
		printf("# %s: %llu%s\n", procs[i].actor->name,
		       (unsigned long long)shared->slot[i].done,
		       procs[i].life < 0 ? ", cannot be done here" : "");
	return !shared->failed;
}
