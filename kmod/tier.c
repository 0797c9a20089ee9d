// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: nodes and budgets
 *
 * A budget is hard: a page is charged before it is allocated, and uncharged when
 * it has left the page cache, by free_folio, whoever removed it.
 */
#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/sched/signal.h>
#include <linux/topology.h>

#include "itme.h"

struct itme_tier_mem itme_tiers[ITME_MEM_TIERS];

/* A charge sees the budget before or after a change, whole; innermost, see itme.h. */
static DEFINE_SPINLOCK(charge_lock);

/* A budget change gives up after that long without progress. */
#define SHRINK_PATIENCE		(5 * HZ)

/**
 * itme_tier_charge - take room
 * @tier: memory tier
 * @pages: how much
 *
 * Return: false when the budget does not allow it
 */
bool itme_tier_charge(int tier, long pages)
{
	struct itme_tier_mem *t = &itme_tiers[tier];
	bool ok;

	spin_lock(&charge_lock);
	ok = atomic_long_read(&t->used) + pages <= atomic_long_read(&t->budget);
	if (ok)
		atomic_long_add(pages, &t->used);
	spin_unlock(&charge_lock);
	return ok;
}

void itme_tier_uncharge(int tier, long pages)
{
	atomic_long_sub(pages, &itme_tiers[tier].used);
}

/**
 * itme_tier_of - the tier a node belongs to
 * @nid: node
 *
 * The kernel may move a folio to a node that was given to no tier. It is then
 * counted as DRAM.
 *
 * Return: memory tier
 */
int itme_tier_of(int nid)
{
	return node_isset(nid, itme_tiers[ITME_TIER_CXL].nodes) ? ITME_TIER_CXL : ITME_TIER_DRAM;
}

static struct folio *alloc(int tier, unsigned int order, bool hard, gfp_t gfp)
{
	const nodemask_t *nodes = &itme_tiers[tier].nodes;
	int local = numa_mem_id();
	struct folio *folio;
	int nid;

	gfp |= GFP_TRANSHUGE_LIGHT | __GFP_THISNODE | __GFP_NORETRY;
	if (hard)
		gfp |= __GFP_DIRECT_RECLAIM;
	if (!order)
		gfp |= __GFP_KSWAPD_RECLAIM;
	if (node_isset(local, *nodes) && node_state(local, N_MEMORY)) {
		folio = __folio_alloc_node(gfp, order, local);
		if (folio)
			return folio;
	}
	for_each_node_mask(nid, *nodes) {
		if (nid == local || !node_state(nid, N_MEMORY))
			continue;
		folio = __folio_alloc_node(gfp, order, nid);
		if (folio)
			return folio;
	}
	return NULL;
}

/**
 * itme_tier_alloc - a folio on a node of a tier
 * @tier: memory tier, charged by the caller
 * @order: size
 * @hard: reclaim and compact for it, else take only what is free
 *
 * Never calls the OOM killer: __GFP_NORETRY, and __GFP_THISNODE.
 *
 * Return: the folio, unlocked, or NULL
 */
struct folio *itme_tier_alloc(int tier, unsigned int order, bool hard)
{
	return alloc(tier, order, hard, 0);
}

/* Of zeroes. */
struct folio *itme_tier_alloc_zeroed(int tier, unsigned int order, bool hard)
{
	return alloc(tier, order, hard, __GFP_ZERO);
}

u64 itme_tier_capacity(const nodemask_t *nodes)
{
	u64 pages = 0;
	int nid;

	for_each_node_mask(nid, *nodes)
		if (node_state(nid, N_MEMORY))
			pages += node_present_pages(nid);
	return pages << PAGE_SHIFT;
}

u64 itme_tier_free(const nodemask_t *nodes)
{
	u64 pages = 0;
	int nid;

	for_each_node_mask(nid, *nodes) {
		if (!node_state(nid, N_MEMORY))
			continue;
		for (int z = 0; z < MAX_NR_ZONES; z++)
			pages += zone_page_state(&NODE_DATA(nid)->node_zones[z], NR_FREE_PAGES);
	}
	return pages << PAGE_SHIFT;
}

/**
 * itme_tier_check - may a tier have this budget?
 * @tier: memory tier
 * @bytes: the budget
 * @nodes: of the tier
 * @why: set to what is wrong
 *
 * Return: 0 or -EINVAL
 */
