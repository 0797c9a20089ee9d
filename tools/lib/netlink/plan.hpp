// SPDX-License-Identifier: GPL-2.0
// A plan, as the module has it: files by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace itme
{

struct PlanRange {
	std::uint32_t object = 0;
	std::uint64_t offset = 0;
	std::uint64_t length = 0; ///< 0 in an answer: the file is gone

	bool operator==(const PlanRange &) const = default;
};

/// Used together, in this order. Empty: there is no stage of that number.
using PlanStage = std::vector<PlanRange>;

/// The first use of the source says that the targets are used soon.
struct PlanTrigger {
	PlanRange source;
	std::vector<PlanRange> targets;
};

/// What somebody says about the order of use.
struct PlanSpec {
	std::string name;
	bool cyclic = false;
	std::uint64_t lookahead = 0;
	std::uint64_t budget = 0;
	std::vector<PlanStage> stages;
	std::vector<PlanTrigger> triggers;
};

/// Somebody who goes through a plan.
struct PlanCursor {
	std::uint32_t position = 0;
	std::uint32_t stage = 0;
	std::uint32_t lead = 0;
};

/// How a plan does. All but the name, cyclic, lookahead and budget are answers only.
struct PlanInfo {
	std::uint32_t id = 0;
	std::string name;
	std::optional<std::uint32_t> pid; ///< whom it was learned from; none: it was set
	bool cyclic = false;
	std::uint64_t lookahead = 0;
	std::uint64_t budget = 0;
	std::uint32_t stages = 0;
	std::uint32_t ranges = 0;
	std::uint32_t length = 0; ///< uses of chunks in a pass
	std::uint64_t bytes = 0;
	std::uint64_t dram = 0;
	std::uint64_t cxl = 0;
	std::uint32_t at = 0;
	std::uint64_t passes = 0;
	std::uint64_t jumps = 0;
	std::optional<std::uint64_t> cycle; ///< ns
	std::uint32_t triggers = 0;
	std::uint32_t targets = 0;
	std::uint64_t fired = 0;
	std::uint64_t dropped = 0;
	std::vector<PlanCursor> cursors;
};

struct Plan {
	PlanInfo info;
	std::vector<PlanStage> stages;
	std::vector<PlanTrigger> triggers;
};

} // namespace itme
