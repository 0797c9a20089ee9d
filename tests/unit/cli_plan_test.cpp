// SPDX-License-Identifier: GPL-2.0
// plan and advise --pid, over a model of the module.
#include "cli_fixture.hpp"
#include "temp_tree.hpp"

#include "plans.hpp"

#include <fstream>
#include <limits>
#include <sstream>

namespace itmectl
{
namespace
{

class CliPlan : public Cli
{
protected:
	CliPlan()
	{
		module.add("a", 5 * mib, "/a");
		module.add("b", mib, "/b");
	}

	static std::string read(const std::string &path)
	{
		std::ostringstream text;
		text << std::ifstream(path).rdbuf();
		return text.str();
	}

	itme::test::TempTree tree;
};

} // namespace

TEST_F(CliPlan, WholeFiles)
{
	ASSERT_EQ(run({"plan", "set", "--cyclic", "a", "b", "--stage", "2M", "--name", "n",
		       "--budget", "1G", "--lookahead", "3M"}),
		  0);
	EXPECT_EQ(out, "1\n");
	const auto &plan = family.plans[1];
	EXPECT_EQ(plan.info.name, "n");
	EXPECT_TRUE(plan.info.cyclic);
	EXPECT_EQ(plan.info.budget, 1024 * mib);
	EXPECT_EQ(plan.info.lookahead, 3 * mib);
	ASSERT_EQ(plan.stages.size(), 4U);
	EXPECT_EQ(plan.stages[2], (itme::PlanStage{{1, 4 * mib, mib}}));
	EXPECT_EQ(plan.stages[3], (itme::PlanStage{{2, 0, mib}}));
	ASSERT_EQ(run({"plan", "set", "--once", "b", "--id", "1", "-J"}), 0);
	EXPECT_EQ(json().dump(), R"({"id":1,"name":""})");
	EXPECT_FALSE(family.plans[1].info.cyclic);
}

TEST_F(CliPlan, SetErrors)
{
	EXPECT_EQ(run({"plan", "set"}), 2);
	EXPECT_EQ(run({"plan", "set", "x", "y"}), 2);
	EXPECT_EQ(run({"plan", "set", "--once", "--cyclic", "a"}), 2);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--stage", "x"}), 2);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--budget", "x"}), 2);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--id", "-1"}), 2);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--stage", "0"}), 1);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--stage", "1"}), 1);
	EXPECT_EQ(run({"plan", "set", "--once", "none"}), 1);
	EXPECT_NE(err.find("no such file"), std::string::npos);
	EXPECT_EQ(run({"plan", "set", "--once", ""}), 1);
	EXPECT_EQ(run({"plan", "set", "--once", std::string(300, 'n').c_str()}), 1);
	EXPECT_EQ(run({"plan", "set", "--once", "a", "--id", "7"}), 1);
	EXPECT_NE(err.find("there is no plan 7"), std::string::npos);
	EXPECT_EQ(run({"plan", "set", "/nonexistent"}), 1);
	EXPECT_TRUE(family.plans.empty());
	const auto bad =
		tree.write("bad", "{\"stages\": [[{\"file\": \"b\", \"length\": \"2M\"}]]}");
	EXPECT_EQ(run({"plan", "set", bad.c_str()}), 1);
	EXPECT_NE(err.find("stages[0][0]: ends after the end of b (1M)"), std::string::npos);
	const auto name = std::string("bad\x1b[31m");
	const auto hostile = tree.write(name, "{\"\x1b\": 1}");
	EXPECT_EQ(run({"plan", "set", hostile.c_str()}), 1);
	EXPECT_EQ(err.find('\x1b'), std::string::npos);
}

