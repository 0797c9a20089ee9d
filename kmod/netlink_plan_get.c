// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: plans, as they are told
 */
#include "event.h"
#include "netlink.h"
#include "trigger.h"

static bool put_cursors(struct sk_buff *skb, const struct itme_plan *plan,
			const struct itme_cursors *cursors)
{
	for (int i = 0; i < ITME_CURSORS; i++) {
		const struct itme_cursor *c = &cursors->cursor[i];
		struct nlattr *nest;
		u32 stage;

		if (!c->run)
			continue;
		/* At the end of a plan that is gone through once, there is none after it. */
		stage = c->pos < plan->seq.length ? itme_sequence_at(&plan->seq, c->pos)->stage :
						    plan->stages;
		nest = nla_nest_start(skb, ITME_A_PLAN_CURSOR);
		if (!nest || nla_put_u32(skb, ITME_A_CURSOR_POSITION, c->pos) ||
		    nla_put_u32(skb, ITME_A_CURSOR_STAGE, stage) ||
		    nla_put_u32(skb, ITME_A_CURSOR_LEAD, c->lead))
			return false;
		nla_nest_end(skb, nest);
	}
	return true;
}

static u64 part(u64 pages, u64 share)
{
	return mul_u64_u64_shr(pages, share, 32) << PAGE_SHIFT;
}

static bool put_plan(struct sk_buff *skb, struct itme_plan *plan)
{
	struct itme_cursors cursors;
	u64 dram, cxl, passes, jumps, cycle, fired = 0, dropped = 0;
	const struct itme_triggers *set = plan->triggers;
	u32 at;

	spin_lock(&plan->fs->lock);
	cursors = plan->cursors;
	dram = part(plan->pages, plan->share[ITME_TIER_DRAM]);
	cxl = part(plan->pages, plan->share[ITME_TIER_CXL]);
	passes = plan->passes;
	jumps = plan->jumps;
	cycle = plan->cycle;
	at = plan->stage;
	if (set) {
		fired = set->fires;
		dropped = set->dropped;
	}
	spin_unlock(&plan->fs->lock);

	return !(nla_put_u32(skb, ITME_A_PLAN_ID, plan->id) ||
		 (*plan->name && nla_put_string(skb, ITME_A_PLAN_NAME, plan->name)) ||
		 (plan->seq.cyclic && nla_put_flag(skb, ITME_A_PLAN_CYCLIC)) ||
		 nla_put_uint(skb, ITME_A_PLAN_LOOKAHEAD, plan->lookahead << PAGE_SHIFT) ||
		 nla_put_uint(skb, ITME_A_PLAN_BUDGET, plan->budget << PAGE_SHIFT) ||
		 nla_put_u32(skb, ITME_A_PLAN_STAGES, plan->stages) ||
		 nla_put_u32(skb, ITME_A_PLAN_RANGES, plan->seq.nr_runs) ||
		 nla_put_u32(skb, ITME_A_PLAN_LENGTH, plan->seq.length) ||
		 nla_put_uint(skb, ITME_A_PLAN_BYTES, plan->pages << PAGE_SHIFT) ||
		 nla_put_uint(skb, ITME_A_PLAN_DRAM, dram) ||
		 nla_put_uint(skb, ITME_A_PLAN_CXL, cxl) ||
		 nla_put_u32(skb, ITME_A_PLAN_AT, at) ||
		 nla_put_uint(skb, ITME_A_PLAN_PASSES, passes) ||
		 nla_put_uint(skb, ITME_A_PLAN_JUMPS, jumps) ||
		 (cycle && nla_put_uint(skb, ITME_A_PLAN_CYCLE,
					cycle * (NSEC_PER_SEC / ITME_HZ))) ||
		 (plan->learned && nla_put_u32(skb, ITME_A_PLAN_PID, plan->learned)) ||
		 !put_cursors(skb, plan, &cursors) ||
		 nla_put_u32(skb, ITME_A_PLAN_TRIGGERS, set ? set->nr : 0) ||
		 nla_put_u32(skb, ITME_A_PLAN_TARGETS, set ? set->nr_targets : 0) ||
		 nla_put_uint(skb, ITME_A_PLAN_FIRED, fired) ||
		 nla_put_uint(skb, ITME_A_PLAN_DROPPED, dropped));
}

