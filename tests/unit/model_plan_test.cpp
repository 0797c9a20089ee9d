// SPDX-License-Identifier: GPL-2.0
// Plans, places and bounds that are made of the order of use.
#include "model/bound.hpp"
#include "model/model.hpp"

#include <gtest/gtest.h>

namespace itme
{
namespace
{

constexpr std::uint64_t mib = 1U << 20;
constexpr std::uint64_t chunk = 2 * mib;

class ModelPlanned : public ::testing::Test
{
protected:
	ModelPlanned() { model.files = {{"m", "/m", std::uint64_t{1} << 40, 0, 0}}; }

	/// The next one in the order of use.
	Tensor &add(std::optional<std::uint32_t> layer, std::uint64_t offset, std::uint64_t size,
		    Use use = Use::whole)
	{
		Tensor tensor;

		tensor.layer = layer;
		tensor.offset = offset;
		tensor.size = size;
		tensor.use = use;
		tensor.per_token = use == Use::whole ? size : 0;
		return model.tensors.emplace_back(tensor);
	}

	void add_experts(std::uint32_t layer, ExpertPart part, std::uint64_t offset,
			 std::uint64_t stride, std::uint32_t count, std::uint32_t first = 0)
	{
		Tensor &tensor = add(layer, offset, stride * count, Use::chosen);

		tensor.experts = ExpertSlices{part, first, count, stride};
	}

	ModelPlan plan(const ModelPlanOptions &options = {})
	{
		auto plan = plan_model(model, options);

		EXPECT_TRUE(plan) << plan.error().message;
		return plan ? std::move(*plan) : ModelPlan{};
	}

	static ModelPlanOptions bytes()
	{
		ModelPlanOptions options;

		options.chunk = 0;
		return options;
	}