TEST_F(CliPlan, LoadAndSave)
{
	const auto file = tree.write("p", R"({"name": "n", "stages": [[{"file": "a", "offset": "1M",
		"length": "1M"}, {"file": "b"}]], "triggers": [{"source": {"file": "a", "length": 4096},
		"targets": [{"file": "b"}]}]})");
	const auto saved = tree.path() + "/saved";

	ASSERT_EQ(run({"plan", "load", file.c_str()}), 0);
	ASSERT_EQ(run({"plan", "set", file.c_str(), "--name", "other"}), 0);
	ASSERT_EQ(run({"plan", "load", file.c_str()}), 0);
	EXPECT_EQ(out, "1\n");
	EXPECT_EQ(family.plans.size(), 2U);
	ASSERT_EQ(run({"plan", "save", "n", saved.c_str()}), 0);
	EXPECT_EQ(out, "");
	ASSERT_EQ(run({"plan", "save", "1"}), 0);
	EXPECT_EQ(out, read(saved));
	EXPECT_EQ(json()["stages"][0][1]["length"], mib);
	ASSERT_EQ(run({"plan", "load", saved.c_str()}), 0);
	ASSERT_EQ(run({"plan", "save", "n"}), 0);
	EXPECT_EQ(out, read(saved));

	family.plans[2].info.name = "n";
	EXPECT_EQ(run({"plan", "load", file.c_str()}), 1);
	EXPECT_NE(err.find("several plans"), std::string::npos);
	EXPECT_EQ(run({"plan", "save", "none"}), 1);
	EXPECT_EQ(run({"plan", "save", "1", "/nonexistent/x"}), 1);
	EXPECT_EQ(run({"plan", "save", "1", "/dev/full"}), 1);
	EXPECT_EQ(run({"plan", "load"}), 2);

	module.files.erase("b");
	ASSERT_EQ(run({"plan", "save", "1"}), 0);
	EXPECT_NE(err.find("2 ranges are left out"), std::string::npos);
	module.files.clear();
	EXPECT_EQ(run({"plan", "save", "1"}), 1);
	EXPECT_NE(err.find("nothing to save"), std::string::npos);
}

TEST_F(CliPlan, ANameThatIsANumber)
{
	ASSERT_EQ(run({"plan", "set", "--once", "a", "--name", "2"}), 0);
	ASSERT_EQ(run({"plan", "set", "--once", "b", "--name", "1"}), 0);
	// The number counts.
	ASSERT_EQ(run({"plan", "delete", "1", "-J"}), 0);
	EXPECT_EQ(json()[0]["name"], "2");
	ASSERT_EQ(run({"plan", "delete", "1"}), 0);
	EXPECT_TRUE(family.plans.empty());
}

TEST_F(CliPlan, LargeOnesTakeManyMessages)
{
	std::string text = "{\"stages\": [[";

	for (int i = 0; i < 20000; i++)
		text += fmt::format("{}{{\"file\": \"a\", \"offset\": {}, \"length\": 1}}",
				    i ? "," : "", i);
	const auto file = tree.write("large", text + "]]}");
	ASSERT_EQ(run({"plan", "set", file.c_str()}), 0);
	EXPECT_GT(family.message_sizes.size(), 5U);
	ASSERT_EQ(family.plans[1].stages.size(), 1U);
	ASSERT_EQ(family.plans[1].stages[0].size(), 20000U);
	EXPECT_EQ(family.plans[1].stages[0][19999].offset, 19999U);
}

