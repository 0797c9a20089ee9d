// SPDX-License-Identifier: GPL-2.0
// A plan as JSON, files by name, as it is kept on a disk. The format is in itmectl(8).
#pragma once

#include "netlink/family.hpp"
#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

struct FileRange {
	std::string file;
	std::uint64_t offset = 0;
	std::optional<std::uint64_t> length; ///< none: to the end

	bool operator==(const FileRange &) const = default;
};

struct FileTrigger {
	FileRange source;
	std::vector<FileRange> targets;

	bool operator==(const FileTrigger &) const = default;
};

struct PlanFile {
	std::string name;
	bool cyclic = false;
	std::uint64_t lookahead = 0;
	std::uint64_t budget = 0;
	std::vector<std::vector<FileRange>> stages; ///< an empty one: its number is not used
	std::vector<FileTrigger> triggers;

	bool operator==(const PlanFile &) const = default;
};

Result<PlanFile> parse_plan(std::string_view text);
/// Fails when a name is not UTF-8: JSON cannot say it.
Result<std::string> format_plan(const PlanFile &plan);

/// Whole files one after the other, a new stage after so many bytes.
Result<PlanFile> plan_of_files(Family &family, const std::vector<std::string> &names,
			       std::uint64_t stage_size);

/// Names to numbers.
Result<PlanSpec> resolve_plan(Family &family, const PlanFile &plan);

struct NamedPlan {
	PlanFile plan;
	std::uint64_t left_out = 0; ///< ranges of files that are not there any more

	bool empty() const;
};

/// Numbers to names.
NamedPlan name_plan(const Plan &plan, const std::vector<ObjectInfo> &objects);

} // namespace itme
