// SPDX-License-Identifier: GPL-2.0
// From the order of use to a plan: stages for what each token uses, triggers for experts.
#include "model/model.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

namespace itme
{
namespace
{

// Of the module.
constexpr std::size_t stages_max = 65536;
constexpr std::size_t ranges_max = 65536;
constexpr std::uint64_t triggers_max = 65536;
constexpr std::uint64_t targets_max = 131072;
constexpr std::size_t targets_each = 64;

/// The granularity at which the module sees the use of a source.
constexpr std::uint64_t page = 4096;

struct Span {
	std::uint32_t file = 0;
	std::uint64_t begin = 0;
	std::uint64_t end = 0;
};

FileRange range_of(const Model &model, const Span &span)
{
	return {model.files[span.file].name, span.begin, span.end - span.begin};
}

class Stages
{
public:
	Stages(const Model &model, const ModelPlanOptions &options, ModelPlan &to) :
		model_(&model), options_(&options), to_(&to)
	{
	}

	Result<void> add(const Tensor &tensor)
	{
		const std::uint64_t end = tensor.offset + tensor.size;

		if (!open_ || tensor.layer != layer_)
			close();
		layer_ = tensor.layer;
		open_ = true;
		// In pieces that end where chunks do, so that a piece is not larger than a stage.
		for (std::uint64_t at = tensor.offset; at < end;) {
			const std::uint64_t step = at + options_->stage - at % options_->stage;
			const std::uint64_t stop = step < at ? end : std::min(step, end);
			add_span({tensor.file, at, stop});
			at = stop;
			if (to_->plan.stages.size() >= stages_max || ranges_ > ranges_max)
				return fail(EFBIG,
					    "the plan would have more than {} stages or {} ranges; "
					    "make stages larger",
					    stages_max, ranges_max);
		}
		return {};
	}

	void close()
	{
		if (spans_.empty())
			return;
		auto &stage = to_->plan.stages.emplace_back();
		for (const auto &span : spans_)
			stage.push_back(range_of(*model_, span));
		to_->layers.push_back(layer_);
		before_ = std::move(spans_);
		spans_.clear();
		bytes_ = 0;
	}

private:
	/// In whole chunks, less what the stage or the one before has already: it is in memory
	/// then.
	void add_span(Span span)
	{
		const std::uint64_t chunk = options_->chunk;

		if (!chunk) {
			take(span);
			return;
		}
		span.begin -= span.begin % chunk;
		const std::uint64_t last = (span.end - 1) / chunk;
		for (std::uint64_t i = span.begin / chunk; i <= last; i++) {
			const Span one{span.file, i * chunk,
				       std::min((i + 1) * chunk, model_->files[span.file].size)};
			if (!has(spans_, one) && !has(before_, one))
				take(one);
		}
	}

	static bool has(const std::vector<Span> &spans, const Span &one)
	{
		return std::any_of(spans.begin(), spans.end(), [&](const Span &span) {
			return span.file == one.file && span.begin <= one.begin &&
			       one.end <= span.end;
		});
	}

	void take(const Span &span)
	{
		const std::uint64_t length = span.end - span.begin;

		if (bytes_ && bytes_ + length > options_->stage)
			close();
		bytes_ += length;
		if (!spans_.empty() && spans_.back().file == span.file &&
		    spans_.back().end == span.begin) {
			spans_.back().end = span.end;
			return;
		}
		spans_.push_back(span);
		ranges_++;
	}

	const Model *model_;
	const ModelPlanOptions *options_;
	ModelPlan *to_;
	std::optional<std::uint32_t> layer_;
	bool open_ = false;
	std::vector<Span> spans_;  ///< of the stage that is being made
	std::vector<Span> before_; ///< of the one before
	std::uint64_t bytes_ = 0;
	std::size_t ranges_ = 0;
};

/// The slices of one expert of a layer, in the order of use: the tensors come in that order.
using Slices = std::vector<std::pair<ExpertPart, Span>>;

/// What is used first says that the rest is: its first page that it shares with no other, as that
/// is what a thread begins with.
FileTrigger trigger_of(const Model &model, const Slices &slices)
{
	FileTrigger trigger;
	std::vector<Span> targets;

	const auto first =
		std::min_element(slices.begin(), slices.end(), [](const auto &a, const auto &b) {
			const auto key = [](const auto &slice) {
				const bool gate = slice.first == ExpertPart::gate ||
						  slice.first == ExpertPart::gate_up;
				// Scales are small, and lie where those of all experts do.
				return std::pair(!gate, -(slice.second.end - slice.second.begin));
			};
			return key(a) < key(b);
		});
	Span source = first->second;
	source.begin += -source.begin % page;
	if (source.begin + page <= source.end)
		source.end = source.begin + page;
	else
		source = first->second;
	trigger.source = range_of(model, source);
	for (const auto &[part, span] : slices) {
		if (!targets.empty() && targets.back().file == span.file &&
		    targets.back().end == span.begin)
			targets.back().end = span.end;
		else if (targets.size() < targets_each)
			targets.push_back(span);
	}
	for (const auto &span : targets)
		trigger.targets.push_back(range_of(model, span));
	return trigger;
}

class Triggers
{
public:
	Triggers(const Model &model, ModelPlan &to) : model_(&model), to_(&to) {}

