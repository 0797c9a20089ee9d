// SPDX-License-Identifier: GPL-2.0
// Programs from programs.
#pragma once

#include "program.hpp"
#include "random.hpp"

namespace fuzz
{

/// A change or some, of @program; calls may be taken from @other.
Program mutate(Random &random, Program program, const Program &other);

} // namespace fuzz
