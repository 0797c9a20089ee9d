// SPDX-License-Identifier: GPL-2.0
// New programs, and new arguments of old calls.
#pragma once

#include "program.hpp"
#include "random.hpp"

namespace fuzz
{

Program generate(Random &random);
Call generate_call(Random &random, const Op &op);
void redraw(Random &random, Call &call, std::size_t field);
/// Of all, by their weights.
const Op &draw_op(Random &random);

} // namespace fuzz
