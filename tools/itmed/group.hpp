// SPDX-License-Identifier: GPL-2.0
// Which files are parts of one model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace itmed
{

/// Of "x-00002-of-00005.gguf".
struct PartName {
	std::string model; ///< the same for all parts
	std::uint32_t part = 1;
	std::uint32_t parts = 1;
};

/// A name that does not say so is that of a model in one part.
PartName part_of(std::string_view name);

} // namespace itmed
