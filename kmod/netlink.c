// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: the family, the file system it is about, tiers and counters
 */
#include <linux/capability.h>
#include <linux/module.h>

#include "event.h"
#include "netlink.h"

/* The mounted file system, or none. Who finds one here has it held by then. */
static struct itme_fs *mounted;
static DEFINE_SPINLOCK(mounted_lock);

atomic_t itme_objects_changed = ATOMIC_INIT(1);
atomic_t itme_plans_changed = ATOMIC_INIT(1);

/**
 * itme_nl_fs_get - the file system that a request is about
 * @extack: told when there is none
 *
 * Return: the file system, for itme_fs_put(), or NULL
 */
struct itme_fs *itme_nl_fs_get(struct netlink_ext_ack *extack)
{
	struct itme_fs *fs;

	/* It is not freed before itme_netlink_stop() had the lock. */
	spin_lock(&mounted_lock);
	fs = mounted;
	if (fs && !itme_fs_get(fs))
		fs = NULL;
	spin_unlock(&mounted_lock);
	if (!fs)
		NL_SET_ERR_MSG(extack, "no itmefs is mounted");
	return fs;
}

static void set_mounted(struct itme_fs *fs)
{
	spin_lock(&mounted_lock);
	mounted = fs;
	spin_unlock(&mounted_lock);
	itme_changed(&itme_objects_changed);
	itme_changed(&itme_plans_changed);
}

/**
 * itme_netlink_start - let requests find a file system
 * @fs: file system, complete
 */
void itme_netlink_start(struct itme_fs *fs)
{
	itme_events_reset();
	set_mounted(fs);
}

/**
 * itme_netlink_stop - no request shall find it any more
 * @fs: file system, being unmounted; those that have found it still hold it
 */
void itme_netlink_stop(struct itme_fs *fs)
{
	set_mounted(NULL);
}

int itme_nl_begin(const struct genl_split_ops *ops, struct sk_buff *skb, struct genl_info *info)
{
	struct itme_fs *fs = itme_nl_fs_get(info->extack);

	info->user_ptr[0] = fs;
	return fs ? 0 : -ENODEV;
}

/* Both the one who asks and the one who has opened the socket must have it. */
int itme_nl_begin_admin(const struct genl_split_ops *ops, struct sk_buff *skb,
			struct genl_info *info)
{
	if (!netlink_capable(skb, CAP_NET_ADMIN) && !netlink_capable(skb, CAP_SYS_ADMIN)) {
		NL_SET_ERR_MSG(info->extack, "changes need CAP_NET_ADMIN or CAP_SYS_ADMIN");
		return -EPERM;
	}
	return itme_nl_begin(ops, skb, info);
}

void itme_nl_end(const struct genl_split_ops *ops, struct sk_buff *skb, struct genl_info *info)
{
	itme_fs_put(itme_nl_fs(info));
}

/**
 * itme_nl_reply_begin - begin to answer a request
 * @reply: the answer
 * @info: the request
 *
 * Return: 0 or -ENOMEM
 */
int itme_nl_reply_begin(struct itme_nl_reply *reply, struct genl_info *info)
{
	reply->skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply->skb)
		return -ENOMEM;
	reply->hdr = genlmsg_iput(reply->skb, info);
	return 0;
}

/**
 * itme_nl_reply_end - send the answer
 * @reply: the answer, gone afterwards
 * @info: the request
 * @fits: everything has been put into it
 *
 * Return: 0 or -errno, for the handler to return
 */
int itme_nl_reply_end(struct itme_nl_reply *reply, struct genl_info *info, bool fits)
{
	if (!fits) {
		nlmsg_free(reply->skb);
		return -EMSGSIZE;
	}
	genlmsg_end(reply->skb, reply->hdr);
	return genlmsg_reply(reply->skb, info);
}

/**
 * itme_nl_object - the file with a number
 * @fs: file system
 * @attr: the number
 * @extack: told when there is none
 *
 * Return: the file, for itme_inode_put(), or NULL
 */
struct itme_inode *itme_nl_object(struct itme_fs *fs, const struct nlattr *attr,
				  struct netlink_ext_ack *extack)
{
	struct itme_inode *ino;

