// SPDX-License-Identifier: GPL-2.0
#include "mountinfo.hpp"

#include "mount.hpp"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace itme
{

TEST(MountInfo, ParsesFieldsWithAndWithoutTags)
{
	const auto all = parse_mountinfo(
		"25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw\n"
		"40 25 0:45 / /mnt/itme rw,relatime shared:5 master:1 - itmefs itme "
		"rw,dram=512M,cxl=1G,cxl_nodes=1-2:4\n");

	ASSERT_EQ(all.size(), 2U);
	EXPECT_EQ(all[0].fstype, "sysfs");
	EXPECT_EQ(all[1].id, 40);
	EXPECT_EQ(all[1].dev, makedev(0, 45));
	EXPECT_EQ(all[1].point, "/mnt/itme");
	EXPECT_EQ(all[1].source, "itme");
	EXPECT_EQ(all[1].option("dram"), "512M");
	EXPECT_EQ(all[1].option("cxl_nodes"), "1-2:4");
	EXPECT_EQ(all[1].option("rw"), "");
	EXPECT_EQ(all[1].option("dra"), "");
}

TEST(MountInfo, Unescapes)
{
	EXPECT_EQ(unescape_octal("a\\040b"), "a b");
	EXPECT_EQ(unescape_octal("\\011\\012\\134"), "\t\n\\");
	EXPECT_EQ(unescape_octal("\\377"), "\xff");
	EXPECT_EQ(unescape_octal("\\777\\04\\089x\\"), "\\777\\04\\089x\\");
	const auto all = parse_mountinfo("40 25 0:45 / /mnt/my\\040models rw - itmefs itme rw\n");
	ASSERT_EQ(all.size(), 1U);
	EXPECT_EQ(all[0].point, "/mnt/my models");
}

TEST(MountInfo, LeavesOutBrokenLines)
{
	const auto all = parse_mountinfo("\n\nx\n1\n1 2\n1 2 3\n1 2 a:b / /x rw - t s o\n"
					 "1 2 0:1 / /x rw shared:1\n1 2 0:1 / /x rw -\n"
					 "99999999999 2 0:1 / /x rw - t s o\n"
					 "7 2 0:1 / /x rw - t s o");
	ASSERT_EQ(all.size(), 1U);
	EXPECT_EQ(all[0].id, 7);
}

TEST(MountInfo, FindsTheTreeNotABindOfAFile)
{
	const std::string bind = "50 25 0:45 /m.gguf /models/m.gguf rw - itmefs itme rw\n";

	EXPECT_FALSE(find_itmefs(parse_mountinfo("")));
	EXPECT_FALSE(find_itmefs(parse_mountinfo(bind)));
	const auto found =
		find_itmefs(parse_mountinfo(bind + "51 25 0:45 / /mnt/itme rw - itmefs itme rw\n"));
	ASSERT_TRUE(found);
	EXPECT_EQ(found->point, "/mnt/itme");
}

} // namespace itme
