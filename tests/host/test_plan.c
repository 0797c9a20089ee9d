// SPDX-License-Identifier: GPL-2.0
/*
 * Plans on a machine in small (sim.h): what comes from the drive in a pass, and what
 * of that somebody had to wait for.
 */
#include "sim.h"

#include <stdlib.h>

#include "tap.h"

#define NR	320
#define STRIDE	7

static u32 trace[2 * NR];

/* Uses @from to @from + @nr of the stride order over @chunks. */
static const u32 *strides(u32 chunks, u32 from, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		trace[i] = (u64)((from + i) % chunks) * STRIDE % chunks;
	return trace;
}

static struct itme_plan *plan(struct sim_file *file, bool cyclic)
{
	u32 chunks = file->ino.nr_chunks, id = 0;
	u64 size = i_size_read(&file->ino.vfs);
	struct itme_plan *p = itme_plan_alloc(sim_fs(), 1);

	p->seq.cyclic = cyclic;
	for (u32 i = 0; i < chunks; i++) {
		u64 at = (u64)((u64)i * STRIDE % chunks) << file->ino.chunk_shift;
		u64 len = min(size - at, (u64)1 << file->ino.chunk_shift);

		CHECK(!itme_plan_reserve(p));
		CHECK(!itme_plan_add(p, i, file->ino.id, at, len));
	}
	CHECK(!itme_plan_install(p, &id));
	return p;
}

/* One reader; what came of it. */
static struct sim_stats run(struct sim_file *file, u32 from, u32 nr, u64 compute_ns)
{
	struct sim_reader r = {
		.file = file, .nr = nr, .compute_ns = compute_ns,
		.trace = strides(file->ino.nr_chunks, from, nr),
	};

	sim_stats_take();
	CHECK(sim_run(&r, 1), "stuck at %u", r.at);
	return sim_stats_take();
}

static long stays(const struct sim_config *config, int plans)
{
	long chunk = ITME_CHUNK_MAX_PAGES;

	return config->dram - itme_policy_ring(config->dram * chunk, plans * chunk) / chunk +
	       config->cxl;
}

/* In the steady state, all that does not stay is read once, ahead, and nothing moves. */
static void steady(struct sim_config config, u32 nr, u64 compute_ns)
{
	long least = max(0L, (long)nr - stays(&config, 1));
	struct sim_file *file;

	sim_start(&config);
	file = sim_file(nr);
	plan(file, true);
	for (int pass = 0; pass < 6; pass++) {
		struct sim_stats s = run(file, 0, nr, compute_ns);

		if (pass < 2)
			continue;
		CHECK(s.fills <= least * 1.03 + 1, "pass %d: %u fills, %ld", pass, s.fills, least);
		CHECK(s.demand <= 1, "%u not read ahead", s.demand);
		CHECK(!s.unused && !s.given_up, "%u, %u", s.unused, s.given_up);
		CHECK(!s.promoted && !s.demoted, "%u, %u", s.promoted, s.demoted);
	}
	sim_stop();
}

static void cyclic(void)
{
	static const long dram[] = { 4, 6, 12, 96, 300, 400 };

	for (size_t i = 0; i < sizeof(dram) / sizeof(*dram); i++)
		for (long cxl = 0; cxl <= 64; cxl += 32)
			for (int reads = 0; reads < 2; reads++)
				for (u64 ms = 2; ms <= 8; ms *= 4)
					steady((struct sim_config){
						.dram = dram[i], .cxl = cxl, .reads = reads,
						.worker_ns = 20000,
					}, NR, ms * SIM_MS);
}

static void two_readers(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000, .reads = true };
	struct sim_file *file;

	sim_start(&config);
	file = sim_file(NR);
	plan(file, true);
	for (int pass = 0; pass < 3; pass++) {
		struct sim_reader r[2] = {
			{ .file = file, .trace = strides(NR, 0, 2 * NR), .nr = NR,
			  .compute_ns = 6 * SIM_MS },
			{ .file = file, .trace = trace + NR / 2, .nr = NR,
			  .compute_ns = 6 * SIM_MS },
		};
		struct sim_stats s;

		sim_stats_take();
		CHECK(sim_run(r, 2));
		s = sim_stats_take();
		if (!pass)
			continue;
		CHECK(s.fills <= 2 * (NR - stays(&config, 1)) + 4, "%u", s.fills);
		CHECK(s.demand <= 4, "%u", s.demand);
	}
	sim_stop();
}

