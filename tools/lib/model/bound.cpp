// SPDX-License-Identifier: GPL-2.0
#include "model/bound.hpp"

#include <algorithm>

namespace itme
{
namespace
{

struct Group {
	std::uint64_t size = 0;
	std::uint64_t per_token = 0;
};

/// The same share of what a token uses as of all of it.
std::uint64_t share(const Group &group, std::uint64_t part)
{
	if (part == group.size)
		return group.per_token;
	return static_cast<std::uint64_t>(static_cast<double>(group.per_token) *
					  static_cast<double>(part) /
					  static_cast<double>(group.size));
}

/// Seconds; none when it takes a bandwidth that is not known.
std::optional<double> seconds(std::uint64_t bytes, std::optional<std::uint64_t> bandwidth)
{
	if (!bytes)
		return 0;
	if (!bandwidth || !*bandwidth)
		return std::nullopt;
	return static_cast<double>(bytes) / static_cast<double>(*bandwidth);
}

} // namespace

ModelPlacement place_model(const Model &model, std::uint64_t dram, std::uint64_t cxl)
{
	std::array<Group, 4> groups; // in the order of Use, but what is looked up after experts
	ModelPlacement placement;

	for (const auto &tensor : model.tensors) {
		const std::size_t at = tensor.use == Use::whole	   ? 0
				       : tensor.use == Use::chosen ? 1
				       : tensor.use == Use::row	   ? 2
								   : 3;
		groups.at(at).size += tensor.size;
		groups.at(at).per_token += tensor.per_token;
	}
	for (const Group &group : groups) {
		std::uint64_t left = group.size;
		std::uint64_t used = group.per_token;
		const bool needed = group.per_token;
		for (auto [tier, room] :
		     {std::pair{ITME_TIER_DRAM, &dram}, std::pair{ITME_TIER_CXL, &cxl}}) {
			const std::uint64_t part = needed ? std::min(left, *room) : 0;
			const std::uint64_t bytes = std::min(used, share(group, part));
			placement[tier].holds += part;
			placement[tier].per_token += bytes;
			*room -= part;
			left -= part;
			used -= bytes;
		}
		placement[ITME_TIER_NVME].holds += left;
		placement[ITME_TIER_NVME].per_token += used;
	}
	return placement;
}

std::optional<TokenTime> token_time(const ModelPlacement &placement, const Bandwidths &bandwidths)
{
	const auto drive = seconds(placement[ITME_TIER_NVME].per_token, bandwidths[ITME_TIER_NVME]);
	const auto dram =
		seconds(placement[ITME_TIER_DRAM].per_token + placement[ITME_TIER_NVME].per_token,
			bandwidths[ITME_TIER_DRAM]);
	const auto cxl = seconds(placement[ITME_TIER_CXL].per_token, bandwidths[ITME_TIER_CXL]);

	if (!drive || !dram || !cxl)
		return std::nullopt;
	return TokenTime{*drive, *dram + *cxl};
}

} // namespace itme
