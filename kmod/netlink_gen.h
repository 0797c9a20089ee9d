/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/itme.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_ITME_GEN_H
#define _LINUX_ITME_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/itme_netlink.h>
#include <linux/itme.h>
#include <linux/itme.h>
#include <linux/itme.h>

/* Common nested types */
extern const struct nla_policy itme_range_nl_policy[ITME_A_RANGE_LENGTH + 1];
extern const struct nla_policy itme_stage_nl_policy[ITME_A_STAGE_RANGE + 1];
extern const struct nla_policy itme_trigger_nl_policy[ITME_A_TRIGGER_TARGET + 1];

int itme_nl_begin(const struct genl_split_ops *ops, struct sk_buff *skb,
		  struct genl_info *info);
int itme_nl_begin_admin(const struct genl_split_ops *ops, struct sk_buff *skb,
			struct genl_info *info);
void
itme_nl_end(const struct genl_split_ops *ops, struct sk_buff *skb,
	    struct genl_info *info);

int itme_nl_tier_get_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_tier_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int itme_nl_tier_set_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_object_get_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_object_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int itme_nl_advise_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_plan_set_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_plan_get_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_plan_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int itme_nl_plan_del_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_plan_step_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_config_get_doit(struct sk_buff *skb, struct genl_info *info);
int itme_nl_config_set_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	ITME_NLGRP_EVENTS,
};

extern struct genl_family itme_nl_family;

#endif /* _LINUX_ITME_GEN_H */
