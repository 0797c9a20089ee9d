// SPDX-License-Identifier: GPL-2.0
#include "doctor/hardware.hpp"

#include <cxl/libcxl.h>
#include <daxctl/libdaxctl.h>
#include <fmt/format.h>
#include <memory>

namespace itme
{
namespace
{

using CxlContext = std::unique_ptr<cxl_ctx, cxl_ctx *(*)(cxl_ctx *)>;

cxl_ctx *drop_cxl(cxl_ctx *ctx)
{
	cxl_unref(ctx);
	return nullptr;
}

void add_regions(cxl_bus *bus, Hardware &hardware)
{
	cxl_port *port = cxl_bus_get_port(bus);
	cxl_decoder *decoder = nullptr;
	cxl_region *region = nullptr;

	cxl_decoder_foreach(port, decoder) cxl_region_foreach(decoder, region)
		hardware.regions.push_back({cxl_region_get_devname(region),
					    cxl_region_get_size(region),
					    cxl_region_is_enabled(region) == 1});
}

void probe_cxl(Hardware &hardware)
{
	cxl_ctx *raw = nullptr;
	cxl_memdev *memdev = nullptr;
	cxl_bus *bus = nullptr;

	if (cxl_new(&raw))
		return;
	const CxlContext ctx(raw, drop_cxl);
	cxl_memdev_foreach(raw, memdev) hardware.memories.push_back(
		{cxl_memdev_get_devname(memdev), cxl_memdev_get_ram_size(memdev)});
	cxl_bus_foreach(raw, bus) add_regions(bus, hardware);
}

DaxDevice describe(daxctl_dev *dev)
{
	DaxDevice device;

	device.name = daxctl_dev_get_devname(dev);
	device.size = daxctl_dev_get_size(dev);
	device.target_node = daxctl_dev_get_target_node(dev);
	if (daxctl_memory *memory = daxctl_dev_get_memory(dev)) {
		const int sections = daxctl_memory_num_sections(memory);
		device.mode = DaxDevice::Mode::system_ram;
		device.online = sections > 0 && daxctl_memory_is_online(memory) == sections;
	} else if (daxctl_dev_is_enabled(dev)) {
		device.mode = DaxDevice::Mode::devdax;
	}
	return device;
}

void probe_dax(Hardware &hardware)
{
	daxctl_ctx *raw = nullptr;
	daxctl_region *region = nullptr;
	daxctl_dev *dev = nullptr;

	if (daxctl_new(&raw))
		return;
	const std::unique_ptr<daxctl_ctx, void (*)(daxctl_ctx *)> ctx(raw, daxctl_unref);
	daxctl_region_foreach(raw, region) daxctl_dev_foreach(region, dev)
		hardware.dax.push_back(describe(dev));
}

/// Memory blocks of a node, all online?
bool node_online(const Root &root, int node)
{
	const std::string dir = "/sys/devices/system/node/node" + std::to_string(node);
	bool any = false;

	for (const auto &name : root.list(dir)) {
		if (!name.starts_with("memory") || name.find_first_of("0123456789") != 6)
			continue;
		const auto state = root.read(fmt::format("{}/{}/state", dir, name));
		if (!state || !state->starts_with("online"))
			return false;
		any = true;
	}
	return any;
}

} // namespace

Hardware probe_sysfs(const Root &root)
{
	const std::string cxl = "/sys/bus/cxl/devices/";
	const std::string dax = "/sys/bus/dax/devices/";
	Hardware hardware;

	for (const auto &name : root.list(cxl)) {
		if (name.starts_with("mem") && root.exists(cxl + name + "/ram/size"))
			hardware.memories.push_back(
				{name, root.read_number(cxl + name + "/ram/size").value_or(0)});
		if (name.starts_with("region"))
			hardware.regions.push_back(
				{name, root.read_number(cxl + name + "/size").value_or(0),
				 root.link(cxl + name + "/driver").has_value()});
	}
	for (const auto &name : root.list(dax)) {
		const auto size = root.read_number(dax + name + "/size");
		if (!size || !*size)
			continue; // the seed of a region, not a device yet
		DaxDevice device;
		device.name = name;
		device.size = *size;
		if (const auto node = root.read_number(dax + name + "/target_node"))
			device.target_node = static_cast<int>(*node);
		const auto driver = root.link(dax + name + "/driver");
		if (driver == "kmem") {
			device.mode = DaxDevice::Mode::system_ram;
			device.online = node_online(root, device.target_node);
		} else if (driver) {
			device.mode = DaxDevice::Mode::devdax;
		}
		hardware.dax.push_back(device);
	}
	return hardware;
}

Hardware probe_hardware(const Root &root)
{
	if (!root.live())
		return probe_sysfs(root);
	Hardware hardware;
	probe_cxl(hardware);
	probe_dax(hardware);
	return hardware;
}

} // namespace itme
