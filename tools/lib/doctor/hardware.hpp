// SPDX-License-Identifier: GPL-2.0
// CXL and dax devices.
#pragma once

#include "doctor/root.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace itme
{

struct DaxDevice {
	enum class Mode { disabled, devdax, system_ram };

	std::string name;
	std::uint64_t size = 0;
	int target_node = -1;
	Mode mode = Mode::disabled;
	bool online = false; ///< all of it, when system_ram
};

struct CxlMemory {
	std::string name;
	std::uint64_t ram = 0; ///< bytes of volatile memory
};

struct CxlRegion {
	std::string name;
	std::uint64_t size = 0;
	bool enabled = false;
};

struct Hardware {
	std::vector<CxlMemory> memories;
	std::vector<CxlRegion> regions;
	std::vector<DaxDevice> dax;
};

/// libcxl and libdaxctl on the running system; they know no other root, so a fixture is read
/// from its sysfs files directly.
Hardware probe_hardware(const Root &root);
Hardware probe_sysfs(const Root &root);

} // namespace itme
