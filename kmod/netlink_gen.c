// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/itme.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/itme_netlink.h>
#include <linux/itme.h>
#include <linux/itme.h>
#include <linux/itme.h>

/* Common nested types */
const struct nla_policy itme_range_nl_policy[ITME_A_RANGE_LENGTH + 1] = {
	[ITME_A_RANGE_OBJECT] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_RANGE_OFFSET] = { .type = NLA_UINT, },
	[ITME_A_RANGE_LENGTH] = { .type = NLA_UINT, },
};

const struct nla_policy itme_stage_nl_policy[ITME_A_STAGE_RANGE + 1] = {
	[ITME_A_STAGE_INDEX] = { .type = NLA_U32, },
	[ITME_A_STAGE_RANGE] = NLA_POLICY_NESTED(itme_range_nl_policy),
};

const struct nla_policy itme_trigger_nl_policy[ITME_A_TRIGGER_TARGET + 1] = {
	[ITME_A_TRIGGER_SOURCE] = NLA_POLICY_NESTED(itme_range_nl_policy),
	[ITME_A_TRIGGER_TARGET] = NLA_POLICY_NESTED(itme_range_nl_policy),
};

/* ITME_CMD_TIER_GET - do */
static const struct nla_policy itme_tier_get_nl_policy[ITME_A_TIER_TIER + 1] = {
	[ITME_A_TIER_TIER] = NLA_POLICY_MAX(NLA_U32, 2),
};

/* ITME_CMD_TIER_SET - do */
static const struct nla_policy itme_tier_set_nl_policy[ITME_A_TIER_BUDGET + 1] = {
	[ITME_A_TIER_TIER] = NLA_POLICY_MAX(NLA_U32, 2),
	[ITME_A_TIER_BUDGET] = { .type = NLA_UINT, },
};

/* ITME_CMD_OBJECT_GET - do */
static const struct nla_policy itme_object_get_nl_policy[ITME_A_OBJECT_NAME + 1] = {
	[ITME_A_OBJECT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_OBJECT_NAME] = { .type = NLA_NUL_STRING, .len = 4095, },
};

/* ITME_CMD_ADVISE - do */
static const struct nla_policy itme_advise_nl_policy[ITME_A_HINT_ADDRESS + 1] = {
	[ITME_A_HINT_OBJECT] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_HINT_OFFSET] = { .type = NLA_UINT, },
	[ITME_A_HINT_LENGTH] = { .type = NLA_UINT, },
	[ITME_A_HINT_ADVICE] = NLA_POLICY_MAX(NLA_U32, 5),
	[ITME_A_HINT_TIER] = NLA_POLICY_MAX(NLA_U32, 2),
	[ITME_A_HINT_PID] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_HINT_ADDRESS] = { .type = NLA_UINT, },
};

/* ITME_CMD_PLAN_SET - do */
static const struct nla_policy itme_plan_set_nl_policy[ITME_A_PLAN_TRIGGER + 1] = {
	[ITME_A_PLAN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_PLAN_NAME] = { .type = NLA_NUL_STRING, .len = 63, },
	[ITME_A_PLAN_CYCLIC] = { .type = NLA_FLAG, },
	[ITME_A_PLAN_LOOKAHEAD] = { .type = NLA_UINT, },
	[ITME_A_PLAN_BUDGET] = { .type = NLA_UINT, },
	[ITME_A_PLAN_STAGE] = NLA_POLICY_NESTED(itme_stage_nl_policy),
	[ITME_A_PLAN_TRIGGER] = NLA_POLICY_NESTED(itme_trigger_nl_policy),
	[ITME_A_PLAN_MORE] = { .type = NLA_FLAG, },
};

