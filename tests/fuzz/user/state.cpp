// SPDX-License-Identifier: GPL-2.0
// What itmed has kept from its last run, after a crash, a full disk, or another version of it.
#include "fuzz.hpp"

#include "state.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto state = itmed::parse_state(fuzz::text_of(data, size));

	if (!state) {
		HOLDS(fuzz::harmless(itmectl::printable(state.error().message)));
		return 0;
	}
	HOLDS(state->records.size() <= itmed::records_max);
	// What is written is what was read.
	const auto again = itmed::parse_state(itmed::format_state(*state));
	HOLDS(again && again->records == state->records);
	return 0;
}
