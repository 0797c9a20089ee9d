// SPDX-License-Identifier: GPL-2.0
// itmectl top
#include "top.hpp"

#include "app.hpp"
#include "counters.hpp"
#include "plans.hpp"
#include "screen.hpp"
#include "wait.hpp"

#include "names.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <fmt/chrono.h>
#include <memory>

namespace itmectl
{
namespace
{

struct Arguments {
	bool batch = false;
	std::uint64_t count = 0;
	double delay = 1;
};

/// What is shown as a rate, under which heading.
struct Rate {
	const char *key;
	const char *header;
};

constexpr std::array<Rate, 11> rates{{
	{"read_bytes", "READ"},
	{"demand_bytes", "DEMAND"},
	{"prefetch_bytes", "PREFETCH"},
	{"prefetch_used_bytes", "USED"},
	{"prefetch_late_bytes", "LATE"},
	{"prefetch_wasted_bytes", "WASTED"},
	{"promoted_bytes", "PROMOTED"},
	{"demoted_bytes", "DEMOTED"},
	{"dropped_bytes", "DROPPED"},
	{"stalls", "STALLS"},
	{"stall_ns", "STALL-TIME"},
}};

std::uint64_t per_second(std::uint64_t value, std::uint64_t ns)
{
	if (!ns)
		return 0;
	return static_cast<std::uint64_t>(static_cast<double>(value) * 1e9 /
					  static_cast<double>(ns));
}

const Counter &counter_of(const Rate &rate)
{
	const auto all = all_counters();

	return *std::find_if(all.begin(), all.end(), [&](const Counter &counter) {
		return std::string_view(counter.key) == rate.key;
	});
}

Table tier_table(const std::vector<itme::Tier> &tiers)
{
	Table table{{{"tier", "TIER", Kind::text},
		     {"used", "USED", Kind::size},
		     {"budget", "BUDGET", Kind::size},
		     {"full", "FULL", Kind::count},
		     {"pinned", "PINNED", Kind::size},
		     {"busy", "BUSY", Kind::size},
		     {"free", "FREE", Kind::size}},
		    {}};

	for (const auto &tier : tiers) {
		const auto full = tier.budget ? 100.0 * static_cast<double>(tier.used) /
							static_cast<double>(tier.budget)
					      : 0.0;
		table.rows.push_back({itme::tier_name(tier.tier), tier.used, tier.budget,
				      fmt::format("{:.0f}%", full), tier.pinned, tier.busy,
				      tier.free});
	}
	return table;
}

/// Two rows: what goes on, and all since the mount.
Table rate_table(const Sample &now, const std::optional<Sample> &before)
{
	Table table{{{"what", "", Kind::text}}, {{"per second"}, {"in all"}}};

	for (const auto &rate : rates) {
		const auto &counter = counter_of(rate);
		const bool time = counter.member == &itme_stats::stall_ns;
		const auto cell = [&](std::uint64_t value) {
			return time ? Json(format_time(value)) : Json(value);
		};
		table.columns.push_back({rate.key, rate.header, counter.kind});
		Json speed;
		if (before)
			speed = cell(per_second(
				added(counter, now.stats.counters, before->stats.counters),
				now.time - before->time));
		table.rows[0].push_back(std::move(speed));
		table.rows[1].push_back(cell(now.stats.counters.*counter.member));
	}
	return table;
}

/// How far the one who is furthest ahead of himself is: chunks.
std::uint32_t lead_of(const itme::PlanInfo &plan)
{
	std::uint32_t lead = 0;

	for (const auto &cursor : plan.cursors)
		lead = std::max(lead, cursor.lead);
	return lead;
}

Table plan_rows(const std::vector<itme::PlanInfo> &plans)
{
	Table table{{{"id", "PLAN", Kind::count},
		     {"name", "NAME", Kind::text},
		     {"pid", "LEARNED-FROM", Kind::count},
		     {"stage", "STAGE", Kind::text},
		     {"lead", "AHEAD", Kind::count},
		     {"passes", "PASSES", Kind::count},
		     {"jumps", "JUMPS", Kind::count},
		     {"cycle", "CYCLE", Kind::text},
		     {"fired", "FIRED", Kind::count},
		     {"bytes", "SIZE", Kind::size},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size}},
		    {}};

