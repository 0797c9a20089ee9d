// SPDX-License-Identifier: GPL-2.0
// Model files that a test makes, right ones and wrong ones. Their data are holes.
#pragma once

#include "temp_tree.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace itme::test
{

/// HeaderBytes of a header: little-endian numbers and texts with their length before them.
class HeaderBytes
{
public:
	template <class T>
	HeaderBytes &raw(T value)
	{
		text_.append(reinterpret_cast<const char *>(&value), sizeof(value));
		return *this;
	}

	HeaderBytes &text(const std::string &text)
	{
		raw<std::uint64_t>(text.size());
		text_ += text;
		return *this;
	}

	const std::string &str() const { return text_; }

private:
	std::string text_;
};

enum GgufType : std::uint32_t { gguf_f32 = 0, gguf_f16 = 1, gguf_q8_0 = 8 };

/// A GGUF file: what is not said is as it should be.
class Gguf
{
public:
	std::uint32_t version = 3;
	std::uint64_t alignment = 32;
	std::uint64_t tensor_count = 0; ///< 0: as many as there are
	std::uint64_t pair_count = 0;

	Gguf &text(const std::string &key, const std::string &value)
	{
		pairs_.text(key).raw<std::uint32_t>(8).text(value);
		count_++;
		return *this;
	}

	Gguf &u32(const std::string &key, std::uint32_t value)
	{
		return number<std::uint32_t>(key, 4, value);
	}

	Gguf &u16(const std::string &key, std::uint16_t value)
	{
		return number<std::uint16_t>(key, 2, value);
	}

	Gguf &i32(const std::string &key, std::int32_t value)
	{
		return number<std::int32_t>(key, 5, value);
	}

	/// A pair with a value that is bytes already.
	Gguf &pair(const std::string &key, std::uint32_t type, const std::string &value)
	{
		pairs_.text(key).raw(type);
		for (const char c : value)
			pairs_.raw(c);
		count_++;
		return *this;
	}

	Gguf &tensor(const std::string &name, std::vector<std::uint64_t> dims,
		     std::uint32_t type = gguf_f32)
	{
		std::uint64_t weights = 1;

		for (const auto dim : dims)
			weights *= dim;
		const std::uint64_t size = type == gguf_f32   ? weights * 4
					   : type == gguf_f16 ? weights * 2
							      : weights / 32 * 34;
		return tensor_at(name, std::move(dims), type, data_, size);
	}

	Gguf &tensor_at(const std::string &name, std::vector<std::uint64_t> dims,
			std::uint32_t type, std::uint64_t offset, std::uint64_t size)
	{
		entries_.text(name).raw(static_cast<std::uint32_t>(dims.size()));
		for (const auto dim : dims)
			entries_.raw(dim);
		entries_.raw(type).raw(offset);
		tensors_++;
		data_ = offset + (size + alignment - 1) / alignment * alignment;
		return *this;
	}

	/// Without the data.
	std::string header() const
	{
		HeaderBytes head;

		head.raw<std::uint32_t>(0x46554747).raw(version);
		head.raw(tensor_count ? tensor_count : tensors_);
		head.raw(pair_count ? pair_count : count_);
		std::string text = head.str() + pairs_.str() + entries_.str();
		text.resize((text.size() + alignment - 1) / alignment * alignment);
		return text;
	}

	std::string write(const TempTree &tree, const std::string &name) const
	{
		const std::string text = header();
		auto path = tree.write(name, text);

		std::filesystem::resize_file(path, text.size() + data_);
		return path;
	}

private:
	template <class T>
	Gguf &number(const std::string &key, std::uint32_t type, T value)
	{
		pairs_.text(key).raw(type).raw(value);
		count_++;
		return *this;
	}

	HeaderBytes pairs_;
	HeaderBytes entries_;
	std::uint64_t count_ = 0;
	std::uint64_t tensors_ = 0;
	std::uint64_t data_ = 0;
};

/// A safetensors file.
class Safetensors
{
public:
	Safetensors &tensor(const std::string &name, std::vector<std::uint64_t> shape)
	{
		std::uint64_t size = 2;

		for (const auto n : shape)
			size *= n;
		json_[name] = {{"dtype", "BF16"},
			       {"shape", shape},
			       {"data_offsets", {data_, data_ + size}}};
		data_ += size;
		return *this;
	}

	nlohmann::ordered_json &json() { return json_; }

	std::string header() const { return HeaderBytes().text(json_.dump()).str(); }

	std::string write(const TempTree &tree, const std::string &name) const
	{
		const std::string text = header();
		auto path = tree.write(name, text);

		std::filesystem::resize_file(path, text.size() + data_);
		return path;
	}

private:
	nlohmann::ordered_json json_ = nlohmann::ordered_json::object();
	std::uint64_t data_ = 0;
};

} // namespace itme::test
