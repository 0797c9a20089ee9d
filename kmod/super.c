// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: mount: options, super block, start and stop
 */
#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>

#include "dir.h"
#include "itme.h"
#include "netlink.h"
#include "quota.h"

enum {
	OPT_DRAM,
	OPT_CXL,
	OPT_DRAM_NODES,
	OPT_CXL_NODES,
	OPT_MODE,
	OPT_UID,
	OPT_GID,
	OPT_NR_INODES,
	OPT_WRITEBACK,
	OPT_RESERVE,
};

/* Those that stand until unmount. */
#define FIXED_OPTIONS	(BIT(OPT_DRAM_NODES) | BIT(OPT_CXL_NODES) | BIT(OPT_MODE) | \
			 BIT(OPT_UID) | BIT(OPT_GID) | BIT(OPT_RESERVE))

/* Far more than any machine has memory for, and 512 bytes each do not overflow. */
#define NR_INODES_MAX	((long)BIT_ULL(40))

static const char * const tier_name[] = { "dram", "cxl" };

/**
 * struct itme_options - what mount was given
 * @given: bit OPT_* set when it was
 * @budget: by tier, bytes
 * @nodes: by tier
 * @mode: of the root directory
 * @uid: likewise
 * @gid: likewise
 * @nr_inodes: inodes and further names of them
 * @writeback: bytes/s written to swap areas ahead of need, 0 for no limit
 * @reserve: files have room promised up to their end
 */
struct itme_options {
	unsigned long given;
	u64 budget[ITME_MEM_TIERS];
	nodemask_t nodes[ITME_MEM_TIERS];
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	u64 nr_inodes;
	u64 writeback;
	bool reserve;
};

static const struct fs_parameter_spec itme_params[] = {
	fsparam_string("dram", OPT_DRAM),
	fsparam_string("cxl", OPT_CXL),
	fsparam_string("dram_nodes", OPT_DRAM_NODES),
	fsparam_string("cxl_nodes", OPT_CXL_NODES),
	fsparam_u32oct("mode", OPT_MODE),
	fsparam_uid("uid", OPT_UID),
	fsparam_gid("gid", OPT_GID),
	fsparam_string("nr_inodes", OPT_NR_INODES),
	fsparam_string("writeback", OPT_WRITEBACK),
	fsparam_flag_no("reserve", OPT_RESERVE),
	{}
};

static int parse_size(struct fs_context *fc, const char *key, const char *text, u64 *bytes)
{
	static const char units[] = "kmgtp";
	size_t digits = strspn(text, "0123456789");
	unsigned int shift = 0;
	const char *unit;
	u64 n;

	/* memparse() would wrap silently. */
	if (!digits || digits > 18 || (text[digits] && text[digits + 1]))
		return invalfc(fc, "%s=%s is not a size", key, text);
	n = simple_strtoull(text, NULL, 10);
	if (text[digits]) {
		unit = strchr(units, tolower(text[digits]));
		if (!unit)
			return invalfc(fc, "%s=%s is not a size", key, text);
		shift = 10 * (unit - units + 1);
	}
	if (n > U64_MAX >> shift)
		return invalfc(fc, "%s=%s is too large", key, text);
	*bytes = n << shift;
	return 0;
}

/* "0-1:4"; a colon, as a comma ends a mount option. */
static int parse_nodes(struct fs_context *fc, const char *key, char *text, nodemask_t *nodes)
{
	int nid;

	strreplace(text, ':', ',');
	if (bitmap_parselist(text, nodes_addr(*nodes), MAX_NUMNODES) || nodes_empty(*nodes))
		return invalfc(fc, "%s=%s is not a list of nodes", key, text);
	for_each_node_mask(nid, *nodes)
		if (!node_state(nid, N_MEMORY))
			return invalfc(fc, "%s: node %d has no memory", key, nid);
	return 0;
}

