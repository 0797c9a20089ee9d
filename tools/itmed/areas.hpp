// SPDX-License-Identifier: GPL-2.0
// Swap areas that are configured. Not for the service, which has no need to open drives.
#pragma once

#include "config.hpp"

namespace itmed
{

/// Exit statuses.
int add_areas(const Config &config);
int remove_areas(const Config &config);

} // namespace itmed
