// SPDX-License-Identifier: GPL-2.0
// safetensors: the length of a JSON object, the object, the data. Of several files, an index says
// in which one each tensor is. What a model is made of is in the config.json beside it.
#include "model/json.hpp"
#include "model/raw.hpp"
#include "model/source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

namespace itme
{
namespace
{

constexpr std::uint64_t config_max = 1U << 20;
constexpr std::size_t shape_max = 16;

using Why = JsonReader::Why;

/// Bits of a weight.
struct Dtype {
	std::string_view name;
	std::uint32_t bits = 0;
};

constexpr std::array<Dtype, 22> dtypes{{
	{"F64", 64},	{"F32", 32},	{"F16", 16},	    {"BF16", 16},	{"F8_E4M3", 8},
	{"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6},
	{"F6_E3M2", 6}, {"F4", 4},	{"I64", 64},	    {"I32", 32},	{"I16", 16},
	{"I8", 8},	{"U64", 64},	{"U32", 32},	    {"U16", 16},	{"U8", 8},
	{"BOOL", 8},	{"C64", 64},
}};

Result<std::string> read_all(const Source &source, std::uint64_t offset, std::uint64_t length,
			     HeaderBudget &budget)
{
	if (length > budget || length > source.size())
		return fail(EFBIG, "{}: a header of {} bytes; that is none", source.file().name,
			    length);
	std::string text(length, '\0');
	if (auto ret = source.read(offset, text.data(), length, budget); !ret)
		return tl::unexpected(ret.error());
	return text;
}

/// The header of one file, value by value.
class Table
{
public:
	Table(const Source &source, std::uint64_t data) : source_(&source), data_(data) {}

	std::vector<RawTensor> take() { return std::move(tensors_); }

	Why begin(const JsonPath &path)
	{
		if (path.size() != 1)
			return std::nullopt;
		now_ = Entry{};
		return path[0].empty() ? Why("a tensor without a name") : std::nullopt;
	}

	Why value(const JsonPath &path, const JsonValue &value)
	{
		if (path.empty() || path[0] == "__metadata__")
			return path.empty() ? Why("not an object") : std::nullopt;
		if (path.size() == 2 && path[1] == "dtype")
			return set_type(path[0], value);
		if (path.size() == 3 && path[1] == "shape" && path[2].empty())
			return add(path[0], now_.shape, shape_max, value);
		if (path.size() == 3 && path[1] == "data_offsets" && path[2].empty())
			return add(path[0], now_.offsets, 2, value);
		return fmt::format("'{}': neither dtype, shape nor data_offsets", path[0]);
	}

	Why end(const JsonPath &path)
	{
		if (path.size() != 1 || path[0] == "__metadata__")
			return std::nullopt;
		if (tensors_.size() >= tensors_max)
			return fmt::format("more than {} tensors", tensors_max);
		if (now_.type.empty() || now_.offsets.size() != 2)
			return fmt::format("'{}' has no dtype, or no data_offsets", path[0]);
		const std::uint64_t begin = now_.offsets[0];
		const std::uint64_t end = now_.offsets[1];
		if (begin > end || end > source_->size() - data_)
			return fmt::format("'{}' ends after the end of the file, or before it "
					   "begins",
					   path[0]);
		if (!fits(end - begin))
			return fmt::format("'{}': {} bytes are not what its shape says", path[0],
					   end - begin);
		RawTensor tensor;
		tensor.name = path[0];
		tensor.type = now_.type;
		tensor.offset = data_ + begin;
		tensor.size = end - begin;
		tensor.outer = now_.shape.size() > 1 ? now_.shape[0] : 1;
		tensors_.push_back(std::move(tensor));
		return std::nullopt;
	}

private:
	struct Entry {
		std::string_view type;
		std::uint32_t bits = 0;
		std::vector<std::uint64_t> shape;
		std::vector<std::uint64_t> offsets;
	};

	Why set_type(const std::string &name, const JsonValue &value)
	{
		if (!value.text || !now_.type.empty())
			return fmt::format("'{}': no dtype, or two", name);
		now_.type = "?";
		for (const auto &dtype : dtypes)
			if (dtype.name == *value.text) {
				now_.type = dtype.name;
				now_.bits = dtype.bits;
			}
		return std::nullopt;
	}

	static Why add(const std::string &name, std::vector<std::uint64_t> &to, std::size_t max,
		       const JsonValue &value)
	{
		if (!value.number)
			return fmt::format("'{}': not a count", name);
		if (to.size() >= max)
			return fmt::format("'{}': more than {} numbers, or the key twice", name,
					   max);
		to.push_back(*value.number);
		return std::nullopt;
	}

	/// A type that is not known may be of any size.
	bool fits(std::uint64_t bytes) const
	{
		std::uint64_t bits = now_.bits;
		std::uint64_t have = 0;

		if (!bits)
			return true;
		for (const std::uint64_t n : now_.shape)
			if (__builtin_mul_overflow(bits, n, &bits))
				return false;
		return !__builtin_mul_overflow(bytes, std::uint64_t{8}, &have) && bits == have;
	}

	const Source *source_;
	std::uint64_t data_;
	Entry now_;
	std::vector<RawTensor> tensors_;
};

struct Shard {
	ModelFile file;
	std::vector<RawTensor> tensors;
};

Result<Shard> read_shard(int dir_fd, const std::string &name, HeaderBudget &budget)
{
	const auto source = Source::open(dir_fd, name);
	std::uint64_t length = 0;

	if (!source)
		return tl::unexpected(source.error());
	if (auto ret = source->read(0, &length, sizeof(length), budget); !ret)
		return tl::unexpected(ret.error());
	if (length > header_max || length > source->size() - sizeof(length))
		return source->bad("a header of {} bytes: not a safetensors file, or cut off",
				   length);
	const auto text = read_all(*source, sizeof(length), length, budget);
	if (!text)
		return tl::unexpected(text.error());

	Table table(*source, sizeof(length) + length);
	const auto why = read_json(*text, {[&](const JsonPath &path) { return table.begin(path); },
					   [&](const JsonPath &path) { return table.end(path); },
					   [&](const JsonPath &path, const JsonValue &value) {
						   return table.value(path, value);
					   }});
	if (why)
		return source->bad("{}", *why);
	return Shard{source->file(), table.take()};
}

/// A plain name in the same directory, and nothing that leads out of it.
bool is_plain(const std::string &name)
{
	return !name.empty() && name.size() <= 255 && name[0] != '.' &&
	       name.find_first_of(std::string_view("/\0", 2)) == std::string::npos &&
	       name.ends_with(".safetensors");
}

/// Which tensor is where: pairs of a name and the number of a file.
struct Index {
	std::vector<std::string> files;
	std::vector<std::pair<std::string, std::uint32_t>> tensors;
};

class IndexReader
{
public:
	Why value(const JsonPath &path, const JsonValue &value)
	{
		if (path.empty())
			return "not an object";
		if (path[0] != "weight_map")
			return std::nullopt;
		if (path.size() != 2 || !value.text)
			return "'weight_map' does not map names to names";
		if (!is_plain(*value.text))
			return fmt::format("'{}' is not the name of a safetensors file beside the "
					   "index",
					   value.text->substr(0, 255));
		const auto [at, added] = numbers_.emplace(
			*value.text, static_cast<std::uint32_t>(index_.files.size()));
		if (added)
			index_.files.push_back(*value.text);
		if (index_.files.size() > files_max || index_.tensors.size() >= tensors_max)
			return fmt::format("more than {} files or {} tensors", files_max,
					   tensors_max);
		index_.tensors.emplace_back(path[1], at->second);
		return std::nullopt;
	}

	Result<Index> take(const Source &source)
	{
		auto &tensors = index_.tensors;

		if (tensors.empty())
			return source.bad("no 'weight_map', or an empty one");
		sort_files();
		std::sort(tensors.begin(), tensors.end());
		const auto twice = std::adjacent_find(
			tensors.begin(), tensors.end(),
			[](const auto &a, const auto &b) { return a.first == b.first; });
		if (twice != tensors.end())
			return source.bad("'{}' is given twice", twice->first);
		return std::move(index_);
	}

private:
	/// In the order of their names, whatever that of the tensors is.
	void sort_files()
	{
		std::vector<std::uint32_t> now(index_.files.size());
		std::uint32_t next = 0;

		index_.files.clear();
		for (const auto &[name, number] : numbers_) {
			now[number] = next++;
			index_.files.push_back(name);
		}
		for (auto &tensor : index_.tensors)
			tensor.second = now[tensor.second];
	}

	Index index_;
	std::map<std::string, std::uint32_t> numbers_;
};

Result<Index> read_index(const Source &source, HeaderBudget &budget)
{
	const auto text = read_all(source, 0, source.size(), budget);
	IndexReader reader;

	if (!text)
		return tl::unexpected(text.error());
	const auto why =
		read_json(*text, {{}, {}, [&](const JsonPath &path, const JsonValue &value) {
					  return reader.value(path, value);
				  }});
	if (why)
		return source.bad("{}", *why);
	return reader.take(source);
}

/// Of a shard, what the index says is in it.
void add_shard(RawModel &model, Shard shard, const Index &index, std::size_t &found)
{
	const auto number = static_cast<std::uint32_t>(model.files.size());

	for (auto &tensor : shard.tensors) {
		const auto at = std::lower_bound(
			index.tensors.begin(), index.tensors.end(), tensor.name,
			[](const auto &entry, const auto &name) { return entry.first < name; });
		if (at == index.tensors.end() || at->first != tensor.name || at->second != number)
			continue;
		tensor.file = number;
		model.tensors.push_back(std::move(tensor));
		// Twice in one file is told later, with all that is twice.
		found++;
	}
	model.files.push_back(std::move(shard.file));
}

Result<RawModel> read_shards(int dir_fd, const Source &source, HeaderBudget &budget)
{
	const auto index = read_index(source, budget);
	RawModel model;
	std::size_t found = 0;

	if (!index)
		return tl::unexpected(index.error());
	for (const auto &name : index->files) {
		auto shard = read_shard(dir_fd, name, budget);
		if (!shard)
			return tl::unexpected(shard.error());
		add_shard(model, std::move(*shard), *index, found);
	}
	if (found < index->tensors.size())
		return source.bad("{} of its {} tensors are not in the files that it names",
				  index->tensors.size() - found, index->tensors.size());
	return model;
}

/// A hint only: many models come without, and what is in it may be anything.
void read_config(int dir_fd, RawModel &model)
{
	const auto source = Source::open(dir_fd, "config.json");
	HeaderBudget budget = config_max;
	RawModel found;

	if (!source)
		return;
	const auto text = read_all(*source, 0, source->size(), budget);
	if (!text)
		return;
	const auto take = [&](const JsonPath &path, const JsonValue &value) -> Why {
		// What models of several kinds have below "text_config" is of the language model.
		if (path.size() != 1 && (path.size() != 2 || path[0] != "text_config"))
			return std::nullopt;
		const std::string &key = path.back();
		if (key == "model_type" && value.text && value.text->size() < 64 &&
		    (found.architecture.empty() || path.size() == 2))
			found.architecture = *value.text;
		if (!value.number)
			return std::nullopt;
		if (key == "num_hidden_layers")
			found.layers = *value.number;
		if (key == "num_experts" || key == "num_local_experts" || key == "n_routed_experts")
			found.expert_count = *value.number;
		if (key == "num_experts_per_tok" || key == "num_experts_per_token")
			found.expert_used = *value.number;
		return std::nullopt;
	};
	if (read_json(*text, {{}, {}, take}))
		return;
	model.architecture = found.architecture;
	model.layers = found.layers;
	model.expert_count = found.expert_count;
	model.expert_used = found.expert_used;
}

/// "model" of "model-00001-of-00003.safetensors"; none when there is only that one.
std::optional<std::string> stem_of_part(const std::string &name)
{
	constexpr std::string_view like = "-00000-of-00000.safetensors";

	if (name.size() <= like.size())
		return std::nullopt;
	const std::size_t length = name.size() - like.size();
	for (std::size_t i = 0; i < like.size(); i++) {
		const char c = name[length + i];
		if (like[i] == '0' ? c < '0' || c > '9' : c != like[i])
			return std::nullopt;
	}
	if (name.substr(length + 7, 8) == "of-00001")
		return std::nullopt;
	return name.substr(0, length);
}

/// A part of several is named in the index beside it.
Result<std::optional<Source>> index_of(int dir_fd, const std::string &name)
{
	const auto stem = stem_of_part(name);

	if (!stem && !name.ends_with(".json"))
		return std::nullopt;
	auto index = Source::open(dir_fd, stem ? *stem + ".safetensors.index.json" : name);
	if (!index && stem)
		return fail(index.error().code, "{} is a part, and the index of all parts: {}",
			    name, index.error().message);
	if (!index)
		return tl::unexpected(index.error());
	return std::move(*index);
}

} // namespace

Result<RawModel> read_safetensors(int dir_fd, const std::string &name)
{
	HeaderBudget budget = header_max;
	RawModel model;

	const auto index = index_of(dir_fd, name);
	if (!index)
		return tl::unexpected(index.error());
	if (*index) {
		auto shards = read_shards(dir_fd, **index, budget);
		if (!shards)
			return shards;
		model = std::move(*shards);
		if (stem_of_part(name) &&
		    std::none_of(model.files.begin(), model.files.end(),
				 [&](const ModelFile &file) { return file.name == name; }))
			return fail(EINVAL, "{}: the index beside it does not name it", name);
	} else {
		auto shard = read_shard(dir_fd, name, budget);
		if (!shard)
			return tl::unexpected(shard.error());
		model.tensors = std::move(shard->tensors);
		model.files.push_back(std::move(shard->file));
	}
	model.format = ModelFormat::safetensors;
	read_config(dir_fd, model);
	return model;
}

} // namespace itme
