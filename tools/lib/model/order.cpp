// SPDX-License-Identifier: GPL-2.0
// From what headers say to what a token uses, one after the other.
#include "model/names.hpp"
#include "model/raw.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>

namespace itme
{
namespace
{

/// Of a layer; there are models with some hundreds.
constexpr std::uint64_t experts_max = 65536;
/// What is smaller than a page is not worth telling apart.
constexpr std::uint64_t slice_min = 4096;

struct Placed {
	RawTensor raw;
	TensorPlace place;
	Tensor tensor;
};

/// Each is in its file, and has its bytes for itself.
Result<void> check_places(const RawModel &raw)
{
	std::vector<const RawTensor *> order;

	for (const auto &tensor : raw.tensors) {
		const ModelFile &file = raw.files.at(tensor.file);
		if (tensor.offset > file.size || tensor.size > file.size - tensor.offset)
			return fail(EINVAL, "{}: {} ends after the end of the file", file.name,
				    tensor.name);
		if (tensor.size)
			order.push_back(&tensor);
	}
	std::sort(order.begin(), order.end(), [](const RawTensor *a, const RawTensor *b) {
		return std::tie(a->file, a->offset) < std::tie(b->file, b->offset);
	});
	for (std::size_t i = 1; i < order.size(); i++)
		if (order[i]->file == order[i - 1]->file &&
		    order[i]->offset < order[i - 1]->offset + order[i - 1]->size)
			return fail(EINVAL, "{}: {} and {} overlap", raw.files[order[i]->file].name,
				    order[i - 1]->name, order[i]->name);
	return {};
}

Result<void> check_names(const RawModel &raw)
{
	std::vector<std::string_view> names;

	for (const auto &tensor : raw.tensors)
		names.emplace_back(tensor.name);
	std::sort(names.begin(), names.end());
	const auto twice = std::adjacent_find(names.begin(), names.end());
	if (twice != names.end())
		return fail(EINVAL, "{}: there are two tensors {}", raw.files.at(0).name, *twice);
	return {};
}

/// A header may say anything; what no model has it does not say.
std::uint64_t sane(std::uint64_t experts)
{
	return experts <= experts_max ? experts : 0;
}

class Orderer
{
public:
	explicit Orderer(RawModel raw) : raw_(std::move(raw)) {}

	Model order()
	{
		place();
		for (auto &placed : placed_)
			describe(placed);
		tie_output();
		std::sort(placed_.begin(), placed_.end(),
			  [](const Placed &a, const Placed &b) { return key(a) < key(b); });
		return finish();
	}

private:
	void place()
	{
		for (auto &tensor : raw_.tensors) {
			Placed placed{std::move(tensor), {}, {}};
			placed.place = place_of(placed.raw.name);
			if (raw_.layers && *raw_.layers && placed.place.layer &&
			    *placed.place.layer >= *raw_.layers)
				placed.place.phase = Phase::never;
			if (placed.place.expert)
				single_ =
					std::max<std::uint64_t>(single_, *placed.place.expert + 1);
			placed_.push_back(std::move(placed));
		}
		raw_.tensors.clear();
	}

	/// Which experts are in a tensor; none, if it is not worth it.
	std::optional<ExpertSlices> slices(const Placed &placed) const
	{
		const RawTensor &raw = placed.raw;
		ExpertSlices slices;
		std::uint64_t count = 1;

		if (!placed.place.part)
			return std::nullopt;
		if (!placed.place.expert) {
			const std::uint64_t known = sane(raw_.expert_count);
			// Rows of all experts may be in one dimension.
			count = known && raw.outer % known == 0 ? known : raw.outer;
			if (count < 2 || count > experts_max || raw.size % count)
				return std::nullopt;
		}
		slices.part = *placed.place.part;
		slices.first = placed.place.expert.value_or(0);
		slices.count = static_cast<std::uint32_t>(count);
		slices.stride = raw.size / count;
		if (slices.stride < slice_min || slices.first >= experts_max)
			return std::nullopt;
		return slices;
	}

