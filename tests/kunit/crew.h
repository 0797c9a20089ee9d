/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: threads that a test starts and that are known to end
 */
#ifndef ITME_KUNIT_CREW_H
#define ITME_KUNIT_CREW_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#define CREW_MAX	16

struct crew;

/**
 * struct hand - one thread
 * @crew: it is of
 * @nr: from 0
 * @random: of its own
 * @result: what it returned
 * @at: for the thread to say how far it is
 */
struct hand {
	struct crew *crew;
	int nr;
	struct rnd_state random;
	int result;
	int at;
	int (*fn)(struct hand *hand);
	struct task_struct *task;
	struct completion ended;
};

/**
 * struct crew - some threads; zero it first
 * @arg: for the threads
 * @stop: threads end soon when it is set
 */
struct crew {
	void *arg;
	bool stop;
	int nr;
	struct hand hand[CREW_MAX];
};

/* Adds @nr threads that run @fn. They take SIGKILL and SIGUSR1. */
void crew_add(struct kunit *test, struct crew *crew, int nr, int (*fn)(struct hand *hand));
/* Waits until it says that it is at @at, a few seconds at most. */
void crew_reached(struct hand *hand, int at);
/* Has this thread come to its end within @ms? */
bool crew_ended(struct hand *hand, unsigned int ms);
/*
 * Tells all to stop. One that has not come to its end after @seconds fails the test; it
 * is then killed, so that the module can still be removed.
 */
void crew_join(struct kunit *test, struct crew *crew, unsigned int seconds);

static inline bool crew_stop(const struct hand *hand)
{
	return READ_ONCE(hand->crew->stop);
}

static inline u32 crew_random(struct hand *hand, u32 below)
{
	return prandom_u32_state(&hand->random) % below;
}

#endif /* ITME_KUNIT_CREW_H */
