// SPDX-License-Identifier: GPL-2.0
#include "model/names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace itme
{
namespace
{

/// Names of a layer's tensors, without their number and without ".weight", in the order of use;
/// between the hundreds there is room for those that are guessed.
struct LayerName {
	std::string_view name;
	std::uint32_t rank;
	Role role;
};

enum Rank : std::uint32_t {
	rank_input_norm = 100,
	rank_attention = 140,
	rank_attention_output = 150,
	rank_attention_norm = 160,
	rank_other = 195,
	rank_ffn_norm = 200,
	rank_router = 210,
	rank_expert_gate = 220,
	rank_expert_up = 221,
	rank_expert_down = 223,
	rank_ffn = 241,
	rank_ffn_down = 243,
	rank_ffn_output_norm = 250,
};

/// Of GGUF. llama.cpp computes v before k, and the chosen experts before the shared one.
constexpr std::array gguf_names = std::to_array<LayerName>({
	{"attn_norm", 100, Role::norm},
	{"attn_norm_2", 101, Role::norm},
	{"attn_rot_embd", 105, Role::attention},
	{"attn_q_a", 110, Role::attention},
	{"attn_q_a_norm", 111, Role::norm},
	{"attn_q_b", 112, Role::attention},
	{"attn_kv_a_mqa", 113, Role::attention},
	{"attn_kv_a_norm", 114, Role::norm},
	{"attn_k_b", 116, Role::attention},
	{"attn_kv_b", 117, Role::attention},
	{"attn_qkv", 120, Role::attention},
	{"attn_q", 120, Role::attention},
	{"attn_v", 121, Role::attention},
	{"attn_k", 122, Role::attention},
	{"attn_gate", 123, Role::attention},
	{"attn_q_norm", 130, Role::norm},
	{"attn_k_norm", 131, Role::norm},
	{"attn_sinks", 135, Role::attention},
	{"attn_v_b", 141, Role::attention},
	{"attn_sub_norm", 145, Role::norm},
	{"attn_output", 150, Role::attention},
	{"attn_o", 150, Role::attention},
	{"attn_output_norm", 155, Role::norm},
	{"ssm_in", 120, Role::attention},
	{"ssm_ba", 121, Role::attention},
	{"ssm_conv1d", 125, Role::attention},
	{"ssm_x", 126, Role::attention},
	{"ssm_dt", 127, Role::attention},
	{"ssm_a", 130, Role::attention},
	{"ssm_d", 131, Role::attention},
	{"ssm_norm", 145, Role::norm},
	{"ssm_out", 150, Role::attention},
	{"post_attention_norm", 160, Role::norm},
	{"cross_attn_norm", 170, Role::norm},
	{"cross_attn_q", 171, Role::attention},
	{"cross_attn_k", 172, Role::attention},
	{"cross_attn_v", 173, Role::attention},
	{"cross_attn_o", 174, Role::attention},
	{"ffn_norm", 200, Role::norm},
	{"pre_ffw_norm_2", 201, Role::norm},
	{"ffn_gate_inp", 210, Role::router},
	{"exp_probs_b", 211, Role::router},
	{"ffn_norm_exps", 212, Role::norm},
	{"ffn_gate_inp_shexp", 230, Role::router},
	{"ffn_gate_shexp", 231, Role::ffn},
	{"ffn_up_shexp", 232, Role::ffn},
	{"ffn_down_shexp", 233, Role::ffn},
	{"ffn_gate", 240, Role::ffn},
	{"ffn_up", 241, Role::ffn},
	{"ffn_sub_norm", 242, Role::norm},
	{"ffn_down", 243, Role::ffn},
	{"post_ffw_norm", 250, Role::norm},
	{"layer_output_norm", 260, Role::norm},
	{"layer_output_scale", 261, Role::other},
});

/// Of safetensors, where several models call the same thing differently.
constexpr std::array hf_names = std::to_array<LayerName>({
	{"input_layernorm", 100, Role::norm},
	{"ln_1", 100, Role::norm},
	{"ln_attn", 100, Role::norm},
	{"self_attn.q_a_proj", 110, Role::attention},
	{"self_attn.q_a_layernorm", 111, Role::norm},
	{"self_attn.q_b_proj", 112, Role::attention},
	{"self_attn.kv_a_proj_with_mqa", 113, Role::attention},
	{"self_attn.kv_a_layernorm", 114, Role::norm},
	{"self_attn.kv_b_proj", 117, Role::attention},
	{"self_attn.qkv_proj", 120, Role::attention},
	{"self_attn.q_proj", 120, Role::attention},
	{"self_attn.k_proj", 121, Role::attention},
	{"self_attn.v_proj", 122, Role::attention},
	{"attn.c_attn", 120, Role::attention},
	{"attention.query_key_value", 120, Role::attention},
	{"self_attention.query_key_value", 120, Role::attention},
	{"self_attn.q_norm", 130, Role::norm},
	{"self_attn.q_layernorm", 130, Role::norm},
	{"self_attn.k_norm", 131, Role::norm},
	{"self_attn.k_layernorm", 131, Role::norm},
	{"self_attn.sinks", 135, Role::attention},
	{"self_attn.o_proj", 150, Role::attention},
	{"self_attn.out_proj", 150, Role::attention},
	{"self_attn.dense", 150, Role::attention},
	{"self_attention.dense", 150, Role::attention},
	{"attention.dense", 150, Role::attention},
	{"attn.c_proj", 150, Role::attention},
	// Of most models it is the one before the ffn, and of gemma another one follows.
	{"post_attention_layernorm", 190, Role::norm},
	{"pre_feedforward_layernorm", 200, Role::norm},
	{"ln_2", 200, Role::norm},
	{"ln_mlp", 200, Role::norm},
	{"mlp.gate", 210, Role::router},
	{"mlp.router", 210, Role::router},
	{"block_sparse_moe.gate", 210, Role::router},
	{"feed_forward.router", 210, Role::router},
	{"mlp.gate.e_score_correction_bias", 211, Role::router},
	{"mlp.shared_expert_gate", 230, Role::router},
	{"mlp.shared_expert.gate_proj", 231, Role::ffn},
	{"mlp.shared_expert.up_proj", 232, Role::ffn},
	{"mlp.shared_expert.down_proj", 233, Role::ffn},
	{"mlp.shared_experts.gate_proj", 231, Role::ffn},
	{"mlp.shared_experts.up_proj", 232, Role::ffn},
	{"mlp.shared_experts.down_proj", 233, Role::ffn},
	{"feed_forward.shared_expert.gate_proj", 231, Role::ffn},
	{"feed_forward.shared_expert.up_proj", 232, Role::ffn},
	{"feed_forward.shared_expert.down_proj", 233, Role::ffn},
	{"mlp.gate_up_proj", 240, Role::ffn},
	{"mlp.gate_proj", 240, Role::ffn},
	{"mlp.up_proj", 241, Role::ffn},
	{"mlp.fc1", 241, Role::ffn},
	{"mlp.c_fc", 241, Role::ffn},
	{"mlp.dense_h_to_4h", 241, Role::ffn},
	{"feed_forward.gate_proj", 240, Role::ffn},
	{"feed_forward.up_proj", 241, Role::ffn},
	{"feed_forward.down_proj", 243, Role::ffn},
	{"mlp.down_proj", 243, Role::ffn},
	{"mlp.fc2", 243, Role::ffn},
	{"mlp.c_proj", 243, Role::ffn},
	{"mlp.dense_4h_to_h", 243, Role::ffn},
	{"post_feedforward_layernorm", 250, Role::norm},
	{"attention_norm", 100, Role::norm},
	{"attention.wq", 120, Role::attention},
	{"attention.wk", 121, Role::attention},
	{"attention.wv", 122, Role::attention},
	{"attention.wo", 150, Role::attention},
	{"feed_forward.w1", 240, Role::ffn},
	{"feed_forward.w3", 241, Role::ffn},
	{"feed_forward.w2", 243, Role::ffn},
});

using Words = std::vector<std::string_view>;

Words split(std::string_view name)
{
	Words words;

	for (;;) {
		const std::size_t at = name.find('.');
		words.push_back(name.substr(0, at));
		if (at == std::string_view::npos)
			return words;
		name.remove_prefix(at + 1);
	}
}

std::optional<std::uint32_t> number(std::string_view word)
{
	std::uint32_t value = 0;

	const auto [end, ec] = std::from_chars(word.data(), word.data() + word.size(), value);
	if (word.size() > 6 || ec != std::errc() || end != word.data() + word.size())
		return std::nullopt;
	return value;
}

bool is_any(std::string_view word, std::initializer_list<std::string_view> of)
{
	return std::find(of.begin(), of.end(), word) != of.end();
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts)
{
	return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
		return text.find(part) != std::string_view::npos;
	});
}

