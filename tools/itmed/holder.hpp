// SPDX-License-Identifier: GPL-2.0
// Who uses a file: the control group of the process that the kernel has named.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace itmed
{

/// The path in the unified hierarchy, of the text of /proc/PID/cgroup; empty: it has none.
std::string parse_cgroup(std::string_view text);

/// Of the process, if it has begun before time (CLOCK_MONOTONIC, ns; 0: any): its number may be
/// that of another one by now. Reads two files of that process, and no others.
std::string cgroup_of(std::uint32_t pid, std::uint64_t time, const std::string &proc = "/proc");

/// Of this boot of the machine.
std::string boot_id();

} // namespace itmed
