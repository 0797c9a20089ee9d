// SPDX-License-Identifier: GPL-2.0
// The lower files a program can open: good ones of known content, and hostile ones.
#pragma once

#include "op.hpp"

#include <string>

namespace fuzz
{

enum class Lower : std::uint64_t {
	small,	 ///< 100 bytes
	page,	 ///< one page
	odd,	 ///< 64 KiB and a byte
	chunk,	 ///< one chunk
	over,	 ///< a chunk and a byte
	few,	 ///< some chunks, the last of them short
	big,	 ///< more than the smallest budgets hold
	sparse,	 ///< a hole with a page of data at its end
	vast,	 ///< a hole of more than 2 GiB
	scratch, ///< changed by programs
	empty,
	tmpfs,
	directory,
	null,
	drive,
	fifo,
	proc,
	itmefs, ///< a file of the mount itself
	area,	///< a swap area
	area2,	///< a smaller one
	untrue, ///< one whose header says what cannot be
	number,
};

std::span<const Choice> lower_choices();

/// Makes them all; throws std::runtime_error.
void make_lowers(const std::string &dir);
/// As it was, if a program has changed it.
void remake_scratch();
std::string lower_path(Lower which);

/// The size tells files of known content apart, so no two have the same.
bool known_size(std::uint64_t size);
/// The place of the first byte that is not that of the file of this size, or -1.
std::int64_t first_wrong(std::uint64_t file_size, std::uint64_t offset, const void *data,
			 std::size_t length);

} // namespace fuzz
