/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stress of itmefs: many actors, each a process that does one kind of thing
 * again and again, on few chunks. Content is always checked by its position.
 *
 * stress.c runs the rounds, watch.c the actors of a round; the actors are in
 * files by subject and listed in actors.c. An actor keeps no promise to another: each
 * may be killed in the middle of anything, and is then begun anew.
 */
#ifndef ITME_STRESS_H
#define ITME_STRESS_H

#include <setjmp.h>

#include "common.h"

#define MAX_ACTORS	48
#define NR_FILES	5
#define MSG_LEN		300

/* A file that actors use. What it holds is the same whenever it is imported. */
struct file_spec {
	const char *name;
	uint64_t size;
	uint64_t seed;
	uint32_t chunk;
};

extern const struct file_spec files[NR_FILES];

/*
 * What the runner sees of an actor, in memory they share.
 * @beat: raised with each step
 * @doing: for the report, when it hangs
 */
struct slot {
	volatile uint64_t beat;
	volatile uint64_t done;
	char doing[96];
};

/*
 * Shared by all of a round.
 * @stop: come to an end
 * @failed: actors that found something wrong
 * @budget_seq: odd while a budget is being changed; use may exceed it then
 * @poison: memory errors are injected: SIGBUS and EIO say no lie
 */
struct shared {
	volatile int stop;
	volatile int failed;
	volatile uint32_t budget_seq;
	volatile int poison;
	char why[MSG_LEN];
	struct slot slot[MAX_ACTORS];
};

extern struct shared *shared;

struct me {
	const struct actor *actor;
	struct slot *slot;
	uint64_t rng;
	void *state;		/* the actor's own */
};

/*
 * struct actor - one kind of thing to do
 * @name: to select it
 * @count: how many at once
 * @init: once, in the actor's process; false when it cannot be done here
 * @step: some milliseconds of it
 * @restore: in the runner, after the round: undo what it did to the machine
 * @optional: only when asked for by name
 */
struct actor {
	const char *name;
	int count;
	bool (*init)(struct me *me);
	void (*step)(struct me *me);
	void (*restore)(void);
	bool optional;
};

extern const struct actor actors[];
extern const int nr_actors;
const struct actor *actor_find(const char *name, size_t len);

/* watch.c */
void watch_begin(const struct actor *const *set, const int *count, int nr,
		 uint64_t seed);
bool watch_run(double secs, bool kills, bool mounted);
bool watch_end(void);		/* true when all went well */

/* Random numbers: below n, from lo to hi, one in n. */
uint64_t rnd(struct me *me, uint64_t n);
uint64_t rnd_in(struct me *me, uint64_t lo, uint64_t hi);
bool one_in(struct me *me, uint64_t n);
uint64_t mix(uint64_t a, uint64_t b);

/* For an actor. */
__attribute__((format(printf, 2, 3)))
void doing(struct me *me, const char *fmt, ...);
__attribute__((format(printf, 2, 3), noreturn))
void broken(struct me *me, const char *fmt, ...);
void nap(struct me *me, uint64_t max_us);
/* a file that is there, opened: its number; @fd set */
int any_file(struct me *me, int flags, int *fd);
/* a range of a file; @align pages or 1 */
void any_range(struct me *me, const struct file_spec *f, uint64_t max,
	       uint64_t align, uint64_t *off, uint64_t *len);
/* check memory against a file; SIGBUS and a wrong byte break the run */
void check_mem(struct me *me, const struct file_spec *f, const char *p,
	       uint64_t off, uint64_t len);
/* an error of a read or of another call that should have worked */
void check_io(struct me *me, const struct file_spec *f, const char *buf,
	      ssize_t n, uint64_t off, const char *what);
/* run @code; false when SIGBUS came and it was no surprise */
#define GUARDED(me, code)						\
({									\
	int __sig = sigsetjmp(guard_env, 1);				\
	guarded = 1;							\
	if (!__sig) {							\
		code;							\
	} else if (!shared->poison) {					\
		guarded = 0;						\
		broken(me, "signal %d", __sig);				\
	}								\
	guarded = 0;							\
	!__sig;								\
})
extern __thread sigjmp_buf guard_env;
extern __thread volatile int guarded;
void guard_install(void);

static inline uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

#endif
