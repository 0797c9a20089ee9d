// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds of stress. Each mounts, lets a set of actors loose, and checks that all
 * of it can be undone: no actor is left, what is counted is what is there, the
 * content is right, both tiers can be emptied, umount and rmmod work.
 *
 *   stress [ACTOR[:COUNT]...]		one round of just these
 *
 * Environment, besides that of common.h:
 *   ITME_SOAK=1	the long run
 *   ITME_SEED=N	repeats a run, as far as processes can be repeated
 *   ITME_SECONDS=N	of each round
 *   ITME_BAIL=1	ends with the first failure
 *   ITME_NO_KILLS=1	kills no actor, where they are given
 *   ITME_KO=FILE	the module is removed and inserted between rounds
 *   ITME_IMPORT=...	more files to import, by path
 *   ITME_ALONG=...	a shell command that runs beside the actors
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "actors.h"

struct plan {
	const char *what;
	const char *set;	/* names; "all"; "some": half of them, at random */
	int secs, soak_secs;
	bool mounted, kills;
};

static const struct plan plans[] = {
	{ "all actors", "all", 12, 150, true, true },
	{ "some actors", "some", 6, 60, true, true },
	{ "some actors, not killed", "some", 6, 60, true, false },
	{ "users and movers", "fault:4 cow read:4 team move:4 migrate:3 drop pipe", 6, 60, true,
	  false },
	{ "unmount under way", "cycle compact hog plug", 7, 90, false, false },
	{ "unmount, killed", "cycle compact:2", 4, 60, false, true },
	{ "memory errors", "fault:3 cow:2 read:2 move drop migrate pipe fork poison", 7, 90,
	  true, false },
	{ "some others", "some", 0, 60, true, true },
	{ "and others", "some", 0, 60, true, true },
};

static const struct actor *set[MAX_ACTORS];
static int count[MAX_ACTORS];
static int nr;

static void add(const char *word)
{
	size_t len = strcspn(word, ": ");
	const struct actor *a = actor_find(word, len);

	if (!a) {
		fprintf(stderr, "no actor %s\n", word);
		exit(2);
	}
	set[nr] = a;
	count[nr++] = word[len] == ':' ? atoi(word + len + 1) : a->count;
}

static void choose(const char *words, uint64_t seed)
{
	struct me me = { .rng = seed };
	bool all = !strcmp(words, "all"), some = !strcmp(words, "some");
	int i;

	nr = 0;
	for (i = 0; (all || some) && i < nr_actors; i++)
		if (!actors[i].optional && (all || one_in(&me, 2)))
			add(actors[i].name);
	while (!all && !some && *words) {
		add(words);
		words += strcspn(words, " ");
		words += *words == ' ';
	}
	printf("# actors:");
	for (i = 0; i < nr; i++)
		printf(" %s:%d", set[i]->name, count[i]);
	printf("\n");
}

static const char *make_lower(void)
{
	int i, fd;

	for (i = 0; i < NR_FILES; i++) {
		fd = lower(files[i].size, files[i].seed);
		if (fd < 0)
			return "no lower files";
		close(fd);
	}
	return NULL;
}

/* Files of others, in small chunks, under their own names. */
static int import_more(const char *paths)
{
	char buf[4096];
	char *path, *save;
	int fd, ret = 0;

	snprintf(buf, sizeof(buf), "%s", paths);
	for (path = strtok_r(buf, " ", &save); path && !ret; path = strtok_r(NULL, " ", &save)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = fd < 0 ? -errno : import_fd(basename(path), fd, 64 * KIB);
		if (ret)
			fprintf(stderr, "# import of %s: %d\n", path, ret);
		close(fd);
	}
	return ret;
}

static void remove_more(const char *paths)
{
	char buf[4096];
	char *path, *save;

	snprintf(buf, sizeof(buf), "%s", paths);
	for (path = strtok_r(buf, " ", &save); path; path = strtok_r(NULL, " ", &save))
		file_unlink(basename(path));
}

static int along(void *command)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("ITME_MNT", mnt_dir(), 1);
	execl("/bin/sh", "sh", "-c", command, NULL);
	return 127;
}