TEST_F(CliPlan, ListAndShow)
{
	ASSERT_EQ(run({"plan", "set", "--cyclic", "a", "b", "--stage", "4M", "--name", "x\x1b[2J"}),
		  0);
	auto &info = family.plans[1].info;
	info.bytes = 6 * mib;
	info.passes = 3;
	info.cycle = 1'500'000'000;
	info.pid = 77;
	ASSERT_EQ(run({"plan", "step", "1", "2"}), 0);
	EXPECT_EQ(out, "");
	ASSERT_EQ(run({"plan", "list"}), 0);
	EXPECT_EQ(out, "ID NAME     LEARNED-FROM CYCLIC STAGES SIZE DRAM CXL AT PASSES JUMPS "
		       "CYCLE CURSORS\n"
		       " 1 x\\x1b[2J           77 yes         3   6M    0   0  2      3     0 1.5s "
		       " 2+7\n");
	ASSERT_EQ(run({"plan", "list", "--json"}), 0);
	EXPECT_EQ(json()[0]["cycle_ns"], 1'500'000'000);
	EXPECT_EQ(json()[0]["cursors"].dump(), R"([{"position":2,"stage":2,"lead":7}])");

	module.files["a"].map = {ITME_TIER_DRAM, ITME_TIER_CXL, ITME_TIER_NVME};
	module.files["b"].map = {ITME_TIER_DRAM};
	ASSERT_EQ(
		run({"plan", "show", "1", "-o", "stage,files,offset,bytes,dram,cxl,nvme,cursors"}),
		0);
	EXPECT_EQ(out, "STAGE FILES OFFSET SIZE DRAM CXL NVME CURSORS\n"
		       "    0 a          0   4M   2M  2M    0       0\n"
		       "    1 a         4M   1M    0   0   1M       0\n"
		       "    2 b          0   1M   1M   0    0       1\n");
	ASSERT_EQ(run({"plan", "show", "1", "-J"}), 0);
	EXPECT_EQ(json()["pid"], 77);
	EXPECT_EQ(json()["stage_list"][0]["cxl"], 2 * mib);
	EXPECT_EQ(json()["stage_list"][1]["ranges"].dump(),
		  R"([{"file":"a","object":1,"offset":4194304,"length":1048576}])");
	ASSERT_EQ(run({"plan", "show", "1"}), 0);
	EXPECT_NE(out.find("x\\x1b[2J"), std::string::npos);
	EXPECT_NE(out.find("\n\nSTAGE FILES"), std::string::npos);
	// Of a file that is gone, or may not be opened, it is not known where it lies.
	module.files.erase("b");
	ASSERT_EQ(run({"plan", "show", "1", "-n", "-o", "files,dram"}), 0);
	EXPECT_EQ(out, "a      2M\na       0\n(gone)  -\n");
	EXPECT_EQ(run({"plan", "show", "9"}), 1);
	EXPECT_EQ(run({"plan", "show", "1", "-o", "bogus"}), 2);
}

TEST_F(CliPlan, StepAndDelete)
{
	ASSERT_EQ(run({"plan", "set", "--once", "a", "--name", "n"}), 0);
	EXPECT_EQ(run({"plan", "step", "n", "5"}), 1);
	EXPECT_NE(err.find("has no stage 5"), std::string::npos);
	EXPECT_EQ(run({"plan", "step", "n", "-1"}), 2);
	EXPECT_EQ(run({"plan", "step", "n", "4294967296"}), 2);
	EXPECT_EQ(run({"plan", "step", "n"}), 2);
	EXPECT_EQ(run({"plan", "delete", "n", "n"}), 1);
	EXPECT_TRUE(family.plans.empty());
	EXPECT_EQ(run({"plan", "delete"}), 2);
	EXPECT_EQ(run({"plan"}), 2);
}

TEST_F(CliPlan, Learn)
{
	ASSERT_EQ(run({"plan", "learn"}), 0);
	EXPECT_NE(err.find("nothing has been learned"), std::string::npos);
	ASSERT_EQ(run({"plan", "set", "--cyclic", "a", "--stage", "1M"}), 0);
	EXPECT_EQ(run({"plan", "learn", "1"}), 1);
	EXPECT_NE(err.find("was set, not learned"), std::string::npos);
	auto &plan = family.plans[1];
	plan.info.pid = 1;
	// Of a file that has gone meanwhile.
	plan.stages.push_back({{2, 0, 0}});
	ASSERT_EQ(run({"plan", "learn", "-J"}), 0);
	EXPECT_EQ(json()[0]["pid"], 1);
	EXPECT_EQ(run({"plan", "learn", "--wait", "--timeout", "0.01"}), 1);
	EXPECT_NE(err.find("nothing was learned in 0.01 seconds"), std::string::npos);
	EXPECT_EQ(run({"plan", "learn", "--pid", "4194304"}), 1);
	EXPECT_NE(err.find("process 4194304 has ended"), std::string::npos);
	plan.info.passes = 1;
	ASSERT_EQ(run({"plan", "learn", "--pid", "1", "--wait", "--name", "kept"}), 0);
	EXPECT_EQ(out, "1\n");
	EXPECT_EQ(family.plans[1].info.pid, std::nullopt);
	EXPECT_EQ(family.plans[1].info.name, "kept");
	EXPECT_EQ(family.plans[1].stages.size(), 5U);
	EXPECT_EQ(run({"plan", "learn", "1", "--pid", "1"}), 2);
	EXPECT_EQ(run({"plan", "learn", "--timeout", "1"}), 2);
}

TEST_F(CliPlan, AdviseProcess)
{
	family.advise_step = 3 * mib;
	ASSERT_EQ(
		run({"advise", "pin", "0x10000", "--pid", "42", "--length", "8M", "--tier", "cxl"}),
		0);
	EXPECT_EQ(out, "42: pin holds for 8M\n");
	ASSERT_EQ(family.advices.size(), 3U);
	EXPECT_EQ(family.advices[0][ITME_A_HINT_TIER], ITME_TIER_CXL);
	EXPECT_EQ(family.advices[0][ITME_A_HINT_ADVICE], ITME_ADVICE_PIN);
	EXPECT_EQ(family.advices[2][ITME_A_HINT_ADDRESS], 0x10000 + 6 * mib);
	EXPECT_EQ(family.advices[2][ITME_A_HINT_LENGTH], 2 * mib);
	family.advise_step = 0;
	ASSERT_EQ(run({"advise", "cold", "all", "--pid", "42", "-J"}), 0);
	EXPECT_EQ(json()["address"], 0);
	EXPECT_EQ(json()["length"], std::numeric_limits<std::uint64_t>::max());
	EXPECT_EQ(family.advices.back().count(ITME_A_HINT_TIER), 0U);
	for (const char *bad : {"a", "", "-1", "0xg"})
		EXPECT_EQ(run({"advise", "cold", "--pid", "42", "--length", "1", bad}), 2) << bad;
	EXPECT_EQ(run({"advise", "cold", "0x1000", "--pid", "42"}), 2);
	EXPECT_EQ(run({"advise", "cold", "all", "--pid", "42", "--length", "1"}), 2);
	EXPECT_EQ(run({"advise", "cold", "all", "--pid", "42", "--offset", "1"}), 2);
	EXPECT_EQ(run({"advise", "cold", "all", "--pid", "0"}), 2);
	family.errors[ITME_CMD_ADVISE] = {EPERM, "process 42 may not be looked at (ptrace)"};
	EXPECT_EQ(run({"advise", "cold", "all", "--pid", "42"}), 1);
	EXPECT_NE(err.find("ptrace"), std::string::npos);
}

TEST_F(CliPlan, EveryRequestThatFailsIsOneLine)
{
	ASSERT_EQ(run({"plan", "set", "--once", "a"}), 0);
	const std::initializer_list<int> commands = {ITME_CMD_PLAN_GET, ITME_CMD_OBJECT_GET,
						     ITME_CMD_PLAN_SET, ITME_CMD_PLAN_DEL,
						     ITME_CMD_PLAN_STEP};
	for (const int command : commands)
		family.errors[command] = {EIO, "it is broken\x1b"};
	EXPECT_EQ(run({"plan", "list"}), 1);
	EXPECT_EQ(err, "itmectl: it is broken\\x1b\n");
	EXPECT_EQ(run({"plan", "set", "--once", "a"}), 1);
	EXPECT_EQ(run({"plan", "learn"}), 1);
	family.errors.erase(ITME_CMD_PLAN_GET);
	EXPECT_EQ(run({"plan", "show", "1"}), 1);
	EXPECT_EQ(run({"plan", "save", "1"}), 1);
	EXPECT_EQ(run({"plan", "delete", "1"}), 1);
	EXPECT_EQ(run({"plan", "step", "1", "0"}), 1);
	family.errors.erase(ITME_CMD_OBJECT_GET);
	EXPECT_EQ(run({"plan", "set", "--once", "a"}), 1);
}

TEST(FormatTime, Units)
{
	EXPECT_EQ(format_time(0), "0ns");
	EXPECT_EQ(format_time(999), "999ns");
	EXPECT_EQ(format_time(1000), "1.0us");
	EXPECT_EQ(format_time(999'949), "999.9us");
	EXPECT_EQ(format_time(999'951), "1.0ms");
	EXPECT_EQ(format_time(12'345'678), "12.3ms");
	EXPECT_EQ(format_time(3'600'000'000'000), "3600.0s");
	EXPECT_EQ(format_time(~std::uint64_t{0}), "18446744073.7s");
}

} // namespace itmectl