static int itme_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct itme_options *opts = fc->fs_private;
	struct fs_parse_result result;
	int opt, err = 0;

	opt = fs_parse(fc, itme_params, param, &result);
	if (opt < 0)
		return opt;
	switch (opt) {
	case OPT_DRAM:
	case OPT_CXL:
		err = parse_size(fc, param->key, param->string, &opts->budget[opt]);
		break;
	case OPT_DRAM_NODES:
	case OPT_CXL_NODES:
		err = parse_nodes(fc, param->key, param->string,
				  &opts->nodes[opt - OPT_DRAM_NODES]);
		break;
	case OPT_MODE:
		if (result.uint_32 & ~07777)
			return invalfc(fc, "mode=%o is not a mode", result.uint_32);
		opts->mode = result.uint_32;
		break;
	case OPT_UID:
		opts->uid = result.uid;
		break;
	case OPT_GID:
		opts->gid = result.gid;
		break;
	case OPT_WRITEBACK:
		err = parse_size(fc, param->key, param->string, &opts->writeback);
		/* As it is shown; what is given again must be the same. */
		opts->writeback = round_up(opts->writeback, 1024);
		break;
	case OPT_RESERVE:
		opts->reserve = !result.negated;
		break;
	case OPT_NR_INODES:
		err = parse_size(fc, param->key, param->string, &opts->nr_inodes);
		if (!err && (!opts->nr_inodes || opts->nr_inodes > NR_INODES_MAX))
			return invalfc(fc, "nr_inodes=%s: not 1 to %ld", param->string,
				       NR_INODES_MAX);
		break;
	}
	if (!err)
		opts->given |= BIT(opt);
	return err;
}

/* Nodes with processors are DRAM, memory without is CXL, unless said otherwise. */
static void default_nodes(struct itme_options *opts)
{
	nodemask_t *dram = &opts->nodes[ITME_TIER_DRAM];
	nodemask_t *cxl = &opts->nodes[ITME_TIER_CXL];

	if (!(opts->given & BIT(OPT_DRAM_NODES))) {
		nodes_and(*dram, node_states[N_MEMORY], node_states[N_CPU]);
		if (opts->given & BIT(OPT_CXL_NODES))
			nodes_andnot(*dram, *dram, *cxl);
	}
	if (!(opts->given & BIT(OPT_CXL_NODES))) {
		nodes_andnot(*cxl, node_states[N_MEMORY], node_states[N_CPU]);
		nodes_andnot(*cxl, *cxl, *dram);
	}
}

static int check_options(struct fs_context *fc, struct itme_options *opts)
{
	if (!(opts->given & BIT(OPT_DRAM)))
		return invalfc(fc, "the option dram=SIZE is missing");
	default_nodes(opts);
	if (nodes_intersects(opts->nodes[ITME_TIER_DRAM], opts->nodes[ITME_TIER_CXL]))
		return invalfc(fc, "a node cannot be both in dram_nodes and cxl_nodes");
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		const char *why;

		if (itme_tier_check(tier, opts->budget[tier], &opts->nodes[tier], &why))
			return invalfc(fc, "%s=%llu: %s", tier_name[tier], opts->budget[tier], why);
	}
	return 0;
}

/**
 * itme_fs_get - begin work that outlives the system call it came from
 * @fs: file system
 *
 * Return: false when it is being unmounted; else call itme_fs_put()
 */
bool itme_fs_get(struct itme_fs *fs)
{
	atomic_inc(&fs->inflight);
	/* Pairs with the barrier in stop(): either it sees our count, or we it. */
	smp_mb__after_atomic();
	if (!READ_ONCE(fs->stopping))
		return true;
	itme_fs_put(fs);
	return false;
}

void itme_fs_put(struct itme_fs *fs)
{
	/*
	 * Unmount may go on from between these, and we be preempted there: a request of
	 * netlink is in no work item that it waits for. It frees @fs after a grace period.
	 */
	rcu_read_lock();
	atomic_dec(&fs->inflight);
	wake_up_all(&fs->inflight_wait);
	rcu_read_unlock();
}

static void free_fs(struct itme_fs *fs)
{
	if (!fs)
		return;
	if (fs->demand_wq)
		destroy_workqueue(fs->demand_wq);
	if (fs->prefetch_wq)
		destroy_workqueue(fs->prefetch_wq);
	if (fs->hint_wq)
		destroy_workqueue(fs->hint_wq);
	if (fs->heat_wq)
		destroy_workqueue(fs->heat_wq);
	if (fs->plan_wq)
		destroy_workqueue(fs->plan_wq);
	itme_writeout_stop(fs);
	itme_learn_stop(fs);
	/* Completions that have had their read noted by somebody else already, itme_fs_put(). */
	synchronize_rcu();
	cancel_delayed_work_sync(&fs->done_work);
	if (fs->done_wq)
		destroy_workqueue(fs->done_wq);
	xa_destroy(&fs->objects);
	kfree(fs);
}

