// SPDX-License-Identifier: GPL-2.0
/*
 * ITME: inference tiered memory expansion. Order of init and exit only.
 */
#include <linux/module.h>

#include "itme.h"
#include "native.h"
#include "netlink.h"
#include "swap.h"

static int __init itme_init(void)
{
	int err;

	err = itme_inode_cache_init();
	if (err)
		return err;
	err = itme_fill_init();
	if (err)
		goto inode_cache;
	err = itme_host_init();
	if (err)
		goto fill;
	err = itme_swap_init();
	if (err)
		goto host;
	err = itme_netlink_init();
	if (err)
		goto swap;
	err = itme_super_init();
	if (err)
		goto netlink;
	return 0;
netlink:
	itme_netlink_exit();
swap:
	itme_swap_exit();
host:
	itme_host_exit();
fill:
	itme_fill_exit();
inode_cache:
	itme_inode_cache_exit();
	return err;
}

static void __exit itme_exit(void)
{
	itme_netlink_exit();
	itme_super_exit();
	itme_swap_exit();
	itme_host_exit();
	itme_fill_exit();
	itme_inode_cache_exit();
}

module_init(itme_init);
module_exit(itme_exit);

MODULE_ALIAS_FS("itmefs");
MODULE_DESCRIPTION("Inference Tiered Memory Expansion");
MODULE_LICENSE("GPL");
