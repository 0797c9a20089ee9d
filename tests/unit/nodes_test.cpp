// SPDX-License-Identifier: GPL-2.0
#include "nodes.hpp"

#include <gtest/gtest.h>

namespace itme
{

using List = std::vector<int>;

TEST(Nodes, FromMask)
{
	__u64 mask[16] = {};

	EXPECT_EQ(nodes_of_mask(mask), List());
	mask[0] = 0x16;
	mask[15] = 1ULL << 63;
	EXPECT_EQ(nodes_of_mask(mask), (List{1, 2, 4, 1023}));
}

TEST(Nodes, FormatsRanges)
{
	EXPECT_EQ(format_nodes(List{}), "");
	EXPECT_EQ(format_nodes(List{3}), "3");
	EXPECT_EQ(format_nodes(List{0, 1, 2, 4, 6, 7}), "0-2,4,6-7");
}

TEST(Nodes, ParsesListsOfSysfsAndMountOptions)
{
	EXPECT_EQ(*parse_nodes(""), List());
	EXPECT_EQ(*parse_nodes("\n"), List());
	EXPECT_EQ(*parse_nodes("0-2,4\n"), (List{0, 1, 2, 4}));
	EXPECT_EQ(*parse_nodes("1-2:4"), (List{1, 2, 4}));
	EXPECT_EQ(*parse_nodes("4,0,4"), (List{0, 4}));
}

TEST(Nodes, RejectsHostileLists)
{
	for (const char *text : {"-", "-1", "1-", "2-1", "1,,2", "1,", ",1", "a", "1-2-3",
				 "0-99999999", "99999999999999"})
		EXPECT_FALSE(parse_nodes(text)) << text;
}

/// A megabyte of it took 33 GB.
TEST(Nodes, TakesRepeatedRangesInTheRoomOfOne)
{
	std::string text = "0-65535";

	while (text.size() < 1U << 18)
		text += ",0-65535";
	EXPECT_EQ(parse_nodes(text)->size(), 65536U);
}

} // namespace itme