/// Of parts beside the way that a token of text takes.
bool is_aside(const Words &words)
{
	if (words.size() > 1 &&
	    is_any(words[0], {"v", "a", "mm", "enc", "mtp", "vision_tower", "visual"}))
		return true;
	for (std::size_t i = 0; i + 1 < words.size(); i++)
		if (is_any(words[i], {"visual", "vision_tower", "vision_model", "vision_encoder",
				      "vision_embed_tokens", "audio_tower", "audio_encoder",
				      "multi_modal_projector", "mm_projector", "image_newline",
				      "nextn", "embed_vision", "embed_audio"}))
			return true;
	return false;
}

/// Index of the word that is the number of the layer; 0: there is none.
std::size_t layer_word(const Words &words)
{
	std::size_t any = 0;

	for (std::size_t i = 1; i < words.size(); i++) {
		if (!number(words[i]))
			continue;
		if (is_any(words[i - 1], {"blk", "layers", "layer", "h", "block", "blocks"}))
			return i;
		if (!any && words[i - 1] != "experts")
			any = i;
	}
	return any;
}

std::string join(std::span<const std::string_view> words)
{
	std::string text;

	for (const auto word : words) {
		text += text.empty() ? "" : ".";
		text += word;
	}
	return text;
}

const LayerName *find_name(std::string_view name)
{
	static const auto names = [] {
		std::map<std::string_view, const LayerName *> all;
		for (const auto &known : gguf_names)
			all.emplace(known.name, &known);
		for (const auto &known : hf_names)
			all.emplace(known.name, &known);
		return all;
	}();
	const auto at = names.find(name);

	return at == names.end() ? nullptr : at->second;
}

