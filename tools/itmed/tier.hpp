// SPDX-License-Identifier: GPL-2.0
// Memory of CXL devices becomes a node, and goes again. A program of its own, so that the service
// need not be able to.
#pragma once

#include "config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace itmed
{

/// What was done to a device; undone in the reverse order.
struct TierStep {
	enum class What { region_enabled, ram_enabled, onlined };

	What what = What::onlined;
	std::string device;
	bool was_devdax = false; ///< ram_enabled: it goes back to that

	bool operator==(const TierStep &) const = default;
};

/// What is left in /run/itme/online.json; what makes no sense there is left out.
std::vector<TierStep> parse_steps(std::string_view text);
std::string format_steps(const std::vector<TierStep> &steps);

/// Exit statuses.
int bring_online(const Config &config);
int take_offline();

} // namespace itmed
