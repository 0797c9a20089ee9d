// SPDX-License-Identifier: GPL-2.0
#include "picture.hpp"

#include <gtest/gtest.h>

namespace itmectl
{

TEST(Picture, EveryByteHasALetter)
{
	for (int byte = 0; byte < 256; byte++)
		EXPECT_NE(
			std::string("DdCc.PQ+*!").find(map_letter(static_cast<std::uint8_t>(byte))),
			std::string::npos)
			<< byte;
	EXPECT_EQ(map_letter(ITME_TIER_DRAM), 'D');
	EXPECT_EQ(map_letter(ITME_TIER_CXL | ITME_MAP_PARTIAL), 'c');
	EXPECT_EQ(map_letter(ITME_TIER_NVME | ITME_MAP_PINNED), '.');
	EXPECT_EQ(map_letter(ITME_TIER_CXL | ITME_MAP_PINNED), 'Q');
	EXPECT_EQ(map_letter(ITME_TIER_NVME | ITME_MAP_ERROR), '!');
}

TEST(Picture, RowsAndLegend)
{
	itme::Residency where;

	where.offset = 4U << 20;
	where.chunk_size = 2U << 20;
	where.map = {ITME_TIER_DRAM, ITME_TIER_DRAM, ITME_TIER_CXL, ITME_TIER_NVME, ITME_TIER_NVME};
	EXPECT_EQ(draw_map(where, 3, false), "      4M DDC\n"
					     "     10M ..\n"
					     "         one letter is 2M; D DRAM, C CXL, . NVMe\n");
	EXPECT_NE(draw_map(where, 3, true).find("\033[0;32mDD\033[0;36mC\033[0m"),
		  std::string::npos);
	where.map.clear();
	EXPECT_EQ(draw_map(where, 0, false), "         one letter is 2M;\n");
}

} // namespace itmectl
