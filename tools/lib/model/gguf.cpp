// SPDX-License-Identifier: GPL-2.0
// GGUF, versions 2 and 3: counts, metadata, one entry for each tensor, then the data. Numbers are
// little-endian, as those of the machines that this runs on.
#include "model/raw.hpp"
#include "model/source.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <span>

namespace itme
{
namespace
{

static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t magic = 0x46554747; // "GGUF"
constexpr std::uint64_t alignment_default = 32;
constexpr std::uint64_t alignment_max = 1U << 20;
constexpr std::size_t dims_max = 4;
/// Keys that we know are shorter, and so are the values that we want.
constexpr std::uint64_t word_max = 255;
/// An array in an array in ...: nobody writes that.
constexpr int nesting_max = 4;
/// Of a pair, and of a tensor without dimensions.
constexpr std::uint64_t pair_min = 8 + 4 + 1;
constexpr std::uint64_t entry_min = 8 + 4 + 4 + 8;
constexpr std::size_t numbers_max = 256;

enum class Value : std::uint32_t {
	u8,
	i8,
	u16,
	i16,
	u32,
	i32,
	f32,
	boolean,
	text,
	array,
	u64,
	i64,
	f64,
};

/// 0: has no size of its own.
std::uint64_t value_size(Value type)
{
	constexpr std::array<std::uint8_t, 13> sizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
	const auto at = static_cast<std::size_t>(type);

	return at < sizes.size() ? sizes[at] : 0;
}

/// Reads a header from its beginning on, in large pieces.
class Cursor
{
public:
	Cursor(const Source &source, HeaderBudget &budget) : source_(&source), budget_(&budget) {}

	std::uint64_t at() const { return at_; }

	std::uint64_t rest() const { return source_->size() - at_; }

	Result<void> read(void *to, std::size_t length)
	{
		auto *out = static_cast<char *>(to);

		while (length) {
			if (at_ < start_ || at_ >= start_ + filled_)
				if (auto ret = fill(); !ret)
					return ret;
			const auto from = static_cast<std::size_t>(at_ - start_);
			const std::size_t n = std::min(length, filled_ - from);
			std::memcpy(out, buffer_.data() + from, n);
			out += n;
			at_ += n;
			length -= n;
		}
		return {};
	}

	template <class T>
	Result<T> number()
	{
		T value{};

		if (auto ret = read(&value, sizeof(value)); !ret)
			return tl::unexpected(ret.error());
		return value;
	}

	/// What is not looked at is not read either.
	Result<void> skip(std::uint64_t length)
	{
		if (length > rest())
			return source_->bad("the file ends within its header");
		at_ += length;
		return {};
	}

	/// Of a length that was read before.
	Result<std::string> text(std::uint64_t length)
	{
		std::string text(std::min(length, rest()), '\0');

		if (auto ret = read(text.data(), length); !ret)
			return tl::unexpected(ret.error());
		return text;
	}

private:
	Result<void> fill()
	{
		const std::uint64_t n = std::min<std::uint64_t>(buffer_.size(), rest());
		if (!n)
			return source_->bad("the file ends within its header");
		filled_ = 0;
		if (auto ret = source_->read(at_, buffer_.data(), n, *budget_); !ret)
			return ret;
		start_ = at_;
		filled_ = n;
		return {};
	}

	const Source *source_;
	HeaderBudget *budget_;
	std::vector<char> buffer_ = std::vector<char>(1U << 16);
	std::uint64_t start_ = 0;
	std::size_t filled_ = 0;
	std::uint64_t at_ = 0;
};

/// The header of one file.
struct Header {
	std::string architecture;
	std::uint64_t alignment = alignment_default;
	std::map<std::string, std::uint64_t> numbers; ///< those that may be of interest
	std::vector<RawTensor> tensors;

	std::optional<std::uint64_t> number(const std::string &key) const
	{
		const auto at = numbers.find(key);

		return at == numbers.end() ? std::nullopt : std::optional(at->second);
	}
};

bool interesting(std::string_view key)
{
	for (const std::string_view end :
	     {".block_count", ".expert_count", ".expert_used_count", ".nextn_predict_layers"})
		if (key.ends_with(end))
			return true;
	return key == "general.alignment" || key.starts_with("split.");
}

class Reader
{
public:
	Reader(const Source &source, HeaderBudget &budget) : source_(&source), in_(source, budget)
	{
	}