static struct itme_plan *get_plan(struct itme_fs *fs, u32 id)
{
	struct itme_plan *plan = itme_plan_next(fs, id - 1);

	if (plan && plan->id != id) {
		itme_plan_put(plan);
		plan = NULL;
	}
	return plan;
}

int itme_nl_plan_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = itme_nl_plan_id(info);
	struct itme_nl_reply reply;
	struct itme_plan *plan;
	int err;

	if (!id)
		return -EINVAL;
	plan = get_plan(itme_nl_fs(info), nla_get_u32(id));
	if (!plan)
		return itme_nl_no_plan(info->extack, id);
	err = itme_nl_reply_begin(&reply, info);
	if (!err)
		err = itme_nl_reply_end(&reply, info, put_plan(reply.skb, plan));
	itme_plan_put(plan);
	return err;
}

/* One message of a dump. Return: 0 or -EMSGSIZE */
static int dump_plan(struct sk_buff *skb, struct netlink_callback *cb, struct itme_plan *plan)
{
	void *hdr = genlmsg_iput(skb, genl_info_dump(cb));

	if (!hdr || !put_plan(skb, plan)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

/* Of a file that is gone there is nothing to say but that. */
static bool put_range(struct sk_buff *skb, int attr, u32 object, u64 offset, u64 length)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest || nla_put_u32(skb, ITME_A_RANGE_OBJECT, object) ||
	    (length && (nla_put_uint(skb, ITME_A_RANGE_OFFSET, offset) ||
			nla_put_uint(skb, ITME_A_RANGE_LENGTH, length)))) {
		nla_nest_cancel(skb, nest);
		return false;
	}
	nla_nest_end(skb, nest);
	return true;
}

static bool put_chunks(struct sk_buff *skb, struct itme_fs *fs, int attr, u32 object, u32 start,
		       u32 nr)
{
	u64 offset = 0, length = 0;
	struct itme_inode *ino;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, object);
	if (ino) {
		offset = (u64)start << ino->chunk_shift;
		length = min_t(u64, (u64)nr << ino->chunk_shift,
			       i_size_read(&ino->vfs) - offset);
	}
	spin_unlock(&fs->lock);
	return put_range(skb, attr, object, offset, length);
}

static bool put_pages(struct sk_buff *skb, struct itme_fs *fs, int attr,
		      const struct itme_trigger *t)
{
	u64 offset = t->first << PAGE_SHIFT, length = 0;
	struct itme_inode *ino;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, t->object);
	if (ino)
		length = min_t(u64, t->end << PAGE_SHIFT, i_size_read(&ino->vfs)) - offset;
	spin_unlock(&fs->lock);
	return put_range(skb, attr, t->object, offset, length);
}

/* As much of a stage as fits. Return: runs put */
static u32 put_stage(struct sk_buff *skb, const struct itme_plan *plan, u32 first)
{
	const struct itme_run *runs = plan->seq.runs;
	struct nlattr *nest = nla_nest_start(skb, ITME_A_PLAN_STAGE);
	u32 i = first;

	if (!nest || nla_put_u32(skb, ITME_A_STAGE_INDEX, runs[first].stage))
		goto cancel;
	while (i < plan->seq.nr_runs && runs[i].stage == runs[first].stage &&
	       put_chunks(skb, plan->fs, ITME_A_STAGE_RANGE, runs[i].object, runs[i].start,
			  runs[i].nr))
		i++;
	if (i == first)
		goto cancel;
	nla_nest_end(skb, nest);
	return i - first;
cancel:
	nla_nest_cancel(skb, nest);
	return 0;
}

