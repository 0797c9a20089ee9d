/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: the generic netlink family itme
 *
 * Documentation/netlink/specs/itme.yaml is its definition, netlink_gen.c is made of
 * that by scripts/ynl.
 *
 * A request finds the file system that is mounted and holds it while it runs, so that
 * unmount waits for it. It must not run long: it has a lock of the kernel's that whoever
 * (un)registers a family waits for, and then all other requests wait behind that one.
 * Dumps hold nothing between two messages; they go on by number.
 *
 * The family is in the initial network namespace only. The tiers are the machine's, and
 * so are the names of its models, which are no business of any container that has
 * network of its own. Who needs them there is given the host's network, or asks itmed.
 */
#ifndef ITME_NETLINK_H
#define ITME_NETLINK_H

#include <linux/types.h>
#include <net/genetlink.h>

#include "itme.h"
#include "netlink_gen.h"

/**
 * struct itme_nl_reply - an answer being made
 * @skb: the message
 * @hdr: of it
 */
struct itme_nl_reply {
	struct sk_buff *skb;
	void *hdr;
};

/* netlink.c */
int itme_netlink_init(void);
void itme_netlink_exit(void);
void itme_netlink_start(struct itme_fs *fs);
void itme_netlink_stop(struct itme_fs *fs);
struct itme_fs *itme_nl_fs_get(struct netlink_ext_ack *extack);
int itme_nl_reply_begin(struct itme_nl_reply *reply, struct genl_info *info);
int itme_nl_reply_end(struct itme_nl_reply *reply, struct genl_info *info, bool fits);
struct itme_inode *itme_nl_object(struct itme_fs *fs, const struct nlattr *attr,
				  struct netlink_ext_ack *extack);

static inline struct itme_fs *itme_nl_fs(const struct genl_info *info)
{
	return info->user_ptr[0];
}

/* netlink_plan.c */
void itme_nl_plans_init(void);
void itme_nl_plans_exit(void);
void itme_nl_plans_drop(void);
struct nlattr *itme_nl_plan_id(struct genl_info *info);
int itme_nl_no_plan(struct netlink_ext_ack *extack, const struct nlattr *id);

/* netlink_advise.c */
int itme_nl_advise_init(void);
void itme_nl_advise_exit(void);

#endif /* ITME_NETLINK_H */
