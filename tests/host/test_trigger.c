// SPDX-License-Identifier: GPL-2.0
/*
 * Triggers on a machine in small (sim.h): what is found for a page, what fires, is armed
 * again and is read; and a model of experts, with triggers and without.
 */
#include "sim.h"

#include <stdio.h>

#include "tap.h"
#include "trigger.h"

#define CHUNK	BIT_ULL(ITME_CHUNK_MAX_SHIFT)
#define PAGES	ITME_CHUNK_MAX_PAGES

static struct itme_plan *begin(void)
{
	return itme_plan_alloc(sim_fs(), 1);
}

static void add(struct itme_plan *p, struct sim_file *file, u64 offset, u64 length,
		struct sim_file *to, u64 target, u64 target_length)
{
	CHECK(!itme_trigger_add(p, file->ino.id, offset, length));
	CHECK(!itme_trigger_add_target(p, to->ino.id, target, target_length));
}

static u32 install(struct itme_plan *p)
{
	u32 id = 0;

	CHECK(!itme_plan_install(p, &id));
	return id;
}

static struct sim_stats run(struct sim_file *file, const u32 *trace, u32 nr)
{
	struct sim_reader r = { .file = file, .trace = trace, .nr = nr, .compute_ns = 3 * SIM_MS };

	sim_stats_take();
	CHECK(sim_run(&r, 1));
	sim_idle(100 * SIM_MS);
	return sim_stats_take();
}

/* A page belongs to the source that has all of it. */
static void pages(void)
{
	struct sim_config config = { .dram = 16 };
	struct itme_inode *ino;
	struct sim_file *file;
	struct itme_plan *p;
	u64 first, end;

	sim_start(&config);
	file = sim_file(8);
	ino = &file->ino;
	p = begin();
	/* Three that adjoin, none at a page's boundary; a small one; one that is in another. */
	add(p, file, 5000, 20000, file, 2 * CHUNK, CHUNK);
	add(p, file, 25000, 20000, file, 3 * CHUNK, CHUNK);
	add(p, file, 45000, 20000, file, 4 * CHUNK, CHUNK);
	add(p, file, 100 * PAGE_SIZE + 10, 20, file, 5 * CHUNK, CHUNK);
	add(p, file, 200 * PAGE_SIZE, 100 * PAGE_SIZE, file, 6 * CHUNK, CHUNK);
	add(p, file, 250 * PAGE_SIZE, PAGE_SIZE, file, 7 * CHUNK, 1);
	CHECK(!itme_triggers_armed(ino, 3));
	install(p);
	CHECK(ino->sources == 1 && ino->targets == 1 && ino->planned == 1);
	for (u64 page = 0; page < 2 * PAGES; page++) {
		bool is = (page >= 2 && page < 6) || (page >= 7 && page < 10) ||
			  (page >= 11 && page < 15) || page == 100 || (page >= 200 && page < 300);

		CHECK(itme_triggers_armed(ino, page) == is, "page %llu", (unsigned long long)page);
	}
	first = 0;
	end = PAGES;
	itme_triggers_clip(ino, 8, &first, &end);
	CHECK(first == 7 && end == 10);
	first = 0;
	end = PAGES;
	itme_triggers_clip(ino, 10, &first, &end);
	CHECK(first == 10 && end == 11);
	first = 0;
	end = PAGES;
	itme_triggers_clip(ino, 249, &first, &end);
	CHECK(first == 200 && end == 250);
	first = 0;
	end = PAGES;
	itme_triggers_clip(ino, 400, &first, &end);
	CHECK(first == 300 && end == PAGES);
	/* A use of the one in the other fires both. */
	itme_triggers_touch(ino, 250, 251, false);
	CHECK(p->triggers->fires == 2 && p->triggers->nr_fired == 2);
	CHECK(!itme_triggers_armed(ino, 299) && itme_triggers_armed(ino, 100));
	itme_triggers_touch(ino, 0, PAGES, false);
	CHECK(p->triggers->fires == 6);
	CHECK(!itme_plan_remove(sim_fs(), p->id));
	CHECK(!ino->sources && !ino->targets && !ino->planned);
	sim_stop();
}

