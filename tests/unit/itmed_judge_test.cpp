// SPDX-License-Identifier: GPL-2.0
// What the daemon decides without asking anybody.
#include "accounts.hpp"
#include "group.hpp"
#include "holder.hpp"
#include "judge.hpp"
#include "parser.hpp"
#include "printable.hpp"
#include "reduce.hpp"
#include "rules.hpp"
#include "shares.hpp"
#include "temp_tree.hpp"
#include "tier.hpp"

#include <gtest/gtest.h>

namespace itmed
{
namespace
{

constexpr std::uint64_t second = 1'000'000'000;
constexpr JudgeLimits limits{60 * second, 3};

Sample at(std::uint64_t seconds, std::uint64_t fills, std::uint64_t jumps = 0)
{
	Sample sample;

	sample.now = seconds * second;
	sample.fills = fills;
	sample.jumps = jumps;
	sample.planned = 1000;
	sample.in_memory = 500;
	return sample;
}

void pass(Judge &judge, std::uint32_t from, std::uint32_t to)
{
	for (std::uint32_t i = from; i < to; i++)
		judge.entered(i);
}

} // namespace

TEST(ItmedJudge, AnOrderThatFits)
{
	Judge judge;

	judge.begin(4, false);
	for (std::uint64_t i = 0; i < 20; i++) {
		pass(judge, 0, 4);
		EXPECT_EQ(judge.look(at(10 * i, 100 * i, i), limits), Verdict::fits) << i;
	}
	EXPECT_TRUE(judge.settled());
}

TEST(ItmedJudge, AnotherOrder)
{
	Judge judge;

	judge.begin(4, false);
	EXPECT_EQ(judge.look(at(0, 0, 0), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(10, 100, 50), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(20, 200, 100), limits), Verdict::fits);
	// Little is read meanwhile: that tells nothing, in neither direction.
	EXPECT_EQ(judge.look(at(30, 205, 105), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(40, 305, 155), limits), Verdict::wrong);
	// One good look in between, as at a load, is enough.
	judge.begin(4, false);
	EXPECT_EQ(judge.look(at(0, 0, 0), limits), Verdict::fits);
	for (std::uint64_t i = 1; i < 30; i++)
		EXPECT_EQ(judge.look(at(10 * i, 100 * i, i % 3 ? 50 * i : 50 * (i - 1)), limits),
			  Verdict::fits)
			<< i;
}

// Weights that an engine has copied: what it still uses lies between them.
TEST(ItmedJudge, AllIsWaitedFor)
{
	Judge judge;
	const auto look = [&](std::uint64_t i, std::uint64_t fills, std::uint64_t demanded) {
		Sample sample = at(10 * i, fills);
		sample.demanded = demanded;
		return judge.look(sample, limits);
	};

	judge.begin(4, false);
	pass(judge, 0, 4);
	// Not all stages have been used again: that is how a model is loaded.
	for (std::uint64_t i = 0; i < 5; i++)
		EXPECT_EQ(look(i, 100 * i, 95 * i), Verdict::fits) << i;
	pass(judge, 0, 4);
	EXPECT_EQ(look(5, 500, 475), Verdict::fits);
	EXPECT_EQ(look(6, 600, 570), Verdict::fits);
	// Too little for that, but it counts with what comes.
	EXPECT_EQ(look(7, 610, 580), Verdict::fits);
	EXPECT_EQ(look(8, 615, 585), Verdict::fits);
	EXPECT_EQ(look(9, 620, 590), Verdict::useless);
	// The heads of experts are waited for, the rest is not.
	judge.begin(4, false);
	pass(judge, 0, 4);
	pass(judge, 0, 4);
	for (std::uint64_t i = 0; i < 9; i++)
		EXPECT_EQ(look(i, 100 * i, 80 * i), Verdict::fits) << i;
	// There was no memory to read ahead into. Once there is, it counts.
	judge.begin(4, false);
	pass(judge, 0, 4);
	pass(judge, 0, 4);
	for (std::uint64_t i = 0; i < 12; i++) {
		Sample sample = at(10 * i, 100 * i);
		sample.demanded = 100 * i;
		sample.shortages = std::min<std::uint64_t>(i, 8);
		EXPECT_EQ(judge.look(sample, limits), i < 11 ? Verdict::fits : Verdict::useless)
			<< i;
	}
	judge.begin(4, false);
	pass(judge, 0, 4);
	pass(judge, 0, 4);
	// All that is planned is in memory.
	for (std::uint64_t i = 10; i < 19; i++) {
		Sample sample = at(10 * i, 100 * i);
		sample.demanded = 100 * i;
		sample.in_memory = sample.planned;
		EXPECT_EQ(judge.look(sample, limits), Verdict::fits) << i;
	}
}

TEST(ItmedJudge, SomeStagesOnly)
{
	Judge judge;

	judge.begin(6, false);
	// Read once, as it was loaded.
	pass(judge, 4, 6);
	for (std::uint64_t i = 0; i < 7; i++) {
		pass(judge, 2, 4);
		EXPECT_EQ(judge.look(at(10 * i, 100 * i), limits), Verdict::fits);
	}
	pass(judge, 2, 4);
	judge.entered(99); // no stage of it
	EXPECT_EQ(judge.look(at(80, 800), limits), Verdict::partial);
	EXPECT_EQ(judge.rarely_entered(),
		  (std::vector<bool>{true, true, false, false, true, true}));
	EXPECT_FALSE(judge.settled());
	Judge other = judge;
	other.conclude();
	EXPECT_EQ(other.look(at(90, 900), limits), Verdict::fits);
	EXPECT_TRUE(other.settled());
	// Once reduced, only what was left out is of interest.
	judge.begin(6, true);
	pass(judge, 2, 4);
	EXPECT_EQ(judge.look(at(100, 1000), limits), Verdict::fits);
	Sample demanded = at(110, 1100);
	demanded.demanded = 90;
	EXPECT_EQ(judge.look(demanded, limits), Verdict::outgrown);
}

TEST(ItmedJudge, ReadOnceAndLeftAlone)
{
	Judge judge;

	judge.begin(3, false);
	EXPECT_EQ(judge.look(at(0, 0), limits), Verdict::fits);
	pass(judge, 0, 3);
	EXPECT_EQ(judge.look(at(10, 50), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(69, 50), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(70, 50), limits), Verdict::unused);
	// All of it is in memory: nobody can see whether it is used.
	Sample whole = at(90, 50);
	whole.in_memory = 1000;
	EXPECT_EQ(judge.look(whole, limits), Verdict::fits);
	// Used twice, and idle since: whoever waits for a question.
	judge.begin(3, false);
	pass(judge, 0, 3);
	pass(judge, 0, 3);
	EXPECT_EQ(judge.look(at(100, 50), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(1000, 50), limits), Verdict::fits);
	// Not read at all yet.
	judge.begin(3, false);
	EXPECT_EQ(judge.look(at(0, 0), limits), Verdict::fits);
	EXPECT_EQ(judge.look(at(1000, 0), limits), Verdict::fits);
}

TEST(ItmedShares, TheKernelsShareUnlessAsked)
{
	EXPECT_EQ(budgets({{100, 0, 1, true}, {100, 0, 1, true}}, 100),
		  (std::vector<std::uint64_t>{0, 0}));
	EXPECT_EQ(budgets({{100, 40, 1, true}, {100, 0, 1, true}}, 100),
		  (std::vector<std::uint64_t>{40, 0}));
	// Whose weight differs is not in use.
	EXPECT_EQ(budgets({{100, 0, 5, false}, {100, 0, 1, true}}, 100),
		  (std::vector<std::uint64_t>{0, 0}));
}

TEST(ItmedShares, ByWeight)
{
	constexpr std::uint64_t mib = 1 << 20;
	const auto two = budgets({{600 * mib, 0, 3, true}, {600 * mib, 0, 1, true}}, 160 * mib);

	EXPECT_NEAR(static_cast<double>(two[0]), 112.5 * mib, mib);
	EXPECT_NEAR(static_cast<double>(two[1]), 37.5 * mib, mib);
	// A small one leaves the rest to the others; what is promised goes first.
	const auto three = budgets(
		{{10 * mib, 0, 3, true}, {600 * mib, 0, 1, true}, {600 * mib, 50 * mib, 9, true}},
		160 * mib);
	EXPECT_EQ(three[0], 10 * mib);
	EXPECT_NEAR(static_cast<double>(three[1]), 90.0 * mib, mib);
	EXPECT_EQ(three[2], 50 * mib);
	// Nothing left is not the kernel's share.
	EXPECT_GT(budgets({{600 * mib, 900 * mib, 1, true},
			   {600 * mib, 0, 1, true},
			   {600 * mib, 0, 2, true}},
			  160 * mib)[1],
		  0U);
}

TEST(ItmedGroup, Parts)
{
	EXPECT_EQ(part_of("x.gguf").parts, 1U);
	const auto two = part_of("x-00002-of-00003.gguf");
	EXPECT_EQ(two.part, 2U);
	EXPECT_EQ(two.parts, 3U);
	EXPECT_EQ(two.model, part_of("x-00001-of-00003.gguf").model);
	EXPECT_NE(two.model, part_of("x-00001-of-00004.gguf").model);
	EXPECT_NE(two.model, part_of("x-00001-of-00003.safetensors").model);
	for (const char *odd :
	     {"x-00000-of-00003.gguf", "x-00004-of-00003.gguf", "", "-00001-of-00002.gguf",
	      "x-0001-of-00003.gguf", "x-00001-of-99999.gguf", "x-00001-of-00003.bin"})
		EXPECT_EQ(part_of(odd).parts, 1U) << odd;
}

TEST(ItmedRules, TheFirstThatMatches)
{
	Config config;
	Rule one;
	one.path = "/models/*.gguf";
	one.unit = "ollama.service";
	one.share = 2;
	Rule two;
	two.cgroup = "/system.slice/*";
	two.share = 3;
	config.rules = {one, two};

	EXPECT_EQ(rule_for(config, "/models/a.gguf", "/system.slice/ollama.service").share, 2);
	EXPECT_EQ(rule_for(config, "/x", "/system.slice/ollama.service/sub").share, 3);
	// Who uses it is not known: rules that ask for it do not match.
	EXPECT_EQ(rule_for(config, "/models/a.gguf", "").share, 1);
	EXPECT_EQ(unit_of("/system.slice/ollama.service/sub"), "ollama.service");
	EXPECT_EQ(unit_of("/user.slice/user-1000.slice/session-3.scope"), "session-3.scope");
	EXPECT_EQ(unit_of("/"), "");
}

TEST(ItmedHolder, OfTheProcessThatIsNamed)
{
	const itme::test::TempTree tree;

	EXPECT_EQ(parse_cgroup("1:name=systemd:/x\n0::/a b\n"), "/a b");
	EXPECT_EQ(parse_cgroup("garbage"), "");
	tree.write("7/cgroup", "0::/system.slice/x.service\n");
	// Its name tries to be the rest of the line.
	tree.write("7/stat",
		   "7 (a) S 1 2) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 500 20\n");
	EXPECT_EQ(cgroup_of(7, 0, tree.path()), "/system.slice/x.service");
	EXPECT_EQ(cgroup_of(7, 6 * second, tree.path()), "/system.slice/x.service");
	// One that began months after the event has taken the number of another one.
	tree.write("8/cgroup", "0::/system.slice/y.service\n");
	tree.write("8/stat",
		   "8 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1000000000 20\n");
	EXPECT_EQ(cgroup_of(8, second, tree.path()), "");
	EXPECT_EQ(cgroup_of(9, 0, tree.path()), "");
	EXPECT_FALSE(boot_id().empty());
}

TEST(ItmedReduce, NamesAndNumbers)
{
	itme::PlanFile plan;
	const std::vector<KnownFile> files{{"a", 3, 100}, {"b", 5, 50}};

	plan.cyclic = true;
	plan.stages = {{{"a", 0, 60}, {"b", 0, std::nullopt}}, {{"a", 60, 40}}};
	plan.triggers = {{{"a", 0, 10}, {{"b", 40, 10}}}};
	const auto spec = number_plan(plan, files);
	ASSERT_TRUE(spec) << spec.error().message;
	EXPECT_EQ(spec->stages[0][1], (itme::PlanRange{5, 0, 50}));
	EXPECT_EQ(name_ranges(*spec, files).stages[1], plan.stages[1]);
	EXPECT_EQ(name_ranges(*spec, {files[0]}).triggers.size(), 0U);
	const auto less = without(*spec, {false, true});
	EXPECT_EQ(less.stages.size(), 2U);
	EXPECT_TRUE(less.stages[1].empty());

	for (const auto &wrong :
	     {itme::FileRange{"c", 0, 1}, itme::FileRange{"a", 100, 1},
	      itme::FileRange{"a", 0, 101}, itme::FileRange{"a", 1, ~std::uint64_t{0}},
	      itme::FileRange{"a", 0, 0}}) {
		itme::PlanFile bad = plan;
		bad.stages[0][0] = wrong;
		EXPECT_FALSE(number_plan(bad, files));
		bad = plan;
		bad.triggers[0].targets[0] = wrong;
		EXPECT_FALSE(number_plan(bad, files));
	}
	itme::PlanFile large = plan;
	large.stages.assign(1, std::vector<itme::FileRange>(65537, {"a", 0, 1}));
	EXPECT_FALSE(number_plan(large, files));
}

TEST(ItmedAccounts, WhoUsedItThen)
{
	Accounts accounts;
	itme_stats stats{};

	accounts.set_owners({{1, {"m", "/a"}}});
	stats.read_bytes = 100;
	accounts.charge(1, stats);
	accounts.set_owners({{1, {"m", "/b"}}});
	stats.read_bytes = 130;
	accounts.charge(1, stats);
	accounts.charge(2, stats); // nobody's
	accounts.stall(1, 20'000'000);
	accounts.stall(2, 20'000'000);
	const auto all = accounts.all();
	ASSERT_EQ(all.size(), 2U);
	EXPECT_EQ(all.at({"m", "/a"}).counters.read_bytes, 100U);
	EXPECT_EQ(all.at({"m", "/b"}).counters.read_bytes, 30U);
	EXPECT_EQ(all.at({"m", "/b"}).stalls.counts[1], 1U);
	// Labels do not grow for ever.
	for (std::uint32_t i = 0; i < 5000; i++) {
		accounts.set_owners({{1, {"m", "/" + std::to_string(i)}}});
		stats.read_bytes++;
		accounts.charge(1, stats);
	}
	EXPECT_LE(accounts.all().size(), Accounts::accounts_max + 1);
}

TEST(ItmedPrintable, WhateverItWas)
{
	EXPECT_EQ(printable("a \xc3\xa4"), "a \xc3\xa4");
	EXPECT_EQ(printable("\x1b[2Jx\n"), "?[2Jx?");
	EXPECT_EQ(printable("\xc2\x9b"), "?");
	EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
}

TEST(ItmedTier, Steps)
{
	const std::vector<TierStep> steps{{TierStep::What::region_enabled, "region0", false},
					  {TierStep::What::ram_enabled, "dax0.0", true},
					  {TierStep::What::onlined, "dax0.0", false}};

	EXPECT_EQ(parse_steps(format_steps(steps)), steps);
	EXPECT_TRUE(parse_steps("").empty());
	EXPECT_TRUE(parse_steps("{}").empty());
	EXPECT_TRUE(
		parse_steps(R"([1, {"what": "x", "device": "y"}, {"what": "onlined"}])").empty());
}

TEST(ItmedParser, AnswersAreNotBelieved)
{
	const std::string plan = R"({"cyclic": true, "stages": [[{"file": "a", "length": 1}]]})";

	const auto good = parse_answer("plan 65536 llama\n" + plan);
	ASSERT_TRUE(good);
	EXPECT_EQ(good->architecture, "llama");
	EXPECT_EQ(good->chunk, 65536U);
	EXPECT_TRUE(parse_answer("plan 2097152 " + std::string(200, 'x') + "\n" + plan));
	EXPECT_EQ(parse_answer("error no \x1b model\n").error().message, "no ? model");
	EXPECT_FALSE(parse_answer(""));
	for (const char *chunk :
	     {"", "65536", "-65536 ", "65537 ", "32768 ", "4194304 ", "4295032832 "})
		EXPECT_FALSE(parse_answer("plan " + (chunk + ("llama\n" + plan)))) << chunk;
	EXPECT_FALSE(parse_answer("plan 65536"));
	EXPECT_FALSE(parse_answer("plan 65536\n" + plan));
	EXPECT_FALSE(parse_answer("plan 65536 llama"));
	EXPECT_FALSE(parse_answer("plan 65536 llama\n"));
	EXPECT_FALSE(parse_answer("what\n" + plan));
	EXPECT_FALSE(parse_answer("plan 65536 " + std::string(5000, 'x') + "\n" + plan));
	EXPECT_FALSE(parse_answer("plan 65536 x\n" + std::string(1'000'000, '[')));
}

} // namespace itmed
