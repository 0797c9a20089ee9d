// SPDX-License-Identifier: GPL-2.0
// itmectl plan learn
#include "plans.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

namespace itmectl
{
namespace
{

struct Arguments {
	std::string plan;
	std::uint32_t pid = 0;
	bool wait = false;
	std::string name;
	double timeout = 0;

	/// One of them is meant, and to be kept.
	bool keep() const { return pid || !plan.empty(); }
};

itme::Result<std::vector<itme::PlanInfo>> learned_plans(itme::Family &family)
{
	auto plans = family.plans();

	if (plans)
		plans->erase(std::remove_if(plans->begin(), plans->end(),
					    [](const auto &plan) { return !plan.pid; }),
			     plans->end());
	return plans;
}

/// What is asked for; none: it is not there yet.
std::optional<itme::PlanInfo> choose(const std::vector<itme::PlanInfo> &plans,
				     const Arguments &args)
{
	for (const auto &plan : plans)
		if ((!args.pid || plan.pid == args.pid) && (!args.wait || plan.passes))
			return plan;
	return std::nullopt;
}

/// Waits for one that has fitted for a whole pass.
itme::Result<itme::PlanInfo> wait_for(itme::Family &family, const Arguments &args)
{
	using Clock = std::chrono::steady_clock;

	const auto end = Clock::now() + std::chrono::duration<double>(args.timeout);
	for (;;) {
		// Looked at before the plans: one may come just before its process ends.
		const bool gone =
			args.pid && ::kill(static_cast<pid_t>(args.pid), 0) && errno == ESRCH;
		const auto plans = learned_plans(family);
		if (!plans)
			return tl::unexpected(plans.error());
		if (const auto plan = choose(*plans, args))
			return *plan;
		if (gone)
			return itme::fail(ESRCH, "process {} has ended, and nothing was learned",
					  args.pid);
		if (!args.wait)
			return itme::fail(ENOENT,
					  "nothing has been learned from process {}; "
					  "--wait waits for it",
					  args.pid);
		if (args.timeout > 0 && Clock::now() > end)
			return itme::fail(ETIMEDOUT, "nothing was learned in {} seconds",
					  args.timeout);
		std::this_thread::sleep_for(std::chrono::milliseconds(200));
	}
}

/// The same content, from now on as if somebody had set it: not on trial, not dropped.
int keep(Context &ctx, itme::Family &family, const itme::PlanInfo &info, const std::string &name)
{
	const auto plan = family.plan(info.id);
	itme::PlanSpec spec;

	if (!plan)
		return ctx.fail(plan.error());
	if (!plan->info.pid) {
		ctx.warn(fmt::format("plan {} was set, not learned: it is kept already", info.id));
		return exit_failure;
	}
	spec.name = name;
	spec.cyclic = plan->info.cyclic;
	spec.lookahead = plan->info.lookahead;
	spec.budget = plan->info.budget;
	spec.stages = plan->stages;
	for (auto &stage : spec.stages)
		stage.erase(std::remove_if(stage.begin(), stage.end(),
					   [](const auto &range) { return !range.length; }),
			    stage.end());
	const auto id = family.set_plan(spec, info.id);
	if (!id)
		return ctx.fail(id.error());
	return show_plan_id(ctx, *id, name);
}

int learn(Context &ctx, const Arguments &args)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	if (!args.plan.empty()) {
		const auto plan = find_plan(*family, args.plan);
		return plan ? keep(ctx, *family, *plan, args.name) : ctx.fail(plan.error());
	}
	if (args.keep() || args.wait) {
		const auto plan = wait_for(*family, args);
		if (!plan)
			return ctx.fail(plan.error());
		if (args.keep())
			return keep(ctx, *family, *plan, args.name);
	}
	const auto plans = learned_plans(*family);
	if (!plans)
		return ctx.fail(plans.error());
	if (plans->empty() && !ctx.json)
		ctx.warn("nothing has been learned");
	return ctx.show(render_list(plan_table(*plans, ctx.json), ctx.style()));
}

} // namespace

void add_plan_learn(CLI::App &plan, Context &ctx)
{
	CLI::App *sub = plan.add_subcommand(
		"learn", "Show what has been learned from processes, or keep one of these plans");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	auto *id = sub->add_option("PLAN", args->plan, "Keep this one: its number");
	sub->add_option("--pid", args->pid, "Keep what is learned from this process")
		->type_name("PID")
		->check(CLI::Range(1, 1 << 22))
		->excludes(id);
	auto *wait = sub->add_flag("--wait", args->wait,
				   "Wait until one is learned and has fitted for a whole pass")
			     ->excludes(id);
	sub->add_option("--timeout", args->timeout, "Wait no longer than that")
		->type_name("SEC")
		->check(CLI::Range(0.01, 86400.0))
		->needs(wait);
	sub->add_option("--name", args->name, "Name of the plan that is kept")->type_name("NAME");
	sub->callback([&ctx, args] { ctx.status = learn(ctx, *args); });
}

} // namespace itmectl
