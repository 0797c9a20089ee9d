// SPDX-License-Identifier: GPL-2.0
#include "explain.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace itme
{
namespace
{

void expect_one_line(const Unexpected &error, int code)
{
	EXPECT_EQ(error.value().code, code);
	EXPECT_FALSE(error.value().message.empty());
	EXPECT_EQ(error.value().message.find('\n'), std::string::npos) << error.value().message;
}

} // namespace

TEST(Explain, EveryErrnoIsOneLine)
{
	for (int code = 1; code < 134; code++) {
		expect_one_line(explain_mount("/m", code), code);
		expect_one_line(explain_file("f", code), code);
		expect_one_line(explain_range("f", {}, code), code);
		expect_one_line(explain_advise("f", {}, code), code);
		expect_one_line(explain_budget(ITME_TIER_DRAM, 1, {}, 2U << 20, code), code);
		expect_one_line(explain_lower("/x", code), code);
		expect_one_line(explain_import("/x", "x", code), code);
	}
	expect_one_line(explain_no_mount(), ENODEV);
}

TEST(Explain, ImportErrorsDiffer)
{
	const auto text = [](int code) { return explain_import("/x", "n", code).value().message; };

	EXPECT_NE(text(EEXIST).find("--name"), std::string::npos);
	EXPECT_NE(text(ETXTBSY).find("open for writing"), std::string::npos);
	EXPECT_NE(text(ENODATA).find("empty"), std::string::npos);
	EXPECT_NE(text(EINVAL).find("O_DIRECT"), std::string::npos);
	EXPECT_NE(text(ELOOP).find("itmefs itself"), std::string::npos);
	EXPECT_NE(text(EPERM).find("root"), std::string::npos);
}

TEST(Explain, BudgetSaysWhichBoundWasCrossed)
{
	Tier tier;
	const auto text = [&](std::uint64_t bytes, int code) {
		return explain_budget(ITME_TIER_CXL, bytes, tier, 2U << 20, code).value().message;
	};

	tier.capacity = 1ULL << 30;
	tier.nodes = {1};
	tier.pinned = 64ULL << 20;
	EXPECT_EQ(text(2ULL << 30, EINVAL), "cxl: 2G is more than its nodes have (1G)");
	EXPECT_EQ(text(1, EINVAL), "cxl: 1 is below the minimum of 8M (0 turns the tier off)");
	EXPECT_NE(text(8ULL << 20, EBUSY).find("64M of it is pinned"), std::string::npos);
	tier = {};
	EXPECT_NE(text(8ULL << 20, EINVAL).find("no node"), std::string::npos);
}

} // namespace itme
