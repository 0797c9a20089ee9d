// SPDX-License-Identifier: GPL-2.0
#include "cover.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>

namespace fuzz
{

void Cover::locate(std::span<const std::uint64_t> pcs, Places &places) const
{
	/* A loop records the same few places again and again. */
	std::unordered_set<std::uint64_t> once(pcs.begin(), pcs.end());

	for (std::uint64_t pc : once)
		if (std::uint64_t place = module_.place(pc))
			places.insert(place);
}

Places Cover::fresh(const Places &places) const
{
	Places fresh;

	std::ranges::set_difference(places, reached_, std::inserter(fresh, fresh.end()));
	return fresh;
}

void Cover::add(const Places &places)
{
	reached_.insert(places.begin(), places.end());
}

std::vector<std::string> Cover::report() const
{
	struct Count {
		unsigned all = 0;
		unsigned reached = 0;
	};

	std::map<std::string, Count> functions;
	std::vector<std::string> lines;
	std::string never;
	std::size_t reached = 0;

	for (const auto &[place, function] : module_.functions()) {
		Count &count = functions[function];

		count.all++;
		count.reached += reached_.contains(place);
		reached += reached_.contains(place);
	}
	for (const auto &[function, count] : functions) {
		if (!count.reached)
			never += " " + function;
		else if (count.reached < count.all)
			lines.push_back("  " + function + " " + std::to_string(count.reached) +
					"/" + std::to_string(count.all));
	}
	lines.insert(lines.begin(), "coverage: " + std::to_string(reached) + " of " +
					    std::to_string(module_.places()) +
					    " places; partly reached functions:");
	lines.push_back("never reached:" + (never.empty() ? " none" : never));
	return lines;
}

} // namespace fuzz
