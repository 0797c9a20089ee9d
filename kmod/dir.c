// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the name space: directories, and what is made, renamed and removed in them
 *
 * The tree is made of dentries alone: each that names an inode has one reference of its
 * own, which unlink, a rename over it, or unmount drops, as in ramfs. So a lookup finds
 * what there is in the dcache, and what it does not find there does not exist.
 *
 * The number of inodes and of further names is bounded (nr_inodes=), as both are kernel
 * memory.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "dir.h"
#include "event.h"
#include "itme.h"
#include "quota.h"

/* st_blksize of files: what programs write at once. */
#define BLKSIZE		SZ_64K
/* A symbolic link that is no longer than this comes with its inode. */
#define SHORT_LINK	128

static const struct inode_operations dir_inode_ops;
static const struct inode_operations symlink_inode_ops;
static const struct inode_operations special_inode_ops;
static const struct file_operations dir_file_ops;

static void changed_now(struct inode *inode)
{
	inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
}

/* See event.h. What a directory is called is no part of the list. */
static void objects_changed(struct inode *inode)
{
	if (S_ISREG(inode->i_mode) && itme_i(inode)->lower)
		itme_changed(&itme_objects_changed);
}

static int set_kind(struct inode *inode, dev_t dev, const char *link)
{
	struct itme_inode *ino = itme_i(inode);
	size_t len;
	int err;

	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &itme_file_inode_ops;
		err = itme_native_init(ino);
		return err ?: itme_object_add(ino);
	case S_IFDIR:
		inode->i_op = &dir_inode_ops;
		inode->i_fop = &dir_file_ops;
		inc_nlink(inode);
		return 0;
	case S_IFLNK:
		len = strlen(link);
		err = len > SHORT_LINK ? itme_small_charge(ino, len) : 0;
		if (err)
			return err;
		inode->i_op = &symlink_inode_ops;
		inode->i_link = kmemdup_nul(link, len, GFP_KERNEL_ACCOUNT);
		i_size_write(inode, len);
		return inode->i_link ? 0 : -ENOMEM;
	default:
		inode->i_op = &special_inode_ops;
		init_special_inode(inode, inode->i_mode, dev);
		return 0;
	}
}

static struct inode *make_inode(struct mnt_idmap *idmap, struct inode *dir, const struct qstr *name,
				umode_t mode, dev_t dev, const char *link)
{
	struct itme_fs *fs = itme_sb(dir->i_sb);
	struct itme_inode *ino;
	struct inode *inode;
	int err;

	err = itme_inode_charge(fs);
	if (err)
		return ERR_PTR(err);
	inode = new_inode(dir->i_sb);
	if (!inode) {
		itme_inode_uncharge(fs);
		return ERR_PTR(-ENOMEM);
	}
	/* From here on, the eviction undoes all. */
	ino = itme_i(inode);
	ino->counted = true;
	/* O_TMPFILE comes without the lock of the directory; the old one is kept by the new. */
	ino->quota = itme_quota_get(READ_ONCE(itme_i(dir)->quota));
	inode->i_ino = atomic64_inc_return(&fs->last_ino);
	inode_init_owner(idmap, inode, dir, mode);
	simple_inode_init_ts(inode);
	err = itme_attrs_inherit(inode, dir, name);
	if (!err)
		err = set_kind(inode, dev, link);
	if (!err)
		return inode;
	iput(inode);
	return ERR_PTR(err);
}

static int make(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode,
		dev_t dev, const char *link)
{
	struct inode *inode = make_inode(idmap, dir, &dentry->d_name, mode, dev, link);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	/* The reference that keeps the name, see above. */
	dget(dentry);
	d_instantiate(dentry, inode);
	changed_now(dir);
	if (S_ISREG(mode))
		itme_event_object_new(itme_i(inode));
	return 0;
}

static int itme_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, bool excl)
{
	return make(idmap, dir, dentry, mode | S_IFREG, 0, NULL);
}

static int itme_mknod(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode, dev_t dev)
{
	return make(idmap, dir, dentry, mode, dev, NULL);
}

static int itme_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			const char *link)
{
	return make(idmap, dir, dentry, S_IFLNK | 0777, 0, link);
}

static int itme_mkdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode)
{
	int err = make(idmap, dir, dentry, mode | S_IFDIR, 0, NULL);

	if (!err)
		inc_nlink(dir);
	return err;
}

static int itme_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file,
			umode_t mode)
{
	struct inode *inode = make_inode(idmap, dir, NULL, mode | S_IFREG, 0, NULL);

	if (IS_ERR(inode))
		return finish_open_simple(file, PTR_ERR(inode));
	d_tmpfile(file, inode);
	itme_event_object_new(itme_i(inode));
	return finish_open_simple(file, 0);
}

