// SPDX-License-Identifier: GPL-2.0
// Nodes and their memory, from sysfs.
#pragma once

#include "doctor/root.hpp"

#include <cstdint>
#include <vector>

namespace itme
{

struct NodeSets {
	std::vector<int> dram; ///< memory and CPUs
	std::vector<int> cxl;  ///< memory only
};

NodeSets node_sets(const Root &root);
/// Bytes; 0 when the node is not there.
std::uint64_t node_memory(const Root &root, int node);

} // namespace itme
