// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: the files
 */
#include <linux/cred.h>
#include <net/sock.h>

#include "event.h"
#include "netlink.h"

/* Bytes of a path that are told. */
#define NAME_SHOWN	3072

/*
 * A written file may lie where not everybody can look, so its path is told to its owner
 * and to who may see all; as elsewhere, the caller and who opened the socket must be it.
 */
static bool may_know(const struct sk_buff *request, const struct itme_inode *ino)
{
	kuid_t owner = ino->vfs.i_uid;

	return !ino->native || netlink_capable(request, CAP_SYS_ADMIN) ||
	       (uid_eq(owner, current_fsuid()) &&
		uid_eq(owner, NETLINK_CB(request).sk->sk_uid));
}

static int put_name(struct sk_buff *skb, struct itme_inode *ino)
{
	char *name = itme_object_name(ino);
	size_t len;
	int err;

	if (!name)
		return -ENOMEM;
	/* A message has one page; of a longer path the end says more. */
	len = strlen(name);
	err = nla_put_string(skb, ITME_A_OBJECT_NAME,
			     name + (len > NAME_SHOWN ? len - NAME_SHOWN : 0));
	kfree(name);
	return err;
}

/* Return: 0, -EMSGSIZE it does not fit, -ENOMEM or -EINTR */
static int put_object(struct sk_buff *skb, const struct sk_buff *request, struct itme_inode *ino)
{
	u64 bytes[ITME_TIER_NR];
	struct itme_object obj;
	int err;

	itme_query_object(ino, &obj);
	err = itme_query_bytes(ino, bytes);
	if (err)
		return err;
	if (may_know(request, ino))
		err = put_name(skb, ino);
	if (err)
		return err;
	if (nla_put_u32(skb, ITME_A_OBJECT_ID, ino->id) ||
	    nla_put_uint(skb, ITME_A_OBJECT_SIZE, obj.size) ||
	    nla_put_u32(skb, ITME_A_OBJECT_CHUNK_SIZE, obj.chunk_size) ||
	    nla_put_u32(skb, ITME_A_OBJECT_FLAGS, obj.flags) ||
	    nla_put_u32(skb, ITME_A_OBJECT_OPENS, obj.opens) ||
	    nla_put_u32(skb, ITME_A_OBJECT_PLANS, READ_ONCE(ino->planned)) ||
	    nla_put_uint(skb, ITME_A_OBJECT_DRAM, bytes[ITME_TIER_DRAM]) ||
	    nla_put_uint(skb, ITME_A_OBJECT_CXL, bytes[ITME_TIER_CXL]) ||
	    nla_put_uint(skb, ITME_A_OBJECT_NVME, bytes[ITME_TIER_NVME]))
		err = -EMSGSIZE;
	return err;
}

static struct itme_inode *find(struct itme_fs *fs, const struct sk_buff *request,
			       struct genl_info *info)
{
	struct nlattr *id = info->attrs[ITME_A_OBJECT_ID];
	struct nlattr *name = info->attrs[ITME_A_OBJECT_NAME];
	struct itme_inode *ino;

	if (!id == !name) {
		GENL_SET_ERR_MSG(info, "give either an id or a name");
		return ERR_PTR(-EINVAL);
	}
	if (id) {
		ino = itme_nl_object(fs, id, info->extack);
	} else {
		ino = itme_object_find(fs, nla_data(name));
		if (ino && !may_know(request, ino)) {
			itme_inode_put(ino);
			ino = NULL;
		}
		if (!ino)
			NL_SET_ERR_MSG_ATTR(info->extack, name, "there is no object of that name");
	}
	return ino ?: ERR_PTR(-ENOENT);
}

int itme_nl_object_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct itme_inode *ino = find(itme_nl_fs(info), skb, info);
	struct itme_nl_reply reply;
	int err;

	if (IS_ERR(ino))
		return PTR_ERR(ino);
	err = itme_nl_reply_begin(&reply, info);
	if (!err) {
		err = put_object(reply.skb, skb, ino);
		if (err)
			nlmsg_free(reply.skb);
		else
			err = itme_nl_reply_end(&reply, info, true);
	}
	itme_inode_put(ino);
	return err;
}

/* The first file with a number above @id that is not on its way out, held; or NULL. */
static struct itme_inode *next(struct itme_fs *fs, unsigned long id)
{
	struct itme_inode *ino;

	for (;;) {
		id++;
		spin_lock(&fs->lock);
		ino = xa_find(&fs->objects, &id, U32_MAX, XA_PRESENT);
		if (!ino || igrab(&ino->vfs)) {
			spin_unlock(&fs->lock);
			return ino;
		}
		spin_unlock(&fs->lock);
	}
}

int itme_nl_object_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct itme_fs *fs = itme_nl_fs_get(cb->extack);
	struct itme_inode *ino;
	int err = 0;

	if (!fs)
		return -ENODEV;
	cb->seq = atomic_read(&itme_objects_changed);
	while (!err && (ino = next(fs, cb->args[0]))) {
		void *hdr = genlmsg_iput(skb, genl_info_dump(cb));

		err = hdr ? put_object(skb, cb->skb, ino) : -EMSGSIZE;
		if (err) {
			genlmsg_cancel(skb, hdr);
		} else {
			genl_dump_check_consistent(cb, hdr);
			genlmsg_end(skb, hdr);
			cb->args[0] = ino->id;
		}
		itme_inode_put(ino);
	}
	/* For the message that ends it. */
	cb->seq = atomic_read(&itme_objects_changed);
	itme_fs_put(fs);
	return err == -EMSGSIZE && skb->len ? skb->len : err;
}
