// SPDX-License-Identifier: GPL-2.0
// A residency map as rows of letters.
#pragma once

#include "file.hpp"

#include <cstdint>
#include <string>

namespace itmectl
{

/// One letter for a byte of the map.
char map_letter(std::uint8_t byte);

/// A row for each width chunks, led by the offset, and a legend of the letters used.
std::string draw_map(const itme::Residency &residency, std::size_t width, bool color);

} // namespace itmectl
