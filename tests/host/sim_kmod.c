// SPDX-License-Identifier: GPL-2.0
/* What stands for mover.c, fill.c, pressure.c and others that residency.c and plan.c call. */
#include "sim_world.h"

#include <stdlib.h>

#include "event.h"
#include "tap.h"
#include "trigger.h"

/* As in kmod/: super.c (prefetch_wq), pressure.c. */
#define PREFETCH_ACTIVE	64
#define SAMPLE_MIN	32
#define SAMPLE_MAX	1024
#define SAMPLE_PART	16
#define PROMOTE_HEAT	2
#define PROMOTE_MAX	16

#define NEVER		UINT64_MAX

struct itme_tier_mem itme_tiers[ITME_MEM_TIERS];

/* What residency.c calls. */

u64 ktime_get_ns(void)
{
	return sim.now;
}

void itme_count(struct itme_inode *ino, enum itme_counter which, u64 n)
{
	if (which == ITME_PREFETCH_WASTED)
		sim.stats.unused++;
}

/* What plan.c calls. Nobody listens, and nobody learns. */

atomic_t itme_plans_changed = { 1 };

void itme_event_stage(u32 plan, u32 stage)
{
}

void itme_prefetch_filled(struct itme_inode *ino, u32 idx)
{
}

void itme_learn_touch(struct itme_inode *ino, u32 idx)
{
	sim.stats.recorded++;
}

void itme_learn_again(struct itme_fs *fs, pid_t tgid)
{
}

bool itme_fs_get(struct itme_fs *fs)
{
	return true;
}

void itme_fs_put(struct itme_fs *fs)
{
}

void itme_inode_put(struct itme_inode *ino)
{
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	for (int i = 0; i < sim.nr_works; i++)
		if (sim.work[i] == work)
			return false;
	assert(sim.nr_works < WORKS);
	sim.work[sim.nr_works++] = work;
	return true;
}

void sim_run_works(void)
{
	while (sim.nr_works) {
		struct work_struct *work = sim.work[0];

		memmove(sim.work, sim.work + 1, --sim.nr_works * sizeof(*sim.work));
		work->func(work);
	}
}

/* tier.c */

bool itme_tier_charge(int tier, long pages)
{
	struct itme_tier_mem *t = &itme_tiers[tier];

	if (t->used.v + pages > t->budget.v)
		return false;
	t->used.v += pages;
	return true;
}

void itme_tier_uncharge(int tier, long pages)
{
	itme_tiers[tier].used.v -= pages;
	CHECK(itme_tiers[tier].used.v >= 0, "tier %d", tier);
}

static struct sim_file *file_of(struct itme_inode *ino)
{
	return container_of(ino, struct sim_file, ino);
}

void unmap_mapping_pages(struct address_space *mapping, u64 first, u64 nr, bool even_cows)
{
	struct itme_inode *ino = itme_i(mapping->host);

	for (u32 i = itme_chunk_of(ino, first); i <= itme_chunk_of(ino, first + nr - 1); i++)
		file_of(ino)->mapped[i] = false;
}

/* mover.c */

static bool drop(struct itme_inode *ino, u32 idx)
{
	int tier = ino->chunks[idx].tier;
	bool gone = !file_of(ino)->held[idx];

	if (gone) {
		file_of(ino)->mapped[idx] = false;
		itme_tier_uncharge(tier, itme_chunk_pages(ino, idx));
		sim.stats.dropped++;
	}
	itme_chunk_end_leave(ino, idx, gone ? ITME_TIER_NVME : tier, !gone);
	return gone;
}

static bool move(struct itme_inode *ino, u32 idx, int tier)
{
	int from = ino->chunks[idx].tier;
	bool held = file_of(ino)->held[idx];
	bool ok = !held && itme_tier_charge(tier, itme_chunk_pages(ino, idx));

	if (ok) {
		file_of(ino)->mapped[idx] = false;
		itme_tier_uncharge(from, itme_chunk_pages(ino, idx));
		if (tier == ITME_TIER_DRAM)
			sim.stats.promoted++;
		else
			sim.stats.demoted++;
	}
	itme_chunk_end_leave(ino, idx, ok ? tier : from, held);
	return ok;
}

