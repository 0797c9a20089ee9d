// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: where a file is, to be told
 *
 * The path of an open file begins where its file system is mounted. A service in
 * a mount namespace of its own (ProtectSystem= and the like) opens files through
 * mounts that go with it: from then on a path begins at the root of the file
 * system, and names nothing. So where it was mounted is kept. (A mount that goes
 * together with the one above it, and stays there, is not noticed.)
 */

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "itme.h"

/* What d_path() appends. */
#define DELETED " (deleted)"

/* Empty: it is the root, or cannot be told. In @buf. */
static const char *mount_path(struct file *file, char *buf)
{
	struct path root = {
		.mnt = file->f_path.mnt,
		.dentry = file->f_path.mnt->mnt_root,
	};
	char *path = d_path(&root, buf, PATH_MAX);
	ssize_t at;

	if (IS_ERR(path))
		return "";
	/* What is mounted has no name any more, the place where it is mounted has. */
	at = (ssize_t)strlen(path) - (ssize_t)strlen(DELETED);
	if (d_unlinked(root.dentry) && at > 0 && !strcmp(path + at, DELETED))
		path[at] = 0;
	return strcmp(path, "/") ? path : "";
}

/**
 * itme_mount_path - where the file system of a file is mounted
 * @file: the file
 *
 * Return: the path, to be freed, empty for the root; NULL when there is no memory
 */
char *itme_mount_path(struct file *file)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	char *path;

	if (!buf)
		return NULL;
	path = kstrdup(mount_path(file, buf), GFP_KERNEL);
	kfree(buf);
	return path;
}

/* Is the caller's root directory on its mount? Then paths begin there as well. */
static bool has_root_of_caller(struct file *file)
{
	struct path root;
	bool ret;

	get_fs_root(current->fs, &root);
	ret = root.mnt == file->f_path.mnt;
	path_put(&root);
	return ret;
}

/**
 * itme_file_path - the path of a file, also of one whose mount has gone
 * @file: the file
 * @mount: what itme_mount_path() said when it was opened
 * @buf: PATH_MAX bytes
 *
 * Return: the path, in @buf, or -ENAMETOOLONG
 */
char *itme_file_path(struct file *file, const char *mount, char *buf)
{
	struct dentry *dentry = file->f_path.dentry;
	struct dentry *root = file->f_path.mnt->mnt_root;
	bool gone = *mount && !*mount_path(file, buf) && !has_root_of_caller(file);
	char *path = file_path(file, buf, PATH_MAX);
	size_t len = strlen(mount);

	/* What has been moved out of what is mounted has no path. */
	if (IS_ERR(path) || !gone || !is_subdir(dentry, root))
		return path;
	/* A mount of one file has nothing below it. */
	if (dentry == root)
		path++;
	return path - buf < len ? path : memcpy(path - len, mount, len);
}
