// SPDX-License-Identifier: GPL-2.0
#include "event.hpp"

#include <algorithm>

namespace itme
{

std::string_view event_name(std::uint8_t command)
{
	const auto *at = std::find_if(event_names.begin(), event_names.end(),
				      [=](const auto &entry) { return entry.first == command; });

	return at == event_names.end() ? "" : at->second;
}

Event event_of(const Reply &message)
{
	const auto attributes = message.attributes();
	Event event;

	event.command = message.command;
	event.time = attributes.uint(ITME_A_EVENT_TIME).value_or(0);
	event.lost = attributes.uint(ITME_A_EVENT_LOST).value_or(0);
	event.object = attributes.u32(ITME_A_EVENT_OBJECT);
	event.name = attributes.text(ITME_A_EVENT_NAME);
	event.plan = attributes.u32(ITME_A_EVENT_PLAN);
	event.stage = attributes.u32(ITME_A_EVENT_STAGE);
	event.offset = attributes.uint(ITME_A_EVENT_OFFSET);
	event.bytes = attributes.uint(ITME_A_EVENT_BYTES);
	event.ns = attributes.uint(ITME_A_EVENT_NS);
	event.error = attributes.u32(ITME_A_EVENT_ERROR);
	event.pid = attributes.u32(ITME_A_EVENT_PID);
	return event;
}

} // namespace itme