static void check_leaving(struct itme_inode *ino, u32 idx)
{
	CHECK(ino->chunks[idx].state == ITME_BUSY);
	CHECK(!(ino->chunks[idx].flags & ITME_C_PINNED), "pinned chunk %u leaves", idx);
	CHECK(!(ino->chunks[idx].flags & ITME_C_HELD), "held chunk %u leaves", idx);
}

static struct itme_inode *begin_colder(int tier, u32 interval, u32 *idx)
{
	struct itme_inode *ino = itme_chunk_begin_colder(&sim.fs, tier, interval, idx);

	if (ino)
		check_leaving(ino, *idx);
	return ino;
}

static bool room_below(long pages, u32 interval)
{
	struct itme_inode *ino;
	u32 idx;

	if (!itme_tiers[ITME_TIER_CXL].budget.v)
		return false;
	if (itme_tier_room(ITME_TIER_CXL) >= pages)
		return true;
	ino = begin_colder(ITME_TIER_CXL, interval, &idx);
	if (!ino)
		return false;
	drop(ino, idx);
	return itme_tier_room(ITME_TIER_CXL) >= pages;
}

static long leave(struct itme_inode *ino, u32 idx, int tier)
{
	long pages = itme_chunk_pages(ino, idx);
	bool gone;

	if (tier == ITME_TIER_DRAM && itme_chunk_demotable(ino, idx) &&
	    room_below(pages, itme_chunk_interval(ino, idx)))
		gone = move(ino, idx, ITME_TIER_CXL);
	else
		gone = drop(ino, idx);
	return gone ? pages : 0;
}

long sim_evict(int tier, bool demand)
{
	for (int tries = 0; tries < 8; tries++) {
		long budget = itme_tiers[tier].budget.v;
		bool within = itme_policy_fits_main(&sim.fs.queues[tier], budget, 0);
		struct itme_inode *ino;
		struct itme_chunk *c;
		long pages;
		u32 idx;

		ino = itme_chunk_begin_victim(&sim.fs, tier, demand, &idx);
		if (!ino)
			return 0;
		check_leaving(ino, idx);
		c = &ino->chunks[idx];
		if (!demand && within)
			CHECK(!(c->flags & ITME_C_UNTOUCHED) || !(c->flags & ITME_C_PREFETCH) ||
			      sim.now / SIM_MS - c->stamp > ITME_STALE,
			      "chunk %u, not used yet, leaves for a prefetch", idx);
		pages = leave(ino, idx, tier);
		if (pages)
			return pages;
	}
	return 0;
}

static long evict_colder(int tier, u32 interval)
{
	struct itme_inode *ino;
	u32 idx;

	ino = begin_colder(tier, interval, &idx);
	return ino ? leave(ino, idx, tier) : 0;
}

/* fill.c */

static bool earns_main(struct fill *fill, u32 interval)
{
	return fill->tier == ITME_TIER_DRAM && !itme_chunk_fits_main(fill->ino, fill->idx) &&
	       evict_colder(ITME_TIER_DRAM, interval) > 0;
}

static void place(struct fill *f)
{
	u32 cycle = 0;
	enum itme_class class = itme_plan_class(f->ino, f->idx, &cycle);
	bool earned = false;

	if (class == ITME_CLASS_CXL && itme_tiers[ITME_TIER_CXL].budget.v)
		f->tier = ITME_TIER_CXL;
	if (class == ITME_CLASS_DRAM)
		earned = earns_main(f, max_t(u32, cycle, ITME_HZ));
	else if (class == ITME_CLASS_NONE)
		earned = earns_main(f, itme_chunk_interval(f->ino, f->idx));
	f->tier = itme_chunk_place(f->ino, f->idx, f->tier, class, earned);
	f->placed = true;
}

