// SPDX-License-Identifier: GPL-2.0
#include "size.hpp"

#include <cerrno>
#include <charconv>
#include <limits>

namespace itme
{
namespace
{

constexpr std::string_view units = "KMGTPE";

/// How far a unit shifts; -1 when it is none.
int unit_shift(std::string_view unit)
{
	if (unit.empty() || unit == "B")
		return 0;
	std::size_t at = units.find(static_cast<char>(unit[0] & ~0x20)); // ignore case
	if (at == std::string_view::npos)
		return -1;
	unit.remove_prefix(1);
	if (!unit.empty() && unit != "iB" && unit != "i")
		return -1;
	return static_cast<int>(at + 1) * 10;
}

} // namespace

Result<std::uint64_t> parse_size(std::string_view text)
{
	int base = 10;
	std::string_view digits = text;
	if (digits.starts_with("0x") || digits.starts_with("0X")) {
		base = 16;
		digits.remove_prefix(2);
	}

	std::uint64_t value = 0;
	const char *end = digits.data() + digits.size();
	const auto [rest, ec] = std::from_chars(digits.data(), end, value, base);
	if (ec == std::errc::result_out_of_range)
		return fail(ERANGE, "size '{}' is too large", text);
	const int shift =
		ec == std::errc() ? unit_shift({rest, static_cast<std::size_t>(end - rest)}) : -1;
	if (shift < 0)
		return fail(EINVAL, "'{}' is not a size; write bytes or a number with K, M, G or T",
			    text);
	if (value > std::numeric_limits<std::uint64_t>::max() >> shift)
		return fail(ERANGE, "size '{}' is too large", text);
	return value << shift;
}

std::string format_size(std::uint64_t bytes)
{
	if (bytes < 1024)
		return fmt::format("{}", bytes);

	int unit = 1;
	std::uint64_t whole = bytes >> 10;
	while (whole >= 1024 && unit < static_cast<int>(units.size())) {
		whole >>= 10;
		unit++;
	}
	const std::uint64_t rest = bytes & ((std::uint64_t{1} << (10 * unit)) - 1);
	// Tenths, rounded; a carry goes into the whole and, at 1024, into the next unit.
	std::uint64_t tenths = ((rest >> (10 * (unit - 1))) * 10 + 512) >> 10;
	if (tenths == 10) {
		tenths = 0;
		whole++;
	}
	if (whole == 1024 && unit < static_cast<int>(units.size())) {
		whole = 1;
		unit++;
	}
	const char suffix = units[static_cast<std::size_t>(unit - 1)];
	return tenths ? fmt::format("{}.{}{}", whole, tenths, suffix)
		      : fmt::format("{}{}", whole, suffix);
}

} // namespace itme
