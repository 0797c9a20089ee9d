// SPDX-License-Identifier: GPL-2.0
// The two kinds of advise.
#pragma once

#include "app.hpp"

#include "file.hpp"

#include <cstdint>
#include <string>

namespace itmectl
{

/// On the memory of a process: from an address on, or "all".
int advise_process(Context &ctx, std::uint32_t pid, const std::string &where,
		   const itme::Advice &advice);

} // namespace itmectl