static struct itme_fs *alloc_fs(void)
{
	struct itme_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	spin_lock_init(&fs->lock);
	itme_quota_init(fs);
	mutex_init(&fs->budget_lock);
	init_waitqueue_head(&fs->pages_wait);
	init_waitqueue_head(&fs->inflight_wait);
	INIT_LIST_HEAD(&fs->plans);
	INIT_LIST_HEAD(&fs->triggers);
	init_llist_head(&fs->done);
	itme_areas_start(&fs->areas);
	INIT_DELAYED_WORK(&fs->done_work, itme_fills_done_work);
	xa_init_flags(&fs->objects, XA_FLAGS_ALLOC1);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		INIT_LIST_HEAD(&fs->queues[tier].main.list);
		INIT_LIST_HEAD(&fs->queues[tier].ring.list);
		INIT_LIST_HEAD(&fs->queues[tier].used.list);
		INIT_LIST_HEAD(&fs->queues[tier].held.list);
	}
	fs->demand_wq = alloc_workqueue("itme_demand", WQ_UNBOUND | WQ_HIGHPRI, WQ_MAX_ACTIVE);
	fs->prefetch_wq = alloc_workqueue("itme_prefetch", WQ_UNBOUND, 64);
	fs->hint_wq = alloc_workqueue("itme_hint", WQ_UNBOUND, 8);
	fs->heat_wq = alloc_workqueue("itme_heat", WQ_UNBOUND, 0);
	fs->plan_wq = alloc_workqueue("itme_plan", WQ_UNBOUND | WQ_HIGHPRI, 0);
	fs->done_wq = alloc_workqueue("itme_done", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!fs->demand_wq || !fs->prefetch_wq || !fs->hint_wq || !fs->heat_wq ||
	    !fs->plan_wq || !fs->done_wq || itme_learn_start(fs) || itme_writeout_start(fs)) {
		free_fs(fs);
		return NULL;
	}
	return fs;
}

static int itme_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct itme_fs *fs = itme_sb(dentry->d_sb);
	long max = READ_ONCE(fs->inodes_max);

	buf->f_type = ITME_SUPER_MAGIC;
	buf->f_bsize = PAGE_SIZE;
	buf->f_namelen = NAME_MAX;
	buf->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	itme_quota_statfs(itme_i(d_inode(dentry)), buf);
	buf->f_files = max;
	buf->f_ffree = max(0L, max - atomic_long_read(&fs->inodes));
	return 0;
}

static void show_nodes(struct seq_file *m, const char *name, const nodemask_t *nodes)
{
	char sep = '=';
	int nid;

	if (nodes_empty(*nodes))
		return;
	seq_printf(m, ",%s", name);
	for_each_node_mask(nid, *nodes) {
		seq_printf(m, "%c%d", sep, nid);
		sep = ':';
	}
}

static int itme_show_options(struct seq_file *m, struct dentry *root)
{
	static const char * const nodes[] = { "dram_nodes", "cxl_nodes" };
	struct itme_fs *fs = itme_sb(root->d_sb);

	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		seq_printf(m, ",%s=%luk", tier_name[tier],
			   atomic_long_read(&itme_tiers[tier].budget) << (PAGE_SHIFT - 10));
		show_nodes(m, nodes[tier], &itme_tiers[tier].nodes);
	}
	seq_printf(m, ",mode=%o", fs->mode);
	if (!uid_eq(fs->uid, GLOBAL_ROOT_UID))
		seq_printf(m, ",uid=%u", from_kuid_munged(&init_user_ns, fs->uid));
	if (!gid_eq(fs->gid, GLOBAL_ROOT_GID))
		seq_printf(m, ",gid=%u", from_kgid_munged(&init_user_ns, fs->gid));
	seq_printf(m, ",nr_inodes=%ld", fs->inodes_max);
	if (fs->writeout.rate)
		seq_printf(m, ",writeback=%lluk", fs->writeout.rate >> 10);
	if (fs->reserve)
		seq_puts(m, ",reserve");
	return 0;
}

/* All inodes are gone, and the next mount cannot have begun. */
static void itme_put_super(struct super_block *sb)
{
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
		WARN_ON_ONCE(atomic_long_read(&itme_tiers[tier].used));
}

static const struct super_operations itme_super_ops = {
	.alloc_inode	= itme_inode_alloc,
	.free_inode	= itme_inode_free,
	.drop_inode	= generic_delete_inode,
	.evict_inode	= itme_inode_evict,
	.put_super	= itme_put_super,
	.statfs		= itme_statfs,
	.show_options	= itme_show_options,
};

/* As tmpfs: one for two pages of memory that is not high. */
static long default_inodes(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return max(1UL, (info.totalram - info.totalhigh) / 2);
}

