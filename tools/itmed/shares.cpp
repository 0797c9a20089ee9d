// SPDX-License-Identifier: GPL-2.0
#include "shares.hpp"

#include <algorithm>
#include <cmath>

namespace itmed
{
namespace
{

/// What passes through takes that part, where all is planned.
constexpr std::uint64_t ring_part = 16;
constexpr std::uint64_t page = 4096;

bool equal_shares(const std::vector<Claim> &claims)
{
	double first = 0;

	for (const auto &claim : claims) {
		if (!claim.in_use || claim.dram)
			continue;
		if (first != 0 && std::abs(claim.share - first) > first / 1000)
			return false;
		first = claim.share;
	}
	return true;
}

} // namespace

std::vector<std::uint64_t> budgets(const std::vector<Claim> &claims, std::uint64_t dram)
{
	std::vector<std::uint64_t> result(claims.size(), 0);
	std::vector<std::size_t> open;
	std::uint64_t promised = 0;

	for (std::size_t i = 0; i < claims.size(); i++) {
		result[i] = claims[i].dram;
		if (claims[i].dram)
			promised += std::min(claims[i].dram, claims[i].bytes);
		else if (claims[i].in_use)
			open.push_back(i);
	}
	if (equal_shares(claims))
		return result;

	const std::uint64_t all = dram - dram / ring_part;
	double left = all > promised ? static_cast<double>(all - promised) : 0;
	// Who needs less than his share leaves the rest to the others.
	for (bool again = true; again && !open.empty();) {
		double weights = 0;
		for (const auto i : open)
			weights += claims[i].share;
		again = false;
		for (auto at = open.begin(); at != open.end(); ++at) {
			const auto &claim = claims[*at];
			if (left * claim.share / weights < static_cast<double>(claim.bytes))
				continue;
			result[*at] = std::max(claim.bytes, page);
			left -= static_cast<double>(claim.bytes);
			open.erase(at);
			again = true;
			break;
		}
		if (!again)
			for (const auto i : open)
				// 0 would mean the kernel's share.
				result[i] =
					std::max(page, static_cast<std::uint64_t>(
							       left * claims[i].share / weights));
	}
	return result;
}

} // namespace itmed
