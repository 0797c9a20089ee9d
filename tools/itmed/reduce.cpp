// SPDX-License-Identifier: GPL-2.0
#include "reduce.hpp"

#include <algorithm>
#include <cerrno>

namespace itmed
{
namespace
{

// As Documentation/uapi/netlink.rst has it.
constexpr std::size_t ranges_max = 65536;
constexpr std::size_t triggers_max = 65536;
constexpr std::size_t all_targets_max = 131072;

using Names = std::map<std::string_view, const KnownFile *>;

std::optional<itme::PlanRange> number_range(const itme::FileRange &range, const Names &names)
{
	const auto at = names.find(range.file);

	if (at == names.end() || range.offset >= at->second->size)
		return std::nullopt;
	const std::uint64_t rest = at->second->size - range.offset;
	const std::uint64_t length = range.length.value_or(rest);
	if (!length || length > rest)
		return std::nullopt;
	return itme::PlanRange{at->second->object, range.offset, length};
}

itme::FileRange named(const itme::PlanRange &range, const std::string &name)
{
	return {name, range.offset, range.length};
}

template <class Call>
void each_range(const itme::Plan &plan, const Call &call)
{
	for (const auto &stage : plan.stages)
		std::for_each(stage.begin(), stage.end(), call);
	for (const auto &trigger : plan.triggers) {
		call(trigger.source);
		std::for_each(trigger.targets.begin(), trigger.targets.end(), call);
	}
}

bool has(const std::vector<KnownFile> &files, std::uint32_t object)
{
	return std::any_of(files.begin(), files.end(),
			   [&](const KnownFile &file) { return file.object == object; });
}

} // namespace

itme::Result<itme::PlanSpec> number_plan(const itme::PlanFile &plan,
					 const std::vector<KnownFile> &files)
{
	itme::PlanSpec spec{plan.name, plan.cyclic, plan.lookahead, plan.budget, {}, {}};
	std::size_t ranges = 0;
	std::size_t targets = 0;
	Names names;
	for (const auto &file : files)
		names.emplace(file.name, &file);
	const auto outside = [](const itme::FileRange &range) {
		return itme::fail(ERANGE,
				  "its plan has a range that is in no file of it ({} at {})",
				  range.file, range.offset);
	};

	if (plan.stages.size() > ranges_max || plan.triggers.size() > triggers_max)
		return itme::fail(E2BIG, "its plan is larger than the module takes");
	for (const auto &stage : plan.stages) {
		auto &to = spec.stages.emplace_back();
		ranges += stage.size();
		for (const auto &range : stage) {
			const auto at = number_range(range, names);
			if (!at)
				return outside(range);
			to.push_back(*at);
		}
	}
	for (const auto &trigger : plan.triggers) {
		auto &to = spec.triggers.emplace_back();
		const auto source = number_range(trigger.source, names);
		if (!source)
			return outside(trigger.source);
		to.source = *source;
		targets += trigger.targets.size();
		for (const auto &range : trigger.targets) {
			const auto at = number_range(range, names);
			if (!at)
				return outside(range);
			to.targets.push_back(*at);
		}
	}
	if (ranges > ranges_max || targets > all_targets_max)
		return itme::fail(E2BIG, "its plan is larger than the module takes");
	return spec;
}

itme::PlanFile name_ranges(const itme::PlanSpec &plan, const std::vector<KnownFile> &files)
{
	itme::PlanFile result{plan.name, plan.cyclic, plan.lookahead, plan.budget, {}, {}};
	const auto name = [&](std::uint32_t object) -> const std::string * {
		const auto at =
			std::find_if(files.begin(), files.end(),
				     [&](const KnownFile &file) { return file.object == object; });
		return at == files.end() ? nullptr : &at->name;
	};

	for (const auto &stage : plan.stages) {
		auto &to = result.stages.emplace_back();
		for (const auto &range : stage)
			if (const auto *file = name(range.object); file && range.length)
				to.push_back(named(range, *file));
	}
	for (const auto &trigger : plan.triggers) {
		const auto *file = name(trigger.source.object);
		itme::FileTrigger to;
		for (const auto &range : trigger.targets)
			if (const auto *target = name(range.object); target && range.length)
				to.targets.push_back(named(range, *target));
		if (!file || !trigger.source.length || to.targets.empty())
			continue;
		to.source = named(trigger.source, *file);
		result.triggers.push_back(std::move(to));
	}
	return result;
}

itme::PlanSpec without(const itme::PlanSpec &plan, const std::vector<bool> &stages)
{
	itme::PlanSpec result = plan;

	for (std::size_t i = 0; i < result.stages.size() && i < stages.size(); i++)
		if (stages[i])
			result.stages[i].clear();
	return result;
}

bool names_any(const itme::Plan &plan, const std::vector<KnownFile> &files)
{
	bool any = false;

	each_range(plan, [&](const itme::PlanRange &range) { any |= has(files, range.object); });
	return any;
}

bool names_only(const itme::Plan &plan, const std::vector<KnownFile> &files)
{
	bool only = true;

	each_range(plan, [&](const itme::PlanRange &range) {
		only = only && (!range.length || has(files, range.object));
	});
	return only && names_any(plan, files);
}

} // namespace itmed