static void two_plans(void)
{
	struct sim_config config = { .dram = 96, .cxl = 32, .worker_ns = 20000 };
	struct sim_file *file[2];
	struct itme_plan *p[2];

	sim_start(&config);
	for (int i = 0; i < 2; i++) {
		file[i] = sim_file(NR / 2);
		p[i] = plan(file[i], true);
	}
	for (int pass = 0; pass < 4; pass++) {
		const u32 *t = strides(NR / 2, 0, NR / 2);
		struct sim_reader r[2] = {
			{ .file = file[0], .trace = t, .nr = NR / 2, .compute_ns = 6 * SIM_MS },
			{ .file = file[1], .trace = t, .nr = NR / 2, .compute_ns = 6 * SIM_MS },
		};
		struct sim_stats s;

		sim_stats_take();
		CHECK(sim_run(r, 2));
		s = sim_stats_take();
		CHECK(s.demand <= (pass ? 2 : NR / 8), "pass %d: %u", pass, s.demand);
		if (pass > 1)
			CHECK(s.fills <= NR - stays(&config, 2) + 4, "%u", s.fills);
	}
	CHECK(p[0]->share[0] == p[1]->share[0] && p[0]->share[1] == p[1]->share[1]);
	CHECK(p[0]->share[0] && p[0]->share[1]);
	/* Whose file nobody has open leaves it to the other, until it is opened again. */
	itme_plans_opened(&file[0]->ino, -1);
	CHECK(!p[0]->share[0] && !p[0]->share[1]);
	CHECK((p[1]->share[0] + p[1]->share[1]) * (NR / 2) >> 32 >= (u64)stays(&config, 1) - 2,
	      "%lu of %ld", (p[1]->share[0] + p[1]->share[1]) * (NR / 2) >> 32,
	      stays(&config, 1));
	itme_plans_opened(&file[0]->ino, 1);
	itme_plans_opened(&file[0]->ino, 1);
	itme_plans_opened(&file[0]->ino, -1);
	CHECK(p[0]->share[0] && p[0]->share[0] == p[1]->share[0]);
	/* A budget goes first, and what is left is the other's. */
	p[1]->budget = 60 * ITME_CHUNK_MAX_PAGES;
	itme_plans_balance(sim_fs());
	CHECK(p[1]->share[0] > 2 * p[0]->share[0]);
	p[0]->budget = 60 * ITME_CHUNK_MAX_PAGES;
	itme_plans_balance(sim_fs());
	CHECK((p[0]->share[0] + p[1]->share[0]) * (NR / 2) >> 32 <= (u64)stays(&config, 2) - 32);
	/* And is kept for who is not there. */
	itme_plans_opened(&file[1]->ino, -1);
	CHECK(p[1]->share[0]);
	sim_stop();
}

static void jumps(void)
{
	static const u32 to[] = { 160, 10, 260, 0, 100, 101, 200 };
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *file;

	sim_start(&config);
	file = sim_file(NR);
	plan(file, true);
	run(file, 0, NR, 3 * SIM_MS);
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		struct sim_stats s = run(file, to[i], 60, 3 * SIM_MS);

		CHECK(s.demand <= 10, "to %u: %u of %u", to[i], s.demand, s.fills);
	}
	sim_stop();
}

static void once(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *file;

	sim_start(&config);
	file = sim_file(NR);
	plan(file, false);
	for (int pass = 0; pass < 3; pass++) {
		struct sim_stats s = run(file, 0, NR, 3 * SIM_MS);

		CHECK(s.fills == NR && s.demand <= 8, "%u, %u", s.fills, s.demand);
		sim_idle(1000 * SIM_MS);
		s = sim_stats_take();
		CHECK(!s.fills, "%u read for nobody", s.fills);
	}
	sim_stop();
}

static void steps(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *file;
	struct itme_plan *p;
	struct sim_stats s;

	sim_start(&config);
	file = sim_file(NR);
	p = plan(file, true);
	p->lookahead = 8 * ITME_CHUNK_MAX_PAGES;
	CHECK(itme_plan_step(sim_fs(), p->id, NR) == -ERANGE);
	CHECK(itme_plan_step(sim_fs(), p->id + 1, 0) == -ENOENT);
	CHECK(!itme_plan_step(sim_fs(), p->id, 100));
	sim_idle(100 * SIM_MS);
	s = sim_stats_take();
	CHECK(s.fills == 8 && !s.demand, "%u, %u", s.fills, s.demand);
	s = run(file, 100, 8, 3 * SIM_MS);
	CHECK(!s.demand, "%u", s.demand);
	/* No further than said, and not by itself. */
	sim_idle(1000 * SIM_MS);
	CHECK(sim_resident(file, ITME_TIER_DRAM) == 16, "%u",
	      sim_resident(file, ITME_TIER_DRAM));
	CHECK(!itme_plan_remove(sim_fs(), p->id));
	CHECK(itme_plan_remove(sim_fs(), 1) == -ENOENT);
	sim_stop();
}

