/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: names and attributes of inodes
 */
#ifndef ITME_DIR_H
#define ITME_DIR_H

#include <linux/fs.h>
#include <linux/xattr.h>

struct itme_fs;
struct itme_inode;
struct posix_acl;

/* dir.c */
extern const struct inode_operations itme_file_inode_ops;
struct inode *itme_root_create(struct super_block *sb, umode_t mode, kuid_t uid, kgid_t gid);

/* xattr.c */
extern const struct xattr_handler * const itme_xattr_handlers[];
ssize_t itme_listxattr(struct dentry *dentry, char *list, size_t size);
int itme_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type);
int itme_attrs_inherit(struct inode *inode, struct inode *dir, const struct qstr *name);
void itme_attrs_free(struct itme_inode *ino);

#endif /* ITME_DIR_H */
