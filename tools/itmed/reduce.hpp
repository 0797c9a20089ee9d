// SPDX-License-Identifier: GPL-2.0
// Plans of other files, of fewer stages, with numbers instead of names. Pure.
#pragma once

#include "netlink/family.hpp"
#include "planfile.hpp"
#include "state.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace itmed
{

/// A file that a plan may speak of.
struct KnownFile {
	std::string name;
	std::uint32_t object = 0;
	std::uint64_t size = 0;
};

/// Names to numbers. Every range has to lie in a file of these, and there may be no more of
/// anything than the module takes.
itme::Result<itme::PlanSpec> number_plan(const itme::PlanFile &plan,
					 const std::vector<KnownFile> &files);

/// Numbers to names; ranges of other files are left out.
itme::PlanFile name_ranges(const itme::PlanSpec &plan, const std::vector<KnownFile> &files);

/// Without those stages; the others keep their numbers.
itme::PlanSpec without(const itme::PlanSpec &plan, const std::vector<bool> &stages);

/// Does it speak of any, of only these?
bool names_any(const itme::Plan &plan, const std::vector<KnownFile> &files);
bool names_only(const itme::Plan &plan, const std::vector<KnownFile> &files);

} // namespace itmed
