// SPDX-License-Identifier: GPL-2.0
// What the module tells unasked.
#pragma once

#include "channel.hpp"

#include <array>
#include <cstdint>
#include <linux/itme_netlink.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace itme
{

/// Which attributes there are depends on the kind.
struct Event {
	std::uint8_t command = 0; ///< ITME_CMD_*_NTF
	std::uint64_t time = 0;	  ///< CLOCK_MONOTONIC, ns
	std::uint64_t lost = 0;	  ///< events before this one that nobody was told
	std::optional<std::uint32_t> object;
	std::optional<std::string> name;
	std::optional<std::uint32_t> plan;
	std::optional<std::uint32_t> stage;
	std::optional<std::uint64_t> offset;
	std::optional<std::uint64_t> bytes;
	std::optional<std::uint64_t> ns;
	std::optional<std::uint32_t> error; ///< an errno
	std::optional<std::uint32_t> pid;   ///< who did it
};

constexpr std::array<std::pair<std::uint8_t, std::string_view>, 7> event_names{{
	{ITME_CMD_OBJECT_NEW_NTF, "object-new"},
	{ITME_CMD_OBJECT_GONE_NTF, "object-gone"},
	{ITME_CMD_OBJECT_MAPPED_NTF, "object-mapped"},
	{ITME_CMD_STAGE_NTF, "stage"},
	{ITME_CMD_STALL_NTF, "stall"},
	{ITME_CMD_PRESSURE_NTF, "pressure"},
	{ITME_CMD_IO_ERROR_NTF, "io-error"},
}};

/// Empty for one that this libitme does not know.
std::string_view event_name(std::uint8_t command);
Event event_of(const Reply &message);

} // namespace itme