	spin_lock(&fs->lock);
	ino = xa_load(&fs->objects, nla_get_u32(attr));
	if (ino && !igrab(&ino->vfs))
		ino = NULL;
	spin_unlock(&fs->lock);
	if (!ino)
		NL_SET_ERR_MSG_ATTR_FMT(extack, attr, "there is no object %u", nla_get_u32(attr));
	return ino;
}

static bool put_tier(struct sk_buff *skb, struct itme_fs *fs, int tier)
{
	struct itme_tier_info info;
	int nid;

	itme_tier_info(fs, tier, &info);
	if (nla_put_u32(skb, ITME_A_TIER_TIER, tier) ||
	    nla_put_uint(skb, ITME_A_TIER_BUDGET, info.budget) ||
	    nla_put_uint(skb, ITME_A_TIER_USED, info.used) ||
	    nla_put_uint(skb, ITME_A_TIER_PINNED, info.pinned) ||
	    nla_put_uint(skb, ITME_A_TIER_BUSY, info.busy) ||
	    nla_put_uint(skb, ITME_A_TIER_CAPACITY, info.capacity) ||
	    nla_put_uint(skb, ITME_A_TIER_FREE, info.free))
		return false;
	for_each_node_mask(nid, itme_tiers[tier].nodes)
		if (nla_put_u32(skb, ITME_A_TIER_NODE, nid))
			return false;
	return true;
}

/* Return: the tier that is asked for, or -errno */
static int tier_of(struct genl_info *info)
{
	u32 tier;

	if (GENL_REQ_ATTR_CHECK(info, ITME_A_TIER_TIER)) {
		GENL_SET_ERR_MSG(info, "no tier given");
		return -EINVAL;
	}
	tier = nla_get_u32(info->attrs[ITME_A_TIER_TIER]);
	if (tier < ITME_MEM_TIERS)
		return tier;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[ITME_A_TIER_TIER], "that tier is no memory");
	return -EINVAL;
}

int itme_nl_tier_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct itme_nl_reply reply;
	int tier = tier_of(info);
	int err;

	if (tier < 0)
		return tier;
	err = itme_nl_reply_begin(&reply, info);
	return err ?: itme_nl_reply_end(&reply, info,
					put_tier(reply.skb, itme_nl_fs(info), tier));
}

int itme_nl_tier_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct itme_fs *fs = itme_nl_fs_get(cb->extack);
	int err = 0;

	if (!fs)
		return -ENODEV;
	for (; cb->args[0] < ITME_MEM_TIERS; cb->args[0]++) {
		void *hdr = genlmsg_iput(skb, genl_info_dump(cb));

		if (!hdr || !put_tier(skb, fs, cb->args[0])) {
			genlmsg_cancel(skb, hdr);
			err = -EMSGSIZE;
			break;
		}
		genlmsg_end(skb, hdr);
	}
	itme_fs_put(fs);
	return skb->len ?: err;
}

int itme_nl_tier_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *budget = info->attrs[ITME_A_TIER_BUDGET];
	int tier = tier_of(info);
	struct itme_nl_reply reply;
	const char *why = NULL;
	int err;

	if (tier < 0)
		return tier;
	if (GENL_REQ_ATTR_CHECK(info, ITME_A_TIER_BUDGET)) {
		GENL_SET_ERR_MSG(info, "no budget given");
		return -EINVAL;
	}
	err = itme_tier_check(tier, nla_get_uint(budget), &itme_tiers[tier].nodes, &why);
	if (err) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, budget, "%s", why);
		return err;
	}
	/* First, as a budget that is set must not be told to have failed. */
	err = itme_nl_reply_begin(&reply, info);
	if (err)
		return err;
	err = itme_tier_set(itme_nl_fs(info), tier, nla_get_uint(budget));
	if (err == -EBUSY)
		NL_SET_ERR_MSG_ATTR(info->extack, budget, "what is held of the tier cannot leave");
	if (err) {
		nlmsg_free(reply.skb);
		return err;
	}
	return itme_nl_reply_end(&reply, info, put_tier(reply.skb, itme_nl_fs(info), tier));
}

