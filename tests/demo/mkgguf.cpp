// SPDX-License-Identifier: GPL-2.0
//
// Writes a GGUF v3 model of the `llama` architecture with random weights: F16 or
// Q4_0 matrices, F32 norms, a byte vocabulary of the SentencePiece kind. It says
// nothing sensible, but an unmodified llama.cpp loads and decodes it, and the
// same seed gives the same file on every machine, so greedy decoding of it is a
// test of every byte.
//
//	mkgguf [--layers N] [--embd N] [--ff N] [--heads N] [--seed N]
//		[--experts N] [--used N] [--bits 16|4] FILE
//
// With --experts it is a mixture of them (as Mixtral), of which --used (2) are
// asked for each token. Q4_0 (--bits 4) is what llama.cpp repacks on most CPUs.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

namespace
{

constexpr uint32_t alignment = 32; // of a tensor in the file, GGUF's default
constexpr uint32_t context = 512;

struct Shape {
	uint32_t layers = 15;
	uint32_t embd = 512;
	uint32_t ff = 1536;
	uint32_t heads = 8;
	uint64_t seed = 1;
	uint32_t experts = 0; // 0: a dense model
	uint32_t used = 2;
	uint32_t bits = 16;
};

enum TensorType : uint32_t { F32 = 0, F16 = 1, Q4_0 = 2 };

// So many weights have one scale in Q4_0: an F16, then two weights a byte.
constexpr uint32_t q4_weights = 32;
constexpr uint32_t q4_bytes = 2 + q4_weights / 2;

struct Tensor {
	std::string name;
	uint64_t cols; // ne[0], the length of a row
	uint64_t rows; // ne[1], 0 for a vector
	TensorType type;
	float scale;	     // largest absolute weight
	uint64_t planes = 0; // ne[2], 0 for none

	uint64_t lines() const { return (rows ? rows : 1) * (planes ? planes : 1); }

	uint64_t bytes() const
	{
		const uint64_t n = cols * lines();

		return type == Q4_0 ? n / q4_weights * q4_bytes : n * (type == F16 ? 2 : 4);
	}
};

uint64_t padded(uint64_t n)
{
	return (n + alignment - 1) / alignment * alignment;
}

// The metadata: little-endian values one after the other.
class Header
{
public:
	enum Type : uint32_t { U32 = 4, I32 = 5, Float = 6, Str = 8, Array = 9 };

	template <typename T>
	void raw(T v)
	{
		const auto *p = reinterpret_cast<const char *>(&v);
		bytes_.append(p, sizeof(v));
	}

	void str(const std::string &s)
	{
		raw<uint64_t>(s.size());
		bytes_ += s;
	}

	void key(const std::string &name, Type type)
	{
		str(name);
		raw<uint32_t>(type);
		keys_++;
	}

	void array(const std::string &name, Type type, uint64_t n)
	{
		key(name, Array);
		raw<uint32_t>(type);
		raw(n);
	}

	void u32(const std::string &name, uint32_t v)
	{
		key(name, U32);
		raw(v);
	}

	void f32(const std::string &name, float v)
	{
		key(name, Float);
		raw(v);
	}

	void string(const std::string &name, const std::string &v)
	{
		key(name, Str);
		str(v);
	}

	uint64_t keys() const { return keys_; }

