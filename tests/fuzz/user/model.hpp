// SPDX-License-Identifier: GPL-2.0
// What holds of any model that was read, and of the plan that is made of it.
#pragma once

#include "fuzz.hpp"

#include "model/bound.hpp"
#include "model/model.hpp"
#include "planfile.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace fuzz
{

inline void check_plan(const itme::Model &model, std::uint64_t chunk)
{
	itme::ModelPlanOptions options;

	options.chunk = chunk;
	HOLDS(itme::is_chunk(itme::chunk_for(model)));
	const auto made = itme::plan_model(model, options);
	if (!made) {
		HOLDS(!made.error().message.empty());
		return;
	}
	HOLDS(made->layers.size() == made->plan.stages.size());
	HOLDS(made->plan.stages.size() <= 65536 && made->plan.triggers.size() <= 65536);
	std::map<std::string, std::uint64_t> sizes;
	for (const auto &file : model.files)
		sizes[file.name] = file.size;
	const auto inside = [&](const itme::FileRange &range) {
		return range.length && *range.length && range.offset <= sizes.at(range.file) &&
		       *range.length <= sizes.at(range.file) - range.offset;
	};
	for (const auto &stage : made->plan.stages) {
		HOLDS(!stage.empty());
		for (const auto &range : stage)
			HOLDS(inside(range));
	}
	for (const auto &trigger : made->plan.triggers) {
		HOLDS(inside(trigger.source));
		HOLDS(!trigger.targets.empty() && trigger.targets.size() <= 64);
		for (const auto &target : trigger.targets)
			HOLDS(inside(target));
	}
}

inline void check_model(const itme::Result<itme::Model> &model)
{
	if (!model) {
		HOLDS(!model.error().message.empty());
		HOLDS(model.error().message.size() < 4096);
		HOLDS(harmless(itmectl::printable(model.error().message)));
		return;
	}
	HOLDS(!model->tensors.empty() && !model->files.empty());
	std::set<std::string> names;
	std::set<std::pair<std::uint32_t, std::uint64_t>> starts;
	bool never = false;
	for (const auto &tensor : model->tensors) {
		const auto &file = model->files.at(tensor.file);
		HOLDS(tensor.offset <= file.size && tensor.size <= file.size - tensor.offset);
		HOLDS(names.insert(tensor.name).second);
		HOLDS(!tensor.size || starts.emplace(tensor.file, tensor.offset).second);
		HOLDS(tensor.per_token <= tensor.size);
		HOLDS((tensor.use == itme::Use::chosen) == tensor.experts.has_value());
		if (tensor.experts)
			HOLDS(tensor.experts->count * tensor.experts->stride == tensor.size);
		// Those never used are at the end.
		HOLDS(!never || tensor.use == itme::Use::never);
		never = tensor.use == itme::Use::never;
	}
	const auto placement = itme::place_model(*model, 1U << 20, 1U << 19);
	HOLDS(placement[ITME_TIER_DRAM].holds <= 1U << 20);
	check_plan(*model, 1U << 16);
	check_plan(*model, 0);
}

} // namespace fuzz