	Result<Header> read()
	{
		const auto counts = read_counts();

		if (!counts)
			return tl::unexpected(counts.error());
		for (std::uint64_t i = 0; i < counts->pairs; i++)
			if (auto ret = read_pair(); !ret)
				return tl::unexpected(ret.error());
		if (auto ret = set_alignment(); !ret)
			return tl::unexpected(ret.error());
		for (std::uint64_t i = 0; i < counts->tensors; i++)
			if (auto ret = read_tensor(); !ret)
				return tl::unexpected(ret.error());
		if (auto ret = place_tensors(); !ret)
			return tl::unexpected(ret.error());
		return std::move(header_);
	}

private:
	struct Counts {
		std::uint64_t tensors = 0;
		std::uint64_t pairs = 0;
	};

	Result<Counts> read_counts()
	{
		std::array<std::uint32_t, 2> head{};
		Counts counts;

		if (auto ret = in_.read(head.data(), sizeof(head)); !ret)
			return tl::unexpected(ret.error());
		if (head[0] != magic)
			return source_->bad("not a GGUF file");
		if (head[1] && !(head[1] & 0xffff))
			return source_->bad("big-endian GGUF; it is of no use on this machine");
		if (head[1] != 2 && head[1] != 3)
			return source_->bad("version {} of GGUF; 2 and 3 are known", head[1]);
		if (auto ret = in_.read(&counts, sizeof(counts)); !ret)
			return tl::unexpected(ret.error());
		if (counts.tensors > tensors_max)
			return source_->bad("{} tensors; {} are more than any model has",
					    counts.tensors, tensors_max);
		if (counts.pairs > in_.rest() / pair_min || counts.tensors > in_.rest() / entry_min)
			return source_->bad("the file is too short for {} keys and {} tensors",
					    counts.pairs, counts.tensors);
		return counts;
	}

	Result<void> skip_text()
	{
		const auto length = in_.number<std::uint64_t>();

		if (!length)
			return tl::unexpected(length.error());
		return in_.skip(*length);
	}

	Result<void> skip_array(int nesting)
	{
		const auto type = in_.number<Value>();
		if (!type)
			return tl::unexpected(type.error());
		const auto count = in_.number<std::uint64_t>();
		if (!count)
			return tl::unexpected(count.error());
		if (const std::uint64_t size = value_size(*type); size) {
			if (*count > in_.rest() / size)
				return source_->bad("the file ends within its header");
			return in_.skip(*count * size);
		}
		if (nesting >= nesting_max)
			return source_->bad("arrays in arrays, more than {} deep", nesting_max);
		// As many as there are bytes for at most: each takes some.
		for (std::uint64_t i = 0; i < *count; i++)
			if (auto ret = skip_value(*type, nesting + 1); !ret)
				return ret;
		return {};
	}

	Result<void> skip_value(Value type, int nesting)
	{
		if (type == Value::text)
			return skip_text();
		if (type == Value::array)
			return skip_array(nesting);
		if (const std::uint64_t size = value_size(type); size)
			return in_.skip(size);
		return source_->bad("a value of type {}; that is none",
				    static_cast<std::uint32_t>(type));
	}

	/// None: it is no number, or a negative one.
	Result<std::optional<std::uint64_t>> number(Value type)
	{
		std::uint64_t value = 0;
		const std::uint64_t size = value_size(type);

		if (!size || type == Value::f32 || type == Value::f64)
			return skip_value(type, 0).map(
				[] { return std::optional<std::uint64_t>(); });
		if (auto ret = in_.read(&value, size); !ret)
			return tl::unexpected(ret.error());
		const bool is_signed = type == Value::i8 || type == Value::i16 ||
				       type == Value::i32 || type == Value::i64;
		if (is_signed && value >> (8 * size - 1))
			return std::nullopt;
		return value;
	}

	/// Empty, when it is longer than any that is known.
	Result<std::string> word()
	{
		const auto length = in_.number<std::uint64_t>();

		if (!length)
			return tl::unexpected(length.error());
		if (*length > word_max)
			return in_.skip(*length).map([] { return std::string(); });
		return in_.text(*length);
	}

