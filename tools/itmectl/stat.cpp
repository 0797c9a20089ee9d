// SPDX-License-Identifier: GPL-2.0
// itmectl stat
#include "app.hpp"
#include "counters.hpp"

#include <chrono>
#include <memory>
#include <thread>

namespace itmectl
{
namespace
{

struct Arguments {
	std::string name;
	double interval = 0;
	unsigned int count = 0;
};

Table stats_table(const itme_stats &stats, const itme_stats &before)
{
	Table table{{}, {{}}};

	for (const auto &counter : all_counters()) {
		table.columns.push_back({counter.key, counter.header, counter.kind});
		table.rows[0].push_back(added(counter, stats, before));
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
