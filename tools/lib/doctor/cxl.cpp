// SPDX-License-Identifier: GPL-2.0
// From the CXL device to an onlined node: at which step does it stop?
#include "doctor/doctor.hpp"

#include "size.hpp"

#include <fmt/format.h>

namespace itme
{
namespace
{

Finding describe_dax(const DaxDevice &device)
{
	const std::string what = fmt::format("{} ({}, node {})", device.name,
					     format_size(device.size), device.target_node);

	switch (device.mode) {
	case DaxDevice::Mode::devdax:
		return {"dax", Status::warn,
			fmt::format("{} is a character device; its memory is not in any node",
				    what),
			fmt::format("daxctl reconfigure-device --mode=system-ram {}", device.name)};
	case DaxDevice::Mode::disabled:
		return {"dax", Status::warn, fmt::format("{} has no driver", what),
			fmt::format("modprobe kmem; daxctl reconfigure-device --mode=system-ram {}",
				    device.name)};
	case DaxDevice::Mode::system_ram:
		break;
	}
	if (!device.online)
		return {"dax", Status::warn, fmt::format("{} is not online, or in part only", what),
			fmt::format("daxctl online-memory {}", device.name)};
	return {"dax", Status::ok, fmt::format("{} is online as system RAM", what), ""};
}

} // namespace

Findings check_cxl(const Hardware &hardware)
{
	std::uint64_t ram = 0;
	std::uint64_t mapped = 0;
	Findings findings;

	for (const auto &memory : hardware.memories)
		ram += memory.ram;
	for (const auto &region : hardware.regions) {
		mapped += region.size;
		if (!region.enabled)
			findings.push_back({"cxl", Status::warn,
					    fmt::format("{} ({}) is not enabled", region.name,
							format_size(region.size)),
					    fmt::format("cxl enable-region {}", region.name)});
	}
	if (hardware.memories.empty())
		findings.push_back({"cxl", Status::ok,
				    "no CXL memory device; a node without CPUs can be the CXL tier",
				    ""});
	else if (mapped < ram)
		findings.push_back(
			{"cxl", Status::warn,
			 fmt::format("{} memory device(s) have {} of volatile memory, regions "
				     "cover {}",
				     hardware.memories.size(), format_size(ram),
				     format_size(mapped)),
			 "cxl create-region -t ram -d DECODER MEMDEV (see cxl list -MD), unless "
			 "the firmware mapped it"});
	else
		findings.push_back({"cxl", Status::ok,
				    fmt::format("{} memory device(s), {} of volatile memory, all "
						"of it in regions",
						hardware.memories.size(), format_size(ram)),
				    ""});
	for (const auto &device : hardware.dax)
		findings.push_back(describe_dax(device));
	return findings;
}

} // namespace itme