	const std::string &bytes() const { return bytes_; }

private:
	std::string bytes_;
	uint64_t keys_ = 0;
};

struct Piece {
	std::string text;
	int32_t type; // 1 normal, 2 unknown, 3 control, 6 byte
};

std::vector<Piece> vocabulary()
{
	std::vector<Piece> v = {{"<unk>", 2}, {"<s>", 3}, {"</s>", 3}};
	const char digits[] = "0123456789ABCDEF";

	for (unsigned int b = 0; b < 256; b++)
		v.push_back({std::string("<0x") + digits[b >> 4] + digits[b & 15] + ">", 6});
	v.push_back({"\xe2\x96\x81", 1}); // what a space becomes before tokenizing
	return v;
}

Header metadata(const Shape &s, const std::vector<Piece> &vocab)
{
	Header h;

	h.string("general.architecture", "llama");
	h.string("general.name", "itme-demo");
	h.u32("general.file_type", s.bits == 4 ? 2 : 1); // mostly Q4_0, mostly F16
	h.u32("general.alignment", alignment);
	h.u32("llama.context_length", context);
	h.u32("llama.embedding_length", s.embd);
	h.u32("llama.block_count", s.layers);
	h.u32("llama.feed_forward_length", s.ff);
	h.u32("llama.attention.head_count", s.heads);
	h.u32("llama.attention.head_count_kv", s.heads);
	h.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
	h.u32("llama.rope.dimension_count", s.embd / s.heads);
	if (s.experts) {
		h.u32("llama.expert_count", s.experts);
		h.u32("llama.expert_used_count", s.used);
	}
	h.u32("llama.vocab_size", static_cast<uint32_t>(vocab.size()));
	h.string("tokenizer.ggml.model", "llama");
	h.array("tokenizer.ggml.tokens", Header::Str, vocab.size());
	for (const auto &p : vocab)
		h.str(p.text);
	h.array("tokenizer.ggml.scores", Header::Float, vocab.size());
	for (size_t i = 0; i < vocab.size(); i++)
		h.raw<float>(0);
	h.array("tokenizer.ggml.token_type", Header::I32, vocab.size());
	for (const auto &p : vocab)
		h.raw(p.type);
	h.u32("tokenizer.ggml.unknown_token_id", 0);
	h.u32("tokenizer.ggml.bos_token_id", 1);
	h.u32("tokenizer.ggml.eos_token_id", 2);
	return h;
}

// Weights of variance 1/columns keep activations near 1 through any number of
// layers, so no logit overflows F16 or becomes NaN.
Tensor matrix(const std::string &name, uint64_t cols, uint64_t rows, float gain = 1)
{
	return {name, cols, rows, F16, gain * std::sqrt(3.0F / static_cast<float>(cols))};
}

// Sharper attention than a trained model starts with, or greedy decoding soon
// repeats one token and would not notice a wrong byte.
constexpr float sharp = 4;

// The names, and their order within a block, are those llama.cpp itself writes.
std::vector<Tensor> tensors(const Shape &s, uint64_t vocab)
{
	std::vector<Tensor> t;

	t.push_back({"token_embd.weight", s.embd, vocab, F16, 1.0F});
	for (uint32_t i = 0; i < s.layers; i++) {
		const std::string blk = "blk." + std::to_string(i) + ".";

		t.push_back({blk + "attn_norm.weight", s.embd, 0, F32, 1.0F});
		t.push_back(matrix(blk + "attn_q.weight", s.embd, s.embd, sharp));
		t.push_back(matrix(blk + "attn_k.weight", s.embd, s.embd, sharp));
		t.push_back(matrix(blk + "attn_v.weight", s.embd, s.embd));
		t.push_back(matrix(blk + "attn_output.weight", s.embd, s.embd));
		t.push_back({blk + "ffn_norm.weight", s.embd, 0, F32, 1.0F});
		// Sharp, too: each token shall ask for experts of its own.
		if (s.experts)
			t.push_back(matrix(blk + "ffn_gate_inp.weight", s.embd, s.experts, sharp));
		for (const char *what : {"gate", "up", "down"}) {
			const bool down = what[0] == 'd';
			const std::string end = s.experts ? "_exps.weight" : ".weight";

			t.push_back(matrix(blk + "ffn_" + what + end, down ? s.ff : s.embd,
					   down ? s.embd : s.ff));
			t.back().planes = s.experts;
		}
	}
	t.push_back({"output_norm.weight", s.embd, 0, F32, 1.0F});
	t.push_back(matrix("output.weight", s.embd, vocab));
	// What routes, and what is looked up, llama.cpp leaves as it is, too.
	for (auto &one : t)
		if (s.bits == 4 && one.type == F16 && one.name.rfind("blk.", 0) == 0 &&
		    one.name.find("gate_inp") == std::string::npos)
			one.type = Q4_0;
	return t;
}

// Rounds toward zero; values here are normal halves or become 0.
uint16_t half(float f)
{
	uint32_t u;

	std::memcpy(&u, &f, sizeof(u));
	const uint32_t sign = u >> 16 & 0x8000;
	const int exponent = static_cast<int>(u >> 23 & 0xff) - 127 + 15;

	if (exponent <= 0)
		return static_cast<uint16_t>(sign);
	return static_cast<uint16_t>(sign | static_cast<uint32_t>(exponent) << 10 |
				     (u >> 13 & 0x3ff));
}

// splitmix64
uint64_t next(uint64_t &state)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

class Output
{
public:
	explicit Output(const char *path) : file_(std::fopen(path, "wb")) { check(file_); }

	void put(const void *p, size_t n)
	{
		check(std::fwrite(p, 1, n, file_) == n);
		at_ += n;
	}

	void pad()
	{
		static const char zero[alignment] = {};

		put(zero, padded(at_) - at_);
	}

	void close() { check(!std::fclose(file_)); }

