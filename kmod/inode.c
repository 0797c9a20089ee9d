// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the root directory and the imported files in it
 *
 * The directory is the list of objects: a linked object holds a reference on
 * its inode, which unlink or unmount drops. Dentries are made by lookup and are
 * not pinned, so nothing but the VFS keeps them.
 */
#include <linux/cred.h>
#include <linux/fs_stack.h>
#include <linux/magic.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "event.h"
#include "itme.h"

static struct kmem_cache *inode_cache;

static void init_once(void *p)
{
	struct itme_inode *ino = p;

	inode_init_once(&ino->vfs);
}

int itme_inode_cache_init(void)
{
	inode_cache = kmem_cache_create("itme_inode", sizeof(struct itme_inode), 0,
					SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, init_once);
	return inode_cache ? 0 : -ENOMEM;
}

void itme_inode_cache_exit(void)
{
	/* Inodes are freed after a grace period, and so are triggers. */
	rcu_barrier();
	kmem_cache_destroy(inode_cache);
}

struct inode *itme_inode_alloc(struct super_block *sb)
{
	struct itme_inode *ino = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!ino)
		return NULL;
	/* All but what init_once() made, which must survive reuse. */
	memset_after(ino, 0, vfs);
	return &ino->vfs;
}

void itme_inode_free(struct inode *inode)
{
	kmem_cache_free(inode_cache, itme_i(inode));
}

/* The last reference is gone: no fill, no mapping, no open file. */
void itme_inode_evict(struct inode *inode)
{
	struct itme_inode *ino = itme_i(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (ino->id) {
		itme_chunks_forget(ino);
		if (ino->planned)
			itme_plans_forget(ino->fs, ino->id);
		itme_changed(&itme_objects_changed);
		itme_event_object_gone(ino);
	}
	if (ino->lower)
		itme_backing_close(ino->lower);
	kvfree(ino->chunks);
	kfree(ino->name);
}

void itme_inode_put(struct itme_inode *ino)
{
	iput(&ino->vfs);
}

static struct itme_inode *find_linked(struct itme_fs *fs, const char *name, size_t len)
{
	struct itme_inode *ino;
	unsigned long id;

	/* What is here is not freed before itme_chunks_forget() had the lock. */
	lockdep_assert_held(&fs->lock);
	xa_for_each(&fs->objects, id, ino)
		if (ino->linked && strlen(ino->name) == len && !memcmp(ino->name, name, len))
			return ino;
	return NULL;
}

/**
 * itme_inode_find - the file of a name
 * @fs: file system
 * @name: in the root directory
 *
 * Return: the file, for itme_inode_put(), or NULL
 */
struct itme_inode *itme_inode_find(struct itme_fs *fs, const char *name)
{
	struct itme_inode *ino;

	spin_lock(&fs->lock);
	ino = find_linked(fs, name, strlen(name));
	if (ino && !igrab(&ino->vfs))
		ino = NULL;
	spin_unlock(&fs->lock);
	return ino;
}

static struct dentry *root_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct itme_fs *fs = itme_sb(dir->i_sb);
	struct inode *inode = NULL;
	struct itme_inode *ino;

	if (dentry->d_name.len > ITME_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	spin_lock(&fs->lock);
	ino = find_linked(fs, dentry->d_name.name, dentry->d_name.len);
	if (ino)
		inode = igrab(&ino->vfs);
	spin_unlock(&fs->lock);
	/* s_d_op deletes dentries at their last use, negative ones too. */
	return d_splice_alias(inode, dentry);
}

static int root_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	itme_i(inode)->linked = false;
	itme_changed(&itme_objects_changed);
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	drop_nlink(inode);
	/* The directory's reference; the caller still has one. */
	iput(inode);
	return 0;
}

static int root_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, bool excl)
{
	/* Files come by import. Written files are not supported. */
	return -EOPNOTSUPP;
}

static int root_mkdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode)
{
	return -EOPNOTSUPP;
}

