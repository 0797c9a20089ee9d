// SPDX-License-Identifier: GPL-2.0
// Swap areas: where written data lies that is not in memory.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

struct SwapArea {
	std::uint32_t id = 0;
	std::uint32_t flags = 0; ///< ITME_SWAP_*
	std::int32_t prio = 0;
	std::uint64_t bytes = 0;
	std::uint64_t used = 0;
	std::uint64_t read_bytes = 0;
	std::uint64_t write_bytes = 0;
	std::uint64_t errors = 0;
	std::string path;
	std::string label;
	std::string uuid; ///< as mkswap prints it; empty when there is none
};

struct SwapRequest {
	std::string path;
	std::int32_t prio = -1; ///< -1: below all that are there
	bool check = false;	///< verify what comes back
};

/// What the head of a device or file says about its use as swap area.
enum class SwapHeader {
	ours,	    ///< what mkswap writes, on a machine of whichever byte order
	none,	    ///< not from mkswap
	hibernated, ///< holds the memory of a machine that sleeps
	page_size,  ///< from a machine of another page size
	version,    ///< older than version 1
	unreadable, ///< too short, or not readable
};

SwapHeader read_swap_header(int fd);

/// The one that a user means: by path, or by number where no path fits.
std::optional<SwapArea> find_swap(const std::vector<SwapArea> &areas, const std::string &name);

/// Whether /proc/swaps names it.
bool in_proc_swaps(std::string_view proc_swaps, std::string_view path);

} // namespace itme
