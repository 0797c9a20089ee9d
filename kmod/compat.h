/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows of kernel versions. Included before every file.
 */
#ifndef ITME_COMPAT_H
#define ITME_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "itme needs Linux 6.12 or newer"
#endif

#endif /* ITME_COMPAT_H */
