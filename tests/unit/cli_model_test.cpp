// SPDX-License-Identifier: GPL-2.0
// model show|plan and plan set --model, over a model of the module.
#include "cli_fixture.hpp"
#include "model_files.hpp"

#include "models.hpp"
#include "planfile.hpp"

#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace itmectl
{
namespace
{

class CliModel : public Cli
{
protected:
	CliModel()
	{
		itme::test::Gguf file;

		struct stat st {
		};

		file.text("general.architecture", "qwen3moe").u32("qwen3moe.expert_count", 4);
		file.u32("qwen3moe.expert_used_count", 2);
		for (const char *layer : {"blk.0.", "blk.1."}) {
			const std::string name = layer;
			for (const char *part : {"down", "gate", "up"})
				file.tensor(name + "ffn_" + part + "_exps.weight", {512, 512, 4});
			file.tensor(name + "attn_q.weight", {1024, 1024});
		}
		file.tensor("token_embd.weight", {1024, 1000}, itme::test::gguf_f16);
		path = file.write(tree, "m.gguf");
		header = file.header().size();
		::stat(path.c_str(), &st);
		size = static_cast<std::uint64_t>(st.st_size);
		module.add("imported", size, path, st.st_ino, st.st_dev);
	}

	static std::string read(const std::string &path)
	{
		std::ostringstream text;
		text << std::ifstream(path).rdbuf();
		return text.str();
	}

	itme::test::TempTree tree;
	std::string path;
	std::uint64_t header = 0;
	std::uint64_t size = 0;
};

} // namespace

TEST_F(CliModel, Show)
{
	ASSERT_EQ(run({"model", "show", path.c_str()}), 0);
	EXPECT_NE(out.find("ARCHITECTURE qwen3moe\n"), std::string::npos) << out;
	// Two layers of 12M of experts and 4M, of which a token uses 6M and 4M; 2000K, tied.
	EXPECT_NE(out.find("PER-TOKEN"), std::string::npos);
	EXPECT_NE(
		out.find("\nLAYER     OFFSET SIZE PER-TOKEN ATTENTION FFN EXPERTS OTHER TENSORS\n"),
		std::string::npos)
		<< out;
	EXPECT_NE(out.find("\ndram   512M   34M       22M"), std::string::npos) << out;
	EXPECT_NE(out.find("Give --nvme-bps"), std::string::npos);
	EXPECT_EQ(err, "");

	ASSERT_EQ(run({"model", "show", path.c_str(), "-o", "layer,per_token,experts", "-b", "-n"}),
		  0);
	EXPECT_EQ(out, "0         10485760 12582912\n"
		       "1         10485760 12582912\n"
		       "embedding  2048000        0\n");
	ASSERT_EQ(run({"model", "show", path.c_str(), "--tensors", "-o", "name,use,experts,stride",
		       "-n", "-b"}),
		  0);
	EXPECT_EQ(out.substr(0, out.find("blk.1")),
		  "blk.0.attn_q.weight        whole  -       -\n"
		  "blk.0.ffn_gate_exps.weight chosen 4 1048576\n"
		  "blk.0.ffn_up_exps.weight   chosen 4 1048576\n"
		  "blk.0.ffn_down_exps.weight chosen 4 1048576\n");
}

TEST_F(CliModel, TheBoundIsArithmetic)
{
	// All that each token uses, 8M + 2000K, and 6M of 24M of the experts: of 12M, 3M.
	ASSERT_EQ(run({"model", "show", path.c_str(), "--dram", "16336K", "--cxl", "0",
		       "--nvme-bps", "9M", "--dram-bps", "1G", "-J"}),
		  0);
	const auto model = json();
	EXPECT_EQ(model["experts"], 4);
	EXPECT_EQ(model["per_token"], 20 * mib + 2048000);
	EXPECT_EQ(model["tier_list"][0]["per_token"], 8 * mib + 2048000 + 3 * mib);
	EXPECT_EQ(model["tier_list"][2]["per_token"], 9 * mib);
	EXPECT_DOUBLE_EQ(model["tokens_per_second"].get<double>(), 1.0);
	EXPECT_EQ(model["layer_list"].size(), 3U);

	ASSERT_EQ(run({"model", "show", path.c_str(), "--dram", "16336K", "--nvme-bps", "9M",
		       "--dram-bps", "1G", "--cxl", "0"}),
		  0);
	EXPECT_NE(out.find("At most 1.00 tokens/s, the longer of:\nmemory 0.0"), std::string::npos)
		<< out;
	EXPECT_NE(out.find("\ndrive  1.000000 s: 9M at 9M/s\n"), std::string::npos) << out;
}

TEST_F(CliModel, WithoutAMount)
{
	module.errors[ITME_IOC_TIER_GET] = ENOTTY;
	ASSERT_EQ(run({"model", "show", path.c_str()}), 0);
	EXPECT_NE(out.find("No itmefs is mounted"), std::string::npos) << out;
	ASSERT_EQ(run({"model", "show", path.c_str(), "--dram", "1G"}), 0);
	EXPECT_EQ(out.find("No itmefs is mounted"), std::string::npos) << out;
}

TEST_F(CliModel, Errors)
{
	const auto bad = tree.write("bad\x1b.gguf", "GGUF");

	EXPECT_EQ(run({"model"}), 2);
	EXPECT_EQ(run({"model", "show"}), 2);
	EXPECT_EQ(run({"model", "show", path.c_str(), "--dram", "x"}), 2);
	EXPECT_EQ(run({"model", "show", path.c_str(), "-o", "bogus"}), 2);
	EXPECT_EQ(run({"model", "show", "/nonexistent"}), 1);
	EXPECT_EQ(run({"model", "show", bad.c_str()}), 1);
	EXPECT_EQ(err.find('\x1b'), std::string::npos);
	EXPECT_EQ(run({"model", "plan", bad.c_str()}), 1);
	EXPECT_EQ(run({"model", "plan", path.c_str(), "--stage", "x"}), 2);
	EXPECT_EQ(run({"model", "plan", path.c_str(), "--stage", "3M", "--chunk", "2M"}), 1);
	EXPECT_EQ(run({"model", "plan", path.c_str(), "--stage", "384K"}),
		  1); // its chunks have 256K
	EXPECT_EQ(run({"model", "plan", path.c_str(), "/nonexistent/x"}), 1);
	EXPECT_EQ(run({"plan", "set", "--model", path.c_str(), "--cyclic", "x"}), 2);
	EXPECT_EQ(run({"plan", "set", "--model", bad.c_str()}), 1);
	module.files.clear();
	EXPECT_EQ(run({"plan", "set", "--model", path.c_str()}), 1);
	EXPECT_NE(err.find("m.gguf is not imported; 'itmectl import' does it"), std::string::npos)
		<< err;
}

TEST_F(CliModel, ImportInChunksThatSuitTheExperts)
{
	const auto chunk = [&](const char *name) {
		return module.files.at(name).object.chunk_size;
	};

	// The slice of an expert has 1 MiB.
	ASSERT_EQ(run({"import", path.c_str(), "--name", "x"}), 0) << err;
	EXPECT_EQ(chunk("x"), 256U << 10);
	ASSERT_EQ(run({"import", path.c_str(), "--name", "y", "--chunk", "1M"}), 0) << err;
	EXPECT_EQ(chunk("y"), 1U << 20);
	// What is no model is no reason not to import it.
	const auto other = tree.write("other", "GGUF");
	ASSERT_EQ(run({"import", other.c_str()}), 0) << err;
	EXPECT_EQ(chunk("other"), itme::test::FakeModule::chunk);
}

TEST_F(CliModel, ImportInChunksThatSuitTheBudget)
{
	itme::test::Gguf file;

	file.text("general.architecture", "llama");
	file.tensor("blk.0.attn_q.weight", {1024, 1024});
	const auto dense = file.write(tree, "dense.gguf");
	ASSERT_EQ(run({"import", dense.c_str(), "--name", "roomy"}), 0) << err;
	EXPECT_EQ(module.files.at("roomy").object.chunk_size, 2U << 20);
	module.tiers[ITME_TIER_DRAM].budget = 48U << 20;
	ASSERT_EQ(run({"import", dense.c_str(), "--name", "tight"}), 0) << err;
	EXPECT_EQ(module.files.at("tight").object.chunk_size, 512U << 10);
	ASSERT_EQ(run({"import", path.c_str(), "--name", "experts"}), 0) << err;
	EXPECT_EQ(module.files.at("experts").object.chunk_size, 256U << 10);
}

TEST_F(CliModel, PlanThatLoadTakes)
{
	const auto file = tree.path() + "/plan";

	ASSERT_EQ(run({"model", "plan", path.c_str(), "--budget", "1G", "--lookahead", "8M"}), 0);
	const auto printed = out;
	ASSERT_EQ(run({"model", "plan", path.c_str(), file.c_str(), "--budget", "1G", "--lookahead",
		       "8M"}),
		  0);
	EXPECT_EQ(out, "");
	EXPECT_EQ(read(file), printed);
	const auto plan = itme::parse_plan(printed);
	ASSERT_TRUE(plan) << plan.error().message;
	EXPECT_EQ(plan->name, "m");
	EXPECT_EQ(plan->budget, 1024 * mib);
	EXPECT_EQ(plan->lookahead, 8 * mib);
	EXPECT_EQ(plan->triggers.size(), 8U);
	EXPECT_EQ(plan->stages[0][0].file, "m.gguf");

	// The file is imported under another name.
	EXPECT_EQ(run({"plan", "load", file.c_str()}), 1);
	module.add("m.gguf", size, path);
	EXPECT_EQ(run({"plan", "load", file.c_str()}), 0);
	EXPECT_EQ(family.plans.begin()->second.triggers.size(), 8U);
}

TEST_F(CliModel, PlanSet)
{
	ASSERT_EQ(run({"plan", "set", "--model", path.c_str(), "--budget", "1G"}), 0) << err;
	const auto &plan = family.plans[1];
	EXPECT_EQ(plan.info.name, "m");
	EXPECT_TRUE(plan.info.cyclic);
	EXPECT_EQ(plan.info.budget, 1024 * mib);
	// attn_q is behind the experts of its layer; the last chunk has the embedding as well.
	ASSERT_EQ(plan.stages.size(), 2U);
	EXPECT_EQ(plan.stages[0][0], (itme::PlanRange{1, 12 * mib, 6 * mib}));
	ASSERT_EQ(plan.triggers.size(), 8U);
	EXPECT_EQ(plan.triggers[1].targets,
		  (std::vector<itme::PlanRange>{{1, header + 5 * mib, mib},
						{1, header + 9 * mib, mib},
						{1, header + mib, mib}}));
}

TEST_F(CliModel, TheNameOfThePlan)
{
	itme::Model model;
	const auto name = [&](const std::string &file) {
		model.files = {{file, file, 0, 0, 0}};
		return plan_name(model);
	};

	EXPECT_EQ(name("x.y.gguf"), "x.y");
	EXPECT_EQ(name("x"), "x");
	EXPECT_EQ(name(std::string(70, 'x') + ".gguf"), std::string(63, 'x'));
	EXPECT_EQ(name(std::string(62, 'x') + "\xc3\xa4.gguf"), std::string(62, 'x'));
}

} // namespace itmectl
