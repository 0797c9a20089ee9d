// SPDX-License-Identifier: GPL-2.0
// Which rule of the config a model falls under.
#pragma once

#include "config.hpp"

#include <string>
#include <string_view>

namespace itmed
{

/// The service or scope that a control group is of; empty: of none.
std::string unit_of(std::string_view cgroup);

/// The first rule that matches, or one that says nothing. cgroup empty: not known.
Rule rule_for(const Config &config, const std::string &path, const std::string &cgroup);

} // namespace itmed
