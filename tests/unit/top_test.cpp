// SPDX-License-Identifier: GPL-2.0
#include "top.hpp"

#include "cli_fixture.hpp"
#include "screen.hpp"

namespace itmectl
{
namespace
{

Sample sample(std::uint64_t seconds, std::uint64_t read, std::uint64_t stall_ns)
{
	Sample one;
	itme::PlanInfo plan;

	one.time = seconds * 1'000'000'000;
	one.stats.counters.read_bytes = read;
	one.stats.counters.stall_ns = stall_ns;
	one.stats.counters.stall_max_ns = 7'000'000;
	one.tiers.push_back({ITME_TIER_DRAM, {0}, 64 << 20, 16 << 20, 0, 0, 0, 0});
	plan.id = 3;
	plan.name = "x\x1b";
	plan.at = 2;
	plan.stages = 8;
	plan.cursors = {{0, 0, 5}, {0, 0, 9}};
	one.plans.push_back(plan);
	return one;
}

bool has(const std::string &text, std::string_view part)
{
	return text.find(part) != std::string::npos;
}

} // namespace

TEST(Top, RatesAreOfTheTimeBetween)
{
	const auto text =
		draw_top(sample(12, 30 << 20, 3'000'000), sample(10, 10 << 20, 1'000'000), {});

	EXPECT_TRUE(has(text, "longest stall 7.0ms"));
	EXPECT_TRUE(has(text, "dram  16M    64M  25%"));
	EXPECT_TRUE(has(text, "\nper second  10M"));
	EXPECT_TRUE(has(text, "1.0ms\nin all      30M"));
	EXPECT_TRUE(has(text, "   3 x\\x1b            - 2/8       9"));
	EXPECT_FALSE(has(text, "\x1b"));
}

TEST(Top, NoRatesYetAndAnotherMount)
{
	EXPECT_TRUE(has(draw_top(sample(1, 5 << 20, 0), std::nullopt, {}), "\nper second    -"));
	// Counters begin anew: what they say now has been added.
	EXPECT_TRUE(has(draw_top(sample(2, 1 << 20, 0), sample(1, 9 << 20, 0), {}),
			"\nper second   1M"));
	// No time has passed.
	EXPECT_TRUE(has(draw_top(sample(1, 5 << 20, 0), sample(1, 0, 0), {}), "\nper second    0"));
}

TEST(Top, JsonIsRaw)
{
	const auto json =
		top_json(sample(12, 30 << 20, 3'000'000), sample(10, 10 << 20, 1'000'000));

	EXPECT_EQ(json["interval_ns"], 2'000'000'000);
	EXPECT_EQ(json["per_second"]["read_bytes"], 10 << 20);
	EXPECT_EQ(json["per_second"]["stall_ns"], 1'000'000);
	EXPECT_EQ(json["total"]["read_bytes"], 30 << 20);
	EXPECT_EQ(json["tiers"][0]["budget"], 64 << 20);
	EXPECT_EQ(json["plans"][0]["name"], "x\x1b");
	EXPECT_EQ(json["plans"][0]["cursors"][1]["lead"], 9);
}

TEST(Screen, Clip)
{
	EXPECT_EQ(clip("a\nb\nc\n", 2), "a\nb\n");
	EXPECT_EQ(clip("a\nb", 2), "a\nb");
	EXPECT_EQ(clip("a\nb", 9), "a\nb");
	EXPECT_EQ(clip("a", 0), "");
	EXPECT_EQ(clip("", 3), "");
}

using CliTop = Cli;

TEST_F(CliTop, Batch)
{
	module.stats.read_bytes = 3 * mib;
	ASSERT_EQ(run({"top", "-b", "-n", "2", "-d", "0.01"}), 0);
	EXPECT_EQ(out.find("itme "), 0U);
	EXPECT_NE(out.find("itme ", 5), std::string::npos);
	EXPECT_FALSE(has(out, "\x1b"));
	// Not a terminal: batch by itself.
	ASSERT_EQ(run({"top", "--count", "3", "-d", "0.01", "--json"}), 0);
	EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3);
	EXPECT_EQ(Json::parse(out.substr(0, out.find('\n')))["total"]["read_bytes"], 3 * mib);
	EXPECT_EQ(run({"top", "-d", "0"}), 2);
	EXPECT_EQ(run({"top", "-n", "x"}), 2);
	family.errors[ITME_CMD_STATS_GET] = {ENODEV, "no itmefs is mounted"};
	EXPECT_EQ(run({"top", "-b", "-n", "1"}), 1);
}

} // namespace itmectl
