// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: plans
 *
 * A plan may be larger than a message. Then it comes in several, and what has come so
 * far is kept until the last one, by socket.
 */
#include <linux/slab.h>

#include "event.h"
#include "netlink.h"

/* Plans that are being made, of all sockets. */
#define PENDING_MAX	16

/**
 * struct pending - a plan that is being made
 * @node: in pendings
 * @sk: socket it comes from
 * @portid: of the socket
 * @plan: what has come so far
 * @id: of the plan to replace, or 0
 * @stage: the last one
 * @ranges: of that one, so far
 */
struct pending {
	struct list_head node;
	const struct sock *sk;
	u32 portid;
	struct itme_plan *plan;
	u32 id;
	u32 stage;
	u32 ranges;
};

static LIST_HEAD(pendings);
static u32 nr_pendings;
/* Held while a message is added, so that a pending plan is in one hand at a time. */
static DEFINE_MUTEX(pending_mutex);

static void free_pending(struct pending *p)
{
	lockdep_assert_held(&pending_mutex);
	list_del(&p->node);
	nr_pendings--;
	itme_plan_put(p->plan);
	kfree(p);
}

/* A socket is closed. */
static int netlink_event(struct notifier_block *nb, unsigned long event, void *arg)
{
	struct netlink_notify *n = arg;
	struct pending *p, *next;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC ||
	    !net_eq(n->net, &init_net))
		return NOTIFY_DONE;
	mutex_lock(&pending_mutex);
	list_for_each_entry_safe(p, next, &pendings, node)
		if (p->portid == n->portid)
			free_pending(p);
	mutex_unlock(&pending_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block netlink_nb = {
	.notifier_call = netlink_event,
};

void itme_nl_plans_init(void)
{
	netlink_register_notifier(&netlink_nb);
}

void itme_nl_plans_exit(void)
{
	netlink_unregister_notifier(&netlink_nb);
}

/* Unmount: no request is under way, and none can begin. */
void itme_nl_plans_drop(void)
{
	struct pending *p, *next;

	mutex_lock(&pending_mutex);
	list_for_each_entry_safe(p, next, &pendings, node)
		free_pending(p);
	mutex_unlock(&pending_mutex);
}

static struct pending *find_pending(const struct sock *sk)
{
	struct pending *p;

	lockdep_assert_held(&pending_mutex);
	list_for_each_entry(p, &pendings, node)
		if (p->sk == sk)
			return p;
	return NULL;
}

static u64 pages_of(const struct nlattr *attr)
{
	return attr ? DIV_ROUND_UP_ULL(min_t(u64, nla_get_uint(attr), S64_MAX), PAGE_SIZE) : 0;
}

static struct pending *begin_plan(struct itme_fs *fs, struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct pending *p;

	lockdep_assert_held(&pending_mutex);
	if (nr_pendings >= PENDING_MAX) {
		GENL_SET_ERR_MSG(info, "too many plans are being made at once");
		return ERR_PTR(-EBUSY);
	}
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return ERR_PTR(-ENOMEM);
	p->plan = itme_plan_alloc(fs, 64);
	if (!p->plan) {
		kfree(p);
		return ERR_PTR(-ENOMEM);
	}
	p->sk = NETLINK_CB(skb).sk;
	p->portid = info->snd_portid;
	if (attrs[ITME_A_PLAN_ID])
		p->id = nla_get_u32(attrs[ITME_A_PLAN_ID]);
	if (attrs[ITME_A_PLAN_NAME])
		nla_strscpy(p->plan->name, attrs[ITME_A_PLAN_NAME], sizeof(p->plan->name));
	p->plan->seq.cyclic = nla_get_flag(attrs[ITME_A_PLAN_CYCLIC]);
	p->plan->lookahead = pages_of(attrs[ITME_A_PLAN_LOOKAHEAD]);
	p->plan->budget = pages_of(attrs[ITME_A_PLAN_BUDGET]);
	list_add(&p->node, &pendings);
	nr_pendings++;
	return p;
}

static int parse_range(struct pending *p, struct nlattr *attr, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(itme_range_nl_policy)];
	u32 stage = p->stage, range = p->ranges, object;
	u64 offset;
	int err;

	err = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, attr, itme_range_nl_policy, extack);
	if (err)
		return err;
	if (!tb[ITME_A_RANGE_OBJECT] || !tb[ITME_A_RANGE_LENGTH]) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "stage %u, range %u: has no %s", stage, range,
					tb[ITME_A_RANGE_OBJECT] ? "length" : "object");
		return -EINVAL;
	}
	object = nla_get_u32(tb[ITME_A_RANGE_OBJECT]);
	offset = tb[ITME_A_RANGE_OFFSET] ? nla_get_uint(tb[ITME_A_RANGE_OFFSET]) : 0;
	if (!nla_get_uint(tb[ITME_A_RANGE_LENGTH])) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, tb[ITME_A_RANGE_LENGTH],
					"stage %u, range %u: is empty", stage, range);
		return -EINVAL;
	}
	err = itme_plan_reserve(p->plan);
	if (!err)
		err = itme_plan_add(p->plan, stage, object, offset,
				    nla_get_uint(tb[ITME_A_RANGE_LENGTH]));
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "stage %u, range %u: more than %u ranges",
					stage, range, ITME_PLAN_RUNS_MAX);
	else if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR_FMT(extack, tb[ITME_A_RANGE_OBJECT],
					"stage %u, range %u: there is no object %u",
					stage, range, object);
	else if (err == -ERANGE)
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr,
					"stage %u, range %u: ends after the end of object %u",
					stage, range, object);
	p->ranges++;
	return err;
}

