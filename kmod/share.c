// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: what stays of each plan
 *
 * Budgets and plans in, a part of each plan out; all under fs->lock.
 */
#include "itme.h"
#include "plan.h"

#define SHARE_ALL	BIT_ULL(32)

static u64 share_of(u64 part, u64 all)
{
	return part >= all ? SHARE_ALL : div64_u64(part << 32, all);
}

/*
 * Does it say what stays, and when it is used again? Not if nobody has a file of it
 * open, else each model that was ever run would take from the one that runs now; but
 * a budget is a promise.
 */
static bool shares(const struct itme_plan *plan)
{
	return plan->seq.cyclic && plan->trusted && plan->pages && (plan->opens || plan->budget);
}

/*
 * The ring, see struct itme_queues: nothing is planned, unless all that was used of late is
 * in a plan. What is wide leaves room for the budgets of plans.
 */
static void size_ring(struct itme_fs *fs)
{
	bool stray = fs->stray && itme_age(fs->stray_at, itme_now()) < ITME_STALE;
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	struct itme_queues *q = &fs->queues[ITME_TIER_DRAM];
	u64 pages = 0, promised = 0;
	struct itme_plan *plan;
	long chunks = 0, most;

	list_for_each_entry(plan, &fs->plans, node) {
		if (!shares(plan))
			continue;
		chunks += plan->chunk;
		pages += plan->pages;
		promised += min(plan->budget, plan->pages);
		if (stray && itme_plan_names(plan, fs->stray))
			stray = false;
	}
	if (!chunks)
		fs->lookahead = (struct itme_lookahead){};
	fs->lookahead.pages = pages;
	WRITE_ONCE(q->planned, stray ? 0 : chunks);
	most = budget - itme_policy_ring(budget, q->planned) - q->pinned;
	most = chunks && most > 0 && promised < (u64)most ? most - promised : 0;
	WRITE_ONCE(q->wide, min(q->wide, most));
}

/**
 * itme_plans_stray - a chunk is used that no plan says anything of
 * @fs: file system
 * @object: number of its file
 *
 * Who reads without a plan wants more of the ring. Under fs->lock.
 */
void itme_plans_stray(struct itme_fs *fs, u32 object)
{
	fs->stray = object;
	fs->stray_at = itme_now();
	if (fs->queues[ITME_TIER_DRAM].planned)
		itme_plans_share(fs);
}

/*
 * What stays of each plan: its budget, or of what the budgets leave the same part of
 * every plan, so that none waits for the drive more than the others. A plan that is
 * gone through once keeps nothing, as nothing of it is used again.
 */
void itme_plans_share(struct itme_fs *fs)
{
	u64 left[ITME_MEM_TIERS], all = 0, out = 0;
	struct itme_plan *plan;

	lockdep_assert_held(&fs->lock);
	size_ring(fs);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		long budget = atomic_long_read(&itme_tiers[tier].budget);
		long pages = budget - fs->queues[tier].pinned -
			     (tier == ITME_TIER_DRAM ?
			      itme_policy_ring_now(&fs->queues[tier], budget) : 0);

		left[tier] = max(0L, pages);
	}
	list_for_each_entry(plan, &fs->plans, node) {
		u64 part;

		memset(plan->share, 0, sizeof(plan->share));
		if (!shares(plan))
			continue;
		if (!plan->budget) {
			all += plan->pages;
			continue;
		}
		/* Of budgets that are more than there is, the older plan's goes first. */
		part = min3(plan->budget, plan->pages, left[ITME_TIER_DRAM]);
		left[ITME_TIER_DRAM] -= part;
		plan->share[ITME_TIER_DRAM] = share_of(part, plan->pages);
	}
	list_for_each_entry(plan, &fs->plans, node) {
		if (!shares(plan))
			continue;
		if (!plan->budget)
			plan->share[ITME_TIER_DRAM] = share_of(left[ITME_TIER_DRAM], all);
		out += mul_u64_u64_shr(plan->pages, SHARE_ALL - plan->share[ITME_TIER_DRAM], 32);
	}
	/* Of CXL, the same part of what every plan has not in DRAM. */
	list_for_each_entry(plan, &fs->plans, node) {
		u64 rest = SHARE_ALL - plan->share[ITME_TIER_DRAM];

		if (shares(plan) && out)
			plan->share[ITME_TIER_CXL] =
				mul_u64_u64_shr(rest, share_of(left[ITME_TIER_CXL], out), 32);
	}
}

/**
 * itme_plans_passed - a pass of a plan has ended
 * @plan: the plan
 *
 * The ring becomes as wide as the pass has shown that it pays; no wider before main has
 * left the room for what it was to be by now. Under fs->lock.
 */
void itme_plans_passed(struct itme_plan *plan)
{
	struct itme_fs *fs = plan->fs;
	struct itme_queues *q = &fs->queues[ITME_TIER_DRAM];
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	long ring = itme_policy_ring(budget, q->planned);
	long wide;

	lockdep_assert_held(&fs->lock);
	if (!shares(plan) || !itme_lookahead_passed(&fs->lookahead, plan->pages))
		return;
	wide = itme_lookahead_wide(&fs->lookahead, q->wide, ring, plan->chunk);
	wide = min(wide, budget / 2 - ring);
	/* What was to stay leaves as the sampler comes by, and not to a chunk. */
	if (wide == q->wide ||
	    (wide > q->wide && itme_policy_ahead(q, budget) < (ring + q->wide) / 2))
		return;
	WRITE_ONCE(q->wide, wide);
	itme_plans_share(fs);
}

/**
 * itme_plans_balance - what stays of each plan, now that budgets or pins may differ
 * @fs: file system
 */
void itme_plans_balance(struct itme_fs *fs)
{
	spin_lock(&fs->lock);
	if (!list_empty(&fs->plans))
		itme_plans_share(fs);
	spin_unlock(&fs->lock);
}
