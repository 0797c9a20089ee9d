// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "crew.h"
#include "world.h"

static int run(void *arg)
{
	struct hand *hand = arg;

	allow_signal(SIGKILL);
	allow_signal(SIGUSR1);
	hand->result = hand->fn(hand);
	kthread_complete_and_exit(&hand->ended, 0);
}

void crew_add(struct kunit *test, struct crew *crew, int nr, int (*fn)(struct hand *hand))
{
	for (int i = 0; i < nr; i++) {
		struct hand *hand = &crew->hand[crew->nr];
		struct task_struct *task;

		KUNIT_ASSERT_LT(test, crew->nr, CREW_MAX);
		hand->crew = crew;
		hand->nr = crew->nr;
		hand->fn = fn;
		prandom_seed_state(&hand->random, world_seed() + crew->nr * 7919);
		init_completion(&hand->ended);
		task = kthread_create(run, hand, "itme_kunit_%d", crew->nr);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
		/* Signals are sent to it, also when it has ended meanwhile. */
		hand->task = get_task_struct(task);
		crew->nr++;
		wake_up_process(task);
	}
}

void crew_reached(struct hand *hand, int at)
{
	for (int tries = 0; READ_ONCE(hand->at) != at && tries < 5000; tries++)
		usleep_range(1000, 2000);
}

bool crew_ended(struct hand *hand, unsigned int ms)
{
	if (!wait_for_completion_timeout(&hand->ended, msecs_to_jiffies(ms)))
		return false;
	/* For who asks again. */
	complete(&hand->ended);
	return true;
}

void crew_join(struct kunit *test, struct crew *crew, unsigned int seconds)
{
	unsigned long until = jiffies + seconds * HZ;

	WRITE_ONCE(crew->stop, true);
	for (int i = 0; i < crew->nr; i++) {
		struct hand *hand = &crew->hand[i];
		long left = max(1L, (long)(until - jiffies));

		if (!crew_ended(hand, jiffies_to_msecs(left))) {
			KUNIT_FAIL(test, "thread %d did not end, it was at %d", i,
				   READ_ONCE(hand->at));
			send_sig(SIGKILL, hand->task, 1);
			/* Nothing ends it: it runs this module's code until the next boot. */
			if (!crew_ended(hand, 2000)) {
				__module_get(THIS_MODULE);
				continue;
			}
		}
		put_task_struct(hand->task);
	}
	crew->nr = 0;
	crew->stop = false;
}
