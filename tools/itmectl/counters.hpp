// SPDX-License-Identifier: GPL-2.0
// The counters, for stat and top.
#pragma once

#include "table.hpp"

#include <cstdint>
#include <linux/itme.h>
#include <span>

namespace itmectl
{

struct Counter {
	const char *key;
	const char *header;
	Kind kind;
	__u64 itme_stats::*member;
};

std::span<const Counter> all_counters();

/// What was added; the longest stall is no sum, so there is no difference of it. After another
/// mount they count from 0 again.
std::uint64_t added(const Counter &counter, const itme_stats &now, const itme_stats &before);

} // namespace itmectl
