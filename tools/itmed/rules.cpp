// SPDX-License-Identifier: GPL-2.0
#include "rules.hpp"

#include <fnmatch.h>

namespace itmed
{
namespace
{

bool matches(const std::string &pattern, const std::string &text)
{
	return pattern.empty() || !::fnmatch(pattern.c_str(), text.c_str(), 0);
}

} // namespace

std::string unit_of(std::string_view cgroup)
{
	std::string unit;

	// The innermost one: below a unit there may be groups of its own.
	while (!cgroup.empty()) {
		const auto slash = cgroup.rfind('/');
		const auto last = cgroup.substr(slash == std::string_view::npos ? 0 : slash + 1);
		if (last.ends_with(".service") || last.ends_with(".scope"))
			return std::string(last);
		cgroup = cgroup.substr(0, slash == std::string_view::npos ? 0 : slash);
	}
	return unit;
}

Rule rule_for(const Config &config, const std::string &path, const std::string &cgroup)
{
	const std::string unit = unit_of(cgroup);

	for (const auto &rule : config.rules)
		if (matches(rule.path, path) && matches(rule.cgroup, cgroup) &&
		    matches(rule.unit, unit))
			return rule;
	return {};
}

} // namespace itmed
