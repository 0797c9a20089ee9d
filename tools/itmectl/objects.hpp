// SPDX-License-Identifier: GPL-2.0
// The table of imported files, for list and import.
#pragma once

#include "app.hpp"

namespace itmectl
{

itme::Result<Table> object_table(itme::Mount &mount, const std::vector<itme::Object> &objects);

} // namespace itmectl
