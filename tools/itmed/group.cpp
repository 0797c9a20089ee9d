// SPDX-License-Identifier: GPL-2.0
#include "group.hpp"

#include <charconv>

namespace itmed
{
namespace
{

constexpr std::size_t digits = 5;
constexpr std::uint32_t parts_max = 1000;

std::optional<std::uint32_t> number(std::string_view text)
{
	std::uint32_t value = 0;
	const char *end = text.data() + text.size();
	const auto [rest, ec] = std::from_chars(text.data(), end, value);

	return ec == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

} // namespace

PartName part_of(std::string_view name)
{
	constexpr std::string_view of = "-of-";
	constexpr std::size_t tail = 1 + digits + of.size() + digits;
	PartName alone{std::string(name), 1, 1};

	for (const std::string_view suffix : {".gguf", ".safetensors"}) {
		if (!name.ends_with(suffix) || name.size() <= tail + suffix.size())
			continue;
		const auto stem = name.substr(0, name.size() - suffix.size() - tail);
		const auto what = name.substr(stem.size(), tail);
		const auto part = number(what.substr(1, digits));
		const auto parts = number(what.substr(1 + digits + of.size()));
		if (what[0] != '-' || what.substr(1 + digits, of.size()) != of || !part || !parts ||
		    !*part || *part > *parts || *parts > parts_max || *parts == 1)
			continue;
		// The count belongs to it, or parts of two models would be taken for one.
		return {std::string(stem) + std::string(what.substr(1 + digits)) +
				std::string(suffix),
			*part, *parts};
	}
	return alone;
}

} // namespace itmed
