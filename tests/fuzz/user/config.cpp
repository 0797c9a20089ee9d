// SPDX-License-Identifier: GPL-2.0
// itmed.toml, which an operator writes, and may write wrongly.
#include "fuzz.hpp"

#include "config.hpp"
#include "printable.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto result = itmed::parse_config(fuzz::text_of(data, size));

	for (const auto &problem : result.problems) {
		const auto line =
			itmed::printable(itmed::format_problem("/etc/itme/itmed.toml", problem));

		HOLDS(!problem.what.empty() && !problem.remedy.empty());
		HOLDS(fuzz::harmless(line));
		HOLDS(line.find('\n') == std::string::npos);
	}
	if (!result.problems.empty())
		return 0;
	const auto &config = result.config;
	HOLDS(config.watch.interval.count() > 0 && config.watch.unused.count() > 0);
	HOLDS(config.parser.memory && config.parser.cpu.count() > 0 &&
	      config.parser.timeout.count() > 0);
	for (const auto &model : config.models)
		HOLDS(model.path.starts_with('/'));
	for (const auto &area : config.swap)
		HOLDS(area.path.starts_with('/') && area.priority >= -1 && area.priority <= 32767);
	for (const auto &rule : config.rules)
		HOLDS(rule.share > 0);
	return 0;
}
