// SPDX-License-Identifier: GPL-2.0
// itmectl plan list|delete|step
#include "plans.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

namespace itmectl
{
namespace
{

Json cursors_cell(const std::vector<itme::PlanCursor> &cursors, bool raw)
{
	Json cell = Json::array();

	for (const auto &cursor : cursors) {
		if (raw)
			cell.push_back({{"position", cursor.position},
					{"stage", cursor.stage},
					{"lead", cursor.lead}});
		else
			cell.push_back(fmt::format("{}+{}", cursor.stage, cursor.lead));
	}
	return cell;
}

int list_plans(Context &ctx)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	const auto plans = family->plans();
	if (!plans)
		return ctx.fail(plans.error());
	return ctx.show(render_list(plan_table(*plans, ctx.json), ctx.style()));
}

int delete_plans(Context &ctx, const std::vector<std::string> &names)
{
	auto family = ctx.family();
	Table table{{{"id", "DELETED", Kind::count}, {"name", "NAME", Kind::text}}, {}};
	int status = exit_ok;

	if (!family)
		return ctx.fail(family.error());
	for (const auto &name : names) {
		const auto plan = find_plan(*family, name);
		if (!plan) {
			status = ctx.fail(plan.error());
			continue;
		}
		const auto ret = family->delete_plan(plan->id);
		if (ret)
			table.rows.push_back({plan->id, plan->name});
		else
			status = ctx.fail(ret.error());
	}
	if (!ctx.json)
		return status;
	const int shown = ctx.show(render_list(table, ctx.style()));
	return status ? status : shown;
}

int step_plan(Context &ctx, const std::string &name, std::uint32_t stage)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	const auto plan = find_plan(*family, name);
	if (!plan)
		return ctx.fail(plan.error());
	if (const auto ret = family->step_plan(plan->id, stage); !ret)
		return ctx.fail(ret.error());
	return exit_ok;
}

} // namespace

std::string format_time(std::uint64_t ns)
{
	if (ns < 1000)
		return fmt::format("{}ns", ns);

	// Tenths; 999.95 of a unit is 1 of the next one.
	auto value = static_cast<double>(ns);
	for (const char *unit : {"us", "ms"}) {
		value /= 1000;
		if (value < 999.95)
			return fmt::format("{:.1f}{}", value, unit);
	}
	return fmt::format("{:.1f}s", value / 1000);
}

Table plan_table(const std::vector<itme::PlanInfo> &plans, bool raw)
{
	Table table{{{"id", "ID", Kind::count},
		     {"name", "NAME", Kind::text},
		     {"pid", "LEARNED-FROM", Kind::count},
		     {"cyclic", "CYCLIC", Kind::text},
		     {"stages", "STAGES", Kind::count},
		     {"ranges", "RANGES", Kind::count, false},
		     {"length", "USES", Kind::count, false},
		     {"bytes", "SIZE", Kind::size},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size},
		     {"budget", "BUDGET", Kind::size, false},
		     {"lookahead", "LOOKAHEAD", Kind::size, false},
		     {"at", "AT", Kind::count},
		     {"passes", "PASSES", Kind::count},
		     {"jumps", "JUMPS", Kind::count},
		     {"cycle_ns", "CYCLE", raw ? Kind::count : Kind::text},
		     {"cursors", "CURSORS", Kind::text},
		     {"triggers", "TRIGGERS", Kind::count, false},
		     {"targets", "TARGETS", Kind::count, false},
		     {"fired", "FIRED", Kind::count, false},
		     {"dropped", "DROPPED", Kind::count, false}},
		    {}};

	for (const auto &plan : plans) {
		Json cycle;
		if (plan.cycle && raw)
			cycle = *plan.cycle;
		else if (plan.cycle)
			cycle = format_time(*plan.cycle);
		table.rows.push_back({plan.id,
				      plan.name,
				      plan.pid ? Json(*plan.pid) : Json(),
				      plan.cyclic,
				      plan.stages,
				      plan.ranges,
				      plan.length,
				      plan.bytes,
				      plan.dram,
				      plan.cxl,
				      plan.budget,
				      plan.lookahead,
				      plan.at,
				      plan.passes,
				      plan.jumps,
				      std::move(cycle),
				      cursors_cell(plan.cursors, raw),
				      plan.triggers,
				      plan.targets,
				      plan.fired,
				      plan.dropped});
	}
	return table;
}

itme::Result<itme::PlanInfo> find_plan(itme::Family &family, const std::string &text)
{
	const auto plans = family.plans();
	std::uint32_t id = 0;

	if (!plans)
		return tl::unexpected(plans.error());
	const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), id);
	if (ec == std::errc() && end == text.data() + text.size())
		for (const auto &plan : *plans)
			if (plan.id == id)
				return plan;

	const auto named = [&](const itme::PlanInfo &plan) {
		return !text.empty() && plan.name == text;
	};
	const auto first = std::find_if(plans->begin(), plans->end(), named);
	if (first == plans->end())
		return itme::fail(ENOENT, "there is no plan '{}'; 'itmectl plan list' shows them",
				  text);
	if (std::count_if(first, plans->end(), named) > 1)
		return itme::fail(EEXIST, "several plans are called '{}'; give the number", text);
	return *first;
}

int show_plan_id(Context &ctx, std::uint32_t id, const std::string &name)
{
	const Table table{{{"id", "ID", Kind::count}, {"name", "NAME", Kind::text}}, {{id, name}}};

	if (ctx.json || !ctx.columns.empty())
		return ctx.show(render_record(table, ctx.style()));
	ctx.print(fmt::format("{}\n", id));
	return exit_ok;
}

void add_plan(CLI::App &app, Context &ctx)
{
	CLI::App *plan =
		app.add_subcommand("plan", "Say in which order files are used, or look at it");
	CLI::App *list = plan->add_subcommand("list", "All plans, and how they do");
	CLI::App *del = plan->add_subcommand("delete", "Forget plans");
	CLI::App *step =
		plan->add_subcommand("step", "Say that who goes through a plan enters a stage");

	struct Arguments {
		std::vector<std::string> plans;
		std::string plan;
		std::uint32_t stage = 0;
	};

	auto args = std::make_shared<Arguments>();

	plan->require_subcommand(1);
	for (CLI::App *sub : {plan, list, del, step})
		sub->fallthrough();
	add_plan_files(*plan, ctx);
	add_plan_show(*plan, ctx);
	add_plan_learn(*plan, ctx);
	del->add_option("PLAN", args->plans, "Numbers or names")->required();
	step->add_option("PLAN", args->plan, "Its number or name")->required();
	step->add_option("STAGE", args->stage, "Number of the stage, from 0")->required();
	list->callback([&ctx] { ctx.status = list_plans(ctx); });
	del->callback([&ctx, args] { ctx.status = delete_plans(ctx, args->plans); });
	step->callback([&ctx, args] { ctx.status = step_plan(ctx, args->plan, args->stage); });
}

} // namespace itmectl