	Model model;
};

using Stage = std::vector<FileRange>;

} // namespace

TEST_F(ModelPlanned, AStageALayerOfWholeChunks)
{
	add({}, 100 * mib, 4096, Use::row);
	// Out of the order of the file, and not aligned.
	add(0, 4 * mib + 100, 3 * mib);
	add(0, 100, 3 * mib);
	add(0, 300, 100);
	add(1, 20 * mib, mib);
	add({}, 8 * mib, 10 * mib);
	add(7, 0, mib, Use::never);
	const ModelPlan made = plan();
	ASSERT_EQ(made.plan.stages.size(), 3U);
	EXPECT_EQ(made.plan.stages[0], (Stage{{"m", 4 * mib, 4 * mib}, {"m", 0, 4 * mib}}));
	EXPECT_EQ(made.plan.stages[1], (Stage{{"m", 20 * mib, 2 * mib}}));
	EXPECT_EQ(made.plan.stages[2], (Stage{{"m", 8 * mib, 10 * mib}}));
	EXPECT_EQ(made.layers, (std::vector<std::optional<std::uint32_t>>{0, 1, std::nullopt}));
	EXPECT_TRUE(made.plan.cyclic);
	EXPECT_TRUE(made.plan.triggers.empty());
	// What it is made for takes it.
	const auto text = format_plan(made.plan);
	ASSERT_TRUE(text);
	EXPECT_EQ(*parse_plan(*text), made.plan);
}

TEST_F(ModelPlanned, BytesAsTheyAre)
{
	add(0, 100, 50);
	add(0, 150, 50);
	add(0, 10, 20);
	const ModelPlan made = plan(bytes());
	ASSERT_EQ(made.plan.stages.size(), 1U);
	EXPECT_EQ(made.plan.stages[0], (Stage{{"m", 100, 100}, {"m", 10, 20}}));
}

TEST_F(ModelPlanned, ALayerThatIsLargeHasSeveralStages)
{
	add(0, mib, 200 * mib);
	add(0, 300 * mib, 10 * mib);
	const ModelPlan made = plan();
	ASSERT_EQ(made.plan.stages.size(), 4U);
	std::uint64_t at = 0;
	for (const auto &stage : {made.plan.stages[0], made.plan.stages[1], made.plan.stages[2]}) {
		EXPECT_EQ(stage, (Stage{{"m", at, 64 * mib}}));
		at += 64 * mib;
	}
	EXPECT_EQ(made.plan.stages[3],
		  (Stage{{"m", 192 * mib, 10 * mib}, {"m", 300 * mib, 10 * mib}}));
	EXPECT_EQ(made.layers.size(), 4U);
	EXPECT_EQ(made.layers[3], 0U);
}

TEST_F(ModelPlanned, AChunkThatTwoLayersShareIsNotReadTwice)
{
	// Norms of all layers in the first chunk, as files have it that are sorted by type.
	for (std::uint32_t layer = 0; layer < 3; layer++) {
		add(layer, layer * 1000, 1000);
		add(layer, 2 * mib + layer * 3 * mib, 3 * mib);
	}
	const ModelPlan made = plan();
	ASSERT_EQ(made.plan.stages.size(), 3U);
	EXPECT_EQ(made.plan.stages[0], (Stage{{"m", 0, 6 * mib}}));
	EXPECT_EQ(made.plan.stages[1], (Stage{{"m", 6 * mib, 2 * mib}}));
	EXPECT_EQ(made.plan.stages[2], (Stage{{"m", 0, 2 * mib}, {"m", 8 * mib, 4 * mib}}));

	// Layers smaller than a chunk have no stage of their own.
	model.tensors.clear();
	for (std::uint32_t layer = 0; layer < 20; layer++)
		add(layer, layer * 1000, 1000);
	EXPECT_EQ(plan().plan.stages, (std::vector<Stage>{{{"m", 0, 2 * mib}}}));
}

TEST_F(ModelPlanned, TheLastChunkEndsWithTheFile)
{
	model.files[0].size = 3 * mib;
	add(0, 0, 3 * mib);
	EXPECT_EQ(plan().plan.stages[0], (Stage{{"m", 0, 3 * mib}}));
}

TEST_F(ModelPlanned, TriggersOfExperts)
{
	model.files.push_back({"n", "/n", std::uint64_t{1} << 40, 0, 0});
	add(0, 0, mib);
	add_experts(0, ExpertPart::gate, 1 * mib + 32, mib, 4);
	add_experts(0, ExpertPart::up, 5 * mib + 32, mib, 4);
	add_experts(0, ExpertPart::down, 32, 2 * mib, 4);
	model.tensors.back().file = 1;
	const ModelPlan made = plan();
	EXPECT_EQ(made.plan.stages, (std::vector<Stage>{{{"m", 0, 2 * mib}}}));
	ASSERT_EQ(made.plan.triggers.size(), 4U);
	const auto &last = made.plan.triggers[3];
	// The first page that only this slice has.
	EXPECT_EQ(last.source, (FileRange{"m", 4 * mib + 4096, 4096}));
	EXPECT_EQ(last.targets, (Stage{{"m", 4 * mib + 32, mib},
				       {"m", 8 * mib + 32, mib},
				       {"n", 6 * mib + 32, 2 * mib}}));
	EXPECT_EQ(made.left_out, 0U);

	ModelPlanOptions options;
	options.triggers = false;
	EXPECT_TRUE(plan(options).plan.triggers.empty());
}

TEST_F(ModelPlanned, ChunksForTheSizeOfExperts)
{
	add(0, 0, mib);
	EXPECT_EQ(chunk_for(model), 2 * mib); // dense
	add_experts(0, ExpertPart::gate, mib, 8 * mib, 4);
	EXPECT_EQ(chunk_for(model), 2 * mib);
	add_experts(0, ExpertPart::up, 40 * mib, 8 * mib - 32, 4);
	EXPECT_EQ(chunk_for(model), 1 * mib);
	// Most are smaller.
	add_experts(0, ExpertPart::down, 80 * mib, 480 << 10, 64);
	EXPECT_EQ(chunk_for(model), 256 << 10);
	// Scales do not count, nor what text does not use.
	add_experts(0, ExpertPart::down, 200 * mib, 2048, 4096);
	add(0, 300 * mib, 64 * mib, Use::never);
	EXPECT_EQ(chunk_for(model), 256 << 10);
	model.tensors.clear();
	add_experts(0, ExpertPart::gate, 0, 65536, 4);
	EXPECT_EQ(chunk_for(model), chunk_min);
	model.tensors.clear();
	add_experts(0, ExpertPart::gate, 0, 32768, 4);
	EXPECT_EQ(chunk_for(model), chunk_min);
}

TEST(ModelChunk, LeavesMostOfASmallBudgetToWhatStays)
{
	EXPECT_EQ(chunk_within(2 * mib, 128 * mib), 2 * mib);
	EXPECT_EQ(chunk_within(2 * mib, 128 * mib - 1), 1 * mib);
	EXPECT_EQ(chunk_within(2 * mib, 48 * mib), 512U << 10);
	EXPECT_EQ(chunk_within(128 << 10, 8 * mib), 128U << 10);
	EXPECT_EQ(chunk_within(2 * mib, 0), 512U << 10);
	EXPECT_EQ(chunk_within(0, 48 * mib), 0U); // the module's choice
}

TEST_F(ModelPlanned, TriggersOfExpertsWithTensorsOfTheirOwn)
{
	for (std::uint32_t i = 0; i < 2; i++)
		add_experts(5, ExpertPart::gate_up, i * 10 * mib, 8192, 1, i);
	for (std::uint32_t i = 0; i < 2; i++)
		add_experts(5, ExpertPart::down, i * 10 * mib + 8192, 8192, 1, i);
	const ModelPlan made = plan();
	ASSERT_EQ(made.plan.triggers.size(), 2U);
	// What is side by side is one.
	EXPECT_EQ(made.plan.triggers[1].targets, (Stage{{"m", 10 * mib, 16384}}));
	EXPECT_EQ(made.plan.triggers[1].source, (FileRange{"m", 10 * mib, 4096}));
	EXPECT_FALSE(made.plan.cyclic);
}

TEST_F(ModelPlanned, NoMoreThanTheModuleTakes)
{
	for (std::uint32_t layer = 0; layer < 4; layer++)
		add_experts(layer, ExpertPart::gate, layer * 40'000 * 8192ULL, 8192, 40'000);
	const ModelPlan made = plan();
	EXPECT_EQ(made.plan.triggers.size(), 65536U);
	EXPECT_EQ(made.left_out, 160'000U - 65536);

	model.tensors.clear();
	model.files[0].size = std::uint64_t{1} << 62;
	add(0, 0, std::uint64_t{1} << 62);
	const auto large = plan_model(model, {});
	ASSERT_FALSE(large);
	EXPECT_NE(large.error().message.find("make stages larger"), std::string::npos);
	model.tensors.clear();
	for (std::uint64_t i = 0; i < 70'000; i++)
		add(0, i * 2 * chunk, 10);
	EXPECT_FALSE(plan_model(model, {}));
	EXPECT_FALSE(plan_model(model, bytes()));
}

TEST_F(ModelPlanned, OfAPart)
{
	model.files.push_back({"", "/n", 1 << 30, 0, 0});
	add(0, 0, mib);
	add(1, 0, mib);
	model.tensors.back().file = 1;
	EXPECT_EQ(plan().plan.stages.size(), 1U);
	model.files[0].name.clear();
	const auto none = plan_model(model, {});
	ASSERT_FALSE(none);
	EXPECT_NE(none.error().message.find("nothing in the model"), std::string::npos);
}

TEST_F(ModelPlanned, WrongOptions)
{
	ModelPlanOptions options;

	add(0, 0, mib);
	options.chunk = 4096;
	EXPECT_FALSE(plan_model(model, options));
	options.chunk = chunk;
	options.stage = 3 * mib;
	EXPECT_FALSE(plan_model(model, options));
	options.stage = 0;
	EXPECT_FALSE(plan_model(model, options));
}

TEST_F(ModelPlanned, WhatFitsWhere)
{
	add(0, 0, 100 * mib);
	add_experts(0, ExpertPart::gate, 200 * mib, 10 * mib, 10);
	model.tensors.back().per_token = 20 * mib;
	add({}, 400 * mib, 50 * mib, Use::row).per_token = 5000;
	add({}, 500 * mib, 7 * mib, Use::never);

	auto placed = place_model(model, 60 * mib, 0);
	EXPECT_EQ(placed[ITME_TIER_DRAM].holds, 60 * mib);
	EXPECT_EQ(placed[ITME_TIER_DRAM].per_token, 60 * mib);
	EXPECT_EQ(placed[ITME_TIER_CXL].holds, 0U);
	EXPECT_EQ(placed[ITME_TIER_NVME].holds, 197 * mib);
	EXPECT_EQ(placed[ITME_TIER_NVME].per_token, 60 * mib + 5000);

	// Half of the experts are in memory, so half of what a token uses of them.
	placed = place_model(model, 60 * mib, 90 * mib);
	EXPECT_EQ(placed[ITME_TIER_CXL].holds, 90 * mib);
	EXPECT_EQ(placed[ITME_TIER_CXL].per_token, 50 * mib);
	EXPECT_EQ(placed[ITME_TIER_NVME].per_token, 10 * mib + 5000);

	placed = place_model(model, 1024 * mib, 0);
	EXPECT_EQ(placed[ITME_TIER_NVME].per_token, 0U);
	EXPECT_EQ(placed[ITME_TIER_NVME].holds, 7 * mib);
}

TEST_F(ModelPlanned, HowFastATokenCanBe)
{
	ModelPlacement placed;
	Bandwidths speed;

	placed[ITME_TIER_DRAM].per_token = 400;
	placed[ITME_TIER_CXL].per_token = 100;
	placed[ITME_TIER_NVME].per_token = 200;
	EXPECT_FALSE(token_time(placed, speed));
	speed[ITME_TIER_DRAM] = 1000;
	speed[ITME_TIER_NVME] = 100;
	EXPECT_FALSE(token_time(placed, speed));
	speed[ITME_TIER_CXL] = 0;
	EXPECT_FALSE(token_time(placed, speed));
	speed[ITME_TIER_CXL] = 500;
	auto time = token_time(placed, speed);
	ASSERT_TRUE(time);
	EXPECT_DOUBLE_EQ(time->drive, 2);
	EXPECT_DOUBLE_EQ(time->memory, 0.6 + 0.2);
	EXPECT_DOUBLE_EQ(time->bound(), 2);
	// What does not count need not be known.
	placed[ITME_TIER_NVME].per_token = 0;
	speed[ITME_TIER_NVME] = std::nullopt;
	time = token_time(placed, speed);
	ASSERT_TRUE(time);
	EXPECT_DOUBLE_EQ(time->bound(), 0.6);
}

} // namespace itme
