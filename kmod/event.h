/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: events: what listeners of the netlink family are told
 *
 * Whoever has something to tell puts it into a ring and goes on; a worker sends it. So
 * no fault waits for a listener. When there are more than the ring holds, or than half of
 * it of written files that come, go or are mapped, those are lost, counted, and the next
 * one that is sent says so. Without a listener there is nothing.
 */
#ifndef ITME_EVENT_H
#define ITME_EVENT_H

#include <linux/atomic.h>
#include <linux/types.h>

struct itme_inode;

/* From any context in which fs->lock may be taken, also with it held. */
void itme_event_object_new(struct itme_inode *ino);
void itme_event_object_gone(struct itme_inode *ino);
void itme_event_object_mapped(struct itme_inode *ino);
void itme_event_stage(u32 plan, u32 stage);
void itme_event_stall(struct itme_inode *ino, u32 idx, u64 ns);
void itme_event_pressure(u64 bytes);
void itme_event_io_error(struct itme_inode *ino, u32 idx, int err);

/*
 * What a dump has seen of a list may not be so any more. Never 0. Of files, the imported ones
 * count: who makes and removes others all the time would have no dump come to an end.
 */
extern atomic_t itme_objects_changed;
extern atomic_t itme_plans_changed;

static inline void itme_changed(atomic_t *what)
{
	if (!atomic_inc_return(what))
		atomic_inc(what);
}

u64 itme_events_lost(void);
void itme_events_reset(void);
void itme_events_stop(void);

#endif /* ITME_EVENT_H */
