// SPDX-License-Identifier: GPL-2.0
// What of a model fits where, and how fast a token can be at best.
#pragma once

#include "model/model.hpp"

#include <array>
#include <cstdint>
#include <linux/itme.h>
#include <optional>

namespace itme
{

struct TierShare {
	std::uint64_t holds = 0;     ///< of the model
	std::uint64_t per_token = 0; ///< bytes of it that a token uses
};

using ModelPlacement = std::array<TierShare, ITME_TIER_NR>;

/// As MIN has it: of what is used again and again, as much as fits stays, and the rest is read each
/// time. What each token uses comes first, then experts, where each is as likely as any other.
ModelPlacement place_model(const Model &model, std::uint64_t dram, std::uint64_t cxl);

/// Bytes a second.
using Bandwidths = std::array<std::optional<std::uint64_t>, ITME_TIER_NR>;

/// Seconds for a token. The drive works while memory is read: the longer of the two counts.
struct TokenTime {
	double drive = 0;  ///< what is on NVMe, from there
	double memory = 0; ///< what is in DRAM, and what came there from NVMe; and CXL, in place

	double bound() const { return drive > memory ? drive : memory; }
};

/// None: a bandwidth that counts is not known.
std::optional<TokenTime> token_time(const ModelPlacement &placement, const Bandwidths &bandwidths);

} // namespace itme
