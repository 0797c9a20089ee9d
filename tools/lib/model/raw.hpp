// SPDX-License-Identifier: GPL-2.0
// What the headers of a model say, before anybody has thought about what it means.
#pragma once

#include "model/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

struct RawTensor {
	std::string name;
	std::string_view type;
	std::uint32_t file = 0;
	std::uint64_t offset = 0;
	std::uint64_t size = 0;
	/// How many it is made of along the dimension that changes slowest; they lie one behind the
	/// other.
	std::uint64_t outer = 1;
};

struct RawModel {
	ModelFormat format = ModelFormat::gguf;
	std::string architecture;
	std::vector<ModelFile> files;
	std::vector<RawTensor> tensors;
	std::optional<std::uint64_t> layers; ///< what follows is not for plain decoding
	std::uint64_t expert_count = 0;
	std::uint64_t expert_used = 0;
};

/// Checks that every tensor is in its file and on its own, and brings them into order.
Result<Model> order_model(RawModel raw);

/// Any part of a split model; the others are opened in the same directory.
Result<RawModel> read_gguf(int dir_fd, const std::string &name);
/// A file, or an index of several.
Result<RawModel> read_safetensors(int dir_fd, const std::string &name);

/// Does it begin as a GGUF file does?
bool is_gguf(const char (&magic)[4]);

/// Name and size of a ggml type.
struct GgmlType {
	std::string_view name;
	std::uint32_t block = 1; ///< weights
	std::uint32_t bytes = 1; ///< of a block
};

/// None: it is newer than we are.
std::optional<GgmlType> ggml_type(std::uint32_t number);

} // namespace itme