/* Which stage is it? By its index or, without one, the next. */
static int begin_stage(struct pending *p, struct nlattr *attr, struct nlattr *index,
		       struct netlink_ext_ack *extack)
{
	bool first = !p->plan->seq.nr_runs;
	u32 stage = index ? nla_get_u32(index) : first ? 0 : p->stage + 1;

	if (stage >= ITME_PLAN_RUNS_MAX) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "stage %u: more than %u stages", stage,
					ITME_PLAN_RUNS_MAX);
		return -E2BIG;
	}
	if (!first && stage < p->stage) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, index, "stage %u: comes after stage %u", stage,
					p->stage);
		return -EINVAL;
	}
	if (first || stage != p->stage)
		p->ranges = 0;
	p->stage = stage;
	return 0;
}

static int parse_stage(struct pending *p, struct nlattr *attr, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(itme_stage_nl_policy)];
	struct nlattr *range;
	int rem, err;

	err = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, attr, itme_stage_nl_policy, extack);
	if (!err)
		err = begin_stage(p, attr, tb[ITME_A_STAGE_INDEX], extack);
	if (err)
		return err;
	if (!tb[ITME_A_STAGE_RANGE]) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "stage %u: has no range", p->stage);
		return -EINVAL;
	}
	nla_for_each_attr_type(range, ITME_A_STAGE_RANGE, nla_data(attr), nla_len(attr), rem) {
		err = parse_range(p, range, extack);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int install(struct pending *p, struct genl_info *info, u32 *id)
{
	int err;

	*id = p->id;
	if (!p->plan->seq.nr_runs) {
		GENL_SET_ERR_MSG(info, "the plan has no stages");
		return -EINVAL;
	}
	refcount_inc(&p->plan->ref);
	err = itme_plan_install(p->plan, id);
	if (!err)
		return 0;
	itme_plan_put(p->plan);
	if (err == -ENOENT)
		GENL_SET_ERR_MSG_FMT(info, "there is no plan %u", p->id);
	else if (err == -ENOSPC)
		GENL_SET_ERR_MSG_FMT(info, "there are %u plans already", ITME_PLANS_MAX);
	else if (err == -ESTALE)
		GENL_SET_ERR_MSG(info, "all files of the plan are gone");
	else if (err == -EFBIG)
		GENL_SET_ERR_MSG(info, "a pass of the plan uses more than 2^31 chunks");
	return err;
}

static int parse_message(struct pending *p, struct genl_info *info)
{
	struct nlattr *stage;
	int rem, err;

	nla_for_each_attr_type(stage, ITME_A_PLAN_STAGE, genlmsg_data(info->genlhdr),
			       genlmsg_len(info->genlhdr), rem) {
		err = parse_stage(p, stage, info->extack);
		if (err)
			return err;
	}
	return 0;
}

/* A message that goes on with a plan says nothing about it anew. */
static int check_further(struct genl_info *info)
{
	static const u16 first_only[] = {
		ITME_A_PLAN_ID, ITME_A_PLAN_NAME, ITME_A_PLAN_CYCLIC,
		ITME_A_PLAN_LOOKAHEAD, ITME_A_PLAN_BUDGET,
	};

	for (size_t i = 0; i < ARRAY_SIZE(first_only); i++) {
		struct nlattr *attr = info->attrs[first_only[i]];

		if (attr) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "this belongs into the first message of a plan");
			return -EINVAL;
		}
	}
	return 0;
}

