// SPDX-License-Identifier: GPL-2.0
// What a kernel object needs from the kernel.
#pragma once

#include "result.hpp"

#include <string>
#include <vector>

namespace itme
{

/// Names of the undefined symbols of a relocatable ELF64 file, sorted. The file may be hostile.
Result<std::vector<std::string>> undefined_symbols(const std::string &path);

} // namespace itme