static bool put_stats(struct sk_buff *skb, const struct itme_counters *counters)
{
	static const u16 attr_of[] = {
		[ITME_READ_BYTES]	= ITME_A_STATS_READ_BYTES,
		[ITME_READS]		= ITME_A_STATS_READS,
		[ITME_DEMAND_BYTES]	= ITME_A_STATS_DEMAND_BYTES,
		[ITME_PREFETCH_BYTES]	= ITME_A_STATS_PREFETCH_BYTES,
		[ITME_PREFETCH_USED]	= ITME_A_STATS_PREFETCH_USED_BYTES,
		[ITME_PREFETCH_LATE]	= ITME_A_STATS_PREFETCH_LATE_BYTES,
		[ITME_PREFETCH_WASTED]	= ITME_A_STATS_PREFETCH_WASTED_BYTES,
		[ITME_DROPPED]		= ITME_A_STATS_DROPPED_BYTES,
		[ITME_PROMOTED]		= ITME_A_STATS_PROMOTED_BYTES,
		[ITME_DEMOTED]		= ITME_A_STATS_DEMOTED_BYTES,
		[ITME_STALLS]		= ITME_A_STATS_STALLS,
		[ITME_STALL_NS]		= ITME_A_STATS_STALL_NS,
		[ITME_STALL_MAX]	= ITME_A_STATS_STALL_MAX_NS,
		[ITME_IO_ERRORS]	= ITME_A_STATS_IO_ERRORS,
		[ITME_SMALL_FOLIOS]	= ITME_A_STATS_SMALL_FOLIO_CHUNKS,
		[ITME_ALLOC_FAILS]	= ITME_A_STATS_ALLOC_FAILS,
		[ITME_BUSY_FAILS]	= ITME_A_STATS_BUSY_FAILS,
		[ITME_HINTS]		= ITME_A_STATS_HINTS,
		[ITME_HINTS_DROPPED]	= ITME_A_STATS_HINTS_DROPPED,
		[ITME_SWAP_OUT]		= ITME_A_STATS_SWAP_OUT_BYTES,
		[ITME_SWAP_IN]		= ITME_A_STATS_SWAP_IN_BYTES,
		[ITME_SWAP_ZERO]	= ITME_A_STATS_SWAP_ZERO_BYTES,
		[ITME_SWAP_CLEAN]	= ITME_A_STATS_SWAP_CLEAN_BYTES,
		[ITME_SWAP_ERRORS]	= ITME_A_STATS_SWAP_ERRORS,
	};

	static_assert(ARRAY_SIZE(attr_of) == ITME_NR_COUNTERS);
	for (size_t i = 0; i < ITME_NR_COUNTERS; i++)
		if (nla_put_uint(skb, attr_of[i], atomic64_read(&counters->v[i])))
			return false;
	return true;
}

int itme_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *object = info->attrs[ITME_A_STATS_OBJECT];
	struct itme_fs *fs = itme_nl_fs(info);
	struct itme_inode *ino = NULL;
	struct itme_nl_reply reply;
	bool fits;
	int err;

	if (object) {
		ino = itme_nl_object(fs, object, info->extack);
		if (!ino)
			return -ENOENT;
	}
	err = itme_nl_reply_begin(&reply, info);
	if (err)
		goto put;
	if (ino)
		fits = !nla_put_u32(reply.skb, ITME_A_STATS_OBJECT, ino->id) &&
		       put_stats(reply.skb, &ino->counters);
	else
		fits = put_stats(reply.skb, &fs->counters) &&
		       !nla_put_uint(reply.skb, ITME_A_STATS_EVENTS_LOST, itme_events_lost());
	err = itme_nl_reply_end(&reply, info, fits);
put:
	if (ino)
		itme_inode_put(ino);
	return err;
}

int itme_netlink_init(void)
{
	int err;

	err = itme_nl_advise_init();
	if (err)
		return err;
	itme_nl_plans_init();
	/* The generator knows only families that are in all of them. */
	itme_nl_family.netnsok = false;
	err = genl_register_family(&itme_nl_family);
	if (err) {
		itme_nl_plans_exit();
		itme_nl_advise_exit();
	}
	return err;
}

/* No file system is mounted, or we would not be here. */
void itme_netlink_exit(void)
{
	itme_events_stop();
	/* Waits for the requests that run. */
	genl_unregister_family(&itme_nl_family);
	itme_nl_plans_exit();
	itme_nl_advise_exit();
}
