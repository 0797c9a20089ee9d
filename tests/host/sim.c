// SPDX-License-Identifier: GPL-2.0
/* The machine: time, the drive, files, readers, and whether all adds up. */
#include "sim_world.h"

#include <stdlib.h>

#include "tap.h"

struct sim_world sim;

static void step_reader(struct sim_reader *r)
{
	u32 idx = r->trace[r->at];
	u8 state = r->file->ino.chunks[idx].state;

	/* Joined a fill: nothing to do until that has ended. */
	if (r->waits && (state == ITME_FILLING || state == ITME_BUSY))
		return;
	if (!sim_use(r, idx)) {
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
			sim_end_fill(i--, true, 0);
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
		sim_run_works();
		sim_start_fills();
		for (int i = 0; i < sim.nr_fills; i++)
			next = min(next, fill_next(&sim.fill[i]));
		/* A zero computing time is allowed, as long as others get their turn. */
		sim.now = max(sim.now, next);
		end_reads();
		if (sim.now >= sim.sample_at)
			sim_sample();
	}
}

void sim_idle(u64 ns)
{
	u64 end = sim.now + ns;

	while (sim.now < end) {
		u64 next = min(end, sim.sample_at);

		sim_run_works();
		sim_start_fills();
		for (int i = 0; i < sim.nr_fills; i++)
			next = min(next, fill_next(&sim.fill[i]));
		sim.now = max(sim.now, next);
		end_reads();
		if (sim.now >= sim.sample_at)
			sim_sample();
	}
}

void sim_budget(int tier, long chunks)
{
	itme_tiers[tier].budget.v = chunks * (long)ITME_CHUNK_MAX_PAGES;
	for (int tries = 0; itme_tier_room(tier) < 0 && tries < 10000; tries++)
		if (!sim_evict(tier, true))
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
			sim_fill(&file->ino, idx, true, tier);
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

void sim_stop(void)
{
	sim_check();
	sim_run_works();
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
