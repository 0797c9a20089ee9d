// SPDX-License-Identifier: GPL-2.0
// itmectl stat
#include "app.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <thread>

namespace itmectl
{
namespace
{

struct Counter {
	const char *key;
	const char *header;
	Kind kind;
	__u64 itme_stats::*member;
};

constexpr std::array<Counter, 18> counters{{
	{"read_bytes", "read from drive", Kind::size, &itme_stats::read_bytes},
	{"reads", "reads", Kind::count, &itme_stats::reads},
	{"demand_bytes", "waited for", Kind::size, &itme_stats::demand_bytes},
	{"prefetch_bytes", "prefetched", Kind::size, &itme_stats::prefetch_bytes},
	{"prefetch_used_bytes", "prefetched, used", Kind::size, &itme_stats::prefetch_used_bytes},
	{"prefetch_late_bytes", "prefetched, late", Kind::size, &itme_stats::prefetch_late_bytes},
	{"prefetch_wasted_bytes", "prefetched, wasted", Kind::size,
	 &itme_stats::prefetch_wasted_bytes},
	{"dropped_bytes", "dropped", Kind::size, &itme_stats::dropped_bytes},
	{"promoted_bytes", "CXL to DRAM", Kind::size, &itme_stats::promoted_bytes},
	{"demoted_bytes", "DRAM to CXL", Kind::size, &itme_stats::demoted_bytes},
	{"stalls", "stalls", Kind::count, &itme_stats::stalls},
	{"stall_ns", "stall time, ns", Kind::count, &itme_stats::stall_ns},
	{"stall_max_ns", "longest stall, ns", Kind::count, &itme_stats::stall_max_ns},
	{"io_errors", "I/O errors", Kind::count, &itme_stats::io_errors},
	{"small_folio_chunks", "chunks of small folios", Kind::count,
	 &itme_stats::small_folio_chunks},
	{"alloc_fails", "allocations failed", Kind::count, &itme_stats::alloc_fails},
	{"busy_fails", "could not leave", Kind::count, &itme_stats::busy_fails},
	{"hints", "hints", Kind::count, &itme_stats::hints},
}};

struct Arguments {
	std::string name;
	double interval = 0;
	unsigned int count = 0;
};

Table stats_table(const itme_stats &stats, const itme_stats &before)
{
	Table table{{}, {{}}};

	for (const auto &counter : counters) {
		// The longest one is no sum: there is no difference of it.
		const bool sum = counter.member != &itme_stats::stall_max_ns;
		table.columns.push_back({counter.key, counter.header, counter.kind});
		table.rows[0].push_back(std::uint64_t{stats.*counter.member} -
					(sum ? std::uint64_t{before.*counter.member} : 0));
	}
	return table;
}

itme::Result<itme_stats> read_stats(itme::Mount &mount, std::optional<itme::File> &file)
{
	return file ? file->stats() : mount.stats();
}

/// A block, or one object on a line, for each interval: what happened in it.
int watch(Context &ctx, const Arguments &args, itme::Mount &mount, std::optional<itme::File> &file,
	  itme_stats before)
{
	for (unsigned int i = 0; !args.count || i < args.count; i++) {
		std::this_thread::sleep_for(std::chrono::duration<double>(args.interval));
		const auto now = read_stats(mount, file);
		if (!now)
			return ctx.fail(now.error());
		const auto text = render_record(stats_table(*now, before), ctx.style());
		if (!text)
			return ctx.show(text);
		ctx.print(ctx.json ? Json::parse(*text).dump() + "\n" : *text + "\n");
		if (std::fflush(ctx.env().out))
			return exit_failure;
		before = *now;
	}
	return exit_ok;
}

int stat(Context &ctx, const Arguments &args)
{
	auto mount = ctx.mount();
	std::optional<itme::File> file;

	if (!mount)
		return ctx.fail(mount.error());
	if (!args.name.empty()) {
		auto opened = mount->open(args.name);
		if (!opened)
			return ctx.fail(opened.error());
		file = std::move(*opened);
	}
	const auto stats = read_stats(*mount, file);
	if (!stats)
		return ctx.fail(stats.error());
	if (args.interval > 0)
		return watch(ctx, args, *mount, file, *stats);
	return ctx.show(render_record(stats_table(*stats, {}), ctx.style()));
}

} // namespace

void add_stat(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand("stat", "Print the counters of all files, or of one");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("NAME", args->name, "Counters of this file only");
	sub->add_option("-i,--interval", args->interval, "Print what changes every so many seconds")
		->type_name("SEC")
		->check(CLI::Range(0.01, 86400.0));
	sub->add_option("-c,--count", args->count, "Stop after so many intervals")->type_name("N");
	sub->callback([&ctx, args] { ctx.status = stat(ctx, *args); });
}

} // namespace itmectl