	uint64_t at() const { return at_; }

private:
	static void check(bool ok)
	{
		if (ok)
			return;
		std::perror("mkgguf");
		std::exit(1);
	}

	std::FILE *file_;
	uint64_t at_ = 0;
};

void write_weights(Output &out, const Tensor &t, uint64_t &state)
{
	if (t.type == F32) {
		const std::vector<float> v(t.bytes() / sizeof(float), t.scale);

		out.put(v.data(), t.bytes());
		return;
	}

	// Converting 2^16 steps once is much cheaper than converting each weight.
	std::vector<uint16_t> step(1 << 16);
	for (size_t i = 0; i < step.size(); i++)
		step[i] = half(t.scale * (static_cast<float>(i) / 32768.0F - 1.0F));

	if (t.type == Q4_0) {
		const uint16_t scale = half(t.scale / 8);

		for (uint64_t n = t.bytes() / q4_bytes; n; n--) {
			const uint64_t random[] = {next(state), next(state)};
			uint8_t weights[q4_weights / 2];

			// Not -8, which has no counterpart: they shall have a mean of 0.
			std::memcpy(weights, random, sizeof(weights));
			for (auto &two : weights)
				two |= (two & 0xf0 ? 0 : 0x80) | (two & 0x0f ? 0 : 0x08);
			out.put(&scale, sizeof(scale));
			out.put(weights, sizeof(weights));
		}
		return;
	}

	std::vector<uint16_t> row(t.cols);
	uint64_t bits = 0;
	for (uint64_t r = 0; r < t.lines(); r++) {
		for (size_t c = 0; c < row.size(); c++) {
			bits = c % 4 ? bits >> 16 : next(state);
			row[c] = step[bits & 0xffff];
		}
		out.put(row.data(), row.size() * sizeof(row[0]));
	}
}

uint64_t write_model(const Shape &s, const char *path)
{
	const auto vocab = vocabulary();
	const auto list = tensors(s, vocab.size());
	const auto meta = metadata(s, vocab);
	uint64_t state = s.seed;
	Output out(path);
	Header head;

	head.raw<uint32_t>(0x46554747); // "GGUF"
	head.raw<uint32_t>(3);
	head.raw<uint64_t>(list.size());
	head.raw<uint64_t>(meta.keys());
	out.put(head.bytes().data(), head.bytes().size());
	out.put(meta.bytes().data(), meta.bytes().size());

	Header info;
	uint64_t offset = 0;
	for (const auto &t : list) {
		info.str(t.name);
		info.raw<uint32_t>(t.planes ? 3 : t.rows ? 2 : 1);
		info.raw(t.cols);
		if (t.rows)
			info.raw(t.rows);
		if (t.planes)
			info.raw(t.planes);
		info.raw<uint32_t>(t.type);
		info.raw(offset);
		offset += padded(t.bytes());
	}
	out.put(info.bytes().data(), info.bytes().size());
	out.pad();
	for (const auto &t : list) {
		write_weights(out, t, state);
		out.pad();
	}
	out.close();
	return out.at();
}

[[noreturn]] void usage()
{
	std::cerr << "usage: mkgguf [--layers N] [--embd N] [--ff N] [--heads N] [--seed N]\n"
		     "              [--experts N] [--used N] [--bits 16|4] FILE\n";
	std::exit(2);
}

uint32_t number(const char *text)
{
	char *end;
	const unsigned long v = std::strtoul(text, &end, 10);

	if (!*text || *end || !v || v > UINT32_MAX)
		usage();
	return static_cast<uint32_t>(v);
}

} // namespace

int main(int argc, char **argv)
{
	const char *path = nullptr;
	Shape s;

	for (int i = 1; i < argc; i++) {
		const std::string opt = argv[i];

		if (opt.compare(0, 2, "--") != 0) {
			path = argv[i];
			continue;
		}
		if (++i == argc)
			usage();
		const uint32_t v = number(argv[i]);
		if (opt == "--layers")
			s.layers = v;
		else if (opt == "--embd")
			s.embd = v;
		else if (opt == "--ff")
			s.ff = v;
		else if (opt == "--heads")
			s.heads = v;
		else if (opt == "--seed")
			s.seed = v;
		else if (opt == "--experts")
			s.experts = v;
		else if (opt == "--used")
			s.used = v;
		else if (opt == "--bits" && (v == 16 || v == 4))
			s.bits = v;
		else
			usage();
	}
	if (!path || s.embd % (2 * s.heads) || (s.experts && s.used > s.experts) ||
	    (s.bits == 4 && (s.embd % q4_weights || s.ff % q4_weights)))
		usage();
	std::cout << write_model(s, path) << "\n";
	return 0;
}
