// SPDX-License-Identifier: GPL-2.0
// Who keeps an itmefs from being unmounted, or the module from being removed.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

namespace itme
{

struct Holder {
	int pid = 0;
	std::string command;
	uid_t uid = 0;
	std::string kind;   ///< fd, map, cwd, root, exe or mount
	std::string name;   ///< the path as the process sees it
	std::string detail; ///< number of the fd, address range, mount namespace
};

struct HolderScan {
	std::string proc = "/proc";
	std::string fstype = "itmefs";
	std::int64_t magic = 0;
	std::set<dev_t> devices; ///< known beforehand, beside those found in tables of mounts
	int skip_pid = 0;	 ///< ourselves
};

struct HolderList {
	std::vector<Holder> holders;
	int unreadable = 0; ///< processes that could not be looked into: not root
};

Result<HolderList> find_holders(const HolderScan &scan);

} // namespace itme
