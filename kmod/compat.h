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

/*
 * Before 6.12.114, who unmaps a huge page does not tell the folio that it was written to
 * through that mapping; what is written would be lost. So no folio of a written file may
 * be so large that it is mapped by one.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 114)
#define ITME_WRITTEN_ORDER	(PMD_SHIFT - PAGE_SHIFT - 1)
#else
#define ITME_WRITTEN_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#endif

#endif /* ITME_COMPAT_H */