static int root_iterate(struct file *file, struct dir_context *ctx)
{
	struct itme_fs *fs = itme_sb(file_inode(file)->i_sb);
	struct itme_inode *ino;
	unsigned long id;

	if (!dir_emit_dots(file, ctx))
		return 0;
	/* Positions after the dots are the numbers of the objects, from 1. */
	for (id = ctx->pos - 1; ; id++) {
		bool linked;

		spin_lock(&fs->lock);
		ino = xa_find(&fs->objects, &id, U32_MAX, XA_PRESENT);
		linked = ino && ino->linked;
		spin_unlock(&fs->lock);
		if (!ino)
			return 0;
		/* Cannot be unlinked, thus not freed, under the inode lock. */
		if (linked && !dir_emit(ctx, ino->name, strlen(ino->name), ino->vfs.i_ino, DT_REG))
			return 0;
		ctx->pos = id + 2;
	}
}

static int itme_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	if (attr->ia_valid & ATTR_SIZE)
		return -EROFS;
	return simple_setattr(idmap, dentry, attr);
}

static const struct inode_operations root_inode_ops = {
	.lookup		= root_lookup,
	.unlink		= root_unlink,
	.create		= root_create,
	.mkdir		= root_mkdir,
	.setattr	= itme_setattr,
};

