// SPDX-License-Identifier: GPL-2.0
// What top shows.
#pragma once

#include "table.hpp"

#include "netlink/family.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace itmectl
{

/// All of it at one moment.
struct Sample {
	std::uint64_t time = 0; ///< CLOCK_MONOTONIC, ns
	itme::FamilyStats stats;
	std::vector<itme::Tier> tiers;
	std::vector<itme::PlanInfo> plans;
};

/// A block for people. Without a sample before there are no rates yet.
std::string draw_top(const Sample &now, const std::optional<Sample> &before, const Style &style);
/// The same for programs.
Json top_json(const Sample &now, const Sample &before);

} // namespace itmectl
