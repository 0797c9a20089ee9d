// SPDX-License-Identifier: GPL-2.0
#include "nodes.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>

namespace itme
{
namespace
{

constexpr int node_limit = 65536;

bool take_number(std::string_view &text, int &value)
{
	const auto [rest, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (ec != std::errc() || value < 0 || value >= node_limit)
		return false;
	text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
	return true;
}

} // namespace

std::vector<int> nodes_of_mask(std::span<const __u64> mask)
{
	std::vector<int> nodes;

	for (std::size_t word = 0; word < mask.size(); word++)
		for (std::uint64_t bits = mask[word]; bits; bits &= bits - 1)
			nodes.push_back(static_cast<int>(word * 64) + std::countr_zero(bits));
	return nodes;
}

std::string format_nodes(std::span<const int> nodes)
{
	std::string text;

	for (std::size_t i = 0; i < nodes.size();) {
		std::size_t last = i;
		while (last + 1 < nodes.size() && nodes[last + 1] == nodes[last] + 1)
			last++;
		if (!text.empty())
			text += ',';
		text += last == i ? fmt::format("{}", nodes[i])
				  : fmt::format("{}-{}", nodes[i], nodes[last]);
		i = last + 1;
	}
	return text;
}

Result<std::vector<int>> parse_nodes(std::string_view text)
{
	const std::string_view whole = text;
	const auto bad = [&] { return fail(EINVAL, "'{}' is not a list of nodes", whole); };
	// Marked, not collected: the same nodes may be named any number of times.
	std::vector<bool> member(node_limit);

	while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
		text.remove_suffix(1);
	while (!text.empty()) {
		int first = 0;
		if (!take_number(text, first))
			return bad();
		int last = first;
		if (text.starts_with('-')) {
			text.remove_prefix(1);
			if (!take_number(text, last) || last < first)
				return bad();
		}
		std::fill(member.begin() + first, member.begin() + last + 1, true);
		if (text.empty())
			break;
		if (text.front() != ',' && text.front() != ':')
			return bad();
		text.remove_prefix(1);
		if (text.empty())
			return bad();
	}
	std::vector<int> nodes;
	for (int node = 0; node < node_limit; node++)
		if (member[static_cast<std::size_t>(node)])
			nodes.push_back(node);
	return nodes;
}

} // namespace itme
