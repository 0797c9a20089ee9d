// SPDX-License-Identifier: GPL-2.0
// Sizes as people write and read them.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace itme
{

/// "4096", "0x1000", "64K", "1G", "2TiB"; units are binary.
Result<std::uint64_t> parse_size(std::string_view text);

/// Up to 1023, perhaps with a tenth, and a unit, as lsblk does: "512M", "1.5G", "1023.9K", "0".
std::string format_size(std::uint64_t bytes);

} // namespace itme
