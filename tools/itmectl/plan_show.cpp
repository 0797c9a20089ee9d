// SPDX-License-Identifier: GPL-2.0
// itmectl plan show
#include "plans.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

namespace itmectl
{
namespace
{

using Tiers = std::array<std::uint64_t, ITME_TIER_NR>;

/// Where ranges of files lie, as far as the caller may open them.
class Places
{
public:
	Places(itme::Result<itme::Mount> mount, const std::vector<itme::ObjectInfo> &objects) :
		mount_(std::move(mount))
	{
		for (const auto &object : objects)
			objects_.emplace(object.id, object);
	}

	/// None: there is no such file.
	std::optional<std::string> name(std::uint32_t object) const
	{
		const auto at = objects_.find(object);

		return at == objects_.end() ? std::nullopt : std::optional(at->second.name);
	}

	std::optional<Tiers> find(const itme::PlanRange &range)
	{
		itme::File *file = open(range.object);
		Tiers tiers{};

		if (!file || !range.length)
			return std::nullopt;
		const auto where = file->residency({range.offset, range.length});
		if (!where)
			return std::nullopt;
		std::copy(std::begin(where->bytes), std::end(where->bytes), tiers.begin());
		return tiers;
	}

private:
	itme::File *open(std::uint32_t object)
	{
		const auto known = files_.find(object);
		if (known != files_.end())
			return known->second ? &*known->second : nullptr;

		auto &slot = files_[object];
		const auto at = objects_.find(object);
		// A removed one has no name, or another file has it by now.
		if (mount_ && at != objects_.end() && !(at->second.flags & ITME_OBJECT_REMOVED))
			if (auto file = mount_->open(at->second.name))
				slot = std::move(*file);
		return slot ? &*slot : nullptr;
	}

	itme::Result<itme::Mount> mount_;
	std::map<std::uint32_t, itme::ObjectInfo> objects_;
	std::map<std::uint32_t, std::optional<itme::File>> files_;
};

Json range_json(const itme::PlanRange &range, const Places &places)
{
	Json json = Json::object();
	const auto name = places.name(range.object);

	json["file"] = name ? Json(*name) : Json();
	json["object"] = range.object;
	json["offset"] = range.offset;
	json["length"] = range.length;
	return json;
}

std::vector<Json> stage_row(std::size_t index, const itme::Plan &plan, Places &places, bool raw)
{
	const auto &stage = plan.stages[index];
	Json files = Json::array();
	Json ranges = Json::array();
	std::optional<Tiers> sum = Tiers{};
	std::uint64_t bytes = 0;

	for (const auto &range : stage) {
		const auto name = places.name(range.object).value_or("(gone)");
		if (std::find(files.begin(), files.end(), name) == files.end())
			files.push_back(name);
		ranges.push_back(range_json(range, places));
		bytes += range.length;
		const auto where = places.find(range);
		if (!where)
			sum.reset();
		for (std::size_t i = 0; sum && i < sum->size(); i++)
			(*sum)[i] += (*where)[i];
	}
	const auto cell = [&](itme_tier tier) {
		return sum ? Json((*sum)[static_cast<std::size_t>(tier)]) : Json();
	};
	const auto cursors = std::count_if(
		plan.info.cursors.begin(), plan.info.cursors.end(),
		[&](const itme::PlanCursor &cursor) { return cursor.stage == index; });
	return {index,
		files,
		stage.front().offset,
		bytes,
		raw ? ranges : Json(ranges.size()),
		cell(ITME_TIER_DRAM),
		cell(ITME_TIER_CXL),
		cell(ITME_TIER_NVME),
		static_cast<std::uint64_t>(cursors)};
}

Table stage_table(const itme::Plan &plan, Places &places, bool raw)
{
	Table table{{{"stage", "STAGE", Kind::count},
		     {"files", "FILES", Kind::text},
		     {"offset", "OFFSET", Kind::size},
		     {"bytes", "SIZE", Kind::size},
		     {"ranges", "RANGES", Kind::count},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size},
		     {"nvme", "NVME", Kind::size},
		     {"cursors", "CURSORS", Kind::count}},
		    {}};

	for (std::size_t i = 0; i < plan.stages.size(); i++)
		if (!plan.stages[i].empty())
			table.rows.push_back(stage_row(i, plan, places, raw));
	return table;
}

int show(Context &ctx, const std::string &name)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	const auto found = find_plan(*family, name);
	if (!found)
		return ctx.fail(found.error());
	const auto plan = family->plan(found->id);
	if (!plan)
		return ctx.fail(plan.error());
	const auto objects = family->objects();
	if (!objects)
		return ctx.fail(objects.error());

	Places places(ctx.mount(), *objects);
	const Table stages = stage_table(*plan, places, ctx.json);
	// Columns are those of the stages.
	if (!ctx.columns.empty())
		return ctx.show(render_list(stages, ctx.style()));
	Table head = plan_table({plan->info}, ctx.json);
	if (!ctx.json) {
		for (auto &column : head.columns)
			column.wanted = true;
		const int status = ctx.show(render_record(head, ctx.style()));
		if (status)
			return status;
		ctx.print("\n");
		return ctx.show(render_list(stages, ctx.style()));
	}
	const auto rows = render_list(stages, ctx.style());
	head.columns.push_back({"stage_list", "STAGE-LIST", Kind::text});
	head.rows[0].push_back(Json::parse(*rows));
	return ctx.show(render_record(head, ctx.style()));
}

} // namespace

void add_plan_show(CLI::App &plan, Context &ctx)
{
	CLI::App *sub = plan.add_subcommand("show", "A plan, and on which tiers its stages lie");
	auto name = std::make_shared<std::string>();

	sub->fallthrough();
	sub->add_option("PLAN", *name, "Its number or name")->required();
	sub->callback([&ctx, name] { ctx.status = show(ctx, *name); });
}

} // namespace itmectl
