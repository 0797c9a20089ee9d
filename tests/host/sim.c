// SPDX-License-Identifier: GPL-2.0
#include "sim.h"

#include <stdlib.h>

#include "event.h"
#include "tap.h"
#include "trigger.h"

/* As in kmod/: super.c (prefetch_wq), fill.c, pressure.c. */
#define PREFETCH_ACTIVE	64
#define PATIENCE	(30000 * SIM_MS)
#define SAMPLE_PERIOD	(1000 * SIM_MS)
#define SAMPLE_MIN	32
#define SAMPLE_MAX	1024
#define SAMPLE_PART	16
#define PROMOTE_HEAT	2
#define PROMOTE_MAX	16

#define FILLS		4096
#define WORKS		16
#define NEVER		UINT64_MAX

struct fill {
	struct itme_inode *ino;
	u32 idx;
	int tier;
	bool demand;
	bool placed;
	bool reading;
	u64 begun;
	u64 done_at;
	u64 order;
};

struct itme_tier_mem itme_tiers[ITME_MEM_TIERS];

static struct {
	struct sim_config config;
	struct itme_fs fs;
	struct sim_file file[SIM_FILES];
	int nr_files;
	struct fill fill[FILLS];
	int nr_fills;
	struct work_struct *work[WORKS];
	int nr_works;
	u64 order;
	u64 now;
	u64 drive_free;
	u64 sample_at;
	u64 sampled_fills;
	u64 all_fills;
	struct sim_stats stats;
	u32 checks;
} sim;

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

static void run_works(void)
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

static long evict(int tier, bool demand)
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

static void end_fill(int i, bool resident, int err)
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
		if (evict(f->tier, f->demand))
			continue;
		if (f->tier == ITME_TIER_CXL) {
			f->tier = ITME_TIER_DRAM;
			itme_chunk_replace(f->ino, f->idx, f->tier);
			continue;
		}
		if (!f->demand || sim.now - f->begun > PATIENCE) {
			end_fill(i, false, f->demand ? -ENOMEM : -EAGAIN);
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
static void start_fills(void)
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

static void fill(struct itme_inode *ino, u32 idx, bool demand, int tier)
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
	fill(ino, idx, demand, tier);
	return (struct fill *)ino;
}

struct fill *itme_fill_plan(struct itme_inode *ino, u32 idx)
{
	fill(ino, idx, false, ITME_TIER_DRAM);
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
			fill(ino, i, false, ITME_TIER_DRAM);
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

static void sample(void)
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
static bool use(struct sim_reader *r, u32 idx)
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
		fill(ino, idx, true, ITME_TIER_DRAM);
	return false;
}

static void step_reader(struct sim_reader *r)
{
	u32 idx = r->trace[r->at];
	u8 state = r->file->ino.chunks[idx].state;

	/* Joined a fill: nothing to do until that has ended. */
	if (r->waits && (state == ITME_FILLING || state == ITME_BUSY))
		return;
	if (!use(r, idx)) {
		if (!r->waits)
			r->wait_since = sim.now;
		r->waits = true;
		return;
	}
	if (r->waits)
		r->stall_ns += sim.now - r->wait_since;
	else
		r->hits++;
	r->waits = false;
	r->at++;
	r->wake_at = sim.now + r->compute_ns;
	if (r->rest_every && r->at % r->rest_every == 0)
		r->wake_at += r->rest_ns;
	if (++sim.checks % 256 == 0)
		sim_check();
}

/* When something comes of a fill by itself. */
static u64 fill_next(const struct fill *f)
{
	u64 starts = f->begun + sim.config.worker_ns;

	return !f->placed && starts > sim.now ? starts : f->done_at;
}

static void end_reads(void)
{
	for (int i = 0; i < sim.nr_fills; i++)
		if (sim.fill[i].done_at <= sim.now)
			end_fill(i--, true, 0);
}

bool sim_run(struct sim_reader *readers, int nr)
{
	u64 progress = sim.now;

	for (int i = 0; i < nr; i++) {
		readers[i].wake_at = sim.now;
		readers[i].waits = false;
		readers[i].at = 0;
		readers[i].hits = 0;
		readers[i].stall_ns = 0;
	}
	for (;;) {
		u64 next = sim.sample_at;
		bool left = false;

		for (int i = 0; i < nr; i++) {
			struct sim_reader *r = &readers[i];
			u32 at = r->at;

			if (at == r->nr)
				continue;
			if (r->waits || r->wake_at <= sim.now)
				step_reader(r);
			if (r->at != at)
				progress = sim.now;
			if (r->at == r->nr)
				continue;
			left = true;
			if (!r->waits)
				next = min(next, r->wake_at);
		}
		if (!left)
			return true;
		if (sim.now - progress > 2 * PATIENCE)
			return false;
		run_works();
		start_fills();
		for (int i = 0; i < sim.nr_fills; i++)
			next = min(next, fill_next(&sim.fill[i]));
		/* A zero computing time is allowed, as long as others get their turn. */
		sim.now = max(sim.now, next);
		end_reads();
		if (sim.now >= sim.sample_at)
			sample();
	}
}

