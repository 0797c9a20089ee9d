// SPDX-License-Identifier: GPL-2.0
// What bytes the files have, so that any of them can be judged by where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fuzz
{

/// Bytes from @offset on of the pattern that @seed gives.
void fill_pattern(std::span<std::uint8_t> to, std::uint64_t offset, std::uint64_t seed);
/// The place of the first byte that is not that of the pattern, zero below @zero_end and from @end
/// on, or -1.
std::int64_t first_not_pattern(std::span<const std::uint8_t> data, std::uint64_t offset,
			       std::uint64_t seed, std::uint64_t zero_end, std::uint64_t end);

/// Of all written files: no imported one has this size. Programs write nothing but the pattern of
/// the place and zeroes, whoever writes where, so that no record of what was written is needed.
constexpr std::uint64_t written_seed = 0x77;
/// The place of the first byte that is neither, or -1.
std::int64_t first_not_written(std::span<const std::uint8_t> data, std::uint64_t offset);

} // namespace fuzz
