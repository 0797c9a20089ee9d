// SPDX-License-Identifier: GPL-2.0
// Sets of NUMA nodes, as masks of the uapi and as the kernel's lists ("0-1,4").
#pragma once

#include "result.hpp"

#include <cstdint>
#include <linux/types.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

std::vector<int> nodes_of_mask(std::span<const __u64> mask);
/// Sorted nodes as a list; empty for none.
std::string format_nodes(std::span<const int> nodes);
/// A kernel list; separators ',' (sysfs) and ':' (mount options) both do.
Result<std::vector<int>> parse_nodes(std::string_view text);

} // namespace itme
