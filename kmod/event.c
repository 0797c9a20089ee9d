// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "event.h"
#include "netlink.h"

/* Events that wait to be sent, and how long the worker waits for more of them. */
#define RING		512
/* Of these, about files that anybody may make, as fast as he likes. */
#define NATIVE		(RING / 2)
#define GATHER		msecs_to_jiffies(10)
/* A wait of a drive's normal latency is no news. */
#define THRESHOLD	(10 * NSEC_PER_MSEC)
/* Attributes of any event but the name. */
#define EVENT_SIZE	128

/**
 * struct event - what has happened
 * @cmd: ITME_CMD_*_NTF; which of the others are sent follows from it
 * @native: that anybody can have happen, to a written file
 * @object: number of a file
 * @name: of that file, or NULL; not of a written one, which may lie where not everybody
 *	who listens can look
 * @pid: of a process, in the initial PID namespace
 * @stage: of @plan
 * @plan: number
 * @offset: in the file
 * @value: bytes, nanoseconds or errno
 * @time: CLOCK_MONOTONIC, nanoseconds
 * @lost: events lost before this one
 */
struct event {
	u8 cmd;
	bool native;
	u32 object;
	u32 plan;
	u32 stage;
	u32 pid;
	char *name;
	u64 offset;
	u64 value;
	u64 time;
	u64 lost;
};

static struct event ring[RING];
static u32 ring_head;
static u32 ring_nr;
/* Those of them that are @native. */
static u32 ring_native;
/* Lost since the mount, and since the last one that went into the ring. */
static u64 lost_all;
static u64 lost_now;
/* The ring and these; taken under fs->lock. */
static DEFINE_SPINLOCK(ring_lock);
static u64 stall_threshold = THRESHOLD;

static void send_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sender, send_work);

static bool listeners(void)
{
	return genl_has_listeners(&itme_nl_family, &init_net, ITME_NLGRP_EVENTS);
}

/* Takes over the name. */
static void tell(struct event *event)
{
	bool kept;

	event->time = ktime_get_ns();
	spin_lock(&ring_lock);
	kept = ring_nr < RING && (!event->native || ring_native < NATIVE);
	if (kept) {
		ring_native += event->native;
		event->lost = lost_now;
		lost_now = 0;
		ring[(ring_head + ring_nr++) % RING] = *event;
	} else {
		lost_all++;
		lost_now++;
	}
	spin_unlock(&ring_lock);
	if (!kept)
		kfree(event->name);
	queue_delayed_work(system_unbound_wq, &sender, GATHER);
}

static bool take(struct event *event)
{
	bool there;

	spin_lock(&ring_lock);
	there = ring_nr;
	if (there) {
		*event = ring[ring_head];
		ring_head = (ring_head + 1) % RING;
		ring_nr--;
		ring_native -= event->native;
	}
	spin_unlock(&ring_lock);
	return there;
}

static bool put_what(struct sk_buff *skb, const struct event *e)
{
	switch (e->cmd) {
	case ITME_CMD_OBJECT_NEW_NTF:
		return !nla_put_u32(skb, ITME_A_EVENT_OBJECT, e->object) &&
		       !nla_put_uint(skb, ITME_A_EVENT_BYTES, e->value);
	case ITME_CMD_OBJECT_MAPPED_NTF:
		return !nla_put_u32(skb, ITME_A_EVENT_OBJECT, e->object) &&
		       !nla_put_u32(skb, ITME_A_EVENT_PID, e->pid);
	case ITME_CMD_STAGE_NTF:
		return !nla_put_u32(skb, ITME_A_EVENT_PLAN, e->plan) &&
		       !nla_put_u32(skb, ITME_A_EVENT_STAGE, e->stage);
	case ITME_CMD_STALL_NTF:
		return !nla_put_u32(skb, ITME_A_EVENT_OBJECT, e->object) &&
		       !nla_put_uint(skb, ITME_A_EVENT_OFFSET, e->offset) &&
		       !nla_put_uint(skb, ITME_A_EVENT_NS, e->value);
	case ITME_CMD_PRESSURE_NTF:
		return !nla_put_uint(skb, ITME_A_EVENT_BYTES, e->value);
	case ITME_CMD_IO_ERROR_NTF:
		return !nla_put_u32(skb, ITME_A_EVENT_OBJECT, e->object) &&
		       !nla_put_uint(skb, ITME_A_EVENT_OFFSET, e->offset) &&
		       !nla_put_u32(skb, ITME_A_EVENT_ERROR, e->value);
	default:
		return !nla_put_u32(skb, ITME_A_EVENT_OBJECT, e->object);
	}
}

static bool put_event(struct sk_buff *skb, const struct event *e)
{
	void *hdr = genlmsg_put(skb, 0, 0, &itme_nl_family, 0, e->cmd);

	if (!hdr || !put_what(skb, e) ||
	    (e->name && nla_put_string(skb, ITME_A_EVENT_NAME, e->name)) ||
	    nla_put_uint(skb, ITME_A_EVENT_TIME, e->time) ||
	    (e->lost && nla_put_uint(skb, ITME_A_EVENT_LOST, e->lost)))
		return false;
	genlmsg_end(skb, hdr);
	return true;
}

