// SPDX-License-Identifier: GPL-2.0
// The places of the module that programs have come by.
#pragma once

#include "module.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace fuzz
{

using Places = std::set<std::uint64_t>;

class Cover
{
public:
	explicit Cover(const Module &module) : module_(module) {}

	/// Adds to @places those of the module among addresses of the kernel.
	void locate(std::span<const std::uint64_t> pcs, Places &places) const;
	/// Those of @places that were not reached before.
	Places fresh(const Places &places) const;
	void add(const Places &places);

	std::size_t reached() const { return reached_.size(); }

	/// How many places of how many, and the functions of which none was reached; a line each.
	std::vector<std::string> report() const;

private:
	const Module &module_;
	Places reached_;
};

} // namespace fuzz
