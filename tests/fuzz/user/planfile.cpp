// SPDX-License-Identifier: GPL-2.0
// Plans as JSON, that somebody gives to itmectl plan set or load.
#include "fuzz.hpp"

#include "planfile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto plan = itme::parse_plan(fuzz::text_of(data, size));

	if (!plan) {
		HOLDS(!plan.error().message.empty());
		HOLDS(fuzz::harmless(itmectl::printable(plan.error().message)));
		return 0;
	}
	HOLDS(plan->name.size() <= 63);
	HOLDS(!plan->stages.empty() || !plan->triggers.empty());
	for (const auto &trigger : plan->triggers)
		HOLDS(!trigger.targets.empty() && trigger.targets.size() <= 64);

	// What is written is what was read.
	const auto text = itme::format_plan(*plan);
	HOLDS(text);
	HOLDS(fuzz::harmless(*text));
	const auto again = itme::parse_plan(*text);
	HOLDS(again && *again == *plan);
	return 0;
}
