// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: written files
 */
#include "itme.h"
#include "swap.h"

static const struct file_operations native_file_ops = {
	.owner		= THIS_MODULE,
	.llseek		= generic_file_llseek,
	.fsync		= noop_fsync,
};

/**
 * itme_native_init - make a new inode a written file
 * @ino: inode, with its mode, owner and quota, not an object yet
 *
 * Return: 0 or -errno
 */
int itme_native_init(struct itme_inode *ino)
{
	ino->native = true;
	ino->chunk_shift = ITME_CHUNK_MAX_SHIFT;
	ino->vfs.i_fop = &native_file_ops;
	return 0;
}

/**
 * itme_native_setsize - the size changes
 * @ino: written file, its inode lock held
 * @size: new size, checked against s_maxbytes and RLIMIT_FSIZE
 *
 * Return: 0 or -errno
 */
int itme_native_setsize(struct itme_inode *ino, loff_t size)
{
	return -EOPNOTSUPP;
}

/* The inode is being evicted; its folios are gone. */
void itme_native_evict(struct itme_inode *ino)
{
}