/* Fires at the first use, again when a target has left, and not in between. */
static void again(void)
{
	static const u32 use[] = { 0, 1 }, source[] = { 0 };
	struct sim_config config = { .dram = 32, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;
	struct sim_stats s;

	sim_start(&config);
	file = sim_file(8);
	p = begin();
	add(p, file, 0, PAGE_SIZE, file, CHUNK, 3 * CHUNK);
	install(p);
	s = run(file, use, 2);
	CHECK(p->triggers->fires == 1);
	/* The source and, as nothing ahead of it knows the file, what follows it. */
	CHECK(s.demand <= 2 && sim_resident(file, ITME_TIER_DRAM) >= 4, "%u", s.demand);
	for (int i = 0; i < 3; i++)
		run(file, source, 1);
	CHECK(p->triggers->fires == 1);
	for (int i = 1; i < 4; i++) {
		struct itme_chunk *c = &file->ino.chunks[i];

		CHECK(c->state == ITME_RESIDENT);
		CHECK(itme_chunk_begin_leave(&file->ino, i));
		itme_tier_uncharge(ITME_TIER_DRAM, PAGES);
		file->mapped[i] = false;
		itme_chunk_end_leave(&file->ino, i, ITME_TIER_NVME, false);
		CHECK(itme_triggers_armed(&file->ino, 0));
		CHECK(!itme_triggers_armed(&file->ino, 1));
		/* It is mapped until the worker was there. */
		sim_idle(SIM_MS);
		CHECK(!file->mapped[0]);
		run(file, source, 1);
		CHECK(p->triggers->fires == 1 + (u64)i);
		CHECK(c->state == ITME_RESIDENT);
	}
	sim_stop();
}

/* Those that lead to each other read each other's target, and no more. */
static void circle(void)
{
	static const u32 first[] = { 0 };
	struct sim_config config = { .dram = 64, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;
	struct sim_stats s;

	sim_start(&config);
	file = sim_file(40);
	p = begin();
	for (u32 i = 0; i < 40; i += 4)
		add(p, file, i * CHUNK, CHUNK, file, (i + 4) % 40 * CHUNK, 1);
	install(p);
	s = run(file, first, 1);
	CHECK(p->triggers->fires == 1 && s.fills <= 4, "%llu, %u",
	      (unsigned long long)p->triggers->fires, s.fills);
	CHECK(file->ino.chunks[4].state == ITME_RESIDENT);
	CHECK(file->ino.chunks[8].state == ITME_ABSENT);
	sim_stop();
}

/* Far more than there is room for: bounded, counted, and over at some time. */
static void too_much(void)
{
	static u32 all[400];
	struct sim_config config = { .dram = 16, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;

	sim_start(&config);
	file = sim_file(1000);
	p = begin();
	for (u32 i = 0; i < 400; i++) {
		add(p, file, i * CHUNK, PAGE_SIZE, file, 400 * CHUNK, 500 * CHUNK);
		all[i] = i;
	}
	install(p);
	itme_triggers_touch(&file->ino, 0, 400 * PAGES, false);
	CHECK(p->triggers->fires == 400 && p->triggers->nr_fired == ITME_FIRED_MAX);
	CHECK(p->triggers->dropped == 400 - ITME_FIRED_MAX);
	sim_idle(100 * SIM_MS);
	CHECK(sim_resident(file, ITME_TIER_DRAM) <= 16);
	run(file, all, 400);
	sim_idle(2000 * SIM_MS);
	run(file, all, 1);
	CHECK(!p->triggers->nr_fired, "%u", p->triggers->nr_fired);
	CHECK(p->triggers->dropped >= 400 - ITME_FIRED_MAX);
	sim_stop();
}

/*
 * Layers of experts, two of which are used each time, the first ones most. An expert has
 * a chunk in each of three tensors, used one after the other.
 */
#define LAYERS	16
#define EXPERTS	16
#define TENSORS	3
#define TOKENS	60
#define USED	2

static u32 chunk_of(u32 layer, u32 tensor, u32 expert)
{
	return (layer * TENSORS + tensor) * EXPERTS + expert;
}

static u64 experts(bool triggers, struct sim_stats *s)
{
	static u32 trace[TOKENS * LAYERS * USED * TENSORS];
	struct sim_config config = { .dram = 256, .worker_ns = 20000, .drive_ns = SIM_MS };
	struct sim_reader r = { .trace = trace, .compute_ns = SIM_MS };
	struct sim_file *file;
	u32 seed = 1;

	sim_start(&config);
	file = sim_file(LAYERS * EXPERTS * TENSORS);
	for (u32 token = 0; token < TOKENS; token++) {
		for (u32 layer = 0; layer < LAYERS; layer++) {
			u32 expert = EXPERTS;

			for (u32 use = 0; use < USED; use++) {
				u32 other = expert;

				while (other == expert) {
					seed = seed * 1664525 + 1013904223;
					other = (u64)(seed >> 16) * (seed >> 16) * EXPERTS >> 32;
				}
				expert = other;
				for (u32 tensor = 0; tensor < TENSORS; tensor++)
					trace[r.nr++] = chunk_of(layer, tensor, expert);
			}
		}
	}
	if (triggers) {
		struct itme_plan *p = begin();

		for (u32 layer = 0; layer < LAYERS; layer++) {
			for (u32 expert = 0; expert < EXPERTS; expert++) {
				CHECK(!itme_trigger_add(p, file->ino.id,
							chunk_of(layer, 0, expert) * CHUNK,
							PAGE_SIZE));
				for (u32 tensor = 1; tensor < TENSORS; tensor++)
					CHECK(!itme_trigger_add_target(p, file->ino.id,
								       chunk_of(layer, tensor,
										expert) * CHUNK,
								       PAGE_SIZE));
			}
		}
		install(p);
	}
	r.file = file;
	CHECK(sim_run(&r, 1));
	*s = sim_stats_take();
	printf("# %s: stalls %llu ms, %u fills, %u not read ahead, %u unused\n",
	       triggers ? "with triggers" : "by recency", (unsigned long long)r.stall_ns / SIM_MS,
	       s->fills, s->demand, s->unused);
	sim_stop();
	return r.stall_ns;
}

static void half(void)
{
	struct sim_stats with, without;
	u64 a = experts(true, &with), b = experts(false, &without);

	CHECK(2 * a <= b, "%llu of %llu ns", (unsigned long long)a, (unsigned long long)b);
	CHECK(with.fills <= without.fills * 1.05, "%u, %u", with.fills, without.fills);
}

/* What has fired with a read that has to go first is not read before it, whoever asks. */
static void after_demand(void)
{
	struct sim_config config = { .dram = 32, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;

	sim_start(&config);
	file = sim_file(16);
	p = begin();
	add(p, file, 0, PAGE_SIZE, file, 8 * CHUNK, CHUNK);
	add(p, file, CHUNK, PAGE_SIZE, file, 10 * CHUNK, CHUNK);
	add(p, file, 2 * CHUNK, PAGE_SIZE, file, 12 * CHUNK, CHUNK);
	install(p);
	itme_triggers_touch(&file->ino, 0, 1, true);
	CHECK(p->triggers->fires == 1);
	spin_lock(&sim_fs()->lock);
	itme_triggers_go_on(sim_fs());
	itme_plan_kick(p);
	spin_unlock(&sim_fs()->lock);
	sim_idle(50 * SIM_MS);
	CHECK(file->ino.chunks[8].state == ITME_ABSENT);
	/* One that fires after it, and need not wait, does not wait for it either. */
	itme_triggers_touch(&file->ino, PAGES, PAGES + 1, false);
	sim_idle(50 * SIM_MS);
	CHECK(file->ino.chunks[8].state == ITME_RESIDENT);
	CHECK(file->ino.chunks[10].state == ITME_RESIDENT);
	itme_triggers_touch(&file->ino, 2 * PAGES, 2 * PAGES + 1, true);
	sim_idle(50 * SIM_MS);
	CHECK(file->ino.chunks[12].state == ITME_ABSENT);
	itme_triggers_read(sim_fs());
	sim_idle(50 * SIM_MS);
	CHECK(file->ino.chunks[12].state == ITME_RESIDENT);
	CHECK(!p->triggers->nr_fired && !p->triggers->nr_ready);
	sim_stop();
}

/* What was used since it fired, and has left again, is not read for nobody. */
static void used_since(void)
{
	static const u32 target[] = { 8 };
	struct sim_config config = { .dram = 32, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;

	sim_start(&config);
	file = sim_file(16);
	p = begin();
	add(p, file, 0, PAGE_SIZE, file, 8 * CHUNK, CHUNK);
	install(p);
	run(file, target, 1);
	itme_triggers_touch(&file->ino, 0, 1, true);
	CHECK(p->triggers->nr_fired == 1 && !p->triggers->nr_ready);
	sim_idle(5 * SIM_MS);
	file->ino.chunks[8].young = 0;
	itme_chunk_young(&file->ino, 8);
	CHECK(itme_chunk_begin_leave(&file->ino, 8));
	itme_tier_uncharge(ITME_TIER_DRAM, PAGES);
	file->mapped[8] = false;
	itme_chunk_end_leave(&file->ino, 8, ITME_TIER_NVME, false);
	itme_triggers_read(sim_fs());
	sim_idle(50 * SIM_MS);
	CHECK(file->ino.chunks[8].state == ITME_ABSENT && !p->triggers->nr_fired);
	sim_stop();
}

/* What was read for a trigger, and nobody came for, makes room for another one. */
static void in_vain(void)
{
	static u32 all[60];
	struct sim_config config = { .dram = 32, .worker_ns = 20000 };
	struct sim_file *file, *other;
	struct itme_plan *p;

	sim_start(&config);
	file = sim_file(60);
	other = sim_file(40);
	p = begin();
	add(p, other, 0, PAGE_SIZE, other, 10 * CHUNK, 4 * CHUNK);
	add(p, other, CHUNK, PAGE_SIZE, other, 20 * CHUNK, CHUNK);
	install(p);
	for (u32 i = 0; i < 60; i++)
		all[i] = i;
	run(file, all, 60);
	itme_triggers_touch(&other->ino, 0, 1, false);
	sim_idle(500 * SIM_MS);
	CHECK(other->ino.chunks[13].state == ITME_RESIDENT);
	itme_triggers_touch(&other->ino, PAGES, PAGES + 1, false);
	sim_idle(100 * SIM_MS);
	CHECK(other->ino.chunks[20].state == ITME_ABSENT);
	sim_idle(700 * SIM_MS);
	/* As whatever is used has it do. */
	spin_lock(&sim_fs()->lock);
	itme_triggers_go_on(sim_fs());
	spin_unlock(&sim_fs()->lock);
	sim_idle(50 * SIM_MS);
	CHECK(other->ino.chunks[20].state == ITME_RESIDENT);
	sim_stop();
}

/* Chunks that have been read ahead and are waiting to be used. */
static u32 waiting(const struct sim_file *file)
{
	u32 nr = 0;

	for (u32 i = 0; i < file->ino.nr_chunks; i++)
		nr += !!(file->ino.chunks[i].flags & ITME_C_PREFETCH);
	return nr;
}

/* But not what was read for somebody who only rests. */
static void for_who_rests(void)
{
	static u32 all[60];
	struct sim_config config = { .dram = 32, .worker_ns = 20000 };
	struct sim_file *file, *other;
	struct itme_plan *p, *order;
	u32 ahead;

	sim_start(&config);
	file = sim_file(60);
	other = sim_file(40);
	order = itme_plan_alloc(sim_fs(), 1);
	order->seq.cyclic = true;
	CHECK(!itme_plan_reserve(order));
	CHECK(!itme_plan_add(order, 0, file->ino.id, 0, 59 * CHUNK));
	install(order);
	p = begin();
	add(p, other, 0, PAGE_SIZE, other, 10 * CHUNK, 12 * CHUNK);
	install(p);
	for (u32 i = 0; i < 60; i++)
		all[i] = i;
	run(file, all, 60);
	run(file, all, 40);
	sim_idle(3000 * SIM_MS);
	ahead = waiting(file);
	itme_triggers_touch(&other->ino, 0, 1, false);
	sim_idle(100 * SIM_MS);
	spin_lock(&sim_fs()->lock);
	itme_triggers_go_on(sim_fs());
	spin_unlock(&sim_fs()->lock);
	sim_idle(100 * SIM_MS);
	CHECK(sim_resident(other, ITME_TIER_DRAM) < 12);
	CHECK(ahead > 1 && waiting(file) == ahead, "%u of %u", waiting(file), ahead);
	sim_stop();
}

static bool range_is(struct sim_file *file, u32 idx, u32 start, u32 nr)
{
	struct itme_range r;

	spin_lock(&sim_fs()->lock);
	r = itme_triggers_range(&file->ino, idx);
	spin_unlock(&sim_fs()->lock);
	return r.start == start && r.nr == nr;
}

/* Who reads in order stops where triggers begin, until he has come far through them. */
static void neighbours(void)
{
	static u32 trace[64];
	struct sim_config config = { .dram = 128, .worker_ns = 20000 };
	struct sim_file *file, *other;
	struct itme_plan *p;
	struct sim_stats s;

	sim_start(&config);
	file = sim_file(64);
	other = sim_file(64);
	p = begin();
	/* From 16 to 48: each a source of one page, and a target of two chunks in pairs. */
	for (u32 i = 16; i < 48; i += 2)
		add(p, file, i * CHUNK, PAGE_SIZE, file, i * CHUNK, 2 * CHUNK);
	install(p);
	CHECK(range_is(file, 0, 16, 1) || range_is(file, 0, 16, 2));
	CHECK(range_is(file, 17, 16, 2) && range_is(file, 47, 46, 2));
	CHECK(range_is(file, 48, U32_MAX, 0) && range_is(other, 0, U32_MAX, 0));
	for (u32 i = 0; i < 64; i++)
		trace[i] = i;
	run(file, trace, 16);
	CHECK(sim_resident(file, ITME_TIER_DRAM) == 16, "%u", sim_resident(file, ITME_TIER_DRAM));
	/* Beside a pair that is used is another one; and in which order they come is chance. */
	s = run(file, trace + 30, 2);
	CHECK(file->ino.chunks[32].state == ITME_ABSENT);
	CHECK(!s.recorded, "%u", s.recorded);
	s = run(other, trace, 64);
	CHECK(s.demand <= 4, "%u", s.demand);
	CHECK(s.recorded == 64, "%u", s.recorded);
	for (u32 i = 16; i < 64; i++)
		trace[i - 16] = i;
	s = run(file, trace, 48);
	CHECK(s.demand <= 12, "%u", s.demand);
	sim_stop();
}

static void bounds(void)
{
	struct sim_config config = { .dram = 16 };
	struct sim_file *file;
	struct itme_plan *p;
	u32 id = 0;

	sim_start(&config);
	file = sim_file(8);
	p = begin();
	CHECK(itme_plan_install(p, &id) == -EINVAL);
	CHECK(itme_trigger_add(p, 7, 0, 1) == -ENOENT);
	CHECK(itme_trigger_add(p, 1, 0, 0) == -ERANGE);
	CHECK(itme_trigger_add(p, 1, 0, 9 * CHUNK) == -ERANGE);
	CHECK(itme_trigger_add(p, 1, -1ULL, 2) == -ERANGE);
	CHECK(!p->triggers);
	for (u32 i = 0; i < ITME_TRIGGERS_MAX; i++)
		add(p, file, i * 8, 8, file, 0, 1);
	CHECK(itme_trigger_add(p, 1, 0, 1) == -E2BIG);
	for (u32 i = 1; i < ITME_TARGETS_EACH; i++)
		CHECK(!itme_trigger_add_target(p, 1, 0, 1));
	CHECK(itme_trigger_add_target(p, 1, 0, 1) == -E2BIG);
	install(p);
	/* All of them in 128 pages: as many as are looked for fire. */
	itme_triggers_touch(&file->ino, 0, PAGES, false);
	CHECK(p->triggers->fires && p->triggers->nr_fired == ITME_FIRED_MAX);
	sim_idle(SIM_MS);
	sim_stop();
}

static const struct test tests[] = {
	{ "which page is whose", pages },
	{ "armed again when a target leaves", again },
	{ "a circle does not run away", circle },
	{ "more than there is room for", too_much },
	{ "experts: half the stalls of recency", half },
	{ "what is waited for goes first", after_demand },
	{ "what was used since", used_since },
	{ "what nobody came for", in_vain },
	{ "what somebody who rests comes for", for_who_rests },
	{ "what is beside them in the file", neighbours },
	{ "bounds", bounds },
};

TAP_MAIN(tests)