static const struct file_operations root_file_ops = {
	.owner		= THIS_MODULE,
	.llseek		= generic_file_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= root_iterate,
	.unlocked_ioctl	= itme_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static const struct inode_operations file_inode_ops = {
	.setattr	= itme_setattr,
	.getattr	= simple_getattr,
};

struct inode *itme_root_create(struct super_block *sb, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = 1;
	inode->i_mode = S_IFDIR | mode;
	inode->i_op = &root_inode_ops;
	inode->i_fop = &root_file_ops;
	set_nlink(inode, 2);
	simple_inode_init_ts(inode);
	return inode;
}

static int register_object(struct itme_fs *fs, struct itme_inode *ino)
{
	u32 id;
	int err;

	/* Under dir lock, so the number is not seen before the file is whole. */
	err = xa_alloc_cyclic(&fs->objects, &id, NULL, XA_LIMIT(1, S32_MAX), &fs->next_id,
			      GFP_KERNEL);
	if (err < 0)
		return err;
	ino->id = id;
	for (u32 i = 0; i < ino->nr_chunks; i++) {
		INIT_LIST_HEAD(&ino->chunks[i].node);
		ino->chunks[i].object = id;
		if (!(i % 65536))
			cond_resched();
	}
	spin_lock(&fs->lock);
	ino->linked = true;
	xa_store(&fs->objects, id, ino, GFP_ATOMIC);
	spin_unlock(&fs->lock);
	itme_changed(&itme_objects_changed);
	itme_event_object_new(ino);
	return 0;
}

/* Takes over @lower, of itme_backing_open(), also when it fails. */
static struct inode *new_object(struct super_block *sb, struct file *lower, const char *name,
				u32 chunk_size)
{
	struct inode *lower_inode = file_inode(lower);
	loff_t size = i_size_read(lower_inode);
	struct inode *inode = new_inode(sb);
	struct itme_inode *ino;
	u64 nr;
	int err;

	if (!inode) {
		itme_backing_close(lower);
		return ERR_PTR(-ENOMEM);
	}
	ino = itme_i(inode);
	INIT_LIST_HEAD(&ino->prefetches);
	ino->lower = lower;
	ino->fs = itme_sb(sb);
	ino->chunk_shift = ilog2(chunk_size);
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFREG | (lower_inode->i_mode & 0555);
	inode->i_uid = lower_inode->i_uid;
	inode->i_gid = lower_inode->i_gid;
	inode->i_op = &file_inode_ops;
	inode->i_fop = &itme_file_ops;
	inode->i_mapping->a_ops = &itme_aops;
	inode->i_blkbits = ino->chunk_shift;
	simple_inode_init_ts(inode);
	i_size_write(inode, size);
	/* ITME alone decides what leaves; folios ask itme_release_folio(). */
	mapping_set_unevictable(inode->i_mapping);
	mapping_set_release_always(inode->i_mapping);
	mapping_set_large_folios(inode->i_mapping);

	ino->lower_mtime = inode_get_mtime(lower_inode);
	nr = DIV_ROUND_UP_ULL(size, chunk_size);
	err = -EFBIG;
	if (nr >= U32_MAX)
		goto put;
	ino->nr_chunks = nr;
	err = -ENOMEM;
	/* kvcalloc() refuses more than 2 GiB, a few TiB of file in small chunks. */
	if (nr > SZ_16M)
		ino->chunks = __vmalloc(nr * sizeof(*ino->chunks),
					GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	else
		ino->chunks = kvcalloc(nr, sizeof(*ino->chunks),
				       GFP_KERNEL | __GFP_NOWARN);
	ino->name = kstrdup(name, GFP_KERNEL);
	if (!ino->chunks || !ino->name)
		goto put;
	return inode;
put:
	iput(inode);
	return ERR_PTR(err);
}

static int check_lower(struct super_block *sb, struct file *lower)
{
	struct inode *inode = file_inode(lower);

	if (!(lower->f_mode & FMODE_READ))
		return -EBADF;
	if (inode->i_sb == sb ||
	    inode->i_sb->s_stack_depth + 1 > FILESYSTEM_MAX_STACK_DEPTH)
		return -ELOOP;
	/* A file in memory has nothing to gain, and a memfd does not count its writers. */
	if (!S_ISREG(inode->i_mode) || inode->i_sb->s_magic == TMPFS_MAGIC)
		return -EINVAL;
	return 0;
}

/**
 * itme_import_file - add a file to the root directory
 * @dir: the root directory, open
 * @lower: the caller's file
 * @name: of the new file
 * @chunk_size: bytes, checked
 *
 * Return: 0 or -errno, see struct itme_import
 */
int itme_import_file(struct file *dir, struct file *lower, const char *name, u32 chunk_size)
{
	struct dentry *root = dir->f_path.dentry;
	struct super_block *sb = root->d_sb;
	struct itme_fs *fs = itme_sb(sb);
	struct qstr qname = QSTR_INIT(name, strlen(name));
	struct dentry *stale;
	struct inode *inode;
	bool taken;
	int err;

	err = check_lower(sb, lower);
	if (err)
		return err;
	/* Outside of the lock: it may ask user space (fanotify), which may look here. */
	lower = itme_backing_open(lower);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	inode_lock(d_inode(root));
	err = -EEXIST;
	spin_lock(&fs->lock);
	taken = find_linked(fs, name, strlen(name));
	spin_unlock(&fs->lock);
	if (taken) {
		itme_backing_close(lower);
		goto unlock;
	}
	inode = new_object(sb, lower, name, chunk_size);
	err = PTR_ERR(inode);
	if (IS_ERR(inode))
		goto unlock;
	err = register_object(fs, itme_i(inode));
	if (err) {
		iput(inode);
		goto unlock;
	}
	/* Whoever asked for the name just before must not hide it now. */
	stale = d_hash_and_lookup(root, &qname);
	if (!IS_ERR_OR_NULL(stale)) {
		if (d_is_negative(stale))
			d_drop(stale);
		dput(stale);
	}
	sb->s_stack_depth = max(sb->s_stack_depth, file_inode(lower)->i_sb->s_stack_depth + 1);
	inode_set_mtime_to_ts(d_inode(root), inode_set_ctime_current(d_inode(root)));
unlock:
	inode_unlock(d_inode(root));
	return err;
}

/* Unmount: the directory lets go of its files. No work is in flight. */
void itme_inode_drop_all(struct itme_fs *fs)
{
	struct itme_inode *ino;
	unsigned long id;

	xa_for_each(&fs->objects, id, ino) {
		if (ino->linked) {
			ino->linked = false;
			iput(&ino->vfs);
		}
	}
}
