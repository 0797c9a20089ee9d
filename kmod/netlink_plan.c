// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: plans, as they are set
 *
 * A plan may be larger than a message. Then it comes in several, and what has come so
 * far is kept until the last one, by socket.
 */
#include <linux/slab.h>
#include <net/sock.h>

#include "event.h"
#include "netlink.h"
#include "trigger.h"

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
	/* Its number may be another socket's by now; itself it is there until we return. */
	list_for_each_entry_safe(p, next, &pendings, node)
		if (p->portid == n->portid && sock_flag(p->sk, SOCK_DEAD))
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

/* What the sentences about a message begin with. */
struct where {
	char text[64];
};

struct plan_range {
	struct nlattr *name;
	u32 object;
	u64 offset;
	u64 length;
};

static int parse_range(struct nlattr *attr, const struct where *where, struct plan_range *range,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(itme_range_nl_policy)];
	int err;

	err = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, attr, itme_range_nl_policy, extack);
	if (err)
		return err;
	if (!tb[ITME_A_RANGE_OBJECT] || !tb[ITME_A_RANGE_LENGTH]) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "%s: has no %s", where->text,
					tb[ITME_A_RANGE_OBJECT] ? "length" : "object");
		return -EINVAL;
	}
	range->name = tb[ITME_A_RANGE_OBJECT];
	range->object = nla_get_u32(range->name);
	range->offset = tb[ITME_A_RANGE_OFFSET] ? nla_get_uint(tb[ITME_A_RANGE_OFFSET]) : 0;
	range->length = nla_get_uint(tb[ITME_A_RANGE_LENGTH]);
	if (!range->length) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, tb[ITME_A_RANGE_LENGTH], "%s: is empty",
					where->text);
		return -EINVAL;
	}
	return 0;
}

/* A range could not be added. */
static int no_range(int err, struct nlattr *attr, const struct where *where,
		    const struct plan_range *range, const char *most,
		    struct netlink_ext_ack *extack)
{
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "%s: more than %s", where->text, most);
	else if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR_FMT(extack, range->name, "%s: there is no object %u",
					where->text, range->object);
	else if (err == -ERANGE)
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "%s: ends after the end of object %u",
					where->text, range->object);
	return err;
}

static int parse_stage_range(struct pending *p, struct nlattr *attr,
			     struct netlink_ext_ack *extack)
{
	struct where where;
	struct plan_range range;
	int err;

	snprintf(where.text, sizeof(where.text), "stage %u, range %u", p->stage, p->ranges);
	err = parse_range(attr, &where, &range, extack);
	if (err)
		return err;
	err = itme_plan_reserve(p->plan);
	if (!err)
		err = itme_plan_add(p->plan, p->stage, range.object, range.offset, range.length);
	p->ranges++;
	return no_range(err, attr, &where, &range, __stringify(ITME_PLAN_RUNS_MAX) " ranges",
			extack);
}

static int parse_source(struct pending *p, struct nlattr *attr, u32 nr,
			struct netlink_ext_ack *extack)
{
	struct where where;
	struct plan_range range;
	int err;

	snprintf(where.text, sizeof(where.text), "trigger %u, source", nr);
	err = parse_range(attr, &where, &range, extack);
	if (err)
		return err;
	err = itme_trigger_add(p->plan, range.object, range.offset, range.length);
	return no_range(err, attr, &where, &range, __stringify(ITME_TRIGGERS_MAX) " triggers",
			extack);
}

static int parse_target(struct pending *p, struct nlattr *attr, u32 nr, u32 target,
			struct netlink_ext_ack *extack)
{
	struct where where;
	struct plan_range range;
	int err;

	snprintf(where.text, sizeof(where.text), "trigger %u, target %u", nr, target);
	err = parse_range(attr, &where, &range, extack);
	if (err)
		return err;
	err = itme_trigger_add_target(p->plan, range.object, range.offset, range.length);
	return no_range(err, attr, &where, &range, __stringify(ITME_TARGETS_EACH)
			" targets, or than " __stringify(ITME_TARGETS_MAX) " of all triggers",
			extack);
}

static int parse_trigger(struct pending *p, struct nlattr *attr, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(itme_trigger_nl_policy)];
	u32 nr = p->plan->triggers ? p->plan->triggers->nr : 0;
	struct nlattr *range;
	u32 target = 0;
	int rem, err;

	err = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, attr, itme_trigger_nl_policy, extack);
	if (err)
		return err;
	if (!tb[ITME_A_TRIGGER_SOURCE] || !tb[ITME_A_TRIGGER_TARGET]) {
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "trigger %u: has no %s", nr,
					tb[ITME_A_TRIGGER_SOURCE] ? "target" : "source");
		return -EINVAL;
	}
	err = parse_source(p, tb[ITME_A_TRIGGER_SOURCE], nr, extack);
	if (err)
		return err;
	nla_for_each_attr_type(range, ITME_A_TRIGGER_TARGET, nla_data(attr), nla_len(attr), rem) {
		err = parse_target(p, range, nr, target++, extack);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
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
		err = parse_stage_range(p, range, extack);
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
	if (!p->plan->seq.nr_runs && !p->plan->triggers) {
		GENL_SET_ERR_MSG(info, "the plan has no stages and no triggers");
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
	struct nlattr *attr;
	int rem, err = 0;

	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem) {
		if (nla_type(attr) == ITME_A_PLAN_STAGE)
			err = parse_stage(p, attr, info->extack);
		else if (nla_type(attr) == ITME_A_PLAN_TRIGGER)
			err = parse_trigger(p, attr, info->extack);
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

struct nlattr *itme_nl_plan_id(struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, ITME_A_PLAN_ID)) {
		GENL_SET_ERR_MSG(info, "no plan given");
		return NULL;
	}
	return info->attrs[ITME_A_PLAN_ID];
}

int itme_nl_no_plan(struct netlink_ext_ack *extack, const struct nlattr *id)
{
	NL_SET_ERR_MSG_ATTR_FMT(extack, id, "there is no plan %u", nla_get_u32(id));
	return -ENOENT;
}

int itme_nl_plan_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = itme_nl_plan_id(info);

	if (!id)
		return -EINVAL;
	if (itme_plan_remove(itme_nl_fs(info), nla_get_u32(id)))
		return itme_nl_no_plan(info->extack, id);
	return 0;
}

int itme_nl_plan_step_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *at = info->attrs[ITME_A_PLAN_AT];
	struct nlattr *id = itme_nl_plan_id(info);
	int err;

	if (!id)
		return -EINVAL;
	if (GENL_REQ_ATTR_CHECK(info, ITME_A_PLAN_AT)) {
		GENL_SET_ERR_MSG(info, "no stage given");
		return -EINVAL;
	}
	err = itme_plan_step(itme_nl_fs(info), nla_get_u32(id), nla_get_u32(at));
	if (err == -ENOENT)
		return itme_nl_no_plan(info->extack, id);
	if (err)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, at, "plan %u has no stage %u",
					nla_get_u32(id), nla_get_u32(at));
	return err;
}
