// SPDX-License-Identifier: GPL-2.0
#include "config.hpp"

#include "temp_tree.hpp"

#include <gtest/gtest.h>

namespace itmed
{
namespace
{

/// The only problem of a text, as it is printed.
std::string problem(std::string_view text)
{
	const auto result = parse_config(text);

	return result.problems.size() == 1 ? format_problem("f", result.problems[0])
					   : std::to_string(result.problems.size());
}

bool begins(const std::string &text, std::string_view with)
{
	return text.starts_with(with);
}

} // namespace

TEST(ItmedConfig, Nothing)
{
	const auto result = parse_config("");

	ASSERT_TRUE(result.problems.empty());
	EXPECT_EQ(result.config.state_dir, "/var/lib/itme");
	EXPECT_TRUE(result.config.metrics_listen.empty());
	EXPECT_FALSE(result.config.dram.budget);
}

TEST(ItmedConfig, AllOfIt)
{
	const auto result = parse_config(R"(
mount = "/mnt/x"
group = "ai"
log_level = "debug"
[metrics]
listen = "[::1]:9464"
[watch]
interval = "500ms"
unused = 90
wrong = 5
[parser]
memory = "64M"
cpu = 2
timeout = "1min"
[tier.dram]
budget = "16G"
[tier.cxl]
budget = 0
online = "movable"
[[swap]]
path = "/dev/disk/by-label/itme"
priority = 7
check = true
[[swap]]
path = "/srv/swap"
[[model]]
path = "/models/a.gguf"
name = "a"
chunk = "64K"
[[model]]
path = "/models/b.gguf"
[[rule]]
path = "/models/*"
unit = "ollama.service"
plan = "learned"
dram = "1G"
lookahead = "64M"
share = 2
)");
	const auto &config = result.config;

	for (const auto &one : result.problems)
		ADD_FAILURE() << format_problem("f", one);
	EXPECT_EQ(config.mount, "/mnt/x");
	EXPECT_EQ(config.metrics_listen, "[::1]:9464");
	EXPECT_EQ(config.watch.interval, std::chrono::milliseconds(500));
	EXPECT_EQ(config.watch.unused, std::chrono::seconds(90));
	EXPECT_EQ(config.watch.wrong, 5U);
	EXPECT_EQ(config.parser.memory, 64U << 20);
	EXPECT_EQ(config.parser.timeout, std::chrono::seconds(60));
	EXPECT_EQ(config.dram.budget, std::uint64_t{16} << 30);
	EXPECT_EQ(config.cxl.budget, 0U);
	EXPECT_EQ(config.cxl.online, Online::movable);
	ASSERT_EQ(config.models.size(), 2U);
	EXPECT_EQ(config.models[0].chunk, 64U << 10);
	ASSERT_EQ(config.swap.size(), 2U);
	EXPECT_EQ(config.swap[0].priority, 7);
	EXPECT_TRUE(config.swap[0].check);
	EXPECT_EQ(config.swap[1].path, "/srv/swap");
	EXPECT_EQ(config.swap[1].priority, -1);
	ASSERT_EQ(config.rules.size(), 1U);
	EXPECT_EQ(config.rules[0].plan, PlanFrom::learned);
	EXPECT_EQ(config.rules[0].share, 2);
}

TEST(ItmedConfig, ProblemsSayWhereAndWhatToDo)
{
	EXPECT_TRUE(begins(problem("a = "), "f:1:5: ")) << problem("a = ");
	EXPECT_EQ(problem("\nmout = \"/x\""),
		  "f:2:8: no key 'mout' in the file; there are mount, state_dir, socket, group, "
		  "log_level, metrics, parser, watch, tier, model, swap, rule");
	EXPECT_TRUE(begins(problem("[tier.dram]\nbudget = \"16X\""),
			   "f:2:10: the budget is not a size; write bytes"));
	EXPECT_TRUE(begins(problem("[tier.dram]\nonline = \"no\""), "f:2:10: no key 'online'"));
	EXPECT_TRUE(begins(problem("[tier.cxl]\nonline = \"yes\""),
			   "f:2:10: 'online' is unknown; write one of \"no\", \"movable\""));
	EXPECT_TRUE(begins(problem("mount = \"mnt\""), "f:1:9: 'mount' is not an absolute path"));
	EXPECT_TRUE(begins(problem("mount = 7"), "f:1:9: 'mount' is not an absolute path"));
	EXPECT_TRUE(
		begins(problem("[watch]\ninterval = \"1\""), "f:2:12: 'interval' is not a time"));
	EXPECT_TRUE(begins(problem("[watch]\ninterval = 1e300"), "f:2:12: 'interval' is not"));
	EXPECT_TRUE(begins(problem("[watch]\nwrong = 0"), "f:2:9: 'wrong' is not a number"));
	EXPECT_TRUE(begins(problem("[metrics]\nlisten = \"host:1\""), "f:2:10: 'listen'"));
	EXPECT_TRUE(begins(problem("[metrics]\nlisten = \"127.0.0.1\""), "f:2:10: 'listen'"));
	EXPECT_TRUE(begins(problem("[[model]]\nname = \"a\""), "f:1:1: a model without a path"));
	EXPECT_TRUE(begins(problem("[[model]]\npath = \"/x\"\nname = \"a/b\""), "f:3:8: 'name'"));
	EXPECT_TRUE(begins(problem("[[swap]]\ncheck = true"), "f:1:1: a swap area without"));
	EXPECT_TRUE(begins(problem("[[swap]]\npath = \"/x\"\npriority = -1"),
			   "f:3:12: 'priority' is not a number; write 0 to 32767"));
	EXPECT_TRUE(begins(problem("[[swap]]\npath = \"/x\"\ncheck = 1"), "f:3:9: 'check' is"));
	EXPECT_TRUE(begins(problem("[[rule]]\nshare = 0"), "f:2:9: 'share' is not a weight"));
	EXPECT_TRUE(begins(problem("rule = 1"), "f:1:8: 'rule' is no list"));
	EXPECT_TRUE(begins(problem("tier = 1"), "f:1:8: 'tier' is not a table"));
	// All at once.
	EXPECT_EQ(parse_config("a = 1\nb = 2\nc = 3").problems.size(), 3U);
}

TEST(ItmedConfig, Hostile)
{
	std::string deep;
	for (int i = 0; i < 100'000; i++)
		deep += '[';
	EXPECT_EQ(parse_config("a = " + deep).problems.size(), 1U);
	EXPECT_FALSE(parse_config(std::string("\xff\xfe\0\0", 4)).problems.empty());
	std::string many;
	for (int i = 0; i < 2000; i++)
		many += "[[rule]]\n";
	EXPECT_FALSE(parse_config(many).problems.empty());
}

TEST(ItmedConfig, Files)
{
	const itme::test::TempTree tree;

	EXPECT_EQ(load_config(tree.path() + "/none").problems.size(), 1U);
	EXPECT_EQ(load_config(tree.path()).problems.size(), 1U);
	EXPECT_EQ(load_config("/dev/zero").problems.size(), 1U);
	EXPECT_EQ(load_config(tree.write("large", std::string((1 << 20) + 1, '#'))).problems.size(),
		  1U);
	EXPECT_TRUE(load_config(tree.write("good", "group = \"x\"")).problems.empty());
}

} // namespace itmed
