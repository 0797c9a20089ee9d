// SPDX-License-Identifier: GPL-2.0
// The calls a program is made of: their names, their arguments, and what runs them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fuzz
{

class Executor;
struct Call;

/// A value that has a name in the text form, and is drawn more often than others.
struct Choice {
	std::string_view name;
	std::uint64_t value;
};

/// What an argument is, which says how it is drawn.
enum class Kind {
	choice,	  ///< mostly one of the field's choices
	offset,	  ///< into a file
	length,	  ///< of a range or buffer
	small,	  ///< a count of a few
	reserved, ///< must be zero, and mostly is
	root_fd,  ///< slots: descriptors of the root directory,
	file_fd,  ///< of an itmefs file,
	lower_fd, ///< of a lower file,
	socket,	  ///< of netlink,
	prefetch, ///< of ITME_IOC_PREFETCH,
	new_fd,	  ///< or the slot that is overwritten
	map,	  ///< slot of a mapping
	name,	  ///< text: of an imported file
	options,  ///< text: of a mount
};

struct Field {
	std::string_view name;
	Kind kind;
	std::span<const Choice> choices = {};
};

constexpr bool is_text(Kind kind)
{
	return kind == Kind::name || kind == Kind::options;
}

/// Which slot of which kind an op fills, so that a generator can put it before those that use it.
enum class Makes { nothing, root, file, lower, map };

struct Op {
	std::string_view name;
	unsigned weight; ///< how often it is drawn
	std::span<const Field> fields;
	void (*run)(Executor &, const Call &);
	Makes makes = Makes::nothing;
};

std::span<const Op> ioctl_ops();
std::span<const Op> mount_ops();
std::span<const Op> file_ops();
std::span<const Op> map_ops();
std::span<const Op> dir_ops();
std::span<const Op> odd_ops();
std::span<const Op> prefetch_ops();
std::span<const Op> swap_ops();
std::span<const Op> netlink_ops();

/// All of them, as pointers to the tables above.
std::span<const Op *const> all_ops();
const Op *find_op(std::string_view name);

/// Slots: 0 is the root directory's by custom, then itmefs files, lower files, one for the rest,
/// sockets, and prefetches.
constexpr unsigned fd_slots = 12;
constexpr unsigned first_file = 1;
constexpr unsigned first_lower = 4;
constexpr unsigned first_other = 7;
constexpr unsigned first_socket = 8;
constexpr unsigned first_prefetch = 10;
constexpr unsigned map_slots = 4;

} // namespace fuzz