static void send(const struct event *e)
{
	size_t size = EVENT_SIZE + (e->name ? nla_total_size(strlen(e->name) + 1) : 0);
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (skb && !WARN_ON_ONCE(!put_event(skb, e))) {
		/* Who does not read is told so by its socket (ENOBUFS). */
		genlmsg_multicast(&itme_nl_family, skb, 0, ITME_NLGRP_EVENTS, GFP_KERNEL);
		return;
	}
	nlmsg_free(skb);
	spin_lock(&ring_lock);
	/* Those before it have been counted in lost_all when they were lost. */
	lost_all++;
	lost_now += e->lost + 1;
	spin_unlock(&ring_lock);
}

static void send_work(struct work_struct *work)
{
	struct event e;

	/* What comes meanwhile is for the next time, so that nobody keeps us here. */
	for (int i = 0; i < RING && take(&e); i++) {
		send(&e);
		kfree(e.name);
		cond_resched();
	}
}

/**
 * itme_event_object_new - a file was imported or made
 * @ino: file
 *
 * May sleep.
 */
void itme_event_object_new(struct itme_inode *ino)
{
	struct event e = {
		.cmd = ITME_CMD_OBJECT_NEW_NTF,
		.native = ino->native,
		.object = ino->id,
		.value = i_size_read(&ino->vfs),
	};

	if (listeners()) {
		e.name = ino->native ? NULL : itme_object_name(ino);
		tell(&e);
	}
}

/**
 * itme_event_object_gone - a file is gone
 * @ino: file, being evicted
 *
 * May sleep.
 */
void itme_event_object_gone(struct itme_inode *ino)
{
	struct event e = {
		.cmd = ITME_CMD_OBJECT_GONE_NTF,
		.native = ino->native,
		.object = ino->id,
	};

	if (listeners()) {
		/* Nobody else can have it any more, so it is ours. */
		e.name = ino->last_name;
		ino->last_name = NULL;
		tell(&e);
	}
}

void itme_event_object_mapped(struct itme_inode *ino)
{
	struct event e = {
		.cmd = ITME_CMD_OBJECT_MAPPED_NTF,
		.native = ino->native,
		.object = ino->id,
		.pid = task_tgid_nr(current),
	};

	if (listeners())
		tell(&e);
}

void itme_event_stage(u32 plan, u32 stage)
{
	struct event e = {
		.cmd = ITME_CMD_STAGE_NTF,
		.plan = plan,
		.stage = stage,
	};

	if (listeners())
		tell(&e);
}

void itme_event_stall(struct itme_inode *ino, u32 idx, u64 ns)
{
	struct event e = {
		.cmd = ITME_CMD_STALL_NTF,
		.object = ino->id,
		.offset = (u64)idx << ino->chunk_shift,
		.value = ns,
	};

	if (ns >= READ_ONCE(stall_threshold) && listeners())
		tell(&e);
}

void itme_event_pressure(u64 bytes)
{
	struct event e = {
		.cmd = ITME_CMD_PRESSURE_NTF,
		.value = bytes,
	};

	if (listeners())
		tell(&e);
}

void itme_event_io_error(struct itme_inode *ino, u32 idx, int err)
{
	struct event e = {
		.cmd = ITME_CMD_IO_ERROR_NTF,
		.object = ino->id,
		.offset = (u64)idx << ino->chunk_shift,
		.value = -err,
	};

	if (listeners())
		tell(&e);
}

u64 itme_events_lost(void)
{
	u64 lost;

	spin_lock(&ring_lock);
	lost = lost_all;
	spin_unlock(&ring_lock);
	return lost;
}

/* A mount begins. What the one before has told last may still be under way. */
void itme_events_reset(void)
{
	spin_lock(&ring_lock);
	lost_all = 0;
	spin_unlock(&ring_lock);
	WRITE_ONCE(stall_threshold, THRESHOLD);
}

/* The module goes; nothing is mounted, so nobody tells anything any more. */
void itme_events_stop(void)
{
	struct event e;

	cancel_delayed_work_sync(&sender);
	while (take(&e))
		kfree(e.name);
}

int itme_nl_config_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct itme_nl_reply reply;
	int err;

	err = itme_nl_reply_begin(&reply, info);
	return err ?: itme_nl_reply_end(&reply, info,
					!nla_put_uint(reply.skb, ITME_A_CONFIG_STALL_THRESHOLD,
						      READ_ONCE(stall_threshold)));
}

int itme_nl_config_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *threshold = info->attrs[ITME_A_CONFIG_STALL_THRESHOLD];

	if (GENL_REQ_ATTR_CHECK(info, ITME_A_CONFIG_STALL_THRESHOLD)) {
		GENL_SET_ERR_MSG(info, "nothing to set");
		return -EINVAL;
	}
	WRITE_ONCE(stall_threshold, nla_get_uint(threshold));
	return 0;
}
