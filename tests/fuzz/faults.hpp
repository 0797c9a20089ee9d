// SPDX-License-Identifier: GPL-2.0
// The kernel's fault injection: allocations, copies and reads of the module that fail.
#pragma once

#include "op.hpp"

#include <cstdint>

namespace fuzz
{

inline constexpr Choice fault_kinds[] = {{"page_alloc", 0}, {"slab", 1}, {"io", 2}};

/// So that faults are those that are asked for, in the module only, and nothing is printed.
void prepare_faults();
/// From now on that part of those that the module causes fail, on whatever thread; some times.
void begin_faults(std::uint64_t kind, unsigned percent, unsigned times);
/// None fails any more.
void end_faults();
/// The nth allocation or copy of the calling thread from now on; 0 none.
void fail_nth(unsigned nth);

} // namespace fuzz
