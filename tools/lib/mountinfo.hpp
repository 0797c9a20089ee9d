// SPDX-License-Identifier: GPL-2.0
// /proc/PID/mountinfo, see proc_pid_mountinfo(5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace itme
{

struct MountEntry {
	int id = 0;
	dev_t dev = 0;
	std::string root;  ///< what of the file system is mounted: "/" unless it is a bind
	std::string point; ///< where, as the reader's root sees it
	std::string fstype;
	std::string source;
	std::string options; ///< of the super block, not of the mount

	/// Value of an option of the super block; empty when it is not there.
	std::string option(std::string_view name) const;
};

/// Lines that do not parse are left out: a table of mounts is never ours to reject.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

/// Undo the kernel's octal escapes: a\040b is "a b".
std::string unescape_octal(std::string_view text);

} // namespace itme
