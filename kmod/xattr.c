// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: extended attributes and access control lists of inodes
 *
 * Attributes are in a list, as there are few. They are changed under the inode lock,
 * which the VFS takes; who reads does not have it, so the lists have a lock of their
 * own. ACLs are where the VFS looks for them first, in the inode. Imported files have
 * none of both.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/rwlock.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "dir.h"
#include "itme.h"
#include "quota.h"

/**
 * struct attr - an attribute
 * @node: in the list of its inode, under attr_lock
 * @cost: bytes charged
 * @size: of the value
 * @value: behind the name
 * @name: with its prefix
 */
struct attr {
	struct list_head node;
	size_t cost;
	size_t size;
	char *value;
	char name[];
};

/* Any list; spins for no longer than the copy of a value takes. */
static DEFINE_RWLOCK(attr_lock);

static struct attr *find(struct itme_inode *ino, const char *name)
{
	struct attr *attr;

	list_for_each_entry(attr, &ino->attrs, node)
		if (!strcmp(attr->name, name))
			return attr;
	return NULL;
}

static struct attr *attr_alloc(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name) + 1;
	size_t cost = sizeof(struct attr) + len + size;
	struct attr *attr = kvmalloc(cost, GFP_KERNEL_ACCOUNT);

	if (!attr)
		return NULL;
	attr->cost = cost;
	attr->size = size;
	attr->value = attr->name + len;
	memcpy(attr->name, name, len);
	memcpy(attr->value, value, size);
	return attr;
}

static int get(const struct xattr_handler *handler, struct dentry *unused, struct inode *inode,
	       const char *name, void *buffer, size_t size)
{
	struct attr *attr;
	int ret = -ENODATA;

	name = xattr_full_name(handler, name);
	read_lock(&attr_lock);
	attr = find(itme_i(inode), name);
	if (attr) {
		ret = attr->size;
		if (buffer && size < attr->size)
			ret = -ERANGE;
		else if (buffer)
			memcpy(buffer, attr->value, attr->size);
	}
	read_unlock(&attr_lock);
	return ret;
}

/* @value NULL: remove it. The inode is locked, or nobody else has it yet. */
static int set_attr(struct itme_inode *ino, const char *name, const void *value, size_t size,
		    int flags)
{
	struct attr *new = NULL, *old;
	int err;

	/* The list changes under the inode lock only, so it is the same below. */
	read_lock(&attr_lock);
	old = find(ino, name);
	read_unlock(&attr_lock);
	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (value) {
		new = attr_alloc(name, value, size);
		if (!new)
			return -ENOMEM;
		err = itme_small_charge(ino, (long)new->cost - (old ? (long)old->cost : 0));
		if (err) {
			kvfree(new);
			return err;
		}
	} else if (old) {
		itme_small_uncharge(ino, old->cost);
	}
	write_lock(&attr_lock);
	if (old)
		list_del(&old->node);
	if (new)
		list_add_tail(&new->node, &ino->attrs);
	write_unlock(&attr_lock);
	kvfree(old);
	return 0;
}

static int set(const struct xattr_handler *handler, struct mnt_idmap *idmap,
	       struct dentry *unused, struct inode *inode, const char *name, const void *value,
	       size_t size, int flags)
{
	struct itme_inode *ino = itme_i(inode);
	int err;

	if (ino->lower)
		return -EOPNOTSUPP;
	err = set_attr(ino, xattr_full_name(handler, name), value, size, flags);
	if (!err)
		inode_set_ctime_current(inode);
	return err;
}

static const struct xattr_handler user_handler = {
	.prefix	= XATTR_USER_PREFIX,
	.get	= get,
	.set	= set,
};

static const struct xattr_handler trusted_handler = {
	.prefix	= XATTR_TRUSTED_PREFIX,
	.get	= get,
	.set	= set,
};

static const struct xattr_handler security_handler = {
	.prefix	= XATTR_SECURITY_PREFIX,
	.get	= get,
	.set	= set,
};

const struct xattr_handler * const itme_xattr_handlers[] = {
	&user_handler,
	&trusted_handler,
	&security_handler,
	NULL
};

/* Add a name to a list of them; without @list, what it would take. */
static bool put_name(const char *name, char *list, size_t size, size_t *len)
{
	size_t n = strlen(name) + 1;

	if (list) {
		if (n > size - *len)
			return false;
		memcpy(list + *len, name, n);
	}
	*len += n;
	return true;
}

