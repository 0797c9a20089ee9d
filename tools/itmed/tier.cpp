// SPDX-License-Identifier: GPL-2.0
#include "tier.hpp"

#include "files.hpp"
#include "printable.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <cxl/libcxl.h>
#include <daxctl/libdaxctl.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <thread>
#include <utility>

namespace itmed
{
namespace
{

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using What = TierStep::What;

constexpr const char *run_dir = "/run/itme";
constexpr const char *record = "/run/itme/online.json";
constexpr std::pair<What, std::string_view> words[] = {{What::region_enabled, "region-enabled"},
						       {What::ram_enabled, "ram-enabled"},
						       {What::onlined, "onlined"}};

cxl_ctx *drop_cxl(cxl_ctx *ctx)
{
	cxl_unref(ctx);
	return nullptr;
}

using CxlContext = std::unique_ptr<cxl_ctx, cxl_ctx *(*)(cxl_ctx *)>;
using DaxContext = std::unique_ptr<daxctl_ctx, void (*)(daxctl_ctx *)>;

/// A look at the devices as they are now: the libraries keep what they have seen.
CxlContext cxl_now()
{
	cxl_ctx *raw = nullptr;

	return {cxl_new(&raw) ? nullptr : raw, drop_cxl};
}

DaxContext dax_now()
{
	daxctl_ctx *raw = nullptr;

	return {daxctl_new(&raw) ? nullptr : raw, daxctl_unref};
}

template <class Call>
void each_region(cxl_ctx *ctx, const Call &call)
{
	cxl_bus *bus = nullptr;
	cxl_decoder *decoder = nullptr;
	cxl_region *region = nullptr;

	cxl_bus_foreach(ctx, bus) cxl_decoder_foreach(cxl_bus_get_port(bus), decoder)
		cxl_region_foreach(decoder, region) call(region);
}

template <class Call>
void each_dax(daxctl_ctx *ctx, const Call &call)
{
	daxctl_region *region = nullptr;
	daxctl_dev *dev = nullptr;

	daxctl_region_foreach(ctx, region)
		daxctl_dev_foreach(region, dev) if (daxctl_dev_get_size(dev)) call(dev);
}

bool save(const std::vector<TierStep> &steps)
{
	::mkdir(run_dir, 0755);
	std::ofstream file(record, std::ios::trunc);
	file << format_steps(steps);
	file.close();
	if (!file)
		spdlog::error("{}: cannot be written; --offline will not know what to undo",
			      record);
	return file.good();
}

/// True when anything was enabled: its devices come a little later.
bool enable_regions(std::vector<TierStep> &steps, bool &fine)
{
	bool any = false;
	const auto ctx = cxl_now();

	if (!ctx)
		return false;
	each_region(ctx.get(), [&](cxl_region *region) {
		if (cxl_region_is_enabled(region) == 1)
			return;
		const std::string name = cxl_region_get_devname(region);
		if (const int ret = cxl_region_enable(region)) {
			spdlog::error("{}: cannot be enabled: {}", name, std::strerror(-ret));
			fine = false;
			return;
		}
		spdlog::info("{}: enabled", name);
		steps.push_back({What::region_enabled, name, false});
		any = true;
	});
	return any;
}

bool online_memory(daxctl_memory *memory, Online how)
{
	const int sections = daxctl_memory_num_sections(memory);

	if (sections > 0 && daxctl_memory_is_online(memory) == sections)
		return true;
	const int ret = how == Online::movable ? daxctl_memory_online(memory)
					       : daxctl_memory_online_no_movable(memory);
	return ret >= 0;
}

/// One device: to RAM, if it is none yet, and online.
bool bring_up(daxctl_dev *dev, Online how, std::vector<TierStep> &steps)
{
	const std::string name = daxctl_dev_get_devname(dev);
	daxctl_memory *memory = daxctl_dev_get_memory(dev);

	if (!memory) {
		const bool was_devdax = daxctl_dev_is_enabled(dev) == 1;
		if (was_devdax && daxctl_dev_disable(dev)) {
			spdlog::error("{}: is in use as a character device", name);
			return false;
		}
		if (const int ret = daxctl_dev_enable_ram(dev)) {
			spdlog::error("{}: cannot be made RAM: {}; is kmem loaded?", name,
				      std::strerror(-ret));
			return false;
		}
		steps.push_back({What::ram_enabled, name, was_devdax});
		memory = daxctl_dev_get_memory(dev);
	}
	const int before = memory ? daxctl_memory_is_online(memory) : 0;
	if (!memory || !online_memory(memory, how)) {
		spdlog::error("{}: its memory cannot be onlined", name);
		return false;
	}
	if (before > 0 && before == daxctl_memory_num_sections(memory)) {
		spdlog::info("{}: was online already (node {})", name,
			     daxctl_dev_get_target_node(dev));
		return true;
	}
	steps.push_back({What::onlined, name, false});
	spdlog::info("{}: online as node {}, {}", name, daxctl_dev_get_target_node(dev),
		     how == Online::movable
			     ? "movable: it can go offline again; pages that are pinned for long "
			       "(RDMA, GPUs, io_uring buffers) are moved out of it first"
			     : "as kernel memory: anything may be pinned there, and it may never "
			       "go offline again");
	return true;
}

bool undo_dax(daxctl_dev *dev, const TierStep &step)
{
	daxctl_memory *memory = daxctl_dev_get_memory(dev);

	if (step.what == What::onlined) {
		if (!memory || daxctl_memory_offline(memory) < 0) {
			spdlog::error("{}: does not go offline; what holds pages there? See "
				      "'itmectl holders', and whether it was onlined as movable",
				      step.device);
			return false;
		}
		spdlog::info("{}: offline", step.device);
		return true;
	}
	if (daxctl_dev_disable(dev) || (step.was_devdax && daxctl_dev_enable_devdax(dev))) {
		spdlog::error("{}: cannot be made what it was", step.device);
		return false;
	}
	return true;
}

bool undo(const TierStep &step)
{
	bool found = false;
	bool fine = false;

	if (step.what == What::region_enabled) {
		const auto ctx = cxl_now();
		if (ctx)
			each_region(ctx.get(), [&](cxl_region *region) {
				if (step.device != cxl_region_get_devname(region))
					return;
				found = true;
				fine = !cxl_region_disable(region);
			});
	} else if (const auto ctx = dax_now()) {
		each_dax(ctx.get(), [&](daxctl_dev *dev) {
			if (step.device != daxctl_dev_get_devname(dev))
				return;
			found = true;
			fine = undo_dax(dev, step);
		});
	}
	// What is not there any more needs no undoing.
	return fine || !found;
}

} // namespace

std::vector<TierStep> parse_steps(std::string_view text)
{
	const Json json = Json::parse(text, nullptr, false);
	std::vector<TierStep> steps;

	if (!json.is_array())
		return steps;
	for (const auto &one : json) {
		if (!one.is_object() || !one.contains("what") || !one["what"].is_string() ||
		    !one.contains("device") || !one["device"].is_string())
			continue;
		const auto *word =
			std::find_if(std::begin(words), std::end(words), [&](const auto &w) {
				return one["what"].get<std::string>() == w.second;
			});
		if (word == std::end(words))
			continue;
		const auto devdax = one.find("was_devdax");
		steps.push_back(
			{word->first, one["device"].get<std::string>(),
			 devdax != one.end() && devdax->is_boolean() && devdax->get<bool>()});
	}
	return steps;
}

std::string format_steps(const std::vector<TierStep> &steps)
{
	Json json = Json::array();

	for (const auto &step : steps) {
		const auto *word =
			std::find_if(std::begin(words), std::end(words),
				     [&](const auto &w) { return w.first == step.what; });
		json.push_back({{"what", word->second},
				{"device", printable(step.device)},
				{"was_devdax", step.was_devdax}});
	}
	return json.dump(1) + "\n";
}

int bring_online(const Config &config)
{
	// What an earlier run has done is undone with what this one does.
	std::vector<TierStep> steps;
	if (const auto text = itme::read_file(record))
		steps = parse_steps(*text);
	bool fine = true;
	std::size_t devices = 0;

	if (config.cxl.online == Online::no) {
		spdlog::info("tier.cxl.online is \"no\": nothing is onlined");
		return 0;
	}
	const auto end = Clock::now() + std::chrono::seconds(enable_regions(steps, fine) ? 10 : 0);
	do {
		devices = 0;
		if (const auto ctx = dax_now())
			each_dax(ctx.get(), [&](daxctl_dev *) { devices++; });
		if (!devices)
			std::this_thread::sleep_for(std::chrono::milliseconds(200));
	} while (!devices && Clock::now() < end);
	if (const auto ctx = dax_now())
		each_dax(ctx.get(), [&](daxctl_dev *dev) {
			fine = bring_up(dev, config.cxl.online, steps) && fine;
		});
	if (!devices)
		spdlog::warn("there is no CXL or other dax memory to bring online; see 'itmectl "
			     "doctor'");
	return save(steps) && fine ? 0 : 1;
}

int take_offline()
{
	const auto text = itme::read_file(record);
	std::vector<TierStep> steps = text ? parse_steps(*text) : std::vector<TierStep>{};

	while (!steps.empty()) {
		if (!undo(steps.back())) {
			save(steps);
			return 1;
		}
		steps.pop_back();
	}
	return save(steps) ? 0 : 1;
}

} // namespace itmed