	Result<void> read_pair()
	{
		const auto key = word();
		if (!key)
			return tl::unexpected(key.error());
		const auto type = in_.number<Value>();
		if (!type)
			return tl::unexpected(type.error());
		if (*key == "general.architecture" && *type == Value::text) {
			auto architecture = word();
			if (!architecture)
				return tl::unexpected(architecture.error());
			header_.architecture = std::move(*architecture);
			return {};
		}
		if (!interesting(*key))
			return skip_value(*type, 0);
		const auto value = number(*type);
		if (!value)
			return tl::unexpected(value.error());
		if (*value && !header_.numbers.emplace(*key, **value).second)
			return source_->bad("'{}' is given twice", *key);
		if (header_.numbers.size() > numbers_max)
			return source_->bad("more counts than any model has");
		return {};
	}

	Result<void> set_alignment()
	{
		header_.alignment = header_.number("general.alignment").value_or(alignment_default);
		if (!std::has_single_bit(header_.alignment) || header_.alignment > alignment_max)
			return source_->bad("an alignment of {}; it is no power of two up to {}",
					    header_.alignment, alignment_max);
		return {};
	}

	Result<void> read_tensor()
	{
		std::array<std::uint64_t, dims_max> dims{};
		RawTensor tensor;

		const auto length = in_.number<std::uint64_t>();
		if (!length)
			return tl::unexpected(length.error());
		if (!*length || *length > tensor_name_max)
			return source_->bad("the name of a tensor has {} bytes; 1 to {} are right",
					    *length, tensor_name_max);
		auto name = in_.text(*length);
		if (!name)
			return tl::unexpected(name.error());
		tensor.name = std::move(*name);

		const auto count = in_.number<std::uint32_t>();
		if (!count)
			return tl::unexpected(count.error());
		if (*count > dims_max)
			return source_->bad("{}: {} dimensions; there are up to {}", tensor.name,
					    *count, dims_max);
		if (auto ret = in_.read(dims.data(), *count * sizeof(dims[0])); !ret)
			return ret;
		const auto type = in_.number<std::uint32_t>();
		if (!type)
			return tl::unexpected(type.error());
		const auto offset = in_.number<std::uint64_t>();
		if (!offset)
			return tl::unexpected(offset.error());
		if (*offset % header_.alignment)
			return source_->bad("{}: offset {} is not aligned to {}", tensor.name,
					    *offset, header_.alignment);
		tensor.offset = *offset;
		tensor.outer = *count > 1 ? dims[*count - 1] : 1;
		return set_size(std::move(tensor), *type, {dims.data(), *count});
	}

	Result<void> set_size(RawTensor tensor, std::uint32_t number,
			      std::span<const std::uint64_t> dims)
	{
		const auto type = ggml_type(number);
		std::uint64_t size = type ? type->bytes : 1;
		const std::uint64_t row = dims.empty() ? 1 : dims[0];

		tensor.type = type ? type->name : "?";
		if (type && row % type->block)
			return source_->bad("{}: rows of {} are no blocks of {}", tensor.name, row,
					    type->block);
		for (std::size_t i = 0; i < dims.size(); i++)
			if (__builtin_mul_overflow(size, i || !type ? dims[i] : row / type->block,
						   &size))
				return source_->bad("{}: larger than any file", tensor.name);
		tensor.size = type ? size : unknown_size;
		header_.tensors.push_back(std::move(tensor));
		return {};
	}

	/// Offsets are from the beginning of the data so far.
	Result<void> place_tensors()
	{
		const std::uint64_t data = (in_.at() + header_.alignment - 1) & -header_.alignment;
		auto &tensors = header_.tensors;

		if (!tensors.empty() && data > source_->size())
			return source_->bad("the file ends before its data");
		for (auto &tensor : tensors)
			if (__builtin_add_overflow(tensor.offset, data, &tensor.offset) ||
			    tensor.offset > source_->size())
				return source_->bad("{}: it begins after the end of the file",
						    tensor.name);
		// Of a type that is not known, it goes on to where the next one begins.
		std::vector<std::uint64_t> starts{source_->size()};
		for (const auto &tensor : tensors)
			starts.push_back(tensor.offset);
		std::sort(starts.begin(), starts.end());
		for (auto &tensor : tensors)
			if (tensor.size == unknown_size)
				tensor.size = *std::upper_bound(starts.begin(), starts.end() - 1,
								tensor.offset) -
					      tensor.offset;
		return {};
	}

	static constexpr std::uint64_t unknown_size = ~std::uint64_t{0};

	const Source *source_;
	Cursor in_;
	Header header_;
};

/// "model-00002-of-00003.gguf"
struct SplitName {
	std::string stem;
	std::uint64_t part = 0;
	std::uint64_t parts = 0;

