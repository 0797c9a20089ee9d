// SPDX-License-Identifier: GPL-2.0
#include "picture.hpp"

#include "size.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

namespace itmectl
{
namespace
{

struct Letter {
	char letter;
	std::string_view color; ///< of ANSI
	std::string_view meaning;
};

constexpr std::array<Letter, 10> letters{{
	{'D', "32", "DRAM"},
	{'d', "32", "DRAM in part"},
	{'C', "36", "CXL"},
	{'c', "36", "CXL in part"},
	{'.', "90", "NVMe"},
	{'P', "1;32", "pinned in DRAM"},
	{'Q', "1;36", "pinned in CXL"},
	{'+', "33", "prefetched, not touched yet"},
	{'*', "35", "being read or moved"},
	{'!', "1;31", "the last read failed"},
}};

const Letter &describe(char letter)
{
	return *std::find_if(letters.begin(), letters.end(),
			     [=](const Letter &entry) { return entry.letter == letter; });
}

/// Runs of one color share their escape sequences.
std::string paint(std::string_view row, bool color)
{
	std::string text;
	std::string_view now;

	if (!color)
		return std::string(row);
	for (const char letter : row) {
		const auto wanted = describe(letter).color;
		if (wanted != now)
			text += fmt::format("\033[0;{}m", wanted);
		now = wanted;
		text += letter;
	}
	return text + "\033[0m";
}

} // namespace

char map_letter(std::uint8_t byte)
{
	const auto tier = byte & ITME_MAP_TIER_MASK;
	const bool cxl = tier == ITME_TIER_CXL;
	const bool partial = byte & ITME_MAP_PARTIAL;

	if (byte & ITME_MAP_ERROR)
		return '!';
	if (byte & ITME_MAP_FILLING)
		return '*';
	if (tier != ITME_TIER_DRAM && tier != ITME_TIER_CXL)
		return '.';
	if (byte & ITME_MAP_PINNED)
		return cxl ? 'Q' : 'P';
	if (byte & ITME_MAP_PREFETCHED)
		return '+';
	if (partial)
		return cxl ? 'c' : 'd';
	return cxl ? 'C' : 'D';
}

std::string draw_map(const itme::Residency &residency, std::size_t width, bool color)
{
	std::string used;
	std::string text;

	width = std::max<std::size_t>(width, 1);
	for (std::size_t at = 0; at < residency.map.size(); at += width) {
		std::string row;
		const std::size_t end = std::min(at + width, residency.map.size());
		for (std::size_t i = at; i < end; i++)
			row += map_letter(residency.map[i]);
		used += row;
		std::sort(used.begin(), used.end());
		used.erase(std::unique(used.begin(), used.end()), used.end());
		text += fmt::format("{:>8} {}\n",
				    itme::format_size(residency.offset + at * residency.chunk_size),
				    paint(row, color));
	}
	text += fmt::format("{:>8} one letter is {};", "", itme::format_size(residency.chunk_size));
	std::string_view separator;
	for (const auto &entry : letters)
		if (used.find(entry.letter) != std::string::npos) {
			text += fmt::format("{} {} {}", separator, paint({&entry.letter, 1}, color),
					    entry.meaning);
			separator = ",";
		}
	return text + "\n";
}

} // namespace itmectl
