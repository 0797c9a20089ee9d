// SPDX-License-Identifier: GPL-2.0
// The words of the uapi's enums, used by the command line, in tables and in JSON.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <linux/itme.h>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

std::string_view tier_name(std::uint32_t tier);
Result<itme_tier> parse_tier(std::string_view text);

std::string_view advice_name(std::uint32_t advice);
Result<itme_advice> parse_advice(std::string_view text);

/// Words for the bits of a byte of the residency map, the tier left out.
std::vector<std::string_view> map_flag_names(std::uint8_t byte);

} // namespace itme
