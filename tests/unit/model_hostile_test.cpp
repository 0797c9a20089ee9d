// SPDX-License-Identifier: GPL-2.0
// Headers that lie: an error that says why, soon, and without memory for what is not there.
#include "model/model.hpp"
#include "model_files.hpp"

#include <ctime>
#include <gtest/gtest.h>
#include <limits>
#include <sys/resource.h>
#include <sys/stat.h>

namespace itme
{
namespace
{

using test::Gguf;
using test::HeaderBytes;
using test::Safetensors;

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

class ModelHostile : public ::testing::Test
{
protected:
	ModelHostile() : start_(std::clock()) {}

	~ModelHostile() override
	{
		// A sanitizer, or a machine with other work, takes its time; none of these takes
		// any.
		EXPECT_LT(std::chrono::steady_clock::now() - start_, std::chrono::seconds(20));
	}

	static std::string why(const std::string &path)
	{
		const auto model = read_model(path);

		return model ? "it is a model" : model.error().message;
	}

	std::string why(const Gguf &file) { return why(file.write(tree, "m.gguf")); }

	std::string why(const Safetensors &file) { return why(file.write(tree, "m.safetensors")); }

	/// A safetensors file of this header.
	std::string why_json(const std::string &json)
	{
		const auto path = tree.write("m.safetensors", HeaderBytes().text(json).str());

		std::filesystem::resize_file(path, 8 + json.size() + 4096);
		return why(path);
	}

	std::string why_index(const std::string &json)
	{
		return why(tree.write("model.safetensors.index.json", json));
	}