int itme_tier_check(int tier, u64 bytes, const nodemask_t *nodes, const char **why)
{
	if (tier == ITME_TIER_CXL && !bytes)
		return 0;
	if (nodes_empty(*nodes)) {
		*why = "the tier has no memory node";
		return -EINVAL;
	}
	if (bytes >> PAGE_SHIFT < ITME_MIN_BUDGET) {
		*why = "the budget is below the minimum of 8M";
		return -EINVAL;
	}
	if (bytes > itme_tier_capacity(nodes)) {
		*why = "the budget is larger than the memory of the nodes";
		return -EINVAL;
	}
	return 0;
}

static int shrink_to_budget(struct itme_fs *fs, int tier)
{
	struct itme_tier_mem *t = &itme_tiers[tier];
	unsigned long giveup = jiffies + SHRINK_PATIENCE;

	while (itme_tier_room(tier) < 0) {
		if (signal_pending(current))
			return -EINTR;
		if (itme_evict(fs, tier, true)) {
			giveup = jiffies + SHRINK_PATIENCE;
			continue;
		}
		if (time_after(jiffies, giveup))
			return -EBUSY;
		/* Chunks in transit: they come to rest and can then leave. */
		wait_event_interruptible_timeout(fs->pages_wait,
						 itme_tier_room(tier) >= 0, HZ / 50);
		cond_resched();
	}
	lockdep_assert_held(&fs->budget_lock);
	WARN_ON_ONCE(atomic_long_read(&t->budget) < 0);
	return 0;
}

/**
 * itme_tier_set - change a budget
 * @fs: the file system
 * @tier: memory tier
 * @bytes: new budget
 *
 * Nothing new is taken from the moment the smaller budget stands, and what is
 * above it leaves before this returns.
 *
 * Return: 0; -EINVAL see itme_tier_check(); -EBUSY or -EINTR, the old budget
 * then stands
 */
int itme_tier_set(struct itme_fs *fs, int tier, u64 bytes)
{
	struct itme_tier_mem *t = &itme_tiers[tier];
	long pages = round_down(bytes >> PAGE_SHIFT, ITME_CHUNK_MAX_PAGES);
	const char *why;
	long old, pinned;
	int err;

	if (mutex_lock_interruptible(&fs->budget_lock))
		return -EINTR;
	err = itme_tier_check(tier, bytes, &t->nodes, &why);
	if (err)
		goto out;

	spin_lock(&fs->lock);
	pinned = fs->queues[tier].pinned;
	old = atomic_long_read(&t->budget);
	if (pages < old && pinned && pinned > itme_policy_stay_max(tier, pages))
		err = -EBUSY;
	if (!err) {
		/* Who has been let in by the old one is counted, when this is out. */
		spin_lock(&charge_lock);
		atomic_long_set(&t->budget, pages);
		spin_unlock(&charge_lock);
	}
	spin_unlock(&fs->lock);
	if (err)
		goto out;

	err = shrink_to_budget(fs, tier);
	if (err)
		atomic_long_set(&t->budget, old);
	wake_up_all(&fs->pages_wait);
out:
	mutex_unlock(&fs->budget_lock);
	return err;
}

/**
 * itme_tier_info - what user space is told of a tier
 * @fs: the file system
 * @tier: memory tier
 * @info: filled
 */
void itme_tier_info(struct itme_fs *fs, int tier, struct itme_tier_info *info)
{
	struct itme_tier_mem *t = &itme_tiers[tier];
	long budget, used;
	int nid;

	/* Of one moment, so that more is used than given only while a budget is lowered. */
	spin_lock(&charge_lock);
	budget = atomic_long_read(&t->budget);
	used = atomic_long_read(&t->used);
	spin_unlock(&charge_lock);

	*info = (struct itme_tier_info){
		.tier = tier,
		.budget = (u64)budget << PAGE_SHIFT,
		.used = (u64)used << PAGE_SHIFT,
		.capacity = itme_tier_capacity(&t->nodes),
		.free = itme_tier_free(&t->nodes),
	};
	for_each_node_mask(nid, t->nodes)
		if (nid < ITME_NODES_MAX)
			info->nodes[nid / 64] |= 1ULL << (nid % 64);

	spin_lock(&fs->lock);
	info->pinned = (u64)fs->queues[tier].pinned << PAGE_SHIFT;
	info->busy = (u64)fs->queues[tier].held.pages << PAGE_SHIFT;
	spin_unlock(&fs->lock);
}
