// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: inodes, and the objects among them: regular files, imported or written
 *
 * An object has a number, by which plans, chunks and the netlink family know it. Its
 * names are those of its dentries (dir.c).
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs_stack.h>
#include <linux/fsnotify.h>
#include <linux/magic.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dir.h"
#include "event.h"
#include "itme.h"
#include "native.h"
#include "swap.h"
#include "quota.h"

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
	ino->fs = itme_sb(sb);
	INIT_LIST_HEAD(&ino->attrs);
	INIT_LIST_HEAD(&ino->prefetches);
	xa_init(&ino->stored);
	return &ino->vfs;
}

void itme_inode_free(struct inode *inode)
{
	/* Path walks read it under RCU alone. */
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(inode_cache, itme_i(inode));
}

/* The last reference is gone: no fill, no mapping, no open file. */
void itme_inode_evict(struct inode *inode)
{
	struct itme_inode *ino = itme_i(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (ino->native)
		itme_stored_forget(ino, 0, ULONG_MAX);
	itme_host_free(ino);
	if (ino->id) {
		itme_chunks_forget(ino);
		if (ino->planned)
			itme_plans_forget(ino->fs, ino->id);
		if (!ino->native)
			itme_changed(&itme_objects_changed);
		itme_event_object_gone(ino);
	}
	if (ino->lower)
		itme_backing_close(ino->lower);
	kfree(ino->lower_mount);
	itme_chunks_free(ino);
	kfree(ino->last_name);
	itme_attrs_free(ino);
	itme_quota_forget(ino);
	if (ino->counted)
		itme_inode_uncharge(ino->fs);
}

void itme_inode_put(struct itme_inode *ino)
{
	iput(&ino->vfs);
}

/**
 * itme_object_find - the file of a name
 * @fs: file system
 * @name: path from the root, without a slash in front
 *
 * All that has a name is in the dcache. Who renames meanwhile may hide it, as from any
 * path walk without locks.
 *
 * Return: the file, for itme_inode_put(), or NULL
 */
struct itme_inode *itme_object_find(struct itme_fs *fs, const char *name)
{
	struct dentry *at = dget(fs->sb->s_root);
	struct itme_inode *ino = NULL;

	while (at) {
		struct qstr part = QSTR_INIT(name, strchrnul(name, '/') - name);
		struct dentry *next;

		next = part.len && part.len <= NAME_MAX ? d_hash_and_lookup(at, &part) : NULL;
		dput(at);
		at = IS_ERR_OR_NULL(next) ? NULL : next;
		name += part.len;
		if (!*name)
			break;
		name++;
	}
	if (at && d_really_is_positive(at) && itme_i(d_inode(at))->id &&
	    igrab(d_inode(at)))
		ino = itme_i(d_inode(at));
	dput(at);
	return ino;
}

/**
 * itme_object_path - the name of a file, as it is now
 * @ino: file
 * @buf: room for it
 * @len: bytes of @buf
 *
 * Return: path from the root, without a slash in front; empty if it has no name left
 */
const char *itme_object_path(struct itme_inode *ino, char *buf, int len)
{
	struct dentry *alias = d_find_alias(&ino->vfs) ?: d_find_any_alias(&ino->vfs);
	const char *path;

	/* One that is removed and still open has a dentry, with its last name. */
	path = alias ? dentry_path_raw(alias, buf, len) : "";
	dput(alias);
	if (IS_ERR(path))
		return "";
	return path + (*path == '/');
}

/* As itme_object_path(), for the caller to free; NULL without memory. */
char *itme_object_name(struct itme_inode *ino)
{
	char *buf = __getname();
	char *name;

	if (!buf)
		return NULL;
	name = kstrdup(itme_object_path(ino, buf, PATH_MAX), GFP_NOFS | __GFP_NOWARN);
	__putname(buf);
	return name;
}

/**
 * itme_object_keep_name - the last name of a file goes
 * @ino: inode, locked; it need not be an object
 * @dentry: the name
 *
 * Listeners are told which file it was when it has gone.
 */
void itme_object_keep_name(struct itme_inode *ino, struct dentry *dentry)
{
	char *buf, *path;

	/* Of a written file they are not told. */
	if (!ino->id || ino->native)
		return;
	buf = __getname();
	if (!buf)
		return;
	path = dentry_path_raw(dentry, buf, PATH_MAX);
	kfree(ino->last_name);
	ino->last_name = IS_ERR(path) ? NULL : kstrdup(path + 1, GFP_KERNEL_ACCOUNT);
	__putname(buf);
}

/**
 * itme_object_add - give a file its number
 * @ino: file; can be found by the number from now on
 *
 * Return: 0 or -errno
 */
int itme_object_add(struct itme_inode *ino)
{
	struct itme_fs *fs = ino->fs;
	u32 id;
	int err;

	/* The number is there, but leads nowhere before the file is whole. */
	err = xa_alloc_cyclic(&fs->objects, &id, NULL, XA_LIMIT(1, S32_MAX), &fs->next_id,
			      GFP_KERNEL);
	if (err < 0)
		return err;
	ino->id = id;
	for (u32 i = 0; ino->chunks && i < ino->nr_chunks; i++) {
		INIT_LIST_HEAD(&ino->chunks[i].node);
		ino->chunks[i].object = id;
		if (!(i % 65536))
			cond_resched();
	}
	spin_lock(&fs->lock);
	xa_store(&fs->objects, id, ino, GFP_ATOMIC);
	spin_unlock(&fs->lock);
	return 0;
}

/* Takes over @lower, of itme_backing_open(), also when it fails. */
static struct inode *new_import(struct super_block *sb, struct file *lower, u32 chunk_size)
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
	ino->lower = lower;
	ino->chunk_shift = ilog2(chunk_size);
	/* Whoever may import is not held up by what others have made. */
	atomic_long_inc(&ino->fs->inodes);
	ino->counted = true;
	ino->quota = itme_quota_get(&ino->fs->quota);
	inode->i_ino = atomic64_inc_return(&ino->fs->last_ino);
	inode->i_mode = S_IFREG | (lower_inode->i_mode & 0555);
	inode->i_uid = lower_inode->i_uid;
	inode->i_gid = lower_inode->i_gid;
	cache_no_acl(inode);
	inode->i_op = &itme_file_inode_ops;
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
	ino->lower_mount = itme_mount_path(lower);
	err = -ENOMEM;
	if (!ino->lower_mount)
		goto put;
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
	if (!ino->chunks)
		goto put;
	err = itme_object_add(ino);
	if (err)
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
	struct qstr qname = QSTR_INIT(name, strlen(name));
	struct dentry *dentry;
	struct inode *inode;
	int err;

	err = check_lower(sb, lower);
	if (err)
		return err;
	/* Outside of the lock: it may ask user space (fanotify), which may look here. */
	lower = itme_backing_open(lower);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	inode_lock(d_inode(root));
	/* Whoever has just asked for the name has left a negative one. */
	dentry = d_hash_and_lookup(root, &qname) ?: d_alloc(root, &qname);
	err = -EEXIST;
	if (IS_ERR_OR_NULL(dentry))
		err = dentry ? PTR_ERR(dentry) : -ENOMEM;
	if (IS_ERR_OR_NULL(dentry) || d_really_is_positive(dentry)) {
		itme_backing_close(lower);
		goto unlock;
	}
	inode = new_import(sb, lower, chunk_size);
	err = PTR_ERR_OR_ZERO(inode);
	if (err)
		goto unlock;
	sb->s_stack_depth = max(sb->s_stack_depth, file_inode(lower)->i_sb->s_stack_depth + 1);
	inode_set_mtime_to_ts(d_inode(root), inode_set_ctime_current(d_inode(root)));
	/* The reference to the name stays until it is removed, see dir.c. */
	if (d_unhashed(dentry))
		d_add(dentry, inode);
	else
		d_instantiate(dentry, inode);
	itme_changed(&itme_objects_changed);
	itme_event_object_new(itme_i(inode));
	fsnotify_create(d_inode(root), dentry);
	dentry = NULL;
unlock:
	inode_unlock(d_inode(root));
	if (!IS_ERR(dentry))
		dput(dentry);
	return err;
}
