// SPDX-License-Identifier: GPL-2.0
#include "planfile.hpp"

#include <gtest/gtest.h>

namespace itme
{
namespace
{

std::string refused(std::string_view text)
{
	const auto plan = parse_plan(text);

	return plan ? "" : plan.error().message;
}

bool has(const std::string &text, std::string_view part)
{
	return text.find(part) != std::string::npos;
}

std::string repeat(std::string_view part, int times)
{
	std::string text;

	for (int i = 0; i < times; i++)
		text += part;
	return text;
}

} // namespace

TEST(PlanFile, AllOfIt)
{
	const auto plan = parse_plan(R"({
		"name": "decode", "cyclic": true, "lookahead": "64MiB", "budget": 18446744073709551615,
		"stages": [[{"file": "a", "offset": "0x1000", "length": "1G"}, {"file": "b \u00e4"}], []],
		"triggers": [{"source": {"file": "a"}, "targets": [{"file": "b", "offset": 5}]}]})");

	ASSERT_TRUE(plan) << plan.error().message;
	EXPECT_EQ(plan->name, "decode");
	EXPECT_TRUE(plan->cyclic);
	EXPECT_EQ(plan->lookahead, 64U << 20);
	EXPECT_EQ(plan->budget, ~std::uint64_t{0});
	ASSERT_EQ(plan->stages.size(), 2U);
	EXPECT_EQ(plan->stages[0][0], (FileRange{"a", 4096, 1U << 30}));
	EXPECT_EQ(plan->stages[0][1], (FileRange{"b \u00e4", 0, std::nullopt}));
	EXPECT_TRUE(plan->stages[1].empty());
	ASSERT_EQ(plan->triggers.size(), 1U);
	EXPECT_EQ(plan->triggers[0].targets[0], (FileRange{"b", 5, std::nullopt}));

	const auto text = format_plan(*plan);
	ASSERT_TRUE(text);
	const auto again = parse_plan(*text);
	ASSERT_TRUE(again) << *text;
	EXPECT_EQ(*again, *plan);
	EXPECT_EQ(*format_plan(*again), *text);
}

TEST(PlanFile, NotJson)
{
	EXPECT_TRUE(has(refused(""), "parse error"));
	EXPECT_TRUE(has(refused("{\"stages\":"), "parse error at line 1"));
	EXPECT_TRUE(has(refused("{} {}"), "parse error"));
	EXPECT_TRUE(has(refused("{\"name\": \"\xff\"}"), "parse error"));
	EXPECT_TRUE(has(refused("{\"name\": \"\xed\xa0\x80\"}"), "parse error"));
	EXPECT_TRUE(has(refused(std::string("{\"name\": \"a\0b\"}", 14)), "parse error"));
	EXPECT_TRUE(has(refused("{\"name\": NaN}"), "parse error"));
	// No text of the JSON library's own.
	EXPECT_FALSE(has(refused("{"), "json.exception"));
}

