// SPDX-License-Identifier: GPL-2.0
#include "names.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

namespace itme
{
namespace
{

constexpr std::array<std::string_view, ITME_TIER_NR> tiers{"dram", "cxl", "nvme"};
constexpr std::array<std::string_view, ITME_ADVICE_NR> advices{"willneed", "cold", "pageout",
							       "hot",	   "pin",  "unpin"};
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 6> map_flags{{
	{ITME_MAP_PARTIAL, "partial"},
	{ITME_MAP_FILLING, "filling"},
	{ITME_MAP_PINNED, "pinned"},
	{ITME_MAP_STREAM, "stream"},
	{ITME_MAP_PREFETCHED, "prefetched"},
	{ITME_MAP_ERROR, "error"},
}};

} // namespace

std::string_view tier_name(std::uint32_t tier)
{
	if (tier == ITME_TIER_ANY)
		return "any";
	return tier < tiers.size() ? tiers[tier] : "?";
}

Result<itme_tier> parse_tier(std::string_view text)
{
	if (text == "any")
		return ITME_TIER_ANY;
	const auto *at = std::find(tiers.begin(), tiers.end(), text);
	if (at == tiers.end())
		return fail(EINVAL, "'{}' is not a tier; the tiers are dram, cxl and nvme", text);
	return static_cast<itme_tier>(std::distance(tiers.begin(), at));
}

std::string_view advice_name(std::uint32_t advice)
{
	return advice < advices.size() ? advices[advice] : "?";
}

Result<itme_advice> parse_advice(std::string_view text)
{
	const auto *at = std::find(advices.begin(), advices.end(), text);
	if (at == advices.end())
		return fail(EINVAL, "'{}' is not an advice; they are {}", text,
			    fmt::join(advices, ", "));
	return static_cast<itme_advice>(std::distance(advices.begin(), at));
}

std::vector<std::string_view> map_flag_names(std::uint8_t byte)
{
	std::vector<std::string_view> names;

	for (const auto &[bit, name] : map_flags)
		if (byte & bit)
			names.push_back(name);
	return names;
}

} // namespace itme