	test::TempTree tree;

private:
	std::clock_t start_;
};

void expect_has(const std::string &text, const std::string &part)
{
	EXPECT_NE(text.find(part), std::string::npos) << text << "\n  has no: " << part;
}

Gguf one()
{
	Gguf file;

	file.text("general.architecture", "llama").tensor("blk.0.attn_q.weight", {64, 64});
	return file;
}

} // namespace

TEST_F(ModelHostile, CutOffAnywhere)
{
	const std::string gguf = one().header();
	Safetensors file;
	file.tensor("a", {64});
	const std::string safetensors = file.header();

	for (std::size_t i = 0; i < gguf.size(); i++)
		EXPECT_NE(why(tree.write("m.gguf", gguf.substr(0, i))), "it is a model") << i;
	expect_has(why(tree.write("m.gguf", gguf)), "ends after the end of the file");
	for (std::size_t i = 0; i <= safetensors.size(); i++)
		EXPECT_NE(why(tree.write("m.safetensors", safetensors.substr(0, i))),
			  "it is a model")
			<< i;
}

TEST_F(ModelHostile, NotAModel)
{
	expect_has(why(tree.path() + "/none.gguf"), "No such file");
	expect_has(why(tree.path()), "no model that is known by its name");
	expect_has(why(tree.write("m.bin", "some text")), "neither a GGUF file");
	expect_has(why("/dev/zero"), "not a regular file");
	tree.link("zero.safetensors", "/dev/zero");
	expect_has(why(tree.path() + "/zero.safetensors"), "not a regular file");
	::mkfifo((tree.path() + "/fifo.gguf").c_str(), 0600);
	expect_has(why(tree.path() + "/fifo.gguf"), "not a regular file");
	tree.link("loop.gguf", "loop.gguf");
	expect_has(why(tree.path() + "/loop.gguf"), "levels of symbolic links");
	Gguf version = one();
	version.version = 1;
	expect_has(why(version), "version 1 of GGUF");
	version.version = 0x03000000;
	expect_has(why(version), "big-endian");
	expect_has(why(Gguf()), "no tensors");
}

TEST_F(ModelHostile, HugeCounts)
{
	Gguf file = one();

	file.tensor_count = huge;
	expect_has(why(file), "more than any model has");
	file.tensor_count = 200'000;
	expect_has(why(file), "too short");
	file.tensor_count = 1;
	file.pair_count = huge;
	expect_has(why(file), "too short");
	file.pair_count = 50;
	EXPECT_NE(why(file), "it is a model");
}

TEST_F(ModelHostile, HugeTextsAndArrays)
{
	const auto array = [](std::uint32_t type, std::uint64_t count) {
		return HeaderBytes().raw(type).raw(count).str();
	};

	for (const std::string &value :
	     {HeaderBytes().raw(huge).str(), HeaderBytes().raw<std::uint64_t>(1U << 30).str()})
		expect_has(why(one().pair("a", 8, value)), "ends within its header");
	for (const std::uint32_t type : {0U, 5U, 8U, 9U, 12U})
		for (const std::uint64_t count : {huge, huge / 8 + 2, std::uint64_t{1} << 40})
			EXPECT_NE(why(one().pair("a", 9, array(type, count))), "it is a model");
	expect_has(why(one().pair("a", 9, array(77, 1))), "type 77");
	expect_has(why(one().pair("a", 13, "")), "type 13");

	std::string deep;
	for (int i = 0; i < 100'000; i++)
		deep += array(9, 1);
	expect_has(why(one().pair("a", 9, deep)), "arrays in arrays");
	// The key of a pair.
	Gguf key = one();
	key.pair(std::string(100'000, 'k'), 0, "x");
	EXPECT_EQ(why(key), "it is a model");
}

TEST_F(ModelHostile, AHeaderWithoutEnd)
{
	// Empty texts as far as the file goes, which is a hole.
	Gguf file = one();
	file.pair("a", 9, HeaderBytes().raw<std::uint32_t>(8).raw(huge).str());
	const auto path = file.write(tree, "m.gguf");

	std::filesystem::resize_file(path, std::uint64_t{1} << 40);
	expect_has(why(path), "larger than 64 MiB");

	const auto json =
		tree.write("m.safetensors", HeaderBytes().raw<std::uint64_t>(9'999'999).str());
	std::filesystem::resize_file(json, std::uint64_t{1} << 40);
	expect_has(why(json), "not JSON");
	tree.write("model.safetensors.index.json", "");
	std::filesystem::resize_file(tree.path() + "/model.safetensors.index.json",
				     std::uint64_t{1} << 40);
	expect_has(why(tree.path() + "/model.safetensors.index.json"), "bytes; that is none");
}

TEST_F(ModelHostile, TensorsThatCannotBe)
{
	const auto with = [&](const std::string &name, std::vector<std::uint64_t> dims,
			      std::uint32_t type, std::uint64_t offset) {
		Gguf file;
		file.tensor_at(name, std::move(dims), type, offset, 0);
		const auto path = tree.write("m.gguf", file.header());
		std::filesystem::resize_file(path, 100'000);
		return why(path);
	};

	EXPECT_EQ(with("a", {64, 64}, 0, 0), "it is a model");
	expect_has(with("a", {64, 64}, 0, 96'000), "ends after the end");
	expect_has(with("a", {64, 64}, 0, 1U << 20), "begins after the end");
	expect_has(with("a", {64, 64}, 0, huge - 31), "begins after the end");
	expect_has(with("a", {64, 64}, 0, 7), "not aligned");
	expect_has(with("a", {huge, huge}, 0, 0), "larger than any file");
	expect_has(with("a", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 1, 0),
		   "larger than");
	expect_has(with("a", {std::uint64_t{1} << 61, 2}, 0, 0), "larger than");
	expect_has(with("a", {33}, 8, 0), "no blocks of 32");
	expect_has(with("a", {1, 1, 1, 1, 1}, 0, 0), "5 dimensions");
	expect_has(with("", {64}, 0, 0), "0 bytes");
	expect_has(with(std::string(256, 'n'), {64}, 0, 0), "256 bytes");
	EXPECT_EQ(with("a", {0, 5}, 0, 0), "it is a model");
	// Experts without number, of no size.
	EXPECT_EQ(with("blk.0.ffn_up_exps.weight", {0, 0, huge}, 0, 0), "it is a model");
	EXPECT_EQ(with("blk.4000000000.attn_q.weight", {64}, 0, 0), "it is a model");
}

TEST_F(ModelHostile, OverlapsAndTwins)
{
	Gguf overlap;
	overlap.tensor_at("a", {64, 64}, 0, 0, 0).tensor_at("b", {64}, 0, 1024, 1 << 20);
	expect_has(why(overlap), "a and b overlap");
	Gguf twins;
	twins.tensor("a", {64}).tensor("a", {64});
	expect_has(why(twins), "two tensors a");

	Safetensors tensors;
	tensors.tensor("a", {64}).tensor("b", {64});
	tensors.json()["b"]["data_offsets"] = {64, 192};
	expect_has(why(tensors), "a and b overlap");
	expect_has(why_json(R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
		"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}})"),
		   "two tensors a");
}

TEST_F(ModelHostile, Alignment)
{
	for (const std::uint32_t alignment : {0U, 3U, 1U << 31})
		expect_has(why(one().u32("general.alignment", alignment)), "no power of two");
	expect_has(why(one().u32("general.alignment", 32).u32("general.alignment", 64)), "twice");
}

TEST_F(ModelHostile, SplitFiles)
{
	const auto part = [](std::uint16_t no, std::uint16_t count) {
		Gguf file = one();
		file.u16("split.no", no).u16("split.count", count);
		return file;
	};

	expect_has(why(part(0, 3)), "not called");
	expect_has(why(part(0, 3).write(tree, "m-00001-of-00002.gguf")), "not called");
	expect_has(why(part(0, 65535).write(tree, "m-00001-of-65535.gguf")), "cannot be found");
	const auto first = part(0, 2).write(tree, "m-00001-of-00002.gguf");
	expect_has(why(first), "m-00002-of-00002.gguf: No such file");
	part(0, 2).write(tree, "m-00002-of-00002.gguf");
	expect_has(why(first), "says that it is part 1 of 2");
	one().write(tree, "m-00002-of-00002.gguf");
	expect_has(why(first), "says that it is part 1 of 1");
	part(1, 2).write(tree, "m-00002-of-00002.gguf");
	expect_has(why(first), "two tensors");
	Gguf second;
	second.tensor("b", {64}).u16("split.no", 1).u16("split.count", 2);
	second.write(tree, "m-00002-of-00002.gguf");
	EXPECT_EQ(why(first), "it is a model");
	Gguf counts = part(0, 2);
	counts.i32("split.tensors.count", 5).write(tree, "m-00001-of-00002.gguf");
	expect_has(why(first), "2 tensors in all parts, and its header says 5");
	// Too many by the second part: the third one, which is not there, is not asked for.
	for (const int no : {0, 1}) {
		Gguf many;
		for (int i = 0; i < 140'000; i++)
			many.tensor(std::to_string(i), {1});
		many.u16("split.no", static_cast<std::uint16_t>(no)).u16("split.count", 3);
		many.write(tree, no ? "l-00002-of-00003.gguf" : "l-00001-of-00003.gguf");
	}
	expect_has(why(tree.path() + "/l-00001-of-00003.gguf"), "tensors in all parts");
	// It is itself its second part.
	tree.remove("m-00002-of-00002.gguf");
	tree.link("m-00002-of-00002.gguf", "m-00001-of-00002.gguf");
	expect_has(why(first), "says that it is part 1 of 2");
}

TEST_F(ModelHostile, Json)
{
	const std::pair<const char *, const char *> wrong[] = {
		{"", "not JSON"},
		{"{", "not JSON"},
		{"{} {}", "not JSON"},
		{"{}", "no tensors"},
		{"[]", "no tensors"},
		{"7", "not an object"},
		{R"({"": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}})", "without a name"},
		{R"([{"dtype": "U8", "shape": [], "data_offsets": [0, 1]}])", "without a name"},
		{R"({"a": 1})", "neither dtype, shape nor"},
		{R"({"a": []})", "no dtype"},
		{R"({"a": {"dtype": 1}})", "no dtype, or two"},
		{R"({"a": {"dtype": "U8", "dtype": "U8"}})", "no dtype, or two"},
		{R"({"a": {"dtype": "U8", "shape": [1]}})", "no data_offsets"},
		{R"({"a": {"dtype": "U8", "shape": [-1]}})", "not a count"},
		{R"({"a": {"dtype": "U8", "shape": [1.5]}})", "not a count"},
		{R"({"a": {"dtype": "U8", "shape": [[1]]}})", "neither dtype"},
		{R"({"a": {"dtype": "U8", "bogus": 1}})", "neither dtype"},
		{R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}})", "no data_offsets"},
		{R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}})",
		 "more than 2"},
		{R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}})",
		 "before it begins"},
		{R"({"a": {"dtype": "U8", "shape": [9999], "data_offsets": [0, 9999]}})",
		 "after the end"},
		{R"({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 1]}})", "its shape"},
		{R"({"a": {"dtype": "U8", "shape": [18446744073709551615, 18446744073709551615],
			"data_offsets": [0, 1]}})",
		 "its shape"},
		{R"({"a": {"dtype": "U8", "shape": [18446744073709551616], "data_offsets": [0, 1]}})",
		 "not a count"},
	};
	for (const auto &[json, part] : wrong)
		expect_has(why_json(json), part);
	EXPECT_EQ(why_json(R"({"a": {"dtype": "NEW", "shape": [2], "data_offsets": [0, 1]}})"),
		  "it is a model");

	std::string deep = "{\"__metadata__\": ";
	std::string keys = "{";
	for (int i = 0; i < 300'000; i++) {
		deep += "[";
		keys += "\"" + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0]," +
			"\"data_offsets\":[0,0]},";
	}
	expect_has(why_json(deep), "more than 16 levels");
	expect_has(why_json(keys + "\"a\": 1}"), "more than 262144 tensors");
	expect_has(why_json("{\"" + std::string(100'000, 'k') + "\": 1}"), "a key of 100000 bytes");
	expect_has(why_json("{\"a\": {\"dtype\": \"" + std::string(1'000'000, 'k')), "not JSON");
	// Length of the header.
	const auto path = tree.write("m.safetensors", HeaderBytes().raw(huge).str() + "{}");
	expect_has(why(path), "not a safetensors file, or cut off");
}

TEST_F(ModelHostile, Index)
{
	const std::pair<const char *, const char *> wrong[] = {
		{"", "within its header"},
		{"{null and void", "not JSON"},
		{"null", "not an object"},
		{"{\"weight_map\": {}}", "no 'weight_map'"},
		{"{\"weight_map\": []}", "no 'weight_map'"},
		{"{\"weight_map\": [1]}", "does not map"},
		{"{\"weight_map\": 7}", "does not map"},
		{R"({"weight_map": {"a": {"b": "x.safetensors"}}})", "does not map"},
		{R"({"weight_map": {"a": "../x.safetensors"}})", "is not the name"},
		{R"({"weight_map": {"a": "/etc/x.safetensors"}})", "is not the name"},
		{R"({"weight_map": {"a": "d/x.safetensors"}})", "is not the name"},
		{R"({"weight_map": {"a": ".x.safetensors"}})", "is not the name"},
		{R"({"weight_map": {"a": "x\u0000.safetensors"}})", "is not the name"},
		{R"({"weight_map": {"a": ""}})", "is not the name"},
		{R"({"weight_map": {"a": "config.json"}})", "is not the name"},
		{R"({"weight_map": {"a": "model.safetensors.index.json"}})", "is not the name"},
		{R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})",
		 "'a' is given twice"},
		{R"({"weight_map": {"a": "x.safetensors"}, "weight_map": {"a": "x.safetensors"}})",
		 "'a' is given twice"},
		{R"({"weight_map": {"a": "none.safetensors"}})", "No such file"},
	};
	for (const auto &[json, part] : wrong)
		expect_has(why_index(json), part);

	Safetensors file;
	file.tensor("a", {64}).write(tree, "x.safetensors");
	EXPECT_EQ(why_index(R"({"weight_map": {"a": "x.safetensors"}})"), "it is a model");
	expect_has(why_index(R"({"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}})"),
		   "1 of its 2 tensors are not in the files");
	// A file that leads back to the index.
	tree.link("y.safetensors", "model.safetensors.index.json");
	expect_has(why_index(R"({"weight_map": {"a": "y.safetensors"}})"),
		   "not a safetensors file");
	// A part that no index names, and one without an index.
	file.write(tree, "model-00001-of-00002.safetensors");
	tree.write("model.safetensors.index.json", R"({"weight_map": {"a": "x.safetensors"}})");
	expect_has(why(tree.path() + "/model-00001-of-00002.safetensors"), "does not name it");
	tree.remove("model.safetensors.index.json");
	expect_has(why(tree.path() + "/model-00001-of-00002.safetensors"),
		   "the index of all parts");
	std::string many = "{\"weight_map\": {\"a\": \"x.safetensors\"";
	for (int i = 0; i < 5000; i++)
		many += ", \"" + std::to_string(i) + "\": \"" + std::to_string(i) +
			".safetensors\"";
	expect_has(why_index(many + "}}"), "more than 4096 files");
}

TEST_F(ModelHostile, NothingTakesMuchMemory)
{
	rusage before{};
	rusage after{};
	Gguf file = one();

	::getrusage(RUSAGE_SELF, &before);
	file.pair("a", 8, HeaderBytes().raw<std::uint64_t>(std::uint64_t{8} << 30).str());
	const auto path = file.write(tree, "m.gguf");
	std::filesystem::resize_file(path, std::uint64_t{1} << 40);
	EXPECT_NE(why(path), "it is a model");
	::getrusage(RUSAGE_SELF, &after);
	EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);
}

} // namespace itme