void sim_idle(u64 ns)
{
	u64 end = sim.now + ns;

	while (sim.now < end) {
		u64 next = min(end, sim.sample_at);

		run_works();
		start_fills();
		for (int i = 0; i < sim.nr_fills; i++)
			next = min(next, fill_next(&sim.fill[i]));
		sim.now = max(sim.now, next);
		end_reads();
		if (sim.now >= sim.sample_at)
			sample();
	}
}

void sim_budget(int tier, long chunks)
{
	itme_tiers[tier].budget.v = chunks * (long)ITME_CHUNK_MAX_PAGES;
	for (int tries = 0; itme_tier_room(tier) < 0 && tries < 10000; tries++)
		if (!evict(tier, true))
			sim_idle(SIM_MS);
	CHECK(itme_tier_room(tier) >= 0, "%ld", itme_tier_room(tier));
}

bool sim_pin(struct sim_file *file, u32 idx, int tier)
{
	struct itme_chunk *c = &file->ino.chunks[idx];
	bool fresh;

	for (int tries = 0; tries < 1000; tries++) {
		int err = itme_chunk_pin(&file->ino, idx, tier, &fresh);

		if (err == -EAGAIN) {
			sim_idle(SIM_MS);
			continue;
		}
		if (err)
			return false;
		if (c->state == ITME_RESIDENT)
			break;
		if (itme_chunk_begin_fill(&file->ino, idx, true, true))
			fill(&file->ino, idx, true, tier);
		sim_idle(SIM_MS);
	}
	return c->state == ITME_RESIDENT;
}

struct sim_stats sim_stats_take(void)
{
	struct sim_stats stats = sim.stats;

	sim.stats = (struct sim_stats){};
	return stats;
}

u32 sim_resident(const struct sim_file *file, int tier)
{
	u32 n = 0;

	for (u32 i = 0; i < file->ino.nr_chunks; i++)
		n += file->ino.chunks[i].state == ITME_RESIDENT && file->ino.chunks[i].tier == tier;
	return n;
}

struct itme_fs *sim_fs(void)
{
	return &sim.fs;
}

u64 sim_now(void)
{
	return sim.now;
}

static void check_queue(struct itme_queue *queue, u8 flags, u8 not)
{
	struct itme_chunk *c;
	long pages = 0;

	list_for_each_entry(c, &queue->list, node) {
		struct itme_inode *ino = xa_load(&sim.fs.objects, c->object);

		pages += itme_chunk_pages(ino, c - ino->chunks);
		CHECK(c->state != ITME_ABSENT);
		CHECK((c->flags & flags) == flags && !(c->flags & not), "flags %#x", c->flags);
	}
	CHECK(pages == queue->pages, "%ld on the list, %ld counted", pages, queue->pages);
	CHECK(queue->pages >= 0);
}

void sim_check(void)
{
	long used[ITME_MEM_TIERS] = {}, pinned[ITME_MEM_TIERS] = {};
	long asked = 0;

	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &sim.fs.queues[tier];

		check_queue(&q->main, 0, ITME_C_RING | ITME_C_HELD | ITME_C_PINNED);
		check_queue(&q->ring, ITME_C_RING | ITME_C_UNTOUCHED, ITME_C_HELD | ITME_C_PINNED);
		check_queue(&q->used, ITME_C_RING, ITME_C_UNTOUCHED | ITME_C_HELD | ITME_C_PINNED);
		check_queue(&q->held, ITME_C_HELD, ITME_C_PINNED);
		CHECK(tier == ITME_TIER_DRAM || !(q->ring.pages + q->used.pages), "a ring in CXL");
		CHECK(itme_tier_room(tier) >= 0, "tier %d is %ld pages over its budget", tier,
		      -itme_tier_room(tier));
	}
	for (int f = 0; f < sim.nr_files; f++) {
		struct itme_inode *ino = &sim.file[f].ino;

		for (u32 i = 0; i < ino->nr_chunks; i++) {
			struct itme_chunk *c = &ino->chunks[i];

			if (c->state == ITME_RESIDENT || c->state == ITME_BUSY)
				used[c->tier] += itme_chunk_pages(ino, i);
			if (c->flags & ITME_C_PINNED)
				pinned[c->tier] += itme_chunk_pages(ino, i);
			if (c->state == ITME_FILLING && list_empty(&c->node) &&
			    !(c->flags & ITME_C_PINNED))
				asked += itme_chunk_pages(ino, i);
			if (c->state == ITME_ABSENT)
				CHECK(list_empty(&c->node));
			else
				CHECK(list_empty(&c->node) == !!(c->flags & ITME_C_PINNED) ||
				      c->state == ITME_FILLING);
		}
	}
	CHECK(asked == sim.fs.asked, "%ld, %ld", asked, sim.fs.asked);
	for (int i = 0; i < sim.nr_fills; i++) {
		struct fill *f = &sim.fill[i];

		if (f->reading)
			used[f->tier] += itme_chunk_pages(f->ino, f->idx);
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		long charged = itme_tiers[tier].used.v, counted = sim.fs.queues[tier].pinned;

		CHECK(used[tier] == charged, "tier %d: %ld, %ld", tier, used[tier], charged);
		CHECK(pinned[tier] == counted, "tier %d: %ld, %ld", tier, pinned[tier], counted);
	}
}