	void add(const Tensor &tensor)
	{
		if (tensor.layer != layer_)
			close();
		layer_ = tensor.layer;
		of_layer_.push_back(&tensor);
	}

	void close()
	{
		std::uint64_t count = 0;
		std::uint64_t most = 0;
		std::map<std::uint32_t, Slices> experts;

		// Not more than the module takes are made, however many the header says there are.
		for (const Tensor *tensor : of_layer_) {
			count += tensor->experts->count;
			most = std::max<std::uint64_t>(most, tensor->experts->count);
		}
		if (targets_ + count > targets_max) {
			to_->left_out += most;
			of_layer_.clear();
			return;
		}
		for (const Tensor *tensor : of_layer_)
			for (std::uint32_t i = 0; i < tensor->experts->count; i++) {
				const std::uint64_t begin =
					tensor->offset + i * tensor->experts->stride;
				experts[tensor->experts->first + i].emplace_back(
					tensor->experts->part,
					Span{tensor->file, begin, begin + tensor->experts->stride});
			}
		of_layer_.clear();
		for (const auto &[expert, slices] : experts) {
			if (triggers_ >= triggers_max) {
				to_->left_out++;
				continue;
			}
			to_->plan.triggers.push_back(trigger_of(*model_, slices));
			targets_ += to_->plan.triggers.back().targets.size();
			triggers_++;
		}
	}

private:
	const Model *model_;
	ModelPlan *to_;
	std::optional<std::uint32_t> layer_;
	std::vector<const Tensor *> of_layer_;
	std::uint64_t triggers_ = 0;
	std::uint64_t targets_ = 0;
};

} // namespace

std::uint64_t chunk_for(const Model &model)
{
	constexpr std::uint64_t dearer = 4; // by a part in four
	constexpr std::uint64_t scale = 64; // a slice so much smaller than others
	std::uint64_t largest = 0;
	std::uint64_t count = 0;
	std::uint64_t bytes = 0;

	for (const auto &tensor : model.tensors)
		if (tensor.use == Use::chosen && tensor.experts)
			largest = std::max(largest, tensor.experts->stride);
	for (const auto &tensor : model.tensors) {
		// Scales are small and lie side by side.
		if (tensor.use != Use::chosen || !tensor.experts ||
		    tensor.experts->stride < largest / scale)
			continue;
		count += tensor.experts->count;
		bytes += tensor.experts->count * tensor.experts->stride;
	}
	std::uint64_t chunk = chunk_max;
	while (chunk > chunk_min && count * chunk > bytes / dearer)
		chunk /= 2;
	return chunk;
}

std::uint64_t chunk_within(std::uint64_t chunk, std::uint64_t dram_budget)
{
	constexpr std::uint64_t ahead = 8;
	constexpr std::uint64_t part = 8;
	constexpr std::uint64_t least = 512 << 10;

	while (chunk > least && chunk > dram_budget / (ahead * part))
		chunk /= 2;
	return chunk;
}

Result<ModelPlan> plan_model(const Model &model, const ModelPlanOptions &options)
{
	ModelPlan plan;
	Stages stages(model, options, plan);
	Triggers triggers(model, plan);

	if (options.chunk && options.chunk < chunk_min)
		return fail(EINVAL, "chunks of {} bytes; the smallest have {}", options.chunk,
			    chunk_min);
	if (!options.stage || (options.chunk && options.stage % options.chunk))
		return fail(EINVAL, "a stage of {} bytes; it has to be whole chunks",
			    options.stage);
	for (const auto &tensor : model.tensors) {
		if (!tensor.size || model.files.at(tensor.file).name.empty())
			continue;
		if (tensor.use == Use::whole)
			if (auto ret = stages.add(tensor); !ret)
				return tl::unexpected(ret.error());
		if (tensor.use == Use::chosen && options.triggers)
			triggers.add(tensor);
	}
	stages.close();
	triggers.close();
	if (plan.plan.stages.empty() && plan.plan.triggers.empty())
		return fail(EINVAL, "nothing in the model is used by each token");
	plan.plan.name = options.name;
	plan.plan.cyclic = !plan.plan.stages.empty();
	return plan;
}

} // namespace itme