/* Messages with the stages, from run cb->args[1] on. Return: 0 or -EMSGSIZE */
static int dump_stages(struct sk_buff *skb, struct netlink_callback *cb, struct itme_plan *plan)
{
	while (cb->args[1] < plan->seq.nr_runs) {
		void *hdr = genlmsg_iput(skb, genl_info_dump(cb));
		u32 put = 0, n = 0;

		if (!hdr || nla_put_u32(skb, ITME_A_PLAN_ID, plan->id)) {
			genlmsg_cancel(skb, hdr);
			return -EMSGSIZE;
		}
		do {
			put += n;
			n = cb->args[1] + put < plan->seq.nr_runs ?
			    put_stage(skb, plan, cb->args[1] + put) : 0;
		} while (n);
		if (!put) {
			genlmsg_cancel(skb, hdr);
			return -EMSGSIZE;
		}
		cb->args[1] += put;
		genl_dump_check_consistent(cb, hdr);
		genlmsg_end(skb, hdr);
	}
	return 0;
}

static bool put_trigger(struct sk_buff *skb, const struct itme_plan *plan, u32 i)
{
	const struct itme_triggers *set = plan->triggers;
	const struct itme_trigger *t = &set->trigger[i];
	struct nlattr *nest = nla_nest_start(skb, ITME_A_PLAN_TRIGGER);
	bool fits;

	if (!nest)
		return false;
	fits = put_pages(skb, plan->fs, ITME_A_TRIGGER_SOURCE, t);
	for (u32 j = 0; j < t->nr && fits; j++) {
		const struct itme_target *target = &set->target[t->target + j];

		fits = put_chunks(skb, plan->fs, ITME_A_TRIGGER_TARGET, target->object,
				  target->start, target->nr);
	}
	if (fits)
		nla_nest_end(skb, nest);
	else
		nla_nest_cancel(skb, nest);
	return fits;
}

/* Messages with the triggers, from cb->args[2] on. Return: 0 or -EMSGSIZE */
static int dump_triggers(struct sk_buff *skb, struct netlink_callback *cb, struct itme_plan *plan)
{
	u32 nr = plan->triggers ? plan->triggers->nr : 0;

	while (cb->args[2] < nr) {
		void *hdr = genlmsg_iput(skb, genl_info_dump(cb));
		u32 put = 0;

		if (!hdr || nla_put_u32(skb, ITME_A_PLAN_ID, plan->id)) {
			genlmsg_cancel(skb, hdr);
			return -EMSGSIZE;
		}
		while (cb->args[2] + put < nr && put_trigger(skb, plan, cb->args[2] + put))
			put++;
		if (!put) {
			genlmsg_cancel(skb, hdr);
			return -EMSGSIZE;
		}
		cb->args[2] += put;
		genl_dump_check_consistent(cb, hdr);
		genlmsg_end(skb, hdr);
	}
	return 0;
}

/* args[0]: number of the last plan put, or 1 when that is the one asked for */
static int dump_one(struct sk_buff *skb, struct netlink_callback *cb, struct itme_fs *fs,
		    const struct nlattr *id)
{
	struct itme_plan *plan = get_plan(fs, nla_get_u32(id));
	int err = 0;

	/* It may have been deleted between two messages, which the end of the dump says. */
	if (!plan)
		return cb->args[0] ? 0 : itme_nl_no_plan(cb->extack, id);
	if (!cb->args[0])
		err = dump_plan(skb, cb, plan);
	if (!err) {
		cb->args[0] = 1;
		err = dump_stages(skb, cb, plan) ?: dump_triggers(skb, cb, plan);
	}
	itme_plan_put(plan);
	return err;
}

static int dump_all(struct sk_buff *skb, struct netlink_callback *cb, struct itme_fs *fs)
{
	struct itme_plan *plan;
	int err = 0;

	while (!err && (plan = itme_plan_next(fs, cb->args[0]))) {
		err = dump_plan(skb, cb, plan);
		if (!err)
			cb->args[0] = plan->id;
		itme_plan_put(plan);
	}
	return err;
}

int itme_nl_plan_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *id = genl_info_dump(cb)->attrs[ITME_A_PLAN_ID];
	struct itme_fs *fs = itme_nl_fs_get(cb->extack);
	int err;

	if (!fs)
		return -ENODEV;
	cb->seq = atomic_read(&itme_plans_changed);
	err = id ? dump_one(skb, cb, fs, id) : dump_all(skb, cb, fs);
	/* For the message that ends it. */
	cb->seq = atomic_read(&itme_plans_changed);
	itme_fs_put(fs);
	return err == -EMSGSIZE && skb->len ? skb->len : err;
}
