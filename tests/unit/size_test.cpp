// SPDX-License-Identifier: GPL-2.0
#include "size.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace itme
{

TEST(Size, ParsesBytesAndUnits)
{
	EXPECT_EQ(*parse_size("0"), 0U);
	EXPECT_EQ(*parse_size("4096"), 4096U);
	EXPECT_EQ(*parse_size("4096B"), 4096U);
	EXPECT_EQ(*parse_size("0x1000"), 4096U);
	EXPECT_EQ(*parse_size("64K"), 65536U);
	EXPECT_EQ(*parse_size("64k"), 65536U);
	EXPECT_EQ(*parse_size("3M"), 3U << 20);
	EXPECT_EQ(*parse_size("3MiB"), 3U << 20);
	EXPECT_EQ(*parse_size("2G"), 2ULL << 30);
	EXPECT_EQ(*parse_size("2T"), 2ULL << 40);
	EXPECT_EQ(*parse_size("18446744073709551615"), ~0ULL);
}

TEST(Size, RejectsWhatIsNoSize)
{
	for (const char *text : {"", " ", "-1", "+1", "1.5G", "M", "1MB", "1 M", "1Mi B", "1KK",
				 "0x", "1Q", "1M ", "nan", "1e9", "\xff", "1\xcd"})
		EXPECT_EQ(parse_size(text).error().code, EINVAL) << text;
}

TEST(Size, RejectsOverflow)
{
	for (const char *text : {"18446744073709551616", "99999999999999999999G", "16E",
				 "16777216T", "0x10000000000000000"})
		EXPECT_EQ(parse_size(text).error().code, ERANGE) << text;
	EXPECT_EQ(*parse_size("16777215T"), 16777215ULL << 40);
}

TEST(Size, FormatsShort)
{
	EXPECT_EQ(format_size(0), "0");
	EXPECT_EQ(format_size(1023), "1023");
	EXPECT_EQ(format_size(1024), "1K");
	EXPECT_EQ(format_size(1536), "1.5K");
	EXPECT_EQ(format_size(512ULL << 20), "512M");
	EXPECT_EQ(format_size((1ULL << 30) - 1), "1G");
	EXPECT_EQ(format_size((1ULL << 40) + (1ULL << 39)), "1.5T");
	EXPECT_EQ(format_size(~0ULL), "16E");
}

} // namespace itme
