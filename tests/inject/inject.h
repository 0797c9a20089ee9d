/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making the kernel fail: Documentation/fault-injection/fault-injection.rst.
 *
 * TASK fails what this task itself does, whoever asked for it: also what the
 * VFS and the memory management do around the module. The others fail what the
 * module asks for, in this task and in its workers: only a call with the
 * module's text in its stack counts (DRIVE excepted, which fails requests as
 * the drive completes them, in interrupts). So nothing else on the machine is
 * hit, neither the test's own harness nor the root file system.
 */
#ifndef ITME_INJECT_H
#define ITME_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum fault {
	TASK,		/* any of the below, in this task */
	SLAB,		/* kmalloc(), kmem_cache_alloc() */
	PAGES,		/* pages and folios, of any order */
	COPY,		/* copies from and to user space */
	SUBMIT,		/* reads of the lower file, as they are submitted */
	DRIVE,		/* the same, as they complete */
	KINDS,
};

#define ON(kind)	(1U << (kind))
#define MEMORY		(ON(TASK) | ON(SLAB) | ON(PAGES))
#define IO		(ON(SUBMIT) | ON(DRIVE))

/* once, with the module inserted, before the rest: where its text is */
void inject_look(void);
/* NULL, or what this kernel lacks to inject anything; nothing is armed then */
const char *inject_setup(void);
bool inject_have(enum fault kind);
const char *inject_name(enum fault kind);

/*
 * The n-th from now on fails, once. For all but TASK that is exact only when
 * the last one armed has come to be with the same @n: else it may come sooner.
 */
void inject_nth(enum fault kind, unsigned int n);
/* the first @n fail; UINT32_MAX for all */
void inject_first(enum fault kind, uint32_t n);
/*
 * The first @n after @space has been handed out (bytes of SLAB, pages of PAGES)
 * fail: what is tried again at once, as the page cache's own nodes are, or a folio
 * with more effort, fails only so.
 */
void inject_burst(enum fault kind, unsigned int space, uint32_t n);
/* that many of a hundred fail */
void inject_rate(enum fault kind, unsigned int percent);
/* end of it; how many failed (for TASK and nth: 0 or 1) */
unsigned int inject_end(enum fault kind);

/* pages of this order and above only; 0 to begin with */
void inject_min_order(unsigned int order);
/* only what this function of the module asks for; NULL: all of the module */
int inject_within(enum fault kind, const char *function);
/* TASK fails only what this function of the kernel proper asks for */
int inject_task_within(const char *function);
/* and nothing that this one asks for, as the kernel has a defect there */
int inject_task_but(const char *function);

#endif
