// SPDX-License-Identifier: GPL-2.0
// How fast this machine reads, roughly: each takes about a second.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace itme
{

/// Bytes a second of a file, past the page cache.
Result<std::uint64_t> measure_file(const std::string &path);

/// Bytes a second of memory, by all CPUs together. Without a node, of those next to them.
Result<std::uint64_t> measure_memory(std::optional<int> node);

} // namespace itme
