// SPDX-License-Identifier: GPL-2.0
// Sizes: of the command line, of mount options, of /proc.
#include "fuzz.hpp"

#include "size.hpp"

#include <cerrno>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto value = itme::parse_size(fuzz::text_of(data, size));

	if (!value) {
		HOLDS(value.error().code == EINVAL || value.error().code == ERANGE);
		HOLDS(!value.error().message.empty());
		return 0;
	}
	// Up to four digits, perhaps a tenth, a unit.
	const std::string text = itme::format_size(*value);
	HOLDS(!text.empty() && text.size() <= 7);
	if (text.find('.') != std::string::npos)
		return 0;
	// What it writes it reads, and that is near: within half a tenth of the unit.
	const auto again = itme::parse_size(text);
	HOLDS(again || text == "16E");
	if (again) {
		const std::uint64_t off = *again > *value ? *again - *value : *value - *again;
		HOLDS(off <= *value / 20);
	}
	return 0;
}
