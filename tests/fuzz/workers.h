/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KCOV records what a task does, and most of the module runs on kernel workers.
 * A debug build of the module that includes this before all else (-include) has
 * each of its work functions recorded too, into the buffer of whoever has asked
 * for this handle (the fuzzer). No effect without CONFIG_KCOV.
 */
#ifndef ITME_FUZZ_WORKERS_H
#define ITME_FUZZ_WORKERS_H

#define FUZZ_WORKERS_INSTANCE	0x49544d45

#if defined(__KERNEL__) && defined(CONFIG_KCOV)
#include <linux/kcov.h>
#include <linux/workqueue.h>

/*
 * The wrapper is a function inside of the one that calls INIT_WORK(); it takes
 * nothing from there, so it is an ordinary static function to the compiler. The
 * pointer keeps the work function a function of its own, that a report can name.
 * INIT_DELAYED_WORK() comes by here too.
 */
#define FUZZ_RECORDED(fn)						\
({									\
	void __recorded(struct work_struct *__work)			\
	{								\
		void (*volatile __fn)(struct work_struct *work) = fn;	\
									\
		kcov_remote_start(kcov_remote_handle(KCOV_SUBSYSTEM_COMMON,	\
						     FUZZ_WORKERS_INSTANCE));	\
		__fn(__work);						\
		kcov_remote_stop();					\
	}								\
	__recorded;							\
})

#undef INIT_WORK
#define INIT_WORK(work, fn)	__INIT_WORK((work), FUZZ_RECORDED(fn), 0)

/* The "static" that comes before it is then the function's. */
#undef DECLARE_DELAYED_WORK
#define DECLARE_DELAYED_WORK(work, fn)					\
void work##_recorded(struct work_struct *__work)			\
{									\
	kcov_remote_start(kcov_remote_handle(KCOV_SUBSYSTEM_COMMON,	\
					     FUZZ_WORKERS_INSTANCE));	\
	fn(__work);							\
	kcov_remote_stop();						\
}									\
static struct delayed_work work = __DELAYED_WORK_INITIALIZER(work, work##_recorded, 0)
#endif

#endif
