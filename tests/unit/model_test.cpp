// SPDX-License-Identifier: GPL-2.0
// What is read from the headers of models, and the order of use that is made of it.
#include "model/model.hpp"
#include "model_files.hpp"

#include <algorithm>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace itme
{
namespace
{

using test::Gguf;
using test::Safetensors;
using Names = std::vector<std::string>;

class ModelRead : public ::testing::Test
{
protected:
	Model read(const std::string &path)
	{
		auto model = read_model(path);

		EXPECT_TRUE(model) << model.error().message;
		return model ? std::move(*model) : Model{};
	}

	/// In the order of use, without ".weight" and without what is never used.
	static Names names(const Model &model)
	{
		Names names;

		for (const auto &tensor : model.tensors) {
			if (tensor.use == Use::never)
				continue;
			const auto end = tensor.name.rfind(".weight");
			names.push_back(tensor.name.substr(0, end));
		}
		return names;
	}

	static const Tensor &tensor(const Model &model, const std::string &name)
	{
		static const Tensor none;
		const auto at =
			std::find_if(model.tensors.begin(), model.tensors.end(),
				     [&](const Tensor &tensor) { return tensor.name == name; });

		EXPECT_NE(at, model.tensors.end()) << name;
		return at == model.tensors.end() ? none : *at;
	}

	test::TempTree tree;
};

/// As a converter writes it that sorts by name: the order of use is another one.
Gguf llama(int layers)
{
	Gguf file;

	file.text("general.architecture", "llama").u32("llama.block_count", 100);
	for (int i = 0; i < layers; i++)
		for (const char *name : {"attn_k", "attn_norm", "attn_output", "attn_q", "attn_v",
					 "ffn_down", "ffn_gate", "ffn_norm", "ffn_up"})
			file.tensor("blk." + std::to_string(i) + "." + name + ".weight",
				    {64, name[5] == 'n' || name[4] == 'n' ? 1U : 64U},
				    test::gguf_f16);
	return file;
}

} // namespace

TEST_F(ModelRead, OrderByNamesNotByOffsets)
{
	Gguf file = llama(12);

	file.tensor("output.weight", {64, 1000}, test::gguf_q8_0);
	file.tensor("output_norm.weight", {64});
	file.tensor("rope_freqs.weight", {32});
	file.tensor("token_embd.weight", {64, 1000}, test::gguf_q8_0);
	const Model model = read(file.write(tree, "m.gguf"));

	Names want{"token_embd", "rope_freqs"};
	for (int i = 0; i < 12; i++)
		for (const char *name : {"attn_norm", "attn_q", "attn_v", "attn_k", "attn_output",
					 "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"})
			want.push_back("blk." + std::to_string(i) + "." + name);
	want.insert(want.end(), {"output_norm", "output"});
	EXPECT_EQ(names(model), want);
	EXPECT_EQ(model.architecture, "llama");
	EXPECT_EQ(model.format, ModelFormat::gguf);
	EXPECT_EQ(model.layers, 12U);
	EXPECT_EQ(model.expert_count, 0U);
	EXPECT_FALSE(model.tied);

	const Tensor &output = tensor(model, "output.weight");
	EXPECT_EQ(output.role, Role::output);
	EXPECT_EQ(output.type, "Q8_0");
	EXPECT_EQ(output.size, 64000U / 32 * 34);
	EXPECT_EQ(output.per_token, output.size);
	const Tensor &embedding = tensor(model, "token_embd.weight");
	EXPECT_EQ(embedding.use, Use::row);
	EXPECT_EQ(embedding.per_token, 68U);
	const Tensor &down = tensor(model, "blk.11.ffn_down.weight");
	EXPECT_EQ(down.layer, 11U);
	EXPECT_EQ(down.role, Role::ffn);
	// Where it says, from the beginning of the file.
	const Tensor &first = tensor(model, "blk.0.attn_k.weight");
	EXPECT_EQ(first.offset, file.header().size());
	EXPECT_EQ(tensor(model, "blk.0.attn_norm.weight").offset, first.offset + 64 * 64 * 2);
	EXPECT_EQ(model.files.at(0).name, "m.gguf");
	EXPECT_EQ(model.files.at(0).path, tree.path() + "/m.gguf");
}

TEST_F(ModelRead, TiedEmbeddingIsUsedWholeAtTheEnd)
{
	Gguf file;

	file.version = 2;
	file.text("general.architecture", "gemma2");
	file.tensor("token_embd.weight", {64, 100}, test::gguf_f16);
	file.tensor("blk.0.post_ffw_norm.weight", {64});
	file.tensor("blk.0.ffn_up.weight", {64, 64});
	file.tensor("blk.0.post_attention_norm.weight", {64});
	file.tensor("blk.0.attn_qkv.weight", {64, 64});
	file.tensor("output_norm.weight", {64});
	const Model model = read(file.write(tree, "m.gguf"));
	EXPECT_EQ(names(model),
		  (Names{"blk.0.attn_qkv", "blk.0.post_attention_norm", "blk.0.ffn_up",
			 "blk.0.post_ffw_norm", "output_norm", "token_embd"}));
	EXPECT_TRUE(model.tied);
	EXPECT_EQ(model.tensors.back().use, Use::whole);
	EXPECT_EQ(model.tensors.back().per_token, 64U * 100 * 2);
}

TEST_F(ModelRead, Experts)
{
	Gguf file;

	file.text("general.architecture", "deepseek2").u32("deepseek2.block_count", 3);
	file.u32("deepseek2.expert_count", 8).u32("deepseek2.expert_used_count", 2);
	file.u32("deepseek2.nextn_predict_layers", 1);
	for (const char *name :
	     {"ffn_down_exps", "ffn_gate_exps", "ffn_gate_inp", "ffn_up_exps", "ffn_down_shexp",
	      "ffn_gate_shexp", "ffn_up_shexp", "attn_q_a", "attn_kv_a_mqa", "attn_q_a_norm",
	      "attn_q_b", "attn_kv_b", "attn_output", "ffn_norm", "exp_probs_b"}) {
		std::vector<std::uint64_t> dims{64, 64};
		if (std::string(name).ends_with("_exps"))
			dims.push_back(8);
		file.tensor("blk.1." + std::string(name) + ".weight", dims);
	}
	file.tensor("blk.0.ffn_gate_exps.bias", {64, 8});
	file.tensor("blk.2.attn_q.weight", {64, 64});
	const Model model = read(file.write(tree, "m.gguf"));

	Names want{"blk.0.ffn_gate_exps.bias"};
	for (const char *name :
	     {"attn_q_a", "attn_q_a_norm", "attn_q_b", "attn_kv_a_mqa", "attn_kv_b", "attn_output",
	      "ffn_norm", "ffn_gate_inp", "exp_probs_b", "ffn_gate_exps", "ffn_up_exps",
	      "ffn_down_exps", "ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"})
		want.push_back("blk.1." + std::string(name));
	EXPECT_EQ(names(model), want);
	EXPECT_EQ(model.expert_count, 8U);
	EXPECT_EQ(model.expert_used, 2U);
	EXPECT_EQ(model.layers, 2U);

	const Tensor &up = tensor(model, "blk.1.ffn_up_exps.weight");
	ASSERT_TRUE(up.experts);
	EXPECT_EQ(*up.experts, (ExpertSlices{ExpertPart::up, 0, 8, 64 * 64 * 4}));
	EXPECT_EQ(up.use, Use::chosen);
	EXPECT_EQ(up.per_token, up.size / 4);
	// A few bytes are not worth telling apart.
	EXPECT_EQ(tensor(model, "blk.0.ffn_gate_exps.bias").use, Use::whole);
	EXPECT_EQ(tensor(model, "blk.1.ffn_up_shexp.weight").use, Use::whole);
	// It guesses further tokens.
	EXPECT_EQ(tensor(model, "blk.2.attn_q.weight").use, Use::never);
	EXPECT_EQ(tensor(model, "blk.2.attn_q.weight").per_token, 0U);
}

TEST_F(ModelRead, ExpertsWithTensorsOfTheirOwn)
{
	Gguf file;

	file.text("general.architecture", "llama").u32("llama.expert_count", 4);
	file.u32("llama.expert_used_count", 2).tensor("blk.0.ffn_gate_inp.weight", {64, 4});
	for (int i = 0; i < 4; i++)
		for (const char *name : {"ffn_down", "ffn_gate", "ffn_up"})
			file.tensor("blk.0." + std::string(name) + "." + std::to_string(i) +
					    ".weight",
				    {64, 64});
	const Model model = read(file.write(tree, "m.gguf"));
	EXPECT_EQ(names(model)[0], "blk.0.ffn_gate_inp");
	EXPECT_EQ(names(model)[1], "blk.0.ffn_gate.0");
	EXPECT_EQ(names(model)[12], "blk.0.ffn_down.3");
	const Tensor &down = tensor(model, "blk.0.ffn_down.3.weight");
	ASSERT_TRUE(down.experts);
	EXPECT_EQ(*down.experts, (ExpertSlices{ExpertPart::down, 3, 1, 64 * 64 * 4}));
	EXPECT_EQ(down.per_token, down.size / 2);
}

TEST_F(ModelRead, AnUnknownArchitectureByWordsAndNumbers)
{
	Gguf file;

	file.text("general.architecture", "novel");
	file.tensor("head.weight", {64, 64});
	for (const char *i : {"10", "2", "1"})
		for (const char *name :
		     {"zeta", "mlp_down_special", "mlp_norm_special", "mlp_special",
		      "attn_out_special", "attn_special", "attn_norm_special"})
			file.tensor("model.stack." + std::string(i) + "." + name, {64});
	file.tensor("stem", {64});
	const Model model = read(file.write(tree, "m.gguf"));
	Names want{"stem"};
	for (const char *i : {"1", "2", "10"})
		for (const char *name :
		     {"attn_norm_special", "attn_special", "attn_out_special", "zeta",
		      "mlp_norm_special", "mlp_special", "mlp_down_special"})
			want.push_back("model.stack." + std::string(i) + "." + name);
	want.emplace_back("head");
	EXPECT_EQ(names(model), want);
	EXPECT_EQ(model.layers, 3U);
}

TEST_F(ModelRead, WhatIsNotForTextIsNotUsed)
{
	Gguf file;

	file.tensor("v.blk.0.attn_q.weight", {64, 64}).tensor("mm.0.weight", {64, 64});
	file.tensor("blk.0.nextn.eh_proj.weight", {64}).tensor("blk.0.attn_q.weight", {64, 64});
	EXPECT_EQ(names(read(file.write(tree, "m.gguf"))), (Names{"blk.0.attn_q"}));
}

TEST_F(ModelRead, ATypeThatIsNotKnownGoesOnToTheNextTensor)
{
	Gguf file;

	file.tensor_at("blk.0.attn_q.weight", {64, 64}, 999, 64, 1000);
	file.tensor("blk.0.attn_k.weight", {64, 64});
	const Model model = read(file.write(tree, "m.gguf"));
	EXPECT_EQ(tensor(model, "blk.0.attn_q.weight").type, "?");
	EXPECT_EQ(tensor(model, "blk.0.attn_q.weight").size, 1024U);
}

TEST_F(ModelRead, SplitFiles)
{
	for (std::uint16_t i = 0; i < 3; i++) {
		Gguf file;
		if (!i)
			file.text("general.architecture", "qwen3");
		file.u16("split.no", i).u16("split.count", 3).i32("split.tensors.count", 3);
		file.tensor("blk." + std::to_string(2 - i) + ".attn_q.weight", {64, 64});
		file.write(tree, "m-0000" + std::to_string(i + 1) + "-of-00003.gguf");
	}
	for (const char *part : {"1", "2", "3"}) {
		const Model model =
			read(tree.path() + "/m-0000" + std::string(part) + "-of-00003.gguf");
		ASSERT_EQ(model.files.size(), 3U);
		EXPECT_EQ(model.files[1].name, "m-00002-of-00003.gguf");
		EXPECT_EQ(model.architecture, "qwen3");
		EXPECT_EQ(names(model), (Names{"blk.0.attn_q", "blk.1.attn_q", "blk.2.attn_q"}));
		EXPECT_EQ(model.tensors[0].file, 2U);
	}
	// Its directory stands for it, as its first part is the only one that could be meant.
	EXPECT_EQ(read(tree.path()).files.size(), 3U);
}

TEST_F(ModelRead, Safetensors)
{
	Safetensors file;

	for (const char *i : {"0", "1", "10", "2"})
		for (const char *name :
		     {"input_layernorm", "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj",
		      "post_attention_layernorm", "self_attn.k_proj", "self_attn.o_proj",
		      "self_attn.q_proj", "self_attn.v_proj"})
			file.tensor("model.layers." + std::string(i) + "." + name + ".weight",
				    {64, 64});
	file.tensor("lm_head.weight", {100, 64}).tensor("model.embed_tokens.weight", {100, 64});
	file.tensor("model.norm.weight", {64});
	file.json()["__metadata__"] = {{"format", "pt"}, {"deep", {{"er", {1, 2, {3}}}}}};
	const auto path = file.write(tree, "model.safetensors");
	const Model model = read(path);

	Names want{"model.embed_tokens"};
	for (const char *i : {"0", "1", "2", "10"})
		for (const char *name :
		     {"input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
		      "self_attn.o_proj", "post_attention_layernorm", "mlp.gate_proj",
		      "mlp.up_proj", "mlp.down_proj"})
			want.push_back("model.layers." + std::string(i) + "." + name);
	want.insert(want.end(), {"model.norm", "lm_head"});
	EXPECT_EQ(names(model), want);
	EXPECT_EQ(model.format, ModelFormat::safetensors);
	EXPECT_EQ(model.architecture, "");
	EXPECT_EQ(tensor(model, "model.embed_tokens.weight").per_token, 128U);
	EXPECT_EQ(tensor(model, "model.layers.0.input_layernorm.weight").offset,
		  file.header().size());
	EXPECT_EQ(tensor(model, "lm_head.weight").type, "BF16");
	EXPECT_EQ(read(tree.path()).tensors.size(), model.tensors.size());
}

TEST_F(ModelRead, SafetensorsOfSeveralFiles)
{
	nlohmann::json map;

	for (int shard = 1; shard <= 2; shard++) {
		const auto name = "model-0000" + std::to_string(shard) + "-of-00002.safetensors";
		const auto layer = "model.layers." + std::to_string(2 - shard) + ".";
		Safetensors file;
		for (int e = 0; e < 2; e++)
			for (const char *part : {"w1", "w2", "w3"}) {
				const auto tensor = layer + "block_sparse_moe.experts." +
						    std::to_string(e) + "." + part + ".weight";
				file.tensor(tensor, {64, 64});
				map[tensor] = name;
			}
		file.tensor(layer + "block_sparse_moe.gate.weight", {2, 64});
		map[layer + "block_sparse_moe.gate.weight"] = name;
		// Not in the index: an older version of it may have been in two files.
		file.tensor("left.over", {64});
		file.write(tree, name);
	}
	tree.write("model.safetensors.index.json",
		   nlohmann::json{{"metadata", {{"total_size", 1}}}, {"weight_map", map}}.dump());
	tree.write("config.json", R"({"model_type": "mixtral", "num_hidden_layers": 2,
		"num_local_experts": 2, "num_experts_per_tok": 1})");

	for (const char *name :
	     {"model.safetensors.index.json", "model-00002-of-00002.safetensors"}) {
		const Model model = read(tree.path() + "/" + name);
		EXPECT_EQ(model.architecture, "mixtral");
		ASSERT_EQ(model.tensors.size(), 14U);
		EXPECT_EQ(names(model)[0], "model.layers.0.block_sparse_moe.gate");
		EXPECT_EQ(names(model)[1], "model.layers.0.block_sparse_moe.experts.0.w1");
		EXPECT_EQ(names(model)[3], "model.layers.0.block_sparse_moe.experts.0.w3");
		EXPECT_EQ(names(model)[5], "model.layers.0.block_sparse_moe.experts.0.w2");
		EXPECT_EQ(model.tensors[1].file, 1U);
		EXPECT_EQ(*model.tensors[6].experts,
			  (ExpertSlices{ExpertPart::down, 1, 1, 64 * 64 * 2}));
		EXPECT_EQ(model.tensors[6].per_token, 64U * 64);
	}
	// What somebody wrote there is a hint, and no more.
	tree.write("config.json", "{\"model_type\": Infinity");
	EXPECT_EQ(read(tree.path()).architecture, "");
}

