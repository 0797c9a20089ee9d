// SPDX-License-Identifier: GPL-2.0
// Is itmefs mounted, with budgets that the machine has?
#include "doctor/doctor.hpp"

#include "doctor/memory.hpp"
#include "mount.hpp"
#include "mountinfo.hpp"
#include "nodes.hpp"
#include "size.hpp"

#include <fmt/format.h>

namespace itme
{
namespace
{

/// A budget against the memory of its nodes: nine tenths is where the rest of the machine starves.
Findings check_budget(const Root &root, const MountEntry &mount, const std::string &tier,
		      const std::vector<int> &default_nodes)
{
	const auto budget = parse_size(mount.option(tier));
	if (!budget || !*budget)
		return {};
	auto nodes = parse_nodes(mount.option(tier + "_nodes")).value_or(std::vector<int>());
	if (nodes.empty())
		nodes = default_nodes;
	std::uint64_t memory = 0;
	for (const int node : nodes)
		memory += node_memory(root, node);

	const std::string what =
		fmt::format("{} budget {} of {} on node {}", tier, format_size(*budget),
			    format_size(memory), nodes.empty() ? "-" : format_nodes(nodes));
	const std::string fix = fmt::format("itmectl tier set {} SIZE", tier);
	if (*budget > memory)
		return {{"budget", Status::fail, what + ": more than there is", fix}};
	// A node of its own may be used up; DRAM has to leave room for the rest of the machine.
	if (tier == "dram" && *budget > memory / 10 * 9)
		return {{"budget", Status::warn,
			 what + ": too little is left for engines and kernel", fix}};
	return {{"budget", Status::ok, what, ""}};
}

} // namespace

Findings check_mounts(const Root &root)
{
	const auto mounts = parse_mountinfo(root.read("/proc/self/mountinfo").value_or(""));
	const auto mount = find_itmefs(mounts);
	const NodeSets sets = node_sets(root);

	if (!mount)
		return {{"mount", Status::warn, "no itmefs is mounted",
			 "mkdir -p /mnt/itme && mount -t itmefs -o dram=SIZE,cxl=SIZE itme "
			 "/mnt/itme"}};
	Findings findings{{"mount", Status::ok,
			   fmt::format("itmefs on {} ({})", mount->point, mount->options), ""}};
	for (const auto &finding : check_budget(root, *mount, "dram", sets.dram))
		findings.push_back(finding);
	for (const auto &finding : check_budget(root, *mount, "cxl", sets.cxl))
		findings.push_back(finding);
	return findings;
}

} // namespace itme