ExpertPart part_of(std::string_view name)
{
	if (has_any(name, {"gate_up", "w13"}))
		return ExpertPart::gate_up;
	if (has_any(name, {"down", "w2", "fc2", "output"}))
		return ExpertPart::down;
	if (has_any(name, {"gate", "w1"}))
		return ExpertPart::gate;
	return ExpertPart::up;
}

/// The weights of experts: one for each, or all in one tensor.
bool find_expert(TensorPlace &place, std::span<const std::string_view> words)
{
	for (std::size_t i = 0; i < words.size(); i++) {
		const bool last = i + 1 == words.size();
		const auto expert = last ? std::nullopt : number(words[i + 1]);

		if (words[i] == "experts" ||
		    (is_any(words[i], {"ffn_gate", "ffn_up", "ffn_down"}) && expert))
			place.expert = expert;
		else if (!words[i].ends_with("_exps") && !words[i].ends_with("_chexps"))
			continue;
		place.role = Role::expert;
		place.part = part_of(join(words.subspan(i)));
		place.rank = *place.part == ExpertPart::down ? rank_expert_down
			     : *place.part == ExpertPart::up ? rank_expert_up
							     : rank_expert_gate;
		return true;
	}
	return false;
}

/// By words that most of those who name tensors use.
void guess_layer(TensorPlace &place, std::string_view name)
{
	const bool attention = has_any(name, {"attn", "attention", "input", "pre_norm"});
	const bool ffn = has_any(
		name, {"ffn", "mlp", "ffw", "feed_forward", "feedforward", "moe", "channel_mix"});
	const bool after = has_any(name, {"post", "output"});

	if (has_any(name, {"norm", "ln1", "ln2", "ln_"})) {
		place.role = Role::norm;
		if (ffn)
			place.rank = after ? rank_ffn_output_norm : rank_ffn_norm;
		else if (attention)
			place.rank = after ? rank_attention_norm : rank_input_norm;
		else
			place.rank = rank_other;
	} else if (ffn) {
		place.role = Role::ffn;
		place.rank =
			has_any(name, {"down", "w2", "fc2", "proj_out"}) ? rank_ffn_down : rank_ffn;
	} else if (attention || has_any(name, {"ssm", "mixer", "mamba", "time_mix", "conv",
					       "recurrent", "temporal"})) {
		place.role = Role::attention;
		place.rank = has_any(name, {"out"}) ? rank_attention_output : rank_attention;
	} else {
		place.rank = rank_other;
	}
}

