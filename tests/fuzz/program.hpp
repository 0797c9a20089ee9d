// SPDX-License-Identifier: GPL-2.0
// A program: a short sequence of calls, and its text form, one call a line.
//
//	mount options="dram=8M,cxl=8M"
//	lower file=over to=4
//	import lower=4 name="a"
//	open name="a" to=1
//	& pread fd=1 length=0x200000
//
// What is not written is 0 or empty. Lines with & are run by a second thread, from the first of
// them on beside the rest. # begins a comment.
#pragma once

#include "op.hpp"

#include <string>
#include <vector>

namespace fuzz
{

/// An argument; which of the two counts is the field's kind to say.
struct Arg {
	std::uint64_t value = 0;
	std::string text;

	bool operator==(const Arg &) const = default;
};

struct Call {
	const Op *op = nullptr;
	bool second = false; ///< run by the second thread
	std::vector<Arg> args;

	explicit Call(const Op &of) : op(&of), args(of.fields.size()) {}

	/// By the field's name; it is a bug of ours if there is none.
	std::uint64_t value(std::string_view field) const;
	const std::string &text(std::string_view field) const;
	void set(std::string_view field, std::uint64_t value);
	void set(std::string_view field, std::string text);

	bool operator==(const Call &) const = default;
};

struct Program {
	std::vector<Call> calls;

	static constexpr std::size_t max_calls = 24;

	std::string text() const;

	bool operator==(const Program &) const = default;
};

/// Throws std::runtime_error that names the line.
Program parse(std::string_view text);
/// Reads and parses; throws std::runtime_error that names the file.
Program load(const std::string &path);

} // namespace fuzz