/* Return: NULL, or what was wrong with it: it must be alive, or have ended well */
static const char *along_end(pid_t pid)
{
	int status;

	if (pid <= 0)
		return NULL;
	if (waitpid(pid, &status, WNOHANG) == pid)
		return status ? "what ran beside it failed" : NULL;
	kill(-pid, SIGTERM);
	if (!POLL(waitpid(pid, &status, WNOHANG) == pid, 30)) {
		kill(-pid, SIGKILL);
		if (!POLL(waitpid(pid, &status, WNOHANG) == pid, 30))
			return "what ran beside it cannot be killed";
	}
	kill(-pid, SIGKILL);
	return NULL;
}

static const char *mount_all(void)
{
	const char *more = getenv("ITME_IMPORT");
	int i, fd, ret;

	if (itme_mount(have_cxl_node() ? "dram=16M,cxl=8M" : "dram=16M"))
		return "mount";
	for (i = 0; i < NR_FILES; i++) {
		fd = lower(files[i].size, files[i].seed);
		ret = import_fd(files[i].name, fd, files[i].chunk);
		close(fd);
		if (ret)
			return "import";
	}
	return more && import_more(more) ? "import of other files" : NULL;
}

/* Pages of all files that are in the page cache, or -1. */
static int64_t cached_pages(void)
{
	int64_t n = 0;
	int i, fd;

	for (i = 0; i < NR_FILES; i++) {
		uint64_t size = page_up(files[i].size), at;
		unsigned char *vec = malloc(size / PAGE);
		char *p;

		fd = file_open(files[i].name, O_RDONLY);
		if (fd < 0 || !vec)
			return -1;
		p = map_ro(fd, 0, size);
		close(fd);
		if (!p || mincore(p, size, vec))
			return -1;
		for (at = 0; at < size / PAGE; at++)
			n += vec[at] & 1;
		munmap(p, size);
		free(vec);
	}
	return n;
}

static bool counted_right(void)
{
	return (tier_used(DRAM) + tier_used(CXL)) / PAGE == (uint64_t)cached_pages();
}

static bool emptied(void)
{
	int i, fd;

	for (i = 0; i < NR_FILES; i++) {
		fd = file_open(files[i].name, O_RDONLY);
		if (fd < 0)
			continue;
		advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL);
		close(fd);
	}
	return !tier_used(DRAM) && !tier_used(CXL);
}

static bool soak(void)
{
	const char *s = getenv("ITME_SOAK");

	return s && !strcmp(s, "1");
}

static const char *check_content(void)
{
	int i, fd, ret;

	for (i = 0; i < NR_FILES; i++) {
		fd = file_open(files[i].name, O_RDONLY);
		if (fd < 0)
			return "a file cannot be opened";
		/* all of it takes its time under a debug kernel */
		ret = (soak() ? check_read : scan)(fd, 0, files[i].size, files[i].seed) ?:
		      check_mapped(fd, 0, files[i].size < CHUNK ? files[i].size : CHUNK,
				   files[i].seed);
		close(fd);
		if (ret)
			return "wrong content, or an error";
	}
	return NULL;
}

/* one that was killed between remove and import */
static void import_missing(void)
{
	int i, fd;

	for (i = 0; i < NR_FILES; i++) {
		fd = lower(files[i].size, files[i].seed);
		import_fd(files[i].name, fd, files[i].chunk);
		close(fd);
	}
}

/* All is quiet now. */
static const char *check_end(void)
{
	static char why[200];
	const char *wrong;

	import_missing();
	if (!POLL(counted_right(), 15)) {
		snprintf(why, sizeof(why), "%llu + %llu pages counted, %lld there",
			 (unsigned long long)tier_used(DRAM) / PAGE,
			 (unsigned long long)tier_used(CXL) / PAGE, (long long)cached_pages());
		return why;
	}
	/* whatever budgets were left, reading goes on within them */
	wrong = check_content();
	if (wrong)
		return wrong;
	unpin_all();
	if (!POLL(emptied(), 30)) {
		snprintf(why, sizeof(why), "not emptied: %llu KiB of DRAM, %llu of CXL",
			 (unsigned long long)tier_used(DRAM) / 1024,
			 (unsigned long long)tier_used(CXL) / 1024);
		return why;
	}
	if (tier_pinned(DRAM) || tier_pinned(CXL))
		return "pinned, after all was unpinned";
	return NULL;
}

