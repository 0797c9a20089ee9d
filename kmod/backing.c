// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the lower file, read with O_DIRECT
 *
 * Asynchronous, into folios, as the loop driver does it. Submission may sleep
 * (the lower file system looks up its block map), so it is called from workers;
 * completion comes in any context.
 */

#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/uio.h>

#include "itme.h"

/**
 * itme_backing_open - open a lower file for ITME alone
 * @lower: the caller's file
 *
 * A file description of its own, since the flags and the offset of @lower can be
 * changed by whoever shares it. Writers are denied for as long as it is open, as
 * for a program that runs.
 *
 * Return: the file; -EINVAL for lower file systems without O_DIRECT, -ETXTBSY
 * when it is open for writing, -ENODATA when it is empty
 */
struct file *itme_backing_open(struct file *lower)
{
	struct file *file;
	int err;

	/* The caller has opened it, so user space has been asked; fills must not wait for it. */
	file = dentry_open(&lower->f_path,
			   O_RDONLY | O_DIRECT | O_LARGEFILE | O_NOATIME | __FMODE_NONOTIFY,
			   current_cred());
	if (IS_ERR(file))
		return file;
	err = deny_write_access(file);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	/* From here its size stands. */
	if (i_size_read(file_inode(file)) <= 0) {
		itme_backing_close(file);
		return ERR_PTR(-ENODATA);
	}
	return file;
}

void itme_backing_close(struct file *lower)
{
	allow_write_access(lower);
	fput(lower);
}

static void read_complete(struct kiocb *iocb, long result)
{
	struct itme_read *read = container_of(iocb, struct itme_read, iocb);

	read->result = result;
	read->done(read);
}

/**
 * itme_backing_read - start to read
 * @lower: file of itme_backing_open()
 * @read: filled in but for @iocb, @iter and @result; belongs to this
 *	call until its done() is called
 *
 * The length asked of the lower file is that of the folios: O_DIRECT wants whole
 * blocks, and at the end of the file it reads what there is.
 */
void itme_backing_read(struct file *lower, struct itme_read *read)
{
	size_t bytes = 0;
	ssize_t ret;

	for (unsigned int i = 0; i < read->nr; i++)
		bytes += read->bvec[i].bv_len;

	iov_iter_bvec(&read->iter, ITER_DEST, read->bvec, read->nr, bytes);
	init_sync_kiocb(&read->iocb, lower);
	read->iocb.ki_pos = read->pos;
	read->iocb.ki_flags |= IOCB_DIRECT;
	read->iocb.ki_complete = read_complete;

	ret = vfs_iocb_iter_read(lower, &read->iocb, &read->iter);
	if (ret != -EIOCBQUEUED)
		read_complete(&read->iocb, ret);
}