/* A pass of a plan, and half of one: as much is ahead as there may be. */
static void half_way(struct sim_file *file)
{
	run(file, 0, NR, 3 * SIM_MS);
	run(file, 0, NR / 2, 3 * SIM_MS);
}

/* All is read once at most, and nearly all ahead. */
static void unhindered(struct sim_file *file)
{
	for (int pass = 0; pass < 2; pass++) {
		struct sim_stats s = run(file, 0, NR, 3 * SIM_MS);

		CHECK(s.fills <= NR + 4, "pass %d: %u fills", pass, s.fills);
		CHECK(s.demand <= NR / 20, "pass %d: %u not read ahead", pass, s.demand);
	}
}

/* For one that has gone nothing is read ahead, and what has been gives way. */
static void ended(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *first, *second;

	sim_start(&config);
	first = sim_file(NR);
	second = sim_file(NR);
	plan(first, true);
	plan(second, true);
	half_way(first);
	itme_plans_opened(&first->ino, -1);
	unhindered(second);
	itme_plans_opened(&first->ino, 1);
	sim_stop();
}

/* What was read ahead by a plan that is no more has nobody to speak for it: it gets old. */
static void unplanned(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *first, *second;
	struct itme_plan *p;

	sim_start(&config);
	first = sim_file(NR);
	second = sim_file(NR);
	p = plan(first, true);
	plan(second, true);
	half_way(first);
	CHECK(!itme_plan_remove(sim_fs(), p->id));
	sim_idle((ITME_STALE + 1000) * SIM_MS);
	unhindered(second);
	sim_stop();
}

/* Who comes back after long finds what was read ahead for him. */
static void pauses(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000 };
	struct sim_file *file;
	struct sim_stats s;

	sim_start(&config);
	file = sim_file(NR);
	plan(file, true);
	half_way(file);
	sim_idle((ITME_STALE + 1000) * SIM_MS);
	s = run(file, NR / 2, NR / 2, 3 * SIM_MS);
	CHECK(s.demand <= 1, "%u not read ahead", s.demand);
	/* Also if he has closed it meanwhile. */
	itme_plans_opened(&file->ino, -1);
	sim_idle((ITME_STALE + 1000) * SIM_MS);
	itme_plans_opened(&file->ino, 1);
	s = run(file, 0, NR, 3 * SIM_MS);
	CHECK(s.demand <= 1, "%u not read ahead", s.demand);
	sim_stop();
}

/* The last of so many passes, with a rest of 100 ms after every so many uses. */
static struct sim_reader rests(struct sim_file *file, int passes, u32 every, struct sim_stats *s)
{
	struct sim_reader r = {
		.file = file, .nr = NR, .compute_ns = SIM_MS / 10, .trace = strides(NR, 0, NR),
		.rest_every = every, .rest_ns = 100 * SIM_MS,
	};

	for (int pass = 0; pass < passes; pass++) {
		sim_stats_take();
		CHECK(sim_run(&r, 1));
		*s = sim_stats_take();
	}
	return r;
}

/*
 * While the reader rests, the drive reads as far ahead as pays: what is more in the ring
 * is less that stays. In a pass with one rest nothing would be won.
 */
static void wide(void)
{
	struct sim_config config = { .dram = 96, .worker_ns = 20000, .reads = true };
	struct itme_queues *q = &sim_fs()->queues[ITME_TIER_DRAM];
	struct sim_file *file, *other;
	struct sim_reader narrow, now;
	struct sim_stats least, s;
	struct itme_plan *p;
	long was;

	sim_start(&config);
	file = sim_file(NR);
	other = sim_file(4);
	p = plan(file, true);
	narrow = rests(file, 2, 40, &least);
	now = rests(file, 20, 40, &s);
	CHECK(now.stall_ns * 3 < narrow.stall_ns, "waited %lu ms, %lu ms before",
	      (unsigned long)(now.stall_ns / SIM_MS), (unsigned long)(narrow.stall_ns / SIM_MS));
	CHECK(s.fills < least.fills + NR / 5, "%u fills, %u before", s.fills, least.fills);
	/* Who reads without a plan has a ring beside it. */
	was = q->wide;
	run(other, 0, 1, SIM_MS);
	CHECK(!q->planned && q->wide == was, "%ld, was %ld", q->wide, was);
	/* The budget of a plan is kept. */
	p->budget = 90 * ITME_CHUNK_MAX_PAGES;
	itme_plans_balance(sim_fs());
	CHECK(!q->wide, "%ld", q->wide);
	p->budget = 0;
	rests(file, 40, 40, &s);
	CHECK(q->wide >= 8 * (long)ITME_CHUNK_MAX_PAGES, "%ld", q->wide);
	/* A budget that is lowered leaves no less than half for what stays. */
	sim_budget(ITME_TIER_DRAM, 24);
	CHECK(itme_policy_ring_now(q, 24L * ITME_CHUNK_MAX_PAGES) ==
	      12L * ITME_CHUNK_MAX_PAGES);
	sim_budget(ITME_TIER_DRAM, 96);
	/* Without rests it comes to MIN again. */
	rests(file, 40, 0, &s);
	CHECK(s.fills <= NR - stays(&config, 1) + 4, "%u fills", s.fills);
	rests(file, 20, NR, &s);
	CHECK(s.fills <= NR - stays(&config, 1) + 4, "%u fills", s.fills);
	sim_stop();
}

