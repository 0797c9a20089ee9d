// SPDX-License-Identifier: GPL-2.0
// Lists of nodes: of sysfs and of mount options.
#include "fuzz.hpp"

#include "nodes.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto nodes = itme::parse_nodes(fuzz::text_of(data, size));

	if (!nodes)
		return 0;
	HOLDS(std::is_sorted(nodes->begin(), nodes->end()));
	HOLDS(std::adjacent_find(nodes->begin(), nodes->end()) == nodes->end());
	HOLDS(nodes->empty() || nodes->front() >= 0);
	const auto again = itme::parse_nodes(itme::format_nodes(*nodes));
	HOLDS(again && *again == *nodes);

	std::vector<__u64> mask(nodes->empty() ? 1
					       : static_cast<std::size_t>(nodes->back()) / 64 + 1);
	for (const int node : *nodes)
		mask[static_cast<std::size_t>(node) / 64] |= 1ULL << (node % 64);
	HOLDS(itme::nodes_of_mask(mask) == *nodes);
	return 0;
}