static int itme_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct itme_options *opts = fc->fs_private;
	struct itme_fs *fs = sb->s_fs_info;
	struct inode *root;
	int err;

	err = check_options(fc, opts);
	if (err)
		return err;
	sb->s_magic = ITME_SUPER_MAGIC;
	sb->s_op = &itme_super_ops;
	/* What does not exist leaves no dentry behind. */
	sb->s_d_op = &simple_dentry_operations;
	sb->s_xattr = itme_xattr_handlers;
	sb->s_flags |= SB_POSIXACL;
	sb->s_maxbytes = ITME_MAX_BYTES;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_NODEV;
	/* A lower file may be on a stack of file systems; one more may not be. */
	sb->s_stack_depth = 1;
	/*
	 * Nothing is ever written back. But only of a file system that could, memory
	 * failure believes that a clean page may be dropped: else it kills whoever has
	 * it mapped.
	 */
	err = super_setup_bdi(sb);
	if (err)
		return err;
	/*
	 * The page cache shall not read ahead by itself, as khugepaged asks it to where
	 * CONFIG_READ_ONLY_THP_FOR_FS is set: it would add folios that no budget counts, and
	 * then call an operation that is not there.
	 */
	sb->s_bdi->ra_pages = 0;
	fs->sb = sb;
	fs->mode = opts->mode;
	fs->uid = opts->uid;
	fs->gid = opts->gid;
	fs->writeout.rate = opts->writeback;
	fs->reserve = opts->reserve;
	fs->inodes_max = opts->given & BIT(OPT_NR_INODES) ? opts->nr_inodes :
							    default_inodes();
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		itme_tiers[tier].nodes = opts->nodes[tier];
		atomic_long_set(&itme_tiers[tier].used, 0);
		atomic_long_set(&itme_tiers[tier].budget,
				round_down(opts->budget[tier] >> PAGE_SHIFT,
					   ITME_CHUNK_MAX_PAGES));
	}
	root = itme_root_create(sb, fs->mode, fs->uid, fs->gid);
	if (!root)
		return -ENOMEM;
	sb->s_root = d_make_root(root);
	if (!sb->s_root)
		return -ENOMEM;
	err = itme_pressure_start(fs);
	if (!err)
		itme_netlink_start(fs);
	return err;
}

static u64 budget_bytes(int tier)
{
	return (u64)atomic_long_read(&itme_tiers[tier].budget) << PAGE_SHIFT;
}

/* Are those of @which that were given the same as what stands? */
static bool same_options(struct itme_fs *fs, const struct itme_options *opts,
			 unsigned long which)
{
	unsigned long given = opts->given & which;

	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		if (given & BIT(OPT_DRAM + tier) &&
		    round_down(opts->budget[tier], ITME_CHUNK_MAX_PAGES << PAGE_SHIFT) !=
		    budget_bytes(tier))
			return false;
		if (given & BIT(OPT_DRAM_NODES + tier) &&
		    !nodes_equal(opts->nodes[tier], itme_tiers[tier].nodes))
			return false;
	}
	if (given & BIT(OPT_UID) && !uid_eq(opts->uid, fs->uid))
		return false;
	if (given & BIT(OPT_GID) && !gid_eq(opts->gid, fs->gid))
		return false;
	if (given & BIT(OPT_NR_INODES) && opts->nr_inodes != fs->inodes_max)
		return false;
	if (given & BIT(OPT_WRITEBACK) && opts->writeback != fs->writeout.rate)
		return false;
	if (given & BIT(OPT_RESERVE) && opts->reserve != fs->reserve)
		return false;
	return !(given & BIT(OPT_MODE)) || opts->mode == fs->mode;
}

/* The machine has one itmefs; a further mount shows the same, if it agrees. */
static int itme_get_tree(struct fs_context *fc)
{
	struct itme_options *opts = fc->fs_private;
	struct super_block *sb;
	int err;

	fc->s_fs_info = alloc_fs();
	if (!fc->s_fs_info)
		return -ENOMEM;
	err = get_tree_single(fc, itme_fill_super);
	if (err || !fc->s_fs_info)
		return err;
	/* Not taken over, so there was one already. */
	sb = fc->root->d_sb;
	if (same_options(itme_sb(sb), opts, BIT(OPT_DRAM) | BIT(OPT_CXL) | BIT(OPT_NR_INODES) |
				       BIT(OPT_WRITEBACK) | FIXED_OPTIONS))
		return 0;
	errorfc(fc, "itmefs is mounted already with other options; remount it to change them");
	dput(fc->root);
	fc->root = NULL;
	deactivate_locked_super(sb);
	return -EBUSY;
}

