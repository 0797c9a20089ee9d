// SPDX-License-Identifier: GPL-2.0
#include "table.hpp"

#include <gtest/gtest.h>

namespace itmectl
{
namespace
{

Table sample()
{
	return {{{"name", "NAME", Kind::text},
		 {"size", "SIZE", Kind::size},
		 {"opens", "OPENS", Kind::count},
		 {"nodes", "NODES", Kind::nodes},
		 {"hidden", "HIDDEN", Kind::text, false}},
		{{"a", std::uint64_t{1536}, 3U, std::vector<int>{0, 1, 2}, "h"},
		 {"much longer", std::uint64_t{2} << 30, 0U, std::vector<int>{}, nullptr}}};
}

} // namespace

TEST(Table, AlignsNumbersRightAndTextLeft)
{
	EXPECT_EQ(*render_list(sample(), {}), "NAME        SIZE OPENS NODES\n"
					      "a           1.5K     3 0-2\n"
					      "much longer   2G     0 -\n");
}

TEST(Table, BytesHeadingsColumns)
{
	EXPECT_EQ(*render_list(sample(), {false, true, false, {"SIZE", "hidden"}}),
		  "      1536 h\n2147483648 -\n");
	const auto bad = render_list(sample(), {false, false, true, {"colour"}});
	ASSERT_FALSE(bad);
	EXPECT_EQ(bad.error().message,
		  "no column 'colour'; there are name, size, opens, nodes, hidden");
}

TEST(Table, JsonHasRawBytesAndAllKeysInOrder)
{
	const auto json = Json::parse(*render_list(sample(), {true, false, true, {}}));

	ASSERT_EQ(json.size(), 2U);
	EXPECT_EQ(json[0].dump(),
		  R"({"name":"a","size":1536,"opens":3,"nodes":[0,1,2],"hidden":"h"})");
	EXPECT_TRUE(json[1]["hidden"].is_null());
	EXPECT_EQ(*render_list({sample().columns, {}}, {true, false, true, {}}), "[]\n");
}

TEST(Table, Record)
{
	EXPECT_EQ(*render_record(sample(), {false, false, true, {"name", "size"}}),
		  "NAME    a\nSIZE 1.5K\n");
	const auto json = Json::parse(*render_record(sample(), {true, false, true, {}}));
	EXPECT_EQ(json["size"], 1536);
}

TEST(Table, HostileNamesDoNotReachTheTerminal)
{
	const Table table{{{"name", "NAME", Kind::text}}, {{"\033[2J\nx\x7f"}, {"\xff\xfe"}, {""}}};

	EXPECT_EQ(*render_list(table, {false, false, false, {}}),
		  "\\x1b[2J\\x0ax\\x7f\n\\xff\\xfe\n-\n");
	const auto json = render_list(table, {true, false, true, {}});
	ASSERT_TRUE(json);
	EXPECT_EQ(Json::parse(*json)[0]["name"], "\033[2J\nx\x7f");
}

/// U+009B is as good as ESC [ to some terminals, and the bare byte to others.
TEST(Table, PrintableIsUtf8WithoutControls)
{
	EXPECT_EQ(printable("\xc2\x9b"
			    "2J"),
		  "\\xc2\\x9b2J");
	EXPECT_EQ(printable("\x9b"
			    "2J"),
		  "\\x9b2J");
	for (const char *text : {"gr\u00f6\u00dfe", "\u00a0", "\u20ac", "\ud7ff", "\ue000",
				 "\U00010000", "\U0010ffff"})
		EXPECT_EQ(printable(text), text);
	// Cut short, overlong, a surrogate, beyond the last: byte by byte, and what follows is
	// kept.
	EXPECT_EQ(printable("\xe2\x82x"), "\\xe2\\x82x");
	EXPECT_EQ(printable("\xc0\xafx"), "\\xc0\\xafx");
	EXPECT_EQ(printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");
	EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	EXPECT_EQ(printable("\xf0\x9f\x98"), "\\xf0\\x9f\\x98");
}

TEST(Table, AlignsUtf8ByCharacters)
{
	const Table table{{{"name", "NAME", Kind::text}, {"n", "N", Kind::count}},
			  {{"größe", 1U}, {"plain", 2U}}};

	EXPECT_EQ(*render_list(table, {false, false, false, {}}), "größe 1\nplain 2\n");
}

} // namespace itmectl
