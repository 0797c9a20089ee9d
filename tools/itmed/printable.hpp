// SPDX-License-Identifier: GPL-2.0
// Text of others, for a log, a terminal, JSON.
#pragma once

#include <string>
#include <string_view>

namespace itmed
{

/// UTF-8 without control characters, whatever it was.
std::string printable(std::string_view text);

} // namespace itmed