TEST_F(ModelRead, OtherFamiliesOfNames)
{
	Safetensors phi;
	Safetensors gpt;
	Safetensors packed;

	for (const char *name : {"mlp.down_proj", "mlp.gate_up_proj", "self_attn.o_proj",
				 "self_attn.qkv_proj", "post_attention_layernorm"})
		phi.tensor("model.layers.0." + std::string(name) + ".weight", {64, 64});
	EXPECT_EQ(names(read(phi.write(tree, "phi.safetensors"))),
		  (Names{"model.layers.0.self_attn.qkv_proj", "model.layers.0.self_attn.o_proj",
			 "model.layers.0.post_attention_layernorm",
			 "model.layers.0.mlp.gate_up_proj", "model.layers.0.mlp.down_proj"}));

	for (const char *name :
	     {"mlp.c_proj", "mlp.c_fc", "ln_2", "ln_1", "attn.c_proj", "attn.c_attn"})
		gpt.tensor("h.3." + std::string(name) + ".weight", {64, 64});
	gpt.tensor("ln_f.weight", {64})
		.tensor("wpe.weight", {10, 64})
		.tensor("wte.weight", {9, 64});
	EXPECT_EQ(names(read(gpt.write(tree, "gpt.safetensors"))),
		  (Names{"wpe", "h.3.ln_1", "h.3.attn.c_attn", "h.3.attn.c_proj", "h.3.ln_2",
			 "h.3.mlp.c_fc", "h.3.mlp.c_proj", "ln_f", "wte"}));

	packed.tensor("model.language_model.layers.0.mlp.experts.down_proj", {8, 64, 64});
	packed.tensor("model.language_model.layers.0.mlp.experts.gate_up_proj", {8, 64, 128});
	packed.tensor("model.visual.blocks.0.attn.qkv.weight", {64, 64});
	const Model model = read(packed.write(tree, "packed.safetensors"));
	EXPECT_EQ(names(model)[0], "model.language_model.layers.0.mlp.experts.gate_up_proj");
	EXPECT_EQ(*model.tensors[0].experts,
		  (ExpertSlices{ExpertPart::gate_up, 0, 8, 64 * 128 * 2}));
	EXPECT_EQ(model.tensors[2].use, Use::never);
	// How many are chosen nothing tells: then it is all of them.
	EXPECT_EQ(model.tensors[0].per_token, model.tensors[0].size);
}

TEST_F(ModelRead, FromADirectoryThatIsOpen)
{
	llama(1).write(tree, "m.gguf");
	const int fd = ::open(tree.path().c_str(), O_RDONLY | O_DIRECTORY);
	const auto model = read_model(fd, "m.gguf");

	::close(fd);
	ASSERT_TRUE(model);
	EXPECT_EQ(model->files[0].path, "m.gguf");
	EXPECT_EQ(model->tensors.size(), 9U);
}

} // namespace itme
