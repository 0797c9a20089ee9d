// SPDX-License-Identifier: GPL-2.0
// A model's files: its tensors, where they lie, and in which order a token uses them.
//
// What is in such a file is not believed: it is read with pread() in bounded time and memory, and
// what contradicts itself is an error.
#pragma once

#include "planfile.hpp"
#include "result.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

enum class ModelFormat { gguf, safetensors };

/// What a tensor is for, as far as its name tells.
enum class Role { embedding, norm, attention, router, expert, ffn, output, other };

/// What a token uses of a tensor.
enum class Use {
	whole,
	row,	///< a row of it, looked up
	chosen, ///< the slices of some experts
	never,	///< nothing, when text is decoded: it is for images, or to guess further tokens
};

enum class ExpertPart { gate, up, gate_up, down };

/// A tensor of expert weights: those of expert first + i begin at Tensor::offset + i * stride.
struct ExpertSlices {
	ExpertPart part = ExpertPart::gate;
	std::uint32_t first = 0;
	std::uint32_t count = 1;
	std::uint64_t stride = 0; ///< their size as well

	bool operator==(const ExpertSlices &) const = default;
};

struct Tensor {
	std::string name;
	std::string_view type;	  ///< as the format calls it: "F16", "Q4_K"; "?" is not known
	std::uint32_t file = 0;	  ///< in Model::files
	std::uint64_t offset = 0; ///< from the beginning of the file
	std::uint64_t size = 0;	  ///< all of it is in the file, and shared with no other tensor
	std::optional<std::uint32_t> layer; ///< none: before the first layer, or after the last one
	Role role = Role::other;
	Use use = Use::whole;
	std::uint64_t per_token = 0; ///< bytes that a token uses, of experts on average
	std::optional<ExpertSlices> experts;
};

struct ModelFile {
	std::string name; ///< the last component; by this name a plan speaks of it
	std::string path;
	std::uint64_t size = 0;
	std::uint64_t dev = 0; ///< of stat()
	std::uint64_t ino = 0;
};

struct Model {
	ModelFormat format = ModelFormat::gguf;
	std::string architecture; ///< as the file calls it; empty when nothing tells
	std::vector<ModelFile> files;
	/// In the order of use; at the end those that are never used.
	std::vector<Tensor> tensors;
	std::uint32_t layers = 0;
	std::uint32_t expert_count = 0; ///< of a layer; 0: it is dense
	std::uint32_t expert_used = 0;	///< of them, for a token
	bool tied = false;		///< the embedding is the output matrix too
};

/// A GGUF file (any part of a split one), a safetensors file, an index of safetensors files, or a
/// directory with one of these. Other parts are those of these names in its directory.
Result<Model> read_model(const std::string &path);
/// Of a directory that is open; paths are then those names.
Result<Model> read_model(int dir_fd, const std::string &name);

std::string_view format_name(ModelFormat format);
std::string_view role_name(Role role);
std::string_view use_name(Use use);

/// Of chunks, bytes: what the module takes.
constexpr std::uint64_t chunk_min = std::uint64_t{64} << 10;
constexpr std::uint64_t chunk_max = std::uint64_t{2} << 20;

constexpr bool is_chunk(std::uint64_t size)
{
	return std::has_single_bit(size) && size >= chunk_min && size <= chunk_max;
}

/// The largest chunk with which the slices of experts that a token uses cost at most a quarter more
/// bytes than they have: they begin and end anywhere, so each brings a chunk more than it fills on
/// average. chunk_max of a dense model.
std::uint64_t chunk_for(const Model &model);

/// chunk, or the largest one below it with which what the module keeps free to read ahead for a
/// plan, eight chunks, is at most an eighth of the DRAM budget (Documentation/design.rst, Policy):
/// what stays is that much less. Not below 512 KiB, as a drive reads small chunks more slowly.
/// Bytes.
std::uint64_t chunk_within(std::uint64_t chunk, std::uint64_t dram_budget);

struct ModelPlanOptions {
	std::string name;
	std::uint64_t stage = std::uint64_t{64} << 20; ///< a layer larger than that has several
	/// Of the imported files: ranges are of whole ones, each once in a stage. 0: bytes.
	std::uint64_t chunk = std::uint64_t{2} << 20;
	bool triggers = true;
};

/// The order of use as a plan, cyclic where there are stages.
struct ModelPlan {
	PlanFile plan; ///< files by ModelFile::name; resolve_plan() makes numbers of them
	std::vector<std::optional<std::uint32_t>> layers; ///< of each stage
	std::uint64_t left_out = 0; ///< triggers that the module has no room for
};

/// What is used whole is in the stages; the first use of an expert triggers the rest of it.
/// Files whose name is empty are left out, so that a part of a model can have a plan: also erase
/// tensors that are not to be in it.
Result<ModelPlan> plan_model(const Model &model, const ModelPlanOptions &options);

} // namespace itme
