// SPDX-License-Identifier: GPL-2.0
// The keeper over a model of the module.
#include "keeper.hpp"

#include "fake_channel.hpp"
#include "fake_device.hpp"
#include "temp_tree.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace itmed
{
namespace
{

using itme::test::FakeChannel;
using itme::test::FakeDevice;
using itme::test::FakeFamily;
using itme::test::FakeModule;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t mib = 1 << 20;

class ItmedKeeper : public ::testing::Test
{
protected:
	ItmedKeeper()
	{
		family_.module = &module_;
		spdlog::set_level(spdlog::level::off);
	}

	Outside outside()
	{
		Outside out;
		out.open_channel = [this]() -> itme::Result<std::unique_ptr<itme::Channel>> {
			return std::make_unique<FakeChannel>(family_);
		};
		out.open_mount = [this](const std::string &) -> itme::Result<itme::Mount> {
			return itme::Mount(std::make_unique<FakeDevice>(module_), "/mnt/itme");
		};
		out.cgroup_of = [this](std::uint32_t, std::uint64_t) { return cgroup_; };
		out.mtime_of = [](const std::string &, std::uint64_t, std::uint64_t) {
			return std::int64_t{5};
		};
		out.open_file = [](const std::string &, const std::string &) {
			return itme::Result<itme::Fd>(itme::Fd());
		};
		out.chunk_for = [this](const std::vector<ParserFile> &files, const ParserLimits &) {
			asked_.push_back(files.size());
			return best_chunk_;
		};
		out.boot = "boot";
		return out;
	}

	Keeper keeper(const Config &config = {}, const State &state = {})
	{
		return Keeper(config, state, outside());
	}

	/// What the child says of a file of 80 MiB: four stages of 20.
	static ParsedModel header(const std::string &name)
	{
		ParsedModel model{"llama", FakeModule::chunk, {}};
		model.plan.cyclic = true;
		for (std::uint64_t i = 0; i < 4; i++)
			model.plan.stages.push_back({{name, 20 * i * mib, 20 * mib}});
		return model;
	}

	/// One with its plan from the header, in use.
	Keeper planned()
	{
		Keeper keeper = this->keeper();
		module_.add("x.gguf", 80 * mib, "/models/x.gguf");
		EXPECT_TRUE(keeper.connect());
		EXPECT_EQ(keeper.next_job()->model, "x.gguf");
		keeper.parsed("x.gguf", header("x.gguf"));
		return keeper;
	}

	itme::PlanInfo &info(std::uint32_t plan) { return family_.plans.at(plan).info; }

	static itme::Event event(std::uint8_t command, std::uint32_t object = 0)
	{
		itme::Event event;
		event.command = command;
		if (object)
			event.object = object;
		return event;
	}

	static void enter(Keeper &keeper, std::uint32_t plan, std::uint32_t stage)
	{
		itme::Event one = event(ITME_CMD_STAGE_NTF);
		one.plan = plan;
		one.stage = stage;
		EXPECT_TRUE(keeper.event(one));
	}

	/// The first two stages, so many times.
	static void enter_first(Keeper &keeper, int times)
	{
		for (int i = 0; i < times; i++) {
			enter(keeper, 1, 0);
			enter(keeper, 1, 1);
		}
	}

	/// All stages are used, and yet nothing is read ahead.
	void all_is_waited_for(Keeper &keeper)
	{
		for (int pass = 0; pass < 2; pass++)
			for (std::uint32_t i = 0; i < 4; i++)
				enter(keeper, 1, i);
		info(1).bytes = 80 * mib;
		for (std::uint64_t i = 0; i < 5; i++) {
			module_.stats.read_bytes = i * 40 * mib;
			module_.stats.demand_bytes = i * 40 * mib;
			ASSERT_TRUE(keeper.tick(i * 10 * second));
		}
		EXPECT_TRUE(family_.plans.empty());
		EXPECT_EQ(keeper.models().begin()->second.phase, Phase::learning);
	}

	/// A plan of the kernel's own.
	std::uint32_t learn(std::uint32_t object, std::uint64_t passes)
	{
		const std::uint32_t id = ++family_.last_plan;
		itme::Plan &plan = family_.plans[id];
		plan.info.id = id;
		plan.info.pid = 77;
		plan.info.cyclic = true;
		plan.info.passes = passes;
		plan.stages = {{{object, 40 * mib, 40 * mib}, {object, 0, 40 * mib}}};
		plan.info.stages = 1;
		return id;
	}

	FakeModule module_;
	FakeFamily family_;
	std::string cgroup_;
	std::uint32_t best_chunk_ = 0;
	std::vector<std::size_t> asked_; ///< files, each time
};

const Model &only(const Keeper &keeper)
{
	return keeper.models().begin()->second;
}

} // namespace

TEST_F(ItmedKeeper, APlanFromTheHeader)
{
	const Keeper keeper = planned();

	ASSERT_EQ(family_.plans.size(), 1U);
	EXPECT_EQ(only(keeper).phase, Phase::planned);
	EXPECT_EQ(info(1).name, "itmed:x.gguf");
	EXPECT_TRUE(info(1).cyclic);
	EXPECT_EQ(family_.plans[1].stages[3][0], (itme::PlanRange{1, 60 * mib, 20 * mib}));
	EXPECT_EQ(describe(only(keeper))["architecture"], "llama");
}

TEST_F(ItmedKeeper, WhatTheChildSaysHasToFitTheFile)
{
	Keeper keeper = this->keeper();

	module_.add("x.gguf", 10 * mib, "/models/x.gguf");
	ASSERT_TRUE(keeper.connect());
	keeper.parsed("x.gguf", header("x.gguf"));
	EXPECT_TRUE(family_.plans.empty());
	EXPECT_EQ(only(keeper).phase, Phase::learning);
	EXPECT_FALSE(keeper.next_job());
	// Nor of a file that is not its own.
	keeper.parsed("y.gguf", header("x.gguf"));
	EXPECT_TRUE(family_.plans.empty());
}

TEST_F(ItmedKeeper, PartsAreWaitedFor)
{
	Keeper keeper = this->keeper();

	module_.add("x-00001-of-00002.gguf", 80 * mib, "/models/1");
	ASSERT_TRUE(keeper.connect());
	EXPECT_EQ(only(keeper).phase, Phase::waiting);
	EXPECT_FALSE(keeper.next_job());
	module_.add("x-00002-of-00002.gguf", 80 * mib, "/models/2", 2);
	ASSERT_TRUE(keeper.event(event(ITME_CMD_OBJECT_NEW_NTF)));
	const auto job = keeper.next_job();
	ASSERT_TRUE(job);
	ASSERT_EQ(job->files.size(), 2U);
	EXPECT_EQ(job->files[1].name, "x-00002-of-00002.gguf");
}

TEST_F(ItmedKeeper, AnotherOrderIsLearnedAndKept)
{
	Keeper keeper = planned();

	for (std::uint64_t i = 0; i < 5; i++) {
		module_.stats.read_bytes = i * 200 * mib;
		if (family_.plans.contains(1))
			info(1).jumps = i * 60;
		ASSERT_TRUE(keeper.tick(i * 10 * second));
	}
	EXPECT_TRUE(family_.plans.empty());
	EXPECT_EQ(only(keeper).phase, Phase::learning);

	const auto id = learn(1, 0);
	ASSERT_TRUE(keeper.tick(60 * second));
	EXPECT_EQ(only(keeper).phase, Phase::learning); // not before it has fitted
	info(id).passes = 1;
	ASSERT_TRUE(keeper.tick(70 * second));
	EXPECT_EQ(only(keeper).phase, Phase::planned);
	EXPECT_EQ(only(keeper).origin, Origin::learned);
	EXPECT_FALSE(info(id).pid); // set now
	EXPECT_EQ(family_.plans[id].stages[0][0].offset, 40 * mib);

	// Next time it is there at once, and the header is not read.
	const auto state = parse_state(*keeper.changed_state());
	family_.plans.clear();
	Keeper next = this->keeper({}, *state);
	ASSERT_TRUE(next.connect());
	EXPECT_FALSE(next.next_job());
	ASSERT_EQ(family_.plans.size(), 1U);
	EXPECT_EQ(family_.plans.begin()->second.stages[0][0].offset, 40 * mib);
}

// By an engine that has copied the weights: the next one may be another.
TEST_F(ItmedKeeper, APlanThatIsOfNoUse)
{
	Keeper keeper = planned();

	all_is_waited_for(keeper);
	// What it does is learned, and not kept.
	info(learn(1, 1)).passes = 1;
	ASSERT_TRUE(keeper.tick(60 * second));
	EXPECT_EQ(only(keeper).origin, Origin::learned);
	module_.files["x.gguf"].object.opens = 0;
	ASSERT_TRUE(keeper.tick(70 * second));
	ASSERT_EQ(family_.plans.size(), 1U);
	EXPECT_EQ(only(keeper).phase, Phase::planned);
	EXPECT_EQ(only(keeper).origin, Origin::header);
	EXPECT_EQ(family_.plans.begin()->second.stages.size(), 4U);
}

// The operator says that it is to be looked at anew: from then on it is as if nothing had been.
TEST_F(ItmedKeeper, APlanThatIsOfNoUseIsSetAgain)
{
	Keeper keeper = planned();

	all_is_waited_for(keeper);
	ASSERT_TRUE(keeper.replan("x.gguf"));
	keeper.parsed("x.gguf", header("x.gguf"));
	EXPECT_EQ(only(keeper).phase, Phase::planned);
	EXPECT_EQ(only(keeper).origin, Origin::header);
	// What is learned now is kept.
	const std::uint32_t plan = family_.plans.begin()->first;
	for (std::uint64_t i = 0; i < 5; i++) {
		module_.stats.read_bytes = (10 + i) * 200 * mib;
		if (family_.plans.contains(plan))
			info(plan).jumps = i * 60;
		ASSERT_TRUE(keeper.tick((100 + i * 10) * second));
	}
	EXPECT_EQ(only(keeper).phase, Phase::learning);
	info(learn(1, 1)).passes = 1;
	ASSERT_TRUE(keeper.tick(160 * second));
	EXPECT_EQ(only(keeper).origin, Origin::learned);
	module_.files["x.gguf"].object.opens = 0;
	ASSERT_TRUE(keeper.tick(170 * second));
	EXPECT_EQ(only(keeper).origin, Origin::learned);
	EXPECT_NE(keeper.changed_state()->find("learned"), std::string::npos);
}

TEST_F(ItmedKeeper, StagesThatAreNotUsedHere)
{
	Keeper keeper = planned();

	enter_first(keeper, 8);
	// Of the last one something has been touched, says the module: is it still used?
	auto &file = module_.files["x.gguf"];
	file.map[35] = ITME_TIER_DRAM;
	file.map[25] = ITME_TIER_DRAM | ITME_MAP_PREFETCHED;
	ASSERT_TRUE(keeper.tick(10 * second));
	ASSERT_EQ(file.advices.size(), 1U);
	EXPECT_EQ(file.advices[0].advice, static_cast<std::uint32_t>(ITME_ADVICE_PAGEOUT));
	EXPECT_EQ(file.advices[0].offset, 60 * mib);
	ASSERT_TRUE(keeper.tick(11 * second));
	EXPECT_FALSE(family_.plans[1].stages[2].empty());
	// It is.
	file.map[35] = ITME_TIER_DRAM;
	ASSERT_TRUE(keeper.tick(12 * second));
	EXPECT_EQ(family_.plans[1].stages.size(), 4U);
	EXPECT_TRUE(family_.plans[1].stages[2].empty());
	EXPECT_FALSE(family_.plans[1].stages[3].empty());
	EXPECT_EQ(file.advices.size(), 1U);

	// All of it is demanded after all.
	for (std::uint64_t i = 1; i < 4; i++) {
		module_.stats.read_bytes = i * 200 * mib;
		module_.stats.demand_bytes = i * 150 * mib;
		ASSERT_TRUE(keeper.tick((10 + 10 * i) * second));
	}
	EXPECT_FALSE(family_.plans[1].stages[2].empty());
}

TEST_F(ItmedKeeper, WhatTheEngineHasCopied)
{
	Keeper keeper = planned();
	auto &file = module_.files["x.gguf"];

	// Loaded: all is read once, and a part of each stage is still there.
	for (std::uint32_t i = 0; i < 4; i++)
		enter(keeper, 1, i);
	for (const std::size_t chunk : {0U, 15U, 25U, 35U})
		file.map[chunk] = ITME_TIER_DRAM;
	enter_first(keeper, 8);
	ASSERT_TRUE(keeper.tick(10 * second));
	EXPECT_EQ(file.map[25], ITME_TIER_NVME);
	EXPECT_EQ(file.map[35], ITME_TIER_DRAM);
	enter_first(keeper, 4);
	info(1).passes += 2;
	ASSERT_TRUE(keeper.tick(15 * second));
	EXPECT_EQ(file.map[35], ITME_TIER_DRAM);
	info(1).passes++;
	ASSERT_TRUE(keeper.tick(20 * second));
	// The first has not come back: none of them is used.
	EXPECT_EQ(file.map[35], ITME_TIER_NVME);
	EXPECT_EQ(family_.plans[1].stages.size(), 2U);
	EXPECT_EQ(only(keeper).phase, Phase::planned);
}

TEST_F(ItmedKeeper, WhatStaysInMemoryIsUsed)
{
	Keeper keeper = planned();
	auto &file = module_.files["x.gguf"];

	for (std::uint32_t i = 0; i < 4; i++)
		enter(keeper, 1, i);
	for (std::size_t chunk = 20; chunk < 40; chunk++)
		file.map[chunk] = ITME_TIER_DRAM;
	enter_first(keeper, 8);
	ASSERT_TRUE(keeper.tick(10 * second));
	EXPECT_EQ(file.advices.size(), 1U);
	// It was read again, and had to leave again.
	enter(keeper, 1, 2);
	info(1).passes += 3;
	ASSERT_TRUE(keeper.tick(20 * second));
	enter_first(keeper, 20);
	info(1).passes += 20;
	ASSERT_TRUE(keeper.tick(30 * second));
	EXPECT_EQ(file.advices.size(), 1U);
	for (const auto &stage : family_.plans[1].stages)
		EXPECT_FALSE(stage.empty());
	EXPECT_FALSE(keeper.wants_stages());
}

TEST_F(ItmedKeeper, ReadOnceThenDroppedThenUsedAgain)
{
	Keeper keeper = planned();

	for (std::uint32_t i = 0; i < 4; i++)
		enter(keeper, 1, i);
	info(1).bytes = 80 * mib;
	ASSERT_TRUE(keeper.tick(0));
	ASSERT_TRUE(keeper.tick(59 * second));
	EXPECT_EQ(family_.plans.size(), 1U);
	ASSERT_TRUE(keeper.tick(61 * second));
	EXPECT_TRUE(family_.plans.empty());
	EXPECT_EQ(only(keeper).phase, Phase::unused);
	// Also for the next one that looks.
	const auto state = parse_state(*keeper.changed_state());
	Keeper next = this->keeper({}, *state);
	ASSERT_TRUE(next.connect());
	EXPECT_TRUE(family_.plans.empty());

	ASSERT_TRUE(keeper.tick(70 * second));
	EXPECT_TRUE(family_.plans.empty());
	module_.stats.demand_bytes += 20 * mib;
	ASSERT_TRUE(keeper.tick(80 * second));
	EXPECT_EQ(family_.plans.size(), 1U);
	EXPECT_EQ(only(keeper).phase, Phase::planned);
}

TEST_F(ItmedKeeper, ReconcilesAfterACrash)
{
	const auto state = [&] {
		Keeper keeper = planned();
		return parse_state(*keeper.changed_state());
	}();

	info(1).passes = 42; // would be lost if it were set anew
	Keeper next = this->keeper({}, *state);
	ASSERT_TRUE(next.connect());
	EXPECT_EQ(family_.plans.size(), 1U);
	EXPECT_EQ(info(1).passes, 42U);
	EXPECT_EQ(only(next).phase, Phase::planned);
	EXPECT_EQ(only(next).plan, 1U);
	EXPECT_FALSE(next.next_job());
	// Without any state, too.
	Keeper blank = this->keeper();
	ASSERT_TRUE(blank.connect());
	EXPECT_EQ(only(blank).plan, 1U);
	EXPECT_EQ(info(1).passes, 42U);
	// A second one by that name that an unlucky moment has left.
	family_.plans[9] = family_.plans[1];
	family_.plans[9].info.id = 9;
	Keeper again = this->keeper({}, *state);
	ASSERT_TRUE(again.connect());
	EXPECT_EQ(family_.plans.size(), 1U);
}

TEST_F(ItmedKeeper, APlanOfTheOperatorWins)
{
	Keeper keeper = planned();

	itme::Plan &theirs = family_.plans[5];
	theirs.info.id = 5;
	theirs.info.name = "mine";
	theirs.info.bytes = 80 * mib;
	theirs.stages = {{{1, 0, 80 * mib}}};
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_FALSE(family_.plans.contains(1));
	EXPECT_TRUE(family_.plans.contains(5));
	EXPECT_EQ(only(keeper).phase, Phase::manual);
	// It goes: ours comes again.
	family_.plans.clear();
	ASSERT_TRUE(keeper.tick(second));
	EXPECT_EQ(only(keeper).phase, Phase::planned);
	// Ours is deleted by somebody: that is to be so, until a new user comes.
	family_.plans.clear();
	ASSERT_TRUE(keeper.tick(2 * second));
	EXPECT_TRUE(family_.plans.empty());
	EXPECT_EQ(only(keeper).phase, Phase::off);
}

TEST_F(ItmedKeeper, RulesOfUnitsHoldAfterARestart)
{
	Config config;
	Rule rule;
	rule.unit = "llama.service";
	rule.dram = 16 * mib;
	config.rules = {rule};
	Keeper keeper = this->keeper(config);
	module_.add("x.gguf", 80 * mib, "/models/x.gguf");
	ASSERT_TRUE(keeper.connect());
	keeper.parsed("x.gguf", header("x.gguf"));
	EXPECT_EQ(info(1).budget, 0U);

	cgroup_ = "/system.slice/llama.service";
	auto mapped = event(ITME_CMD_OBJECT_MAPPED_NTF, 1);
	mapped.pid = 7;
	ASSERT_TRUE(keeper.event(mapped));
	EXPECT_EQ(only(keeper).cgroup, cgroup_);
	EXPECT_EQ(info(1).budget, 16 * mib);

	// The next one hears no event of it.
	const auto state = parse_state(*keeper.changed_state());
	module_.files["x.gguf"].object.flags = ITME_OBJECT_MAPPED;
	cgroup_.clear();
	Keeper next = this->keeper(config, *state);
	ASSERT_TRUE(next.connect());
	EXPECT_EQ(only(next).cgroup, "/system.slice/llama.service");
	EXPECT_EQ(info(1).budget, 16 * mib);
	// Nobody uses it any more: the rule of that unit holds no more.
	module_.files["x.gguf"].object.opens = 0;
	ASSERT_TRUE(next.tick(0));
	EXPECT_EQ(only(next).cgroup, "");
	EXPECT_EQ(info(1).budget, 0U);
}

TEST_F(ItmedKeeper, ARuleThatSaysNone)
{
	Keeper keeper = planned();
	Config config;
	Rule rule;

	rule.path = "/models/*";
	rule.plan = PlanFrom::none;
	config.rules = {rule};
	keeper.reload(config);
	EXPECT_TRUE(family_.plans.empty());
	EXPECT_EQ(only(keeper).phase, Phase::off);
	keeper.reload({});
	EXPECT_EQ(family_.plans.size(), 1U);
}

TEST_F(ItmedKeeper, SharesOfSeveral)
{
	Config config;
	Rule rule;
	rule.path = "/models/x*";
	rule.share = 3;
	config.rules = {rule};
	Keeper keeper = this->keeper(config);
	module_.tiers[0].budget = 64 * mib;
	module_.add("x.gguf", 80 * mib, "/models/x.gguf");
	module_.add("y.gguf", 80 * mib, "/models/y.gguf", 2);
	ASSERT_TRUE(keeper.connect());
	keeper.parsed("x.gguf", header("x.gguf"));
	keeper.parsed("y.gguf", header("y.gguf"));
	EXPECT_NEAR(static_cast<double>(info(1).budget), 45.0 * mib, mib);
	EXPECT_NEAR(static_cast<double>(info(2).budget), 15.0 * mib, mib);
	// One goes: the other has the kernel's share.
	module_.files["y.gguf"].object.opens = 0;
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_EQ(info(1).budget, 0U);
}

TEST_F(ItmedKeeper, AFileIsReplaced)
{
	const itme::test::TempTree tree;
	const std::string path = tree.write("m.gguf", std::string(1000, 'a'));
	Config config;

	config.models = {{path, "", 0}};
	Keeper keeper = this->keeper(config);
	ASSERT_TRUE(keeper.connect());
	ASSERT_TRUE(module_.files.contains("m.gguf"));
	EXPECT_EQ(module_.files["m.gguf"].object.size, 1000U);
	// In use: left alone.
	tree.write("next", std::string(2000, 'b'));
	std::filesystem::rename(tree.path() + "/next", path);
	module_.files["m.gguf"].object.opens = 2;
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_EQ(module_.files["m.gguf"].object.size, 1000U);
	module_.files["m.gguf"].object.opens = 0;
	ASSERT_TRUE(keeper.tick(second));
	EXPECT_EQ(module_.files["m.gguf"].object.size, 2000U);
	// A path that is not there costs nothing.
	std::filesystem::remove(path);
	EXPECT_TRUE(keeper.tick(2 * second));
}

TEST_F(ItmedKeeper, SmallExpertsWantSmallChunks)
{
	const itme::test::TempTree tree;
	const auto chunk_of = [&](const char *name) {
		return module_.files.at(name).object.chunk_size;
	};
	Config config;

	for (const char *name : {"a", "b-00001-of-00002.gguf", "b-00002-of-00002.gguf", "c"})
		config.models.push_back({tree.write(name, std::string(1000, 'a')), "", 0});
	config.models[3].chunk = 1 * mib;
	best_chunk_ = 128 << 10;
	Keeper keeper = this->keeper(config);
	ASSERT_TRUE(keeper.connect());
	EXPECT_EQ(chunk_of("a"), 128U << 10);
	EXPECT_EQ(chunk_of("b-00002-of-00002.gguf"), 128U << 10);
	EXPECT_EQ(chunk_of("c"), 1 * mib); // the config says so
	// Each model was asked once, with all of its parts.
	EXPECT_EQ(asked_, (std::vector<std::size_t>{1, 2}));

	// Again when it is another file.
	module_.files.clear();
	best_chunk_ = 0;
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_EQ(chunk_of("a"), 128U << 10);
	EXPECT_EQ(asked_.size(), 2U);
	module_.files.clear();
	tree.write("a", std::string(2000, 'a'));
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_EQ(asked_.size(), 3U);
	EXPECT_EQ(chunk_of("a"), FakeModule::chunk); // it does not tell

	// And smaller still, whether it tells or not, where most of DRAM would be kept free
	// otherwise.
	module_.files.clear();
	module_.tiers[ITME_TIER_DRAM].budget = 48 * mib;
	ASSERT_TRUE(keeper.tick(0));
	EXPECT_EQ(chunk_of("a"), 512U << 10);
	EXPECT_EQ(chunk_of("b-00001-of-00002.gguf"), 128U << 10);
	EXPECT_EQ(chunk_of("c"), 1 * mib);
}

TEST_F(ItmedKeeper, APlanIsOfTheChunksThatItWasMadeFor)
{
	Keeper first = planned();
	const auto state = parse_state(*first.changed_state());

	ASSERT_TRUE(state);
	family_.plans.clear();
	Keeper same = keeper({}, *state);
	ASSERT_TRUE(same.connect());
	EXPECT_EQ(only(same).phase, Phase::planned);
	// Imported in others: its header is read again.
	family_.plans.clear();
	module_.files["x.gguf"].object.chunk_size = 128 << 10;
	Keeper other = keeper({}, *state);
	ASSERT_TRUE(other.connect());
	EXPECT_EQ(only(other).phase, Phase::reading);
	EXPECT_EQ(other.next_job()->chunk, 128U << 10);
}

TEST_F(ItmedKeeper, StagesAreOfNoInterestOnceAllIsKnown)
{
	Keeper keeper = planned();

	EXPECT_TRUE(keeper.wants_stages());
	for (std::uint32_t i = 0; i < 12; i++)
		enter(keeper, 1, i % 4);
	EXPECT_FALSE(keeper.wants_stages());
}

TEST_F(ItmedKeeper, TheModuleGoes)
{
	Keeper keeper = planned();

	family_.errors[ITME_CMD_OBJECT_GET] = {ENODEV, "no itmefs is mounted"};
	EXPECT_FALSE(keeper.tick(0));
	keeper.disconnect();
	EXPECT_FALSE(keeper.connected());
	EXPECT_TRUE(keeper.models().empty());
	EXPECT_FALSE(keeper.next_job());
	EXPECT_FALSE(keeper.replan("x.gguf"));
	keeper.parsed("x.gguf", header("x.gguf"));
	family_.errors.clear();
	EXPECT_TRUE(keeper.connect());
	EXPECT_EQ(only(keeper).phase, Phase::planned);
}

} // namespace itmed