	for (const auto &plan : plans)
		table.rows.push_back({plan.id, plan.name, plan.pid ? Json(*plan.pid) : Json(),
				      fmt::format("{}/{}", plan.at, plan.stages), lead_of(plan),
				      plan.passes, plan.jumps,
				      plan.cycle ? Json(format_time(*plan.cycle)) : Json(),
				      plan.fired, plan.bytes, plan.dram, plan.cxl});
	return table;
}

std::string clock_text()
{
	const std::time_t now = std::time(nullptr);
	std::tm tm{};

	::localtime_r(&now, &tm);
	return fmt::format("{:%H:%M:%S}", tm);
}

itme::Result<Sample> take_sample(itme::Family &family)
{
	Sample sample;
	timespec now{};

	auto stats = family.stats();
	if (!stats)
		return tl::unexpected(stats.error());
	::clock_gettime(CLOCK_MONOTONIC, &now);
	auto tiers = family.tiers();
	if (!tiers)
		return tl::unexpected(tiers.error());
	auto plans = family.plans();
	if (!plans)
		return tl::unexpected(plans.error());
	sample.time = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
		      static_cast<std::uint64_t>(now.tv_nsec);
	sample.stats = *stats;
	sample.tiers = std::move(*tiers);
	sample.plans = std::move(*plans);
	return sample;
}

std::chrono::nanoseconds delay_of(const Arguments &args)
{
	return std::chrono::duration_cast<std::chrono::nanoseconds>(
		std::chrono::duration<double>(args.delay));
}

/// Blocks, one after the other, or JSON on lines.
int batch(Context &ctx, const Arguments &args, itme::Family &family, Sample before)
{
	const Signals signals{SIGINT, SIGTERM, SIGHUP};

	for (std::uint64_t i = 0; !args.count || i < args.count; i++) {
		wait_readable({signals.fd()}, delay_of(args));
		if (signals.take())
			return exit_ok;
		auto now = take_sample(family);
		if (!now)
			return ctx.fail(now.error());
		if (ctx.json)
			ctx.print(top_json(*now, before)
					  .dump(-1, ' ', false, Json::error_handler_t::replace) +
				  "\n");
		else
			ctx.print(draw_top(*now, before, ctx.style()) + "\n");
		if (std::fflush(ctx.env().out))
			return exit_failure;
		before = std::move(*now);
	}
	return exit_ok;
}

/// What is to be done after a signal or a key.
enum class Then { go_on, draw, quit };

Then after_signal(Screen &screen, const Signals &signals)
{
	const auto signal = signals.take();

	if (!signal)
		return Then::go_on;
	if (*signal != SIGTSTP && *signal != SIGWINCH)
		return Then::quit;
	if (*signal == SIGTSTP) {
		screen.leave();
		::kill(::getpid(), SIGSTOP);
		screen.enter();
	}
	return Then::draw;
}

Then wait_for_input(Screen &screen, const Signals &signals, std::chrono::nanoseconds time)
{
	wait_readable({signals.fd(), screen.keys()}, time);
	const char key = screen.key();
	if (key == 'q' || key == 'Q')
		return Then::quit;
	const Then then = after_signal(screen, signals);
	return then == Then::go_on && key ? Then::draw : then;
}

int live(Context &ctx, const Arguments &args, itme::Family &family, Sample first)
{
	const Signals signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	std::optional<Screen> screen(ctx.env().out);
	std::optional<Sample> before;
	Sample now = std::move(first);

	for (std::uint64_t i = 1;; i++) {
		using Clock = std::chrono::steady_clock;

		const auto until = Clock::now() + delay_of(args);
		for (auto then = Then::draw; Clock::now() < until;) {
			if (then == Then::draw)
				screen->draw(draw_top(now, before, ctx.style()));
			then = wait_for_input(*screen, signals, until - Clock::now());
			if (then == Then::quit || std::ferror(ctx.env().out))
				return exit_ok;
		}
		if (i == args.count)
			return exit_ok;
		auto next = take_sample(family);
		if (!next) {
			// The line has to be seen after the screen is back.
			screen.reset();
			return ctx.fail(next.error());
		}
		before = std::move(now);
		now = std::move(*next);
	}
}

int top(Context &ctx, const Arguments &args)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	auto first = take_sample(*family);
	if (!first)
		return ctx.fail(first.error());
	if (args.batch || ctx.json || !ctx.env().color)
		return batch(ctx, args, *family, std::move(*first));
	return live(ctx, args, *family, std::move(*first));
}

} // namespace