static const char *renew_module(void)
{
	const char *ko = getenv("ITME_KO");

	if (!ko)
		return NULL;
	if (!POLL(!run_cmd("rmmod itme"), 10))
		return "rmmod";
	return run_cmd("insmod %s", ko) ? "insmod" : NULL;
}

/* Return: NULL, or what was wrong */
static const char *run_round(const struct plan *plan, double secs, uint64_t seed)
{
	const char *wrong = NULL, *after, *more = getenv("ITME_IMPORT");
	const char *command = getenv("ITME_ALONG");
	pid_t pid = 0;

	cleanup_before();
	choose(plan->set, seed);
	if (plan->mounted)
		wrong = mount_all();
	if (!wrong) {
		if (command)
			pid = spawn(along, (void *)command);
		watch_begin(set, count, nr, seed);
		watch_run(secs, plan->kills, plan->mounted);
		/* first, as the actors are to come to an end in good time */
		after = along_end(pid);
		wrong = watch_end() ? after : shared->why;
	}
	if (more)
		remove_more(more);
	if (!wrong && plan->mounted)
		wrong = check_end();
	if (!plan->mounted)
		cleanup_before();
	after = cleanup_after();
	wrong = wrong ?: after;
	after = renew_module();
	return wrong ?: after;
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* Return: NULL, or the first lines of what leaked */
static const char *leaks(void)
{
	static char buf[4000];

	/* an object is one only when it is some seconds old, and seen twice */
	sleep(6);
	write_file(KMEMLEAK, "scan");
	sleep(1);
	write_file(KMEMLEAK, "scan");
	return read_file(KMEMLEAK, buf, sizeof(buf)) > 0 ? buf : NULL;
}

static int result(int n, const char *what, const char *wrong)
{
	if (wrong)
		printf("# %s\n", wrong);
	printf("%sok %d %s\n", wrong ? "not " : "", n, what);
	fflush(stdout);
	return !!wrong;
}

static double seconds(const struct plan *plan)
{
	const char *given = getenv("ITME_SECONDS");

	if (given)
		return atof(given);
	return soak() ? plan->soak_secs : plan->secs;
}

int main(int argc, char **argv)
{
	static char words[500];
	struct plan own = { "given actors", words, 20, 20, true, true };
	const struct plan *todo = plans;
	const char *given = getenv("ITME_SEED");
	int i, n = ARRAY_LEN(plans), tests = 0, failed = 0;
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000 + getpid();

	printf("TAP version 13\n");
	if (missing() || make_lower()) {
		printf("1..0 # SKIP %s\n", missing() ?: "no lower files");
		return 4;
	}
	for (i = 1; i < argc; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s",
			 i > 1 ? " " : "", argv[i]);
	if (argc > 1) {
		todo = &own;
		n = 1;
		/* who mounts himself cannot have it mounted */
		own.mounted = !strstr(words, "cycle");
		own.kills = !getenv("ITME_NO_KILLS");
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	printf("# ITME_SEED=%llu\n", (unsigned long long)seed);
	write_file(KMEMLEAK, "clear");
	/* 4: without a line on the console for each drop_caches from now on */
	write_file("/proc/sys/vm/drop_caches", "5");
	for (i = 0; i < n; i++) {
		double start = now();

		if (seconds(&todo[i]) <= 0)
			continue;
		failed += result(++tests, todo[i].what,
				 run_round(&todo[i], seconds(&todo[i]), mix(seed, i)));
		printf("# %.0f s\n", now() - start);
		if (failed && getenv("ITME_BAIL"))
			break;
	}
	if (!access(KMEMLEAK, W_OK))
		failed += result(++tests, "no memory is leaked", leaks());
	printf("1..%d\n", tests);
	return failed ? 1 : 0;
}
