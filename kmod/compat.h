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

#endif /* ITME_COMPAT_H */
