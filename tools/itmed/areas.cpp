// SPDX-License-Identifier: GPL-2.0
#include "areas.hpp"

#include "mount.hpp"
#include "printable.hpp"
#include "size.hpp"
#include "swap.hpp"

#include <spdlog/spdlog.h>

namespace itmed
{
namespace
{

int complain(const itme::Error &error)
{
	spdlog::error("{}", printable(error.message));
	return 1;
}

int add(itme::Mount &mount, const SwapConfig &config)
{
	const auto area = mount.swap_add({config.path, config.priority, config.check});

	if (!area)
		return complain(area.error());
	spdlog::info("{}: added, {}", printable(config.path), itme::format_size(area->bytes));
	return 0;
}

int remove(itme::Mount &mount, const itme::SwapArea &area)
{
	if (const auto done = mount.swap_remove(area); !done)
		return complain(done.error());
	spdlog::info("{}: removed", printable(area.path));
	return 0;
}

} // namespace

int add_areas(const Config &config)
{
	int status = 0;

	if (config.swap.empty()) {
		spdlog::info("there is no [[swap]]: nothing is added");
		return 0;
	}
	auto mount = itme::open_mount(config.mount);
	if (!mount)
		return complain(mount.error());
	const auto areas = mount->swap_areas();
	if (!areas)
		return complain(areas.error());
	for (const auto &swap : config.swap) {
		if (itme::find_swap(*areas, swap.path))
			spdlog::info("{}: in use already", printable(swap.path));
		else
			status |= add(*mount, swap);
	}
	return status;
}

int remove_areas(const Config &config)
{
	int status = 0;
	auto mount = itme::open_mount(config.mount);

	// With the mount they have gone.
	if (!mount)
		return mount.error().code == ENODEV ? 0 : complain(mount.error());
	const auto areas = mount->swap_areas();
	if (!areas)
		return complain(areas.error());
	for (const auto &swap : config.swap)
		if (const auto area = itme::find_swap(*areas, swap.path))
			status |= remove(*mount, *area);
	return status;
}

} // namespace itmed