void place_in_layer(TensorPlace &place, std::span<const std::string_view> words)
{
	const std::string name = join(words);
	const LayerName *known = find_name(name);

	if (!known && words.size() > 1)
		known = find_name(join(words.first(words.size() - 1)));
	if (known) {
		// What is known by its name without ".weight" may be one expert's of several.
		place.rank = known->rank;
		place.role = known->role;
	} else if (!find_expert(place, words)) {
		guess_layer(place, name);
	}
}

/// In no layer.
void place_outside(TensorPlace &place, std::string_view name)
{
	const std::size_t dot = name.rfind('.');
	const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
	const bool suffix = is_any(last, {"weight", "bias", "scales", "biases", "qweight", "qzeros",
					  "g_idx", "weight_scale", "weight_scale_inv"});
	const std::string_view whole =
		suffix && dot != std::string_view::npos ? name.substr(0, dot) : name;
	const std::string_view stem = whole.substr(whole.rfind('.') + 1);

	if (is_any(stem, {"token_embd", "embed_tokens", "wte", "word_embeddings", "embed_in",
			  "tok_embeddings", "embedding"})) {
		place.phase = Phase::before;
		place.role = Role::embedding;
		place.looked_up = true;
		place.tokens = true;
	} else if (is_any(stem, {"position_embd", "token_types", "per_layer_token_embd", "wpe",
				 "embed_positions", "embed_tokens_per_layer", "position_embeddings",
				 "token_type_embeddings"})) {
		place.phase = Phase::before;
		place.role = Role::embedding;
		place.rank = 1;
		place.looked_up = true;
	} else if (is_any(stem,
			  {"output", "lm_head", "embed_out", "output_layer", "head", "unembed"})) {
		place.phase = Phase::after;
		place.role = Role::output;
		place.rank = 2;
	} else if (is_any(stem, {"output_norm", "norm", "final_layernorm", "ln_f",
				 "final_layer_norm", "final_norm", "norm_f"})) {
		place.phase = Phase::after;
		place.role = Role::norm;
		place.rank = 1;
	} else {
		place.phase = has_any(stem, {"output", "final", "unembd", "head"}) ? Phase::after
										   : Phase::before;
		place.role = has_any(stem, {"norm"}) ? Role::norm : Role::other;
		place.rank = place.phase == Phase::after ? 1 : 2;
	}
}

} // namespace

TensorPlace place_of(std::string_view name)
{
	const Words words = split(name);
	const std::size_t at = layer_word(words);
	TensorPlace place;

	if (at) {
		place.layer = number(words[at]);
		place_in_layer(place, std::span(words).subspan(at + 1));
	} else {
		place_outside(place, name);
	}
	if (is_aside(words)) {
		place.phase = Phase::never;
		place.tokens = false;
	}
	return place;
}

} // namespace itme
