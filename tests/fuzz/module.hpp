// SPDX-License-Identifier: GPL-2.0
// The instrumented places of itme.ko: from the file where they are, from sysfs where they are
// loaded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fuzz
{

/// A place is what follows a call to __sanitizer_cov_trace_pc().
class Module
{
public:
	/// Without places.
	Module() = default;
	/// Throws std::runtime_error if the file is no module.
	explicit Module(const std::string &path);

	/// All of them, as offsets into the file.
	std::size_t places() const { return function_of_.size(); }

	/// The place of a kernel address, or 0: offset into the file.
	std::uint64_t place(std::uint64_t pc) const;

	const std::map<std::uint64_t, std::string> &functions() const { return function_of_; }

private:
	struct Section {
		std::uint64_t file_offset;
		std::uint64_t size;
		std::uint64_t address; ///< 0 when not loaded, or not any more
	};

	std::vector<Section> sections_;
	std::map<std::uint64_t, std::string> function_of_; ///< by place
};

} // namespace fuzz