static int itme_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	int err = 0;

	if (!itme_quota_fits(dir, inode))
		return -EXDEV;
	/* A file of O_TMPFILE has paid for its first name. */
	if (inode->i_nlink)
		err = itme_inode_charge(itme_sb(dir->i_sb));
	if (err)
		return err;
	objects_changed(inode);
	return simple_link(old, dir, dentry);
}

/* A name of an inode that is no directory goes. */
static void drop_name(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	objects_changed(inode);
	if (inode->i_nlink > 1)
		itme_inode_uncharge(itme_sb(inode->i_sb));
	else
		itme_object_keep_name(itme_i(inode), dentry);
}

static int itme_unlink(struct inode *dir, struct dentry *dentry)
{
	drop_name(dentry);
	return simple_unlink(dir, dentry);
}

static int itme_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
		       struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct inode *replaced = flags & RENAME_EXCHANGE ? NULL : d_inode(new);

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (!itme_quota_fits(new_dir, d_inode(old)) ||
	    (flags & RENAME_EXCHANGE && !itme_quota_fits(old_dir, d_inode(new))))
		return -EXDEV;
	/* Only that a directory is not empty can stop it now. */
	if (replaced && !S_ISDIR(replaced->i_mode))
		drop_name(new);
	objects_changed(d_inode(old));
	if (flags & RENAME_EXCHANGE)
		objects_changed(d_inode(new));
	return simple_rename(idmap, old_dir, old, new_dir, new, flags);
}

static int itme_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct itme_inode *ino = itme_i(inode);
	int err;

	if (attr->ia_valid & ATTR_SIZE && ino->lower)
		return -EROFS;
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE) {
		bool other = attr->ia_size != i_size_read(inode);

		/* Also if it stays: what lies beyond the end goes. */
		err = itme_native_setsize(ino, attr->ia_size);
		if (err)
			return err;
		/* truncate(2) does not ask for it. */
		if (other)
			changed_now(inode);
	}
	setattr_copy(idmap, inode, attr);
	if (attr->ia_valid & ATTR_MODE && !ino->lower)
		err = posix_acl_chmod(idmap, dentry, inode->i_mode);
	return err;
}

static int itme_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
			u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);

	if (itme_i(inode)->lower)
		return simple_getattr(idmap, path, stat, mask, flags);
	generic_fillattr(idmap, mask, inode, stat);
	if (S_ISREG(inode->i_mode))
		stat->blksize = BLKSIZE;
	return 0;
}

const struct inode_operations itme_file_inode_ops = {
	.setattr	= itme_setattr,
	.getattr	= itme_getattr,
	.listxattr	= itme_listxattr,
	.set_acl	= itme_set_acl,
};

static const struct inode_operations special_inode_ops = {
	.setattr	= itme_setattr,
	.listxattr	= itme_listxattr,
	.set_acl	= itme_set_acl,
};

static const struct inode_operations symlink_inode_ops = {
	.get_link	= simple_get_link,
	.setattr	= itme_setattr,
	.listxattr	= itme_listxattr,
};

static const struct inode_operations dir_inode_ops = {
	.lookup		= simple_lookup,
	.create		= itme_create,
	.link		= itme_link,
	.unlink		= itme_unlink,
	.symlink	= itme_symlink,
	.mkdir		= itme_mkdir,
	.rmdir		= simple_rmdir,
	.mknod		= itme_mknod,
	.rename		= itme_rename,
	.tmpfile	= itme_tmpfile,
	.setattr	= itme_setattr,
	.listxattr	= itme_listxattr,
	.set_acl	= itme_set_acl,
};

static const struct file_operations dir_file_ops = {
	.owner		= THIS_MODULE,
	.open		= dcache_dir_open,
	.release	= dcache_dir_close,
	.llseek		= dcache_dir_lseek,
	.read		= generic_read_dir,
	.iterate_shared	= dcache_readdir,
	.fsync		= noop_fsync,
	.unlocked_ioctl	= itme_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

struct inode *itme_root_create(struct super_block *sb, umode_t mode, kuid_t uid, kgid_t gid)
{
	struct itme_fs *fs = itme_sb(sb);
	struct inode *inode = new_inode(sb);
	struct itme_inode *ino;

	if (!inode)
		return NULL;
	ino = itme_i(inode);
	atomic_long_inc(&fs->inodes);
	ino->counted = true;
	ino->quota = itme_quota_get(&fs->quota);
	inode->i_ino = atomic64_inc_return(&fs->last_ino);
	inode->i_mode = S_IFDIR | mode;
	inode->i_uid = uid;
	inode->i_gid = gid;
	cache_no_acl(inode);
	inode->i_op = &dir_inode_ops;
	inode->i_fop = &dir_file_ops;
	set_nlink(inode, 2);
	simple_inode_init_ts(inode);
	return inode;
}
