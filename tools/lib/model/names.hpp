// SPDX-License-Identifier: GPL-2.0
// What the name of a tensor tells: those of GGUF, and those of the models that are published as
// safetensors.
#pragma once

#include "model/model.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace itme
{

/// The parts of a token's way through a model.
enum class Phase : std::uint8_t { before, layers, after, never };

struct TensorPlace {
	Phase phase = Phase::layers;
	std::optional<std::uint32_t> layer;
	std::uint32_t rank = 0; ///< in the layer, or in the phase
	Role role = Role::other;
	std::optional<ExpertPart> part;	     ///< of experts
	std::optional<std::uint32_t> expert; ///< of one alone
	bool looked_up = false;		     ///< by row
	bool tokens = false;		     ///< the embedding of tokens
};

TensorPlace place_of(std::string_view name);

} // namespace itme