std::string draw_top(const Sample &now, const std::optional<Sample> &before, const Style &style)
{
	Style tables = style;

	// The columns are what they are: there are three tables.
	tables.columns.clear();
	std::string text =
		fmt::format("itme {}  longest stall {}, {} I/O errors, {} hints ({} dropped), {} "
			    "events lost\n\n",
			    clock_text(), format_time(now.stats.counters.stall_max_ns),
			    std::uint64_t{now.stats.counters.io_errors},
			    std::uint64_t{now.stats.counters.hints},
			    std::uint64_t{now.stats.counters.hints_dropped}, now.stats.events_lost);
	text += *render_list(tier_table(now.tiers), tables) + "\n";
	text += *render_list(rate_table(now, before), tables);
	if (!now.plans.empty())
		text += "\n" + *render_list(plan_rows(now.plans), tables);
	return text;
}

Json top_json(const Sample &now, const Sample &before)
{
	const std::uint64_t interval = now.time - before.time;
	Json tiers = Json::array();
	Json speed = Json::object();
	Json all = Json::object();
	Json plans = Json::array();

	for (const auto &tier : now.tiers)
		tiers.push_back({{"tier", itme::tier_name(tier.tier)},
				 {"used", tier.used},
				 {"budget", tier.budget},
				 {"pinned", tier.pinned},
				 {"busy", tier.busy},
				 {"free", tier.free}});
	for (const auto &rate : rates)
		speed[rate.key] = per_second(
			added(counter_of(rate), now.stats.counters, before.stats.counters),
			interval);
	for (const auto &counter : all_counters())
		all[counter.key] = std::uint64_t{now.stats.counters.*counter.member};
	all["events_lost"] = now.stats.events_lost;
	const Table table = plan_table(now.plans, true);
	for (const auto &row : table.rows) {
		Json plan = Json::object();
		for (std::size_t i = 0; i < row.size(); i++)
			plan[table.columns[i].key] = row[i];
		plans.push_back(std::move(plan));
	}
	return {{"monotonic_ns", now.time},  {"interval_ns", interval},
		{"tiers", std::move(tiers)}, {"per_second", std::move(speed)},
		{"total", std::move(all)},   {"plans", std::move(plans)}};
}

void add_top(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand("top", "Tiers, rates and plans, again and again");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	// As of top(1), so that they are not the -b and -n of the other verbs.
	sub->add_flag("-b,--batch", args->batch, "Blocks one after the other, not a screen");
	sub->add_option("-n,--count", args->count, "Stop after so many")->type_name("N");
	sub->add_option("-d,--delay", args->delay, "Seconds between two (default: 1)")
		->type_name("SEC")
		->check(CLI::Range(0.01, 86400.0));
	sub->callback([&ctx, args] { ctx.status = top(ctx, *args); });
}

} // namespace itmectl