static int itme_reconfigure(struct fs_context *fc)
{
	struct itme_options *opts = fc->fs_private;
	struct itme_fs *fs = itme_sb(fc->root->d_sb);
	u64 old = budget_bytes(ITME_TIER_DRAM);
	int tier, err = 0;

	/* mount(8) hands in again what /proc/mounts shows. */
	if (!same_options(fs, opts, FIXED_OPTIONS))
		return invalfc(fc, "only dram=, cxl=, nr_inodes= and writeback= can be changed");
	for (tier = 0; tier < ITME_MEM_TIERS; tier++) {
		const char *why;

		if (opts->given & BIT(OPT_DRAM + tier) &&
		    itme_tier_check(tier, opts->budget[tier], &itme_tiers[tier].nodes, &why))
			return invalfc(fc, "%s=%llu: %s", tier_name[tier], opts->budget[tier], why);
	}
	if (opts->given & BIT(OPT_NR_INODES) &&
	    opts->nr_inodes < atomic_long_read(&fs->inodes))
		return invalfc(fc, "nr_inodes=%llu: there are more", opts->nr_inodes);
	for (tier = 0; tier < ITME_MEM_TIERS; tier++) {
		if (!(opts->given & BIT(OPT_DRAM + tier)) ||
		    same_options(fs, opts, BIT(OPT_DRAM + tier)))
			continue;
		err = itme_tier_set(fs, tier, opts->budget[tier]);
		if (err)
			break;
	}
	if (err) {
		errorfc(fc, "%s=%llu: what is held of it cannot leave", tier_name[tier],
			opts->budget[tier]);
		/* All or nothing; what was larger or smaller fits again. */
		if (tier != ITME_TIER_DRAM)
			itme_tier_set(fs, ITME_TIER_DRAM, old);
		return err;
	}
	if (opts->given & BIT(OPT_NR_INODES))
		WRITE_ONCE(fs->inodes_max, opts->nr_inodes);
	if (opts->given & BIT(OPT_WRITEBACK))
		WRITE_ONCE(fs->writeout.rate, opts->writeback);
	return 0;
}

static void itme_free_fc(struct fs_context *fc)
{
	free_fs(fc->s_fs_info);
	kfree(fc->fs_private);
}

static const struct fs_context_operations itme_context_ops = {
	.parse_param	= itme_parse_param,
	.get_tree	= itme_get_tree,
	.reconfigure	= itme_reconfigure,
	.free		= itme_free_fc,
};

static int itme_init_fs_context(struct fs_context *fc)
{
	struct itme_options *opts = kzalloc(sizeof(*opts), GFP_KERNEL);

	if (!opts)
		return -ENOMEM;
	opts->mode = 0755;
	opts->uid = GLOBAL_ROOT_UID;
	opts->gid = GLOBAL_ROOT_GID;
	fc->fs_private = opts;
	fc->ops = &itme_context_ops;
	return 0;
}

static void stop(struct itme_fs *fs)
{
	itme_netlink_stop(fs);
	WRITE_ONCE(fs->stopping, true);
	/* Pairs with the barrier in itme_fs_get(). */
	smp_mb();
	wake_up_all(&fs->pages_wait);
	wake_up_all(&fs->inflight_wait);
	wait_event_idle(fs->inflight_wait, !atomic_read(&fs->inflight));
	/* Whoever asks for pressure's workers holds an inflight, so not before. */
	itme_pressure_stop(fs);
	itme_writeout_stop(fs);
	itme_nl_plans_drop();
	itme_plans_drop(fs);
}

static void itme_kill_sb(struct super_block *sb)
{
	struct itme_fs *fs = itme_sb(sb);

	/* Without a root, the mount failed before anything was started. */
	if (sb->s_root)
		stop(fs);
	itme_kill_tree(sb);
	itme_areas_stop(&fs->areas);
	WARN_ON_ONCE(atomic_long_read(&fs->tables));
	free_fs(fs);
}

static struct file_system_type itme_fs_type = {
	.owner			= THIS_MODULE,
	.name			= "itmefs",
	.init_fs_context	= itme_init_fs_context,
	.parameters		= itme_params,
	.kill_sb		= itme_kill_sb,
};

int itme_super_init(void)
{
	return register_filesystem(&itme_fs_type);
}

void itme_super_exit(void)
{
	unregister_filesystem(&itme_fs_type);
}
