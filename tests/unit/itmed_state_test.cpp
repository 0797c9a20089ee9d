// SPDX-License-Identifier: GPL-2.0
#include "state.hpp"

#include "temp_tree.hpp"

#include <cerrno>
#include <filesystem>
#include <gtest/gtest.h>

namespace itmed
{
namespace
{

State some()
{
	State state;
	Record &record = state.at({{"a", {100, 5, 7, 9}}, {"b", {200, -6, 8, 9}}});

	record.origin = Origin::learned;
	record.wrong_header = true;
	record.day = 20'000;
	record.chunk = 65536;
	record.holder = {"boot", 3, "/system.slice/x.service"};
	record.plan.emplace();
	record.plan->cyclic = true;
	record.plan->stages = {{{"a", 0, 50}}, {{"b", 100, 100}}};
	return state;
}

std::string why(const std::string &text)
{
	const auto state = parse_state(text);

	return state ? std::to_string(state->records.size()) : state.error().message;
}

} // namespace

TEST(ItmedState, RoundTrip)
{
	const State state = some();
	const auto again = parse_state(format_state(state));

	ASSERT_TRUE(again) << again.error().message;
	ASSERT_EQ(again->records.size(), 1U);
	EXPECT_EQ(again->records[0].files, state.records[0].files);
	EXPECT_EQ(again->records[0].plan->stages, state.records[0].plan->stages);
	EXPECT_EQ(again->records[0].holder, state.records[0].holder);
	EXPECT_TRUE(again->records[0].wrong_header);
	EXPECT_EQ(again->records[0].chunk, 65536U);
	EXPECT_EQ(format_state(*again), format_state(state));
}

TEST(ItmedState, ByIdentity)
{
	State state = some();

	EXPECT_TRUE(state.find({{100, 5, 7, 9}, {200, -6, 8, 9}}));
	EXPECT_FALSE(state.find({{100, 5, 7, 9}}));
	EXPECT_FALSE(state.find({{100, 6, 7, 9}, {200, -6, 8, 9}}));
	// The same file by another name: what its plan calls it is of no use.
	Record &renamed = state.at({{"c", {100, 5, 7, 9}}, {"b", {200, -6, 8, 9}}});
	EXPECT_EQ(state.records.size(), 1U);
	EXPECT_FALSE(renamed.plan);
}

TEST(ItmedState, TheOldestGoes)
{
	State state;

	for (std::uint64_t i = 0; i < records_max + 10; i++)
		state.at({{"f", {1, 1, i, 1}}}).day = static_cast<std::int64_t>(i);
	EXPECT_EQ(state.records.size(), records_max);
	EXPECT_FALSE(state.find({{1, 1, 0, 1}}));
	EXPECT_TRUE(state.find({{1, 1, records_max + 9, 1}}));
}

TEST(ItmedState, Corrupt)
{
	const std::string good = format_state(some());

	EXPECT_EQ(why(""), "it is not JSON, or no object");
	EXPECT_EQ(why("[]"), "it is not JSON, or no object");
	EXPECT_EQ(why("{\"version\": 2}"), "it is of another version of itmed");
	EXPECT_EQ(why("{\"version\": 1}"), "it has no list of models");
	EXPECT_EQ(why("{\"version\": 1, \"models\": [1, {}, {\"files\": []}]}"), "0");
	EXPECT_EQ(why(std::string(1'000'000, '[')), "it is not JSON, or no object");
	// Cut anywhere it is an error, never half a state.
	for (std::size_t i = 0; i + 2 < good.size(); i += 7)
		EXPECT_FALSE(parse_state(good.substr(0, i))) << i;
	// A plan of a file that is not the model's.
	State other = some();
	other.records[0].plan->stages[0][0].file = "/etc/shadow";
	EXPECT_EQ(why(format_state(other)), "0");
	std::string negative = good;
	negative.replace(negative.find("\"size\": 100"), 11, "\"size\": -10");
	EXPECT_EQ(why(negative), "0");
}

TEST(ItmedState, OnDisk)
{
	const itme::test::TempTree tree;

	EXPECT_EQ(load_state(tree.path())->records.size(), 0U);
	ASSERT_TRUE(save_state(tree.path(), format_state(some())));
	EXPECT_EQ(load_state(tree.path())->records.size(), 1U);
	// What a crash has left is in nobody's way.
	tree.write("itmed.json.new", "half");
	ASSERT_TRUE(save_state(tree.path(), format_state(State{})));
	EXPECT_EQ(load_state(tree.path())->records.size(), 0U);
	EXPECT_FALSE(std::filesystem::exists(tree.path() + "/itmed.json.new"));
	// A link is not followed.
	tree.remove("itmed.json");
	tree.link("itmed.json", "/etc/passwd");
	EXPECT_EQ(load_state(tree.path()).error().code, ELOOP);
	EXPECT_FALSE(save_state(tree.path() + "/none", "x"));
}

} // namespace itmed
