// SPDX-License-Identifier: GPL-2.0
#include "content.hpp"

#include <cstring>

namespace fuzz
{

static std::uint64_t pattern_word(std::uint64_t index, std::uint64_t seed)
{
	std::uint64_t x = (index + seed * 0x100000001b3ULL) * 0x9e3779b97f4a7c15ULL;

	return x ^ (x >> 32);
}

static std::uint8_t pattern_byte(std::uint64_t offset, std::uint64_t seed)
{
	return static_cast<std::uint8_t>(pattern_word(offset / 8, seed) >> (8 * (offset % 8)));
}

void fill_pattern(std::span<std::uint8_t> to, std::uint64_t offset, std::uint64_t seed)
{
	for (std::size_t i = 0; i < to.size();) {
		std::uint64_t word = pattern_word((offset + i) / 8, seed);

		if ((offset + i) % 8 == 0 && to.size() - i >= 8) {
			std::memcpy(&to[i], &word, 8);
			i += 8;
		} else {
			to[i] = pattern_byte(offset + i, seed);
			i++;
		}
	}
}

/// Of much only some words: a byte from a wrong place does not come alone.
static std::size_t step_of(std::span<const std::uint8_t> data)
{
	return data.size() > 256 * 1024 ? 512 : 8;
}

/// Whether a whole word begins at @i, and it is @want.
static bool word_is(std::span<const std::uint8_t> data, std::size_t i, std::uint64_t at,
		    std::uint64_t want)
{
	return at % 8 == 0 && data.size() - i >= 8 && !std::memcmp(&data[i], &want, 8);
}

std::int64_t first_not_pattern(std::span<const std::uint8_t> data, std::uint64_t offset,
			       std::uint64_t seed, std::uint64_t zero_end, std::uint64_t end)
{
	for (std::size_t i = 0; i < data.size();) {
		std::uint64_t at = offset + i;

		if (end - at >= 8 && at < end &&
		    word_is(data, i, at, at < zero_end ? 0 : pattern_word(at / 8, seed))) {
			i += step_of(data);
			continue;
		}
		if (data[i] != (at < zero_end || at >= end ? 0 : pattern_byte(at, seed)))
			return static_cast<std::int64_t>(at);
		i++;
	}
	return -1;
}

std::int64_t first_not_written(std::span<const std::uint8_t> data, std::uint64_t offset)
{
	for (std::size_t i = 0; i < data.size();) {
		std::uint64_t at = offset + i;

		if (word_is(data, i, at, 0) ||
		    word_is(data, i, at, pattern_word(at / 8, written_seed))) {
			i += step_of(data);
			continue;
		}
		if (data[i] && data[i] != pattern_byte(at, written_seed))
			return static_cast<std::int64_t>(at);
		i++;
	}
	return -1;
}

} // namespace fuzz