TEST(PlanFile, DeepIsRefusedBeforeItIsBuilt)
{
	for (const std::string_view part : {"[", "{\"a\":", "[{\"a\":"}) {
		EXPECT_TRUE(has(refused(repeat(part, 1'000'000)), "more than 8 levels"));
		EXPECT_TRUE(has(refused("{\"stages\":" + repeat(part, 100'000)), "8 levels"));
	}
}

TEST(PlanFile, ManyKeysAreRefusedBeforeTheyTakeTime)
{
	std::string text = "{\"stages\": [[{";

	for (int i = 0; i < 1'000'000; i++)
		text += std::to_string(i).insert(0, "\"").append("\":0,");
	EXPECT_TRUE(has(refused(text + "\"file\": \"a\"}]]}"), "more than 64 keys"));
}

TEST(PlanFile, ManyRangesTakeNoLongerThanTheyAreMany)
{
	std::string text = "{\"stages\": [[{\"file\": \"a\"}";

	// With the square of it this would take minutes.
	for (int i = 0; i < 500'000; i++)
		text += ",{\"file\":\"a\"}";
	const auto plan = parse_plan(text + "]]}");
	ASSERT_TRUE(plan);
	EXPECT_EQ(plan->stages[0].size(), 500'001U);
}

TEST(PlanFile, Twice)
{
	EXPECT_TRUE(has(refused(R"({"cyclic": true, "cyclic": true})"), "'cyclic' is given twice"));
	EXPECT_TRUE(has(refused(R"({"stages": [[{"file": "a", "file": "b"}]]})"), "twice"));
	// In two objects it is not twice.
	EXPECT_EQ(refused(R"({"stages": [[{"file": "a"}, {"file": "a"}]]})"), "");
}

TEST(PlanFile, WrongTypes)
{
	const std::pair<const char *, const char *> wrong[] = {
		{"[]", "the plan is not an object"},
		{"null", "not an object"},
		{"7", "not an object"},
		{"{}", "neither stages nor triggers"},
		{R"({"stages": []})", "neither stages nor triggers"},
		{R"({"stages": [[]], "triggers": []})", "neither stages nor triggers"},
		{R"({"bogus": 1})", "no key 'bogus'; there are name, cyclic"},
		{R"({"name": 1})", "'name' is not a string"},
		{R"({"name": "a\u0000b"})", "NUL"},
		{R"({"cyclic": 1})", "neither true nor false"},
		{R"({"lookahead": -1})", "'lookahead' is not a size"},
		{R"({"lookahead": 1.5})", "'lookahead' is not a size"},
		{R"({"lookahead": null})", "'lookahead' is not a size"},
		{R"({"budget": "64X"})", "'budget': '64X' is not a size"},
		{R"({"budget": "99E"})", "too large"},
		{R"({"budget": 18446744073709551616})", "'budget' is not a size"},
		{R"({"stages": {}})", "'stages' is not an array"},
		{R"({"stages": [1]})", "stages[0] is not an array of ranges"},
		{R"({"stages": [[1]]})", "stages[0][0] is not an object"},
		{R"({"stages": [[], [{"offset": 1}]]})", "stages[1][0]: 'file' has to be"},
		{R"({"stages": [[{"file": ["a"]}]]})", "'file' has to be"},
		{R"({"stages": [[{"file": "a", "length": 0}]]})", "empty"},
		{R"({"stages": [[{"file": "a", "length": "0K"}]]})", "empty"},
		{R"({"stages": [[{"file": "a", "len": 1}]]})", "no key 'len'; there are file"},
		{R"({"triggers": {}})", "'triggers' is not an array"},
		{R"({"triggers": [[]]})", "triggers[0] is not an object"},
		{R"({"triggers": [{"source": {"file": "a"}}]})", "triggers[0] has no 'targets'"},
		{R"({"triggers": [{"targets": []}]})", "triggers[0] has no 'source'"},
		{R"({"triggers": [{"source": [], "targets": []}]})", "triggers[0].source is not"},
		{R"({"triggers": [{"source": {"file": "a"}, "targets": []}]})", "0 targets"},
	};
	for (const auto &[text, why] : wrong)
		EXPECT_TRUE(has(refused(text), why)) << text << ": " << refused(text);
	EXPECT_TRUE(has(refused("{\"name\": \"" + repeat("n", 64) + "\"}"), "longer than 63"));
	EXPECT_TRUE(has(refused(R"({"triggers": [{"source": {"file": "a"}, "targets": [)" +
				repeat(R"({"file": "a"},)", 64) + R"({"file": "a"}]}]})"),
			"65 targets; it may have 1 to 64"));
}

TEST(PlanFile, NamesThatAreNotUtf8CannotBeSaved)
{
	const auto text = format_plan({"", false, 0, 0, {{{"\xff", 0, 1}}}, {}});

	ASSERT_FALSE(text);
	EXPECT_TRUE(has(text.error().message, "not UTF-8"));
	EXPECT_FALSE(format_plan({"\xc3", false, 0, 0, {{{"a", 0, 1}}}, {}}));
}

TEST(PlanFile, NamesOfWhatIsThere)
{
	Plan plan;

	plan.stages = {{{1, 0, 10}, {2, 0, 10}}, {{3, 5, 10}}, {{1, 0, 0}}};
	plan.triggers = {{{1, 0, 1}, {{2, 0, 1}, {3, 0, 1}}}, {{9, 0, 1}, {{1, 0, 1}}}};
	const auto named = name_plan(
		plan, {{1, "a", 100, 0}, {3, "c", 100, 0}, {2, "a", 100, ITME_OBJECT_REMOVED}});
	// Object 2 twice, the range without a length, the trigger's source.
	EXPECT_EQ(named.left_out, 4U);
	EXPECT_EQ(named.plan.stages,
		  (std::vector<std::vector<FileRange>>{{{"a", 0, 10}}, {{"c", 5, 10}}, {}}));
	ASSERT_EQ(named.plan.triggers.size(), 1U);
	EXPECT_EQ(named.plan.triggers[0].targets, (std::vector<FileRange>{{"c", 0, 1}}));
	EXPECT_FALSE(named.empty());
	EXPECT_TRUE(name_plan(plan, {}).empty());
}

} // namespace itme