void sim_start(const struct sim_config *config)
{
	memset(&sim, 0, sizeof(sim));
	memset(itme_tiers, 0, sizeof(itme_tiers));
	sim.config = *config;
	if (!sim.config.chunk_shift)
		sim.config.chunk_shift = ITME_CHUNK_MAX_SHIFT;
	if (!sim.config.drive_ns)
		sim.config.drive_ns = 2 * SIM_MS;
	/* A machine that has been up for a while: stamps are not zero. */
	sim.now = 1000 * SIM_MS;
	sim.sample_at = sim.now + SAMPLE_PERIOD;
	spin_lock_init(&sim.fs.lock);
	INIT_LIST_HEAD(&sim.fs.plans);
	INIT_LIST_HEAD(&sim.fs.triggers);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		INIT_LIST_HEAD(&sim.fs.queues[tier].main.list);
		INIT_LIST_HEAD(&sim.fs.queues[tier].ring.list);
		INIT_LIST_HEAD(&sim.fs.queues[tier].used.list);
		INIT_LIST_HEAD(&sim.fs.queues[tier].held.list);
	}
	itme_tiers[ITME_TIER_DRAM].budget.v = config->dram * (long)ITME_CHUNK_MAX_PAGES;
	itme_tiers[ITME_TIER_CXL].budget.v = config->cxl * (long)ITME_CHUNK_MAX_PAGES;
}

struct sim_file *sim_file(u32 chunks)
{
	struct sim_file *file = &sim.file[sim.nr_files];
	struct itme_inode *ino = &file->ino;

	assert(sim.nr_files < SIM_FILES);
	ino->fs = &sim.fs;
	ino->id = ++sim.nr_files;
	ino->chunk_shift = sim.config.chunk_shift;
	ino->nr_chunks = chunks;
	ino->vfs.i_nlink = 1;
	ino->opens = 1;
	ino->vfs.i_mapping = &ino->vfs.i_data;
	ino->vfs.i_data.host = &ino->vfs;
	/* The last chunk is short. */
	ino->vfs.i_size = ((loff_t)chunks << ino->chunk_shift) - 5 * PAGE_SIZE - 100;
	ino->chunks = calloc(chunks, sizeof(*ino->chunks));
	file->mapped = calloc(chunks, sizeof(bool));
	file->held = calloc(chunks, sizeof(bool));
	if (!ino->chunks || !file->mapped || !file->held)
		abort();
	for (u32 i = 0; i < chunks; i++) {
		INIT_LIST_HEAD(&ino->chunks[i].node);
		ino->chunks[i].object = ino->id;
	}
	sim.fs.objects.slot[ino->id] = ino;
	return file;
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

void sim_stop(void)
{
	sim_check();
	run_works();
	itme_plans_drop(&sim.fs);
	/* Fills that are under way end first, as they hold the inode. */
	while (sim.nr_fills)
		sim_idle(SIM_MS);
	for (int f = 0; f < sim.nr_files; f++) {
		struct sim_file *file = &sim.file[f];

		for (u32 i = 0; i < file->ino.nr_chunks; i++)
			if (file->ino.chunks[i].state != ITME_ABSENT)
				itme_tier_uncharge(file->ino.chunks[i].tier,
						   itme_chunk_pages(&file->ino, i));
		itme_chunks_forget(&file->ino);
		free(file->ino.chunks);
		free(file->mapped);
		free(file->held);
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &sim.fs.queues[tier];

		CHECK(!itme_tiers[tier].used.v && !q->pinned, "tier %d is not empty at the end",
		      tier);
		CHECK(!(q->main.pages | q->ring.pages | q->used.pages | q->held.pages));
		CHECK(list_empty(&q->main.list) && list_empty(&q->ring.list) &&
		      list_empty(&q->used.list) && list_empty(&q->held.list));
	}
}
