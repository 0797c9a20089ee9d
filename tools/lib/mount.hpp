// SPDX-License-Identifier: GPL-2.0
// An itmefs mount: tiers, files, counters.
#pragma once

#include "device.hpp"
#include "file.hpp"
#include "mountinfo.hpp"
#include "swap.hpp"

#include <cstdint>
#include <linux/itme.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace itme
{

struct Tier {
	itme_tier tier = ITME_TIER_DRAM;
	std::vector<int> nodes;
	std::uint64_t budget = 0;
	std::uint64_t used = 0;
	std::uint64_t pinned = 0;
	std::uint64_t busy = 0;
	std::uint64_t capacity = 0;
	std::uint64_t free = 0;
};

struct ImportRequest {
	std::string path;
	std::string name;	      ///< empty: the last component of the path
	std::uint64_t chunk_size = 0; ///< 0: the module's default
};

class Mount
{
public:
	Mount(std::unique_ptr<Device> device, std::string path);

	const std::string &path() const { return path_; }

	Result<itme_info> info();
	Result<Tier> tier(itme_tier tier);
	/// Returns the tier as it is afterwards.
	Result<Tier> set_budget(itme_tier tier, std::uint64_t bytes);

	/// Regular files, by their path from the root; those in directories one may not look into
	/// are left out.
	Result<std::vector<std::string>> names();
	Result<File> open(const std::string &name);
	/// Those that one may open.
	Result<std::vector<Object>> objects();
	Result<Object> import(const ImportRequest &request);
	/// The object made from the file that path leads to, if there is one.
	Result<std::optional<Object>> find_import(const std::string &path);
	Result<void> remove(const std::string &name);

	Result<itme_stats> stats();

	/// What may be written below a directory that is open at dir and empty.
	Result<void> limit(int dir, std::uint64_t bytes);

	Result<std::vector<SwapArea>> swap_areas();
	/// Returns the area as it is afterwards.
	Result<SwapArea> swap_add(const SwapRequest &request);
	/// What lies there goes elsewhere first; a signal to the thread ends that.
	Result<void> swap_remove(const SwapArea &area);

private:
	Raw<void> root_ioctl(unsigned long request, void *arg);

	std::unique_ptr<Device> device_;
	std::string path_;
};

/// The mount of the whole tree: binds of single files, as run makes them, do not count.
std::optional<MountEntry> find_itmefs(const std::vector<MountEntry> &mounts);

/// dir empty: the first itmefs of /proc/self/mountinfo.
Result<Mount> open_mount(const std::string &dir);

} // namespace itme
