// SPDX-License-Identifier: GPL-2.0
// Nodes: which can be a CXL tier, and how were they onlined?
#include "doctor/doctor.hpp"

#include "doctor/memory.hpp"
#include "nodes.hpp"
#include "size.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

namespace itme
{
namespace
{

const std::string node_dir = "/sys/devices/system/node/";

std::vector<int> node_list(const Root &root, const std::string &file)
{
	return parse_nodes(root.read(node_dir + file).value_or("")).value_or(std::vector<int>());
}

bool has(const std::vector<int> &nodes, int node)
{
	return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// "memory_tierN", where the kernel put the node.
std::string memory_tier(const Root &root, int node)
{
	const std::string dir = "/sys/devices/virtual/memory_tiering/";

	for (const auto &name : root.list(dir)) {
		const auto text = root.read(dir + name + "/nodelist");
		const auto nodes = parse_nodes(text.value_or(""));
		if (nodes && has(*nodes, node))
			return name;
	}
	return "no memory tier";
}

Finding describe_node(const Root &root, int node, bool movable_only)
{
	const std::string what =
		fmt::format("node {} ({}, {}) has no CPUs: the CXL tier by default", node,
			    format_size(node_memory(root, node)), memory_tier(root, node));

	if (movable_only)
		return {"nodes", Status::ok, what + "; onlined movable", ""};
	return {"nodes", Status::warn,
		what + "; not onlined movable: the kernel puts its own data there, at the "
		       "latency of that memory, and it cannot be offlined",
		"echo online_movable > /sys/devices/system/memory/auto_online_blocks, then "
		"daxctl reconfigure-device --mode=devdax --force DEV && "
		"daxctl reconfigure-device --mode=system-ram DEV"};
}

} // namespace

std::uint64_t node_memory(const Root &root, int node)
{
	const auto text = root.read(node_dir + fmt::format("node{}/meminfo", node));
	const std::string key = "MemTotal:";
	std::uint64_t kib = 0;

	if (!text)
		return 0;
	std::size_t at = text->find(key);
	if (at == std::string::npos)
		return 0;
	at = text->find_first_not_of(' ', at + key.size());
	if (at == std::string::npos)
		return 0;
	std::from_chars(text->data() + at, text->data() + text->size(), kib);
	return kib << 10;
}

NodeSets node_sets(const Root &root)
{
	NodeSets sets;
	const auto memory = node_list(root, "has_memory");
	const auto cpu = node_list(root, "has_cpu");

	for (const int node : memory)
		(has(cpu, node) ? sets.dram : sets.cxl).push_back(node);
	return sets;
}

Findings check_nodes(const Root &root)
{
	const NodeSets sets = node_sets(root);
	const auto normal = node_list(root, "has_normal_memory");
	Findings findings;

	if (sets.dram.empty())
		return {{"nodes", Status::fail, "no node with CPUs and memory is known",
			 "mount /sys; the kernel needs CONFIG_NUMA"}};
	std::uint64_t bytes = 0;
	for (const int node : sets.dram)
		bytes += node_memory(root, node);
	findings.push_back(
		{"nodes", Status::ok,
		 fmt::format("DRAM: node {} ({})", format_nodes(sets.dram), format_size(bytes)),
		 ""});
	if (sets.cxl.empty())
		findings.push_back(
			{"nodes", Status::warn,
			 "no memory-only node: ITME works on DRAM and NVMe alone",
			 "online CXL memory (see the cxl and dax lines), then mount with "
			 "cxl=SIZE"});
	for (const int node : sets.cxl)
		findings.push_back(describe_node(root, node, !has(normal, node)));
	return findings;
}

} // namespace itme
