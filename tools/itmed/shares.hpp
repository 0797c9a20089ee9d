// SPDX-License-Identifier: GPL-2.0
// Which part of DRAM each plan gets.
#pragma once

#include <cstdint>
#include <vector>

namespace itmed
{

struct Claim {
	std::uint64_t bytes = 0; ///< of the plan
	std::uint64_t dram = 0;	 ///< what the config says; 0: a share
	double share = 1;	 ///< beside the others
	bool in_use = false;
};

/// The budget of each plan, 0 where the kernel's own fair share does: if nobody asked for less or
/// more, it knows better.
std::vector<std::uint64_t> budgets(const std::vector<Claim> &claims, std::uint64_t dram);

} // namespace itmed