/* ITME_CMD_PLAN_GET - do */
static const struct nla_policy itme_plan_get_do_nl_policy[ITME_A_PLAN_ID + 1] = {
	[ITME_A_PLAN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* ITME_CMD_PLAN_GET - dump */
static const struct nla_policy itme_plan_get_dump_nl_policy[ITME_A_PLAN_ID + 1] = {
	[ITME_A_PLAN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* ITME_CMD_PLAN_DEL - do */
static const struct nla_policy itme_plan_del_nl_policy[ITME_A_PLAN_ID + 1] = {
	[ITME_A_PLAN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* ITME_CMD_PLAN_STEP - do */
static const struct nla_policy itme_plan_step_nl_policy[ITME_A_PLAN_AT + 1] = {
	[ITME_A_PLAN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[ITME_A_PLAN_AT] = { .type = NLA_U32, },
};

/* ITME_CMD_STATS_GET - do */
static const struct nla_policy itme_stats_get_nl_policy[ITME_A_STATS_OBJECT + 1] = {
	[ITME_A_STATS_OBJECT] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* ITME_CMD_CONFIG_SET - do */
static const struct nla_policy itme_config_set_nl_policy[ITME_A_CONFIG_STALL_THRESHOLD + 1] = {
	[ITME_A_CONFIG_STALL_THRESHOLD] = { .type = NLA_UINT, },
};

/* Ops table for itme */
static const struct genl_split_ops itme_nl_ops[] = {
	{
		.cmd		= ITME_CMD_TIER_GET,
		.pre_doit	= itme_nl_begin,
		.doit		= itme_nl_tier_get_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_tier_get_nl_policy,
		.maxattr	= ITME_A_TIER_TIER,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ITME_CMD_TIER_GET,
		.dumpit	= itme_nl_tier_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ITME_CMD_TIER_SET,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_tier_set_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_tier_set_nl_policy,
		.maxattr	= ITME_A_TIER_BUDGET,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_OBJECT_GET,
		.pre_doit	= itme_nl_begin,
		.doit		= itme_nl_object_get_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_object_get_nl_policy,
		.maxattr	= ITME_A_OBJECT_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ITME_CMD_OBJECT_GET,
		.dumpit	= itme_nl_object_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ITME_CMD_ADVISE,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_advise_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_advise_nl_policy,
		.maxattr	= ITME_A_HINT_ADDRESS,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_PLAN_SET,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_plan_set_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_plan_set_nl_policy,
		.maxattr	= ITME_A_PLAN_TRIGGER,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_PLAN_GET,
		.pre_doit	= itme_nl_begin,
		.doit		= itme_nl_plan_get_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_plan_get_do_nl_policy,
		.maxattr	= ITME_A_PLAN_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_PLAN_GET,
		.dumpit		= itme_nl_plan_get_dumpit,
		.policy		= itme_plan_get_dump_nl_policy,
		.maxattr	= ITME_A_PLAN_ID,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ITME_CMD_PLAN_DEL,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_plan_del_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_plan_del_nl_policy,
		.maxattr	= ITME_A_PLAN_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_PLAN_STEP,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_plan_step_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_plan_step_nl_policy,
		.maxattr	= ITME_A_PLAN_AT,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_STATS_GET,
		.pre_doit	= itme_nl_begin,
		.doit		= itme_nl_stats_get_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_stats_get_nl_policy,
		.maxattr	= ITME_A_STATS_OBJECT,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_CONFIG_GET,
		.pre_doit	= itme_nl_begin,
		.doit		= itme_nl_config_get_doit,
		.post_doit	= itme_nl_end,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ITME_CMD_CONFIG_SET,
		.pre_doit	= itme_nl_begin_admin,
		.doit		= itme_nl_config_set_doit,
		.post_doit	= itme_nl_end,
		.policy		= itme_config_set_nl_policy,
		.maxattr	= ITME_A_CONFIG_STALL_THRESHOLD,
		.flags		= GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group itme_nl_mcgrps[] = {
	[ITME_NLGRP_EVENTS] = { "events", },
};

struct genl_family itme_nl_family __ro_after_init = {
	.name		= ITME_FAMILY_NAME,
	.version	= ITME_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= itme_nl_ops,
	.n_split_ops	= ARRAY_SIZE(itme_nl_ops),
	.mcgrps		= itme_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(itme_nl_mcgrps),
};