void sim_end_fill(int i, bool resident, int err)
{
	struct fill fill = sim.fill[i];

	sim.fill[i] = sim.fill[--sim.nr_fills];
	sim.fs.prefetches.v -= !fill.demand;
	if (resident) {
		sim.stats.fills++;
		sim.all_fills++;
		sim.stats.demand += fill.demand;
	} else {
		sim.stats.given_up++;
	}
	itme_chunk_end_fill(fill.ino, fill.idx, resident, err);
}

/* Room for the chunk, and then the drive. False when the fill has ended. */
static bool fill_step(int i)
{
	struct fill *f = &sim.fill[i];
	long pages = itme_chunk_pages(f->ino, f->idx);
	u64 ns = sim.config.drive_ns * pages / ITME_CHUNK_MAX_PAGES;

	if (!f->placed)
		place(f);
	while (!itme_tier_charge(f->tier, pages)) {
		if (sim_evict(f->tier, f->demand))
			continue;
		if (f->tier == ITME_TIER_CXL) {
			f->tier = ITME_TIER_DRAM;
			itme_chunk_replace(f->ino, f->idx, f->tier);
			continue;
		}
		if (!f->demand || sim.now - f->begun > PATIENCE) {
			sim_end_fill(i, false, f->demand ? -ENOMEM : -EAGAIN);
			return false;
		}
		return true;
	}
	f->reading = true;
	if (f->demand)
		itme_triggers_read(&sim.fs);
	f->done_at = max(sim.now, sim.drive_free) + ns;
	sim.drive_free = f->done_at;
	return true;
}

static int nr_active(bool demand)
{
	int n = 0;

	for (int i = 0; i < sim.nr_fills; i++)
		n += sim.fill[i].demand == demand && sim.fill[i].placed;
	return n;
}

/* Those who wait are served before those who do not, each in order. */
void sim_start_fills(void)
{
	for (int demand = 1; demand >= 0; demand--) {
		for (;;) {
			int first = -1;

			if (!demand && nr_active(false) >= PREFETCH_ACTIVE)
				break;
			for (int i = 0; i < sim.nr_fills; i++)
				if (sim.fill[i].demand == demand && !sim.fill[i].placed &&
				    sim.fill[i].begun + sim.config.worker_ns <= sim.now &&
				    (first < 0 || sim.fill[i].order < sim.fill[first].order))
					first = i;
			if (first < 0)
				break;
			fill_step(first);
		}
	}
	for (int i = 0; i < sim.nr_fills; i++)
		if (sim.fill[i].placed && !sim.fill[i].reading && !fill_step(i))
			i--;
}

void sim_fill(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	if (sim.nr_fills == FILLS) {
		CHECK(false, "too many fills at once");
		itme_chunk_end_fill(ino, idx, false, -EAGAIN);
		return;
	}
	sim.fs.prefetches.v += !demand;
	sim.fill[sim.nr_fills++] = (struct fill){
		.ino = ino, .idx = idx, .demand = demand, .tier = tier, .done_at = NEVER,
		.begun = sim.now, .order = sim.order++,
	};
}

/* Begun at once, whoever does it. */
struct fill *itme_fill_begin(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	sim_fill(ino, idx, demand, tier);
	return (struct fill *)ino;
}

struct fill *itme_fill_plan(struct itme_inode *ino, u32 idx)
{
	sim_fill(ino, idx, false, ITME_TIER_DRAM);
	return (struct fill *)ino;
}

void itme_fill_queue(struct fill *fill)
{
}

void itme_fill_run(struct fill *fill)
{
}

void itme_fills_done(struct itme_fs *fs)
{
}

void itme_fills_hasten(struct itme_fs *fs)
{
}

static void prefetch(struct itme_inode *ino, struct itme_range range)
{
	for (u32 i = range.start; i < range.start + range.nr; i++)
		if (itme_chunk_begin_fill(ino, i, false, false))
			sim_fill(ino, i, false, ITME_TIER_DRAM);
}