static bool put_acl_names(struct inode *inode, char *list, size_t size, size_t *len)
{
	struct posix_acl *access = get_cached_acl(inode, ACL_TYPE_ACCESS);
	struct posix_acl *def = get_cached_acl(inode, ACL_TYPE_DEFAULT);
	bool fits = true;

	if (!IS_ERR_OR_NULL(access))
		fits = put_name(XATTR_NAME_POSIX_ACL_ACCESS, list, size, len);
	if (fits && !IS_ERR_OR_NULL(def))
		fits = put_name(XATTR_NAME_POSIX_ACL_DEFAULT, list, size, len);
	if (!is_uncached_acl(access))
		posix_acl_release(access);
	if (!is_uncached_acl(def))
		posix_acl_release(def);
	return fits;
}

/**
 * itme_listxattr - the names of all attributes that the caller may see
 * @dentry: of the inode
 * @list: where to, or NULL
 * @size: room there
 *
 * Return: bytes, or -ERANGE there is no room
 */
ssize_t itme_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct inode *inode = d_inode(dentry);
	bool admin = capable(CAP_SYS_ADMIN);
	struct attr *attr;
	size_t len = 0;
	bool fits;

	fits = put_acl_names(inode, list, size, &len);
	read_lock(&attr_lock);
	list_for_each_entry(attr, &itme_i(inode)->attrs, node) {
		if (!fits)
			break;
		if (admin || strncmp(attr->name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
			fits = put_name(attr->name, list, size, &len);
	}
	read_unlock(&attr_lock);
	return fits ? len : -ERANGE;
}

static long acl_cost(const struct posix_acl *acl)
{
	return IS_ERR_OR_NULL(acl) ? 0 : struct_size(acl, a_entries, acl->a_count);
}

/* Replace the ACL of @type. The inode is locked, or nobody else has it yet. */
static int put_acl(struct inode *inode, struct posix_acl *acl, int type)
{
	struct posix_acl *old = get_cached_acl(inode, type);
	long cost = acl_cost(acl) - acl_cost(old);
	int err;

	if (!is_uncached_acl(old))
		posix_acl_release(old);
	err = itme_small_charge(itme_i(inode), cost);
	if (!err)
		set_cached_acl(inode, type, acl);
	return err;
}

int itme_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	umode_t mode = inode->i_mode;
	int err;

	if (itme_i(inode)->lower)
		return -EOPNOTSUPP;
	if (type == ACL_TYPE_ACCESS) {
		err = posix_acl_update_mode(idmap, inode, &mode, &acl);
		if (err)
			return err;
	}
	err = put_acl(inode, acl, type);
	if (err)
		return err;
	inode->i_mode = mode;
	inode_set_ctime_current(inode);
	return 0;
}

/* Security labels of a new inode. */
static int init_attrs(struct inode *inode, const struct xattr *attr, void *unused)
{
	int err = 0;

	for (; attr->name && !err; attr++) {
		char *name = kasprintf(GFP_KERNEL, XATTR_SECURITY_PREFIX "%s", attr->name);

		err = name ? set_attr(itme_i(inode), name, attr->value, attr->value_len, 0) :
			     -ENOMEM;
		kfree(name);
	}
	return err;
}

/**
 * itme_attrs_inherit - what a new inode has from its directory
 * @inode: the inode; its mode loses what the umask or the default ACL denies
 * @dir: the directory
 * @name: its name, NULL if it has none
 *
 * Return: 0 or -errno
 */
int itme_attrs_inherit(struct inode *inode, struct inode *dir, const struct qstr *name)
{
	struct posix_acl *def, *access;
	int err;

	cache_no_acl(inode);
	err = posix_acl_create(dir, &inode->i_mode, &def, &access);
	if (err)
		return err;
	if (def)
		err = put_acl(inode, def, ACL_TYPE_DEFAULT);
	if (access && !err)
		err = put_acl(inode, access, ACL_TYPE_ACCESS);
	posix_acl_release(def);
	posix_acl_release(access);
	if (err)
		return err;
	err = security_inode_init_security(inode, dir, name, init_attrs, NULL);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* The inode is being evicted. The VFS lets go of the ACLs. */
void itme_attrs_free(struct itme_inode *ino)
{
	struct attr *attr, *next;

	list_for_each_entry_safe(attr, next, &ino->attrs, node)
		kvfree(attr);
	INIT_LIST_HEAD(&ino->attrs);
	itme_small_uncharge(ino, ino->small);
}