	std::string of(std::uint64_t i) const
	{
		return fmt::format("{}-{:05}-of-{:05}.gguf", stem, i, parts);
	}
};

std::optional<SplitName> parse_split(const std::string &name)
{
	constexpr std::string_view like = "-00001-of-00002.gguf";
	SplitName split;

	if (name.size() <= like.size())
		return std::nullopt;
	split.stem = name.substr(0, name.size() - like.size());
	const char *digits = name.data() + split.stem.size();
	std::from_chars(digits + 1, digits + 6, split.part);
	std::from_chars(digits + 10, digits + 15, split.parts);
	if (split.of(split.part) != name || !split.part || split.part > split.parts)
		return std::nullopt;
	return split;
}

struct Part {
	ModelFile file;
	Header header;
};

Result<Part> read_part(int dir_fd, const std::string &name, HeaderBudget &budget)
{
	const auto source = Source::open(dir_fd, name);

	if (!source)
		return tl::unexpected(source.error());
	auto header = Reader(*source, budget).read();
	if (!header)
		return tl::unexpected(header.error());
	return Part{source->file(), std::move(*header)};
}

Result<void> check_part(const Part &part, std::uint64_t number, std::uint64_t count)
{
	if (part.header.number("split.count").value_or(1) != count ||
	    part.header.number("split.no").value_or(0) != number)
		return fail(EINVAL, "{}: its header says that it is part {} of {}", part.file.name,
			    part.header.number("split.no").value_or(0) + 1,
			    part.header.number("split.count").value_or(1));
	return {};
}

Result<std::vector<Part>> read_parts(int dir_fd, const std::string &name)
{
	HeaderBudget budget = header_max;
	std::vector<Part> parts;
	auto given = read_part(dir_fd, name, budget);

	if (!given)
		return tl::unexpected(given.error());
	const std::uint64_t count = given->header.number("split.count").value_or(1);
	if (count <= 1) {
		parts.push_back(std::move(*given));
		return parts;
	}
	const auto split = parse_split(name);
	if (count > files_max || !split || split->parts != count)
		return fail(EINVAL,
			    "{}: one of {} parts, and not called NAME-0000N-of-{:05}.gguf: the "
			    "others cannot be found",
			    given->file.name, count, count);
	std::uint64_t tensors = 0;
	for (std::uint64_t i = 0; i < count; i++) {
		auto part = i + 1 == split->part ? std::move(given)
						 : read_part(dir_fd, split->of(i + 1), budget);
		if (!part)
			return tl::unexpected(part.error());
		if (auto ret = check_part(*part, i, count); !ret)
			return tl::unexpected(ret.error());
		// Of each part as it comes: there may be many, each with as many as one may have.
		tensors += part->header.tensors.size();
		if (tensors > tensors_max)
			return fail(EINVAL, "{}: more than {} tensors in all parts", name,
				    tensors_max);
		parts.push_back(std::move(*part));
	}
	return parts;
}

} // namespace

bool is_gguf(const char (&bytes)[4])
{
	return !std::memcmp(bytes, &magic, sizeof(magic));
}

Result<RawModel> read_gguf(int dir_fd, const std::string &name)
{
	auto parts = read_parts(dir_fd, name);
	RawModel model;

	if (!parts)
		return tl::unexpected(parts.error());
	const Header &first = parts->front().header;
	const auto number = [&](const char *key) { return first.number(first.architecture + key); };
	model.format = ModelFormat::gguf;
	model.architecture = first.architecture;
	model.expert_count = number(".expert_count").value_or(0);
	model.expert_used = number(".expert_used_count").value_or(0);
	model.layers = number(".block_count");
	// The last layers guess further tokens.
	const std::uint64_t guess = number(".nextn_predict_layers").value_or(0);
	if (model.layers && guess < *model.layers)
		*model.layers -= guess;

	const auto all = first.number("split.tensors.count");
	for (auto &part : *parts) {
		for (auto &tensor : part.header.tensors) {
			tensor.file = static_cast<std::uint32_t>(model.files.size());
			model.tensors.push_back(std::move(tensor));
		}
		model.files.push_back(std::move(part.file));
	}
	if (all && parts->size() > 1 && *all != model.tensors.size())
		return fail(EINVAL, "{}: {} tensors in all parts, and its header says {}", name,
			    model.tensors.size(), *all);
	return model;
}

} // namespace itme