/* pressure.c */

static bool promote(struct itme_inode *ino, u32 idx)
{
	u32 period = max(sim.fs.rotation[ITME_TIER_CXL], sim.fs.rotation[ITME_TIER_DRAM]);

	if (!itme_chunk_fits_main(ino, idx) &&
	    !evict_colder(ITME_TIER_DRAM, PROMOTE_HEAT * max(period, (u32)ITME_HZ)))
		return false;
	return itme_chunk_begin_leave(ino, idx) && move(ino, idx, ITME_TIER_DRAM);
}

static void sample_tier(int tier, u32 *promoted)
{
	u32 chunks = sim.fs.queues[tier].main.pages / ITME_CHUNK_MAX_PAGES;
	u32 n = min(clamp(chunks / SAMPLE_PART, (u32)SAMPLE_MIN, (u32)SAMPLE_MAX), chunks + 1);

	sim.fs.rotation[tier] = DIV_ROUND_UP(chunks, n) * ITME_HZ;
	while (n--) {
		struct itme_inode *ino;
		bool touched = false;
		u32 idx, heat = 0, cycle;
		enum itme_class class;

		ino = itme_chunk_sample(&sim.fs, tier, &idx, &touched, &heat);
		if (!ino)
			return;
		if (touched)
			file_of(ino)->mapped[idx] = false;
		class = itme_plan_class(ino, idx, &cycle);
		itme_chunk_classify(ino, idx, class);
		if (tier == ITME_TIER_CXL && class != ITME_CLASS_CXL && heat >= PROMOTE_HEAT &&
		    *promoted < PROMOTE_MAX && promote(ino, idx))
			(*promoted)++;
	}
}

void sim_sample(void)
{
	u32 promoted = 0;

	itme_chunks_retry_held(&sim.fs);
	itme_plans_balance(&sim.fs);
	if (sim.all_fills != sim.sampled_fills || itme_tiers[ITME_TIER_CXL].used.v)
		for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
			sample_tier(tier, &promoted);
	sim.sampled_fills = sim.all_fills;
	sim.sample_at = sim.now + SAMPLE_PERIOD;
	sim_check();
}

/* file.c: false when the reader has to wait. */
bool sim_use(struct sim_reader *r, u32 idx)
{
	struct itme_inode *ino = &r->file->ino;
	struct itme_chunk *c = &ino->chunks[idx];
	bool begun;

	if (r->file->mapped[idx]) {
		CHECK(c->state == ITME_RESIDENT);
		return true;
	}
	begun = c->state != ITME_RESIDENT && itme_chunk_begin_fill(ino, idx, true, true);
	itme_triggers_touch(ino, itme_chunk_start(ino, idx),
			    itme_chunk_start(ino, idx) + itme_chunk_pages(ino, idx), begun);
	if (c->state == ITME_RESIDENT) {
		if (itme_chunk_untouched(ino, idx))
			prefetch(ino, itme_chunk_touch(ino, idx, r->random));
		else
			itme_chunk_young(ino, idx);
		r->file->mapped[idx] = !sim.config.reads;
		return true;
	}
	if (begun)
		sim_fill(ino, idx, true, ITME_TIER_DRAM);
	return false;
}

/* Files of the simulator are imported, so their chunks are an array; see kmod/table.c. */
struct itme_chunk itme_no_chunk;

struct itme_chunk *itme_chunk_find(const struct itme_inode *ino, u32 idx)
{
	abort();
}

u32 itme_chunk_number(const struct itme_chunk *c)
{
	abort();
}

u16 *itme_chunk_count(const struct itme_chunk *c)
{
	abort();
}

pgoff_t itme_stored_next(struct itme_inode *ino, pgoff_t index, pgoff_t end, bool stored)
{
	abort();
}

int itme_chunk_make(struct itme_inode *ino, u32 idx)
{
	return 0;
}

bool itme_chunk_next(struct itme_inode *ino, u32 *idx)
{
	return *idx < ino->nr_chunks;
}