/* What is used often is in memory once, and counts once. */
static void counted_once(void)
{
	struct sim_config config = { .dram = 96 };
	struct sim_file *file;
	struct itme_plan *p;
	u32 id = 0;

	sim_start(&config);
	file = sim_file(NR);
	p = itme_plan_alloc(sim_fs(), 8);
	p->seq.cyclic = true;
	for (u32 i = 0; i < 4; i++) {
		CHECK(!itme_plan_add(p, i, file->ino.id, 0, 2 << 21));
		CHECK(!itme_plan_add(p, i, file->ino.id, (u64)(i * 2) << 21, 4 << 21));
	}
	CHECK(!itme_plan_install(p, &id));
	CHECK(p->pages == 10 * ITME_CHUNK_MAX_PAGES, "%llu", (unsigned long long)p->pages);
	sim_stop();
}

#define PLANNED	(sim_fs()->queues[ITME_TIER_DRAM].planned)

/* The ring is narrow while plans say all that comes. */
static void strays(void)
{
	struct sim_config config = { .dram = 400, .worker_ns = 20000 };
	struct sim_file *file, *other;
	struct itme_plan *p;

	sim_start(&config);
	file = sim_file(NR);
	other = sim_file(NR);
	p = plan(file, true);
	run(file, 0, NR, 3 * SIM_MS);
	CHECK(PLANNED == ITME_CHUNK_MAX_PAGES, "%ld", PLANNED);
	run(other, 0, 10, 3 * SIM_MS);
	CHECK(!PLANNED, "%ld", PLANNED);
	/* That was long ago. */
	sim_idle(ITME_STALE * SIM_MS);
	run(file, 0, NR, 3 * SIM_MS);
	itme_plans_balance(sim_fs());
	CHECK(PLANNED == ITME_CHUNK_MAX_PAGES, "%ld", PLANNED);
	CHECK(!itme_plan_remove(sim_fs(), p->id));
	CHECK(!PLANNED, "%ld", PLANNED);
	sim_stop();
}

static u32 set_one(struct sim_file *file, pid_t learned)
{
	struct itme_plan *p = itme_plan_alloc(sim_fs(), 1);
	u32 id = 0;

	p->learned = learned;
	CHECK(!itme_plan_add(p, 0, file->ino.id, 0, 1 << 21));
	if (!itme_plan_install(p, &id))
		return id;
	itme_plan_put(p);
	return 0;
}

/* Plans that are learned leave a place for those that are set. */
static void places(void)
{
	struct sim_config config = { .dram = 96 };
	struct sim_file *file;
	u32 learned[2];

	sim_start(&config);
	file = sim_file(NR);
	CHECK(set_one(file, 0));
	learned[0] = set_one(file, 1);
	learned[1] = set_one(file, 1);
	for (int i = 3; i < ITME_PLANS_MAX; i++)
		CHECK(set_one(file, 0));
	CHECK(!set_one(file, 1));
	CHECK(set_one(file, 0));
	CHECK(itme_plan_remove(sim_fs(), learned[0]) == -ENOENT);
	CHECK(set_one(file, 0) > learned[1]);
	CHECK(itme_plan_remove(sim_fs(), learned[1]) == -ENOENT);
	CHECK(!set_one(file, 0));
	sim_stop();
}

static const struct test tests[] = {
	{ "cyclic plans come to MIN", cyclic },
	{ "two readers of one plan", two_readers },
	{ "two plans share", two_plans },
	{ "jumps", jumps },
	{ "gone through once", once },
	{ "steps", steps },
	{ "one has ended", ended },
	{ "one is removed", unplanned },
	{ "a pause", pauses },
	{ "rests widen the ring", wide },
	{ "a chunk counts once", counted_once },
	{ "a file that no plan names", strays },
	{ "as many as there may be", places },
};

TAP_MAIN(tests)