	/// Bytes of experts that a token uses, if it chooses all alike.
	std::uint64_t chosen(const Tensor &tensor) const
	{
		const std::uint64_t all = tensor.experts->count > 1 ? tensor.experts->count
					  : sane(raw_.expert_count) ? sane(raw_.expert_count)
								    : single_;
		const std::uint64_t used = std::min(raw_.expert_used, all);

		if (!all || !used)
			return tensor.size;
		return tensor.size / all * used + tensor.size % all * used / all;
	}

	void describe(Placed &placed) const
	{
		const TensorPlace &place = placed.place;
		RawTensor &raw = placed.raw;
		Tensor &tensor = placed.tensor;

		tensor.name = std::move(raw.name);
		tensor.type = raw.type;
		tensor.file = raw.file;
		tensor.offset = raw.offset;
		tensor.size = raw.size;
		tensor.layer = place.layer;
		tensor.role = place.role;
		if (place.phase == Phase::never) {
			tensor.use = Use::never;
			return;
		}
		tensor.per_token = tensor.size;
		tensor.experts = slices(placed);
		if (tensor.experts) {
			tensor.use = Use::chosen;
			tensor.per_token = chosen(tensor);
		} else if (place.looked_up && raw.outer) {
			tensor.use = Use::row;
			tensor.per_token = tensor.size / raw.outer;
		}
	}

	/// Without an output matrix, that of the embedding is used: all of it, at the end.
	void tie_output()
	{
		Placed *tokens = nullptr;

		// Models that embed texts have no output.
		if (raw_.architecture.find("bert") != std::string::npos)
			return;
		for (auto &placed : placed_) {
			if (placed.tensor.role == Role::output && placed.tensor.use != Use::never)
				return;
			if (placed.place.tokens && placed.tensor.use == Use::row &&
			    (!tokens || placed.tensor.size > tokens->tensor.size))
				tokens = &placed;
		}
		if (!tokens)
			return;
		tokens->place.phase = Phase::after;
		tokens->place.rank = 3;
		tokens->tensor.use = Use::whole;
		tokens->tensor.per_token = tokens->tensor.size;
		tied_ = true;
	}

	static std::tuple<Phase, std::uint32_t, std::uint32_t, std::uint32_t, std::uint64_t>
	key(const Placed &placed)
	{
		return {placed.place.phase, placed.place.layer.value_or(0), placed.place.rank,
			placed.tensor.file, placed.tensor.offset};
	}

	Model finish()
	{
		Model model;
		std::optional<std::uint32_t> layer;
		std::uint64_t experts = single_;

		for (auto &placed : placed_) {
			const Tensor &tensor = placed.tensor;
			if (placed.place.phase == Phase::layers && tensor.layer != layer) {
				layer = tensor.layer;
				model.layers++;
			}
			if (tensor.experts)
				experts = std::max<std::uint64_t>(experts, tensor.experts->count);
			model.tensors.push_back(std::move(placed.tensor));
		}
		if (sane(raw_.expert_count))
			experts = raw_.expert_count;
		model.format = raw_.format;
		model.architecture = std::move(raw_.architecture);
		model.files = std::move(raw_.files);
		model.expert_count = static_cast<std::uint32_t>(experts);
		model.expert_used = static_cast<std::uint32_t>(std::min(raw_.expert_used, experts));
		model.tied = tied_;
		return model;
	}

	RawModel raw_;
	std::vector<Placed> placed_;
	std::uint64_t single_ = 0; ///< experts that have tensors of their own
	bool tied_ = false;
};

} // namespace

Result<Model> order_model(RawModel raw)
{
	if (raw.tensors.empty())
		return fail(EINVAL, "{}: no tensors", raw.files.at(0).name);
	if (auto ret = check_places(raw); !ret)
		return tl::unexpected(ret.error());
	if (auto ret = check_names(raw); !ret)
		return tl::unexpected(ret.error());
	return Orderer(std::move(raw)).order();
}

} // namespace itme