int itme_nl_plan_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	bool more = nla_get_flag(info->attrs[ITME_A_PLAN_MORE]);
	struct itme_nl_reply reply;
	struct pending *p;
	int err = 0;
	u32 id = 0;

	/* First, as a plan that is there must not be told to have failed. */
	err = itme_nl_reply_begin(&reply, info);
	if (err)
		return err;
	mutex_lock(&pending_mutex);
	p = find_pending(NETLINK_CB(skb).sk);
	if (p)
		err = check_further(info);
	else
		p = begin_plan(itme_nl_fs(info), skb, info);
	if (IS_ERR(p)) {
		err = PTR_ERR(p);
	} else {
		if (!err)
			err = parse_message(p, info);
		if (!err && !more)
			err = install(p, info, &id);
		if (err || !more)
			free_pending(p);
	}
	mutex_unlock(&pending_mutex);
	if (err || more) {
		nlmsg_free(reply.skb);
		return err;
	}
	return itme_nl_reply_end(&reply, info, !nla_put_u32(reply.skb, ITME_A_PLAN_ID, id));
}

static struct nlattr *plan_id(struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, ITME_A_PLAN_ID)) {
		GENL_SET_ERR_MSG(info, "no plan given");
		return NULL;
	}
	return info->attrs[ITME_A_PLAN_ID];
}

static int no_plan(struct netlink_ext_ack *extack, const struct nlattr *id)
{
	NL_SET_ERR_MSG_ATTR_FMT(extack, id, "there is no plan %u", nla_get_u32(id));
	return -ENOENT;
}

int itme_nl_plan_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = plan_id(info);

	if (!id)
		return -EINVAL;
	if (itme_plan_remove(itme_nl_fs(info), nla_get_u32(id)))
		return no_plan(info->extack, id);
	return 0;
}

int itme_nl_plan_step_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *at = info->attrs[ITME_A_PLAN_AT];
	struct nlattr *id = plan_id(info);
	int err;

	if (!id)
		return -EINVAL;
	if (GENL_REQ_ATTR_CHECK(info, ITME_A_PLAN_AT)) {
		GENL_SET_ERR_MSG(info, "no stage given");
		return -EINVAL;
	}
	err = itme_plan_step(itme_nl_fs(info), nla_get_u32(id), nla_get_u32(at));
	if (err == -ENOENT)
		return no_plan(info->extack, id);
	if (err)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, at, "plan %u has no stage %u",
					nla_get_u32(id), nla_get_u32(at));
	return err;
}

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
	u64 dram, cxl, passes, jumps, cycle;
	u32 at;

	spin_lock(&plan->fs->lock);
	cursors = plan->cursors;
	dram = part(plan->pages, plan->share[ITME_TIER_DRAM]);
	cxl = part(plan->pages, plan->share[ITME_TIER_CXL]);
	passes = plan->passes;
	jumps = plan->jumps;
	cycle = plan->cycle;
	at = plan->stage;
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
		 !put_cursors(skb, plan, &cursors));
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
	struct nlattr *id = plan_id(info);
	struct itme_nl_reply reply;
	struct itme_plan *plan;
	int err;

	if (!id)
		return -EINVAL;
	plan = get_plan(itme_nl_fs(info), nla_get_u32(id));
	if (!plan)
		return no_plan(info->extack, id);
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

static bool put_range(struct sk_buff *skb, struct itme_fs *fs, const struct itme_run *run)
{
	struct itme_inode *ino;
	u64 offset = 0, length = 0;
	struct nlattr *nest;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, run->object);
	if (ino) {
		offset = (u64)run->start << ino->chunk_shift;
		length = min_t(u64, (u64)run->nr << ino->chunk_shift,
			       i_size_read(&ino->vfs) - offset);
	}
	spin_unlock(&fs->lock);
	nest = nla_nest_start(skb, ITME_A_STAGE_RANGE);
	/* Of a file that is gone there is nothing to say but that. */
	if (!nest || nla_put_u32(skb, ITME_A_RANGE_OBJECT, run->object) ||
	    (ino && (nla_put_uint(skb, ITME_A_RANGE_OFFSET, offset) ||
		     nla_put_uint(skb, ITME_A_RANGE_LENGTH, length)))) {
		nla_nest_cancel(skb, nest);
		return false;
	}
	nla_nest_end(skb, nest);
	return true;
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
	       put_range(skb, plan->fs, &runs[i]))
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

/* args[0]: number of the last plan put, or 1 when that is the one asked for */
static int dump_one(struct sk_buff *skb, struct netlink_callback *cb, struct itme_fs *fs,
		    const struct nlattr *id)
{
	struct itme_plan *plan = get_plan(fs, nla_get_u32(id));
	int err = 0;

	/* It may have been deleted between two messages, which the end of the dump says. */
	if (!plan)
		return cb->args[0] ? 0 : no_plan(cb->extack, id);
	if (!cb->args[0])
		err = dump_plan(skb, cb, plan);
	if (!err) {
		cb->args[0] = 1;
		err = dump_stages(skb, cb, plan);
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
