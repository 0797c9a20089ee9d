// SPDX-License-Identifier: GPL-2.0
#include "netlink/attributes.hpp"
#include "netlink/family.hpp"

#include <gtest/gtest.h>
#include <linux/itme_netlink.h>
#include <stdexcept>

namespace itme
{
namespace
{

Attributes view(const Message &message)
{
	return Attributes(message.attributes());
}

} // namespace

TEST(Attributes, WhatIsPutIsFound)
{
	Message message(9);

	message.put_u32(1, 7).put_uint(2, 8).put_uint(3, 1ULL << 40).put_text(4, "x y").put_flag(5);
	const auto in = view(message);
	EXPECT_EQ(message.command(), 9);
	EXPECT_EQ(in.u32(1), 7U);
	// Of either width.
	EXPECT_EQ(in.uint(1), 7U);
	EXPECT_EQ(in.uint(2), 8U);
	EXPECT_EQ(in.uint(3), 1ULL << 40);
	EXPECT_EQ(in.text(4), "x y");
	EXPECT_TRUE(in.has(5));
	EXPECT_FALSE(in.has(6));
	EXPECT_EQ(in.u32(6), std::nullopt);
	// Of the wrong size: as if it were not there.
	EXPECT_EQ(in.u32(3), std::nullopt);
	EXPECT_EQ(in.uint(5), std::nullopt);
	EXPECT_EQ(in.uint(4), in.u32(4));
}

TEST(Attributes, Nests)
{
	Message message(1);
	std::vector<std::uint32_t> values;

	for (std::uint32_t i = 0; i < 3; i++)
		message.nest(2, [&] { message.put_u32(1, i); });
	view(message).each(2, [&](Bytes value) { values.push_back(*Attributes(value).u32(1)); });
	EXPECT_EQ(values, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(Attributes, WhatIsCutOffIsNotRead)
{
	Message message(1);
	const std::size_t whole = message.put_u32(1, 7).put_uint(2, 1ULL << 40).size();

	for (std::size_t length = 0; length < whole; length++) {
		const std::vector<std::uint8_t> part(message.attributes().begin(),
						     message.attributes().begin() +
							     static_cast<std::ptrdiff_t>(length));
		const Attributes in(part);
		EXPECT_EQ(in.has(1), length >= 8) << length;
		EXPECT_FALSE(in.has(2)) << length;
	}
	// One that says it is shorter than its own header would go on for ever.
	const std::vector<std::uint8_t> bad{3, 0, 1, 0, 1, 2, 3, 4};
	EXPECT_FALSE(Attributes(bad).has(1));
}

TEST(Message, NoRoom)
{
	Message message(1);

	EXPECT_THROW(message.put_text(1, std::string(70000, 'x')), std::length_error);
	message.put_text(1, std::string(Message::room - 100, 'x'));
	EXPECT_THROW(message.put_text(2, std::string(1000, 'x')), std::length_error);
	EXPECT_EQ(view(message).text(1)->size(), Message::room - 100);
}

TEST(PlanMessages, OneIsEnough)
{
	PlanSpec plan{"n", true, 5, 6, {{{1, 0, 10}}, {}, {{2, 3, 4}}}, {}};
	const auto messages = plan_messages(plan, 8);

	ASSERT_EQ(messages.size(), 1U);
	const auto in = view(messages[0]);
	EXPECT_EQ(in.u32(ITME_A_PLAN_ID), 8U);
	EXPECT_EQ(in.text(ITME_A_PLAN_NAME), "n");
	EXPECT_TRUE(in.has(ITME_A_PLAN_CYCLIC));
	EXPECT_FALSE(in.has(ITME_A_PLAN_MORE));
	std::vector<std::uint32_t> stages;
	in.each(ITME_A_PLAN_STAGE,
		[&](Bytes value) { stages.push_back(*Attributes(value).u32(ITME_A_STAGE_INDEX)); });
	// An empty stage is a number that is not used.
	EXPECT_EQ(stages, (std::vector<std::uint32_t>{0, 2}));
}

TEST(PlanMessages, MoreAreAsFullAsTheyCanBe)
{
	PlanSpec plan;
	std::size_t ranges = 0;

	for (std::size_t i = 0; i < 7; i++)
		plan.stages.emplace_back(3001 * (i + 1), PlanRange{7, 1ULL << 40, 1ULL << 41});
	plan.triggers.assign(500,
			     PlanTrigger{{7, 0, 1}, std::vector(64, PlanRange{7, 0, 1ULL << 40})});
	const auto messages = plan_messages(plan, 0);
	std::size_t targets = 0;
	for (std::size_t i = 0; i < messages.size(); i++) {
		const auto in = view(messages[i]);
		EXPECT_LE(messages[i].size(), Message::room);
		EXPECT_EQ(in.has(ITME_A_PLAN_MORE), i + 1 < messages.size());
		EXPECT_EQ(in.has(ITME_A_PLAN_BUDGET), i == 0);
		if (i + 1 < messages.size()) {
			EXPECT_GT(messages[i].size(), Message::room - 3000) << i;
		}
		in.each(ITME_A_PLAN_STAGE, [&](Bytes value) {
			Attributes(value).each(ITME_A_STAGE_RANGE, [&](Bytes) { ranges++; });
		});
		in.each(ITME_A_PLAN_TRIGGER, [&](Bytes value) {
			Attributes(value).each(ITME_A_TRIGGER_TARGET, [&](Bytes) { targets++; });
		});
	}
	EXPECT_EQ(ranges, 3001U * 28);
	EXPECT_EQ(targets, 500U * 64);
}

} // namespace itme
