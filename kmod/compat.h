/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows of kernel versions. Included before every file.
 */
#ifndef ITME_COMPAT_H
#define ITME_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "itme supports Linux 6.12 only: no other version has been tried yet"
#endif

/*
 * The dentries of the tree are kept by one reference each (dir.c), which is let go of
 * here. Later kernels mark them instead, and kill_anon_super() does it.
 */
#define itme_kill_tree	kill_litter_super

#endif /* ITME_COMPAT_H */
