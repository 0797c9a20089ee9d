// SPDX-License-Identifier: GPL-2.0
// Events, as lines.
#pragma once

#include "table.hpp"

#include "netlink/event.hpp"
#include "netlink/family.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace itmectl
{

/// What the numbers in events are called. Asks the module for those it does not know, once.
class EventNames
{
public:
	using Ask = std::function<std::map<std::uint32_t, std::string>()>;

	EventNames(Ask objects, Ask plans) :
		ask_objects_(std::move(objects)), ask_plans_(std::move(plans))
	{
	}

	/// Follows what comes and goes. Before the event is shown.
	void see(const itme::Event &event);

	std::string object(std::uint32_t id) { return find(objects_, ask_objects_, id); }

	std::string plan(std::uint32_t id) { return find(plans_, ask_plans_, id); }

private:
	using Names = std::map<std::uint32_t, std::string>;

	static std::string find(Names &names, const Ask &ask, std::uint32_t id);

	Names objects_;
	Names plans_;
	Ask ask_objects_;
	Ask ask_plans_;
};

/// realtime: CLOCK_REALTIME, ns, of the event.
std::string event_line(const itme::Event &event, EventNames &names, std::uint64_t realtime,
		       bool bytes);
Json event_json(const itme::Event &event, EventNames &names, std::uint64_t realtime);

} // namespace itmectl
