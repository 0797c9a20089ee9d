// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: what the kernel takes the page cache of native files for
 *
 * Whether a mapping is written back is a matter of its super block. Of itmefs it is said
 * to be, though nothing ever is: of such a file memory failure drops a clean page instead
 * of killing who has it mapped, which is right for imported files. For native files it
 * would be wrong, as for tmpfs: what is dirty would be counted as such, which slows down
 * all writers of the machine, and shared mappings could not be pinned for long, as GPU
 * and RDMA drivers do.
 *
 * So the mappings of native files name as their host an inode of a super block of the
 * kernel's own, which is never written back. That inode has no other use; nobody can
 * reach it. The kernel looks there for its mode, its lock and the size of the file; that
 * follows, see native.c.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "itme.h"
#include "native.h"

static struct vfsmount *host_mnt;

static int host_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, ITME_SUPER_MAGIC) ? 0 : -ENOMEM;
}

/* Of no owner: it is mounted as long as the module is there, and must not keep it. */
static struct file_system_type host_type = {
	.name			= "itme_host",
	.init_fs_context	= host_init_fs_context,
	.kill_sb		= kill_anon_super,
};

int itme_host_init(void)
{
	host_mnt = kern_mount(&host_type);
	if (IS_ERR(host_mnt))
		return PTR_ERR(host_mnt);
	host_mnt->mnt_sb->s_maxbytes = ITME_MAX_BYTES;
	return 0;
}

void itme_host_exit(void)
{
	kern_unmount(host_mnt);
}

/**
 * itme_host_make - give the mapping of a native file its host
 * @ino: file, being made
 *
 * Return: 0 or -ENOMEM
 */
int itme_host_make(struct itme_inode *ino)
{
	struct inode *host = new_inode(host_mnt->mnt_sb);

	if (!host)
		return -ENOMEM;
	host->i_mode = S_IFREG;
	ino->vfs.i_data.host = host;
	return 0;
}

/* The file is being evicted; its page cache is empty. */
void itme_host_free(struct itme_inode *ino)
{
	struct inode *host = ino->vfs.i_data.host;

	if (host == &ino->vfs)
		return;
	ino->vfs.i_data.host = &ino->vfs;
	iput(host);
}
