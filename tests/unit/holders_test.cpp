// SPDX-License-Identifier: GPL-2.0
// On the live /proc, with a file on tmpfs or wherever temporary files are in the place of itmefs.
#include "holders.hpp"

#include "fd.hpp"
#include "temp_tree.hpp"

#include <algorithm>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace itme
{
namespace
{

bool holds(const HolderList &list, const std::string &kind, const std::string &name)
{
	return std::any_of(list.holders.begin(), list.holders.end(), [&](const Holder &holder) {
		return holder.pid == ::getpid() && holder.kind == kind && holder.name == name;
	});
}

} // namespace

TEST(Holders, FindsOpenAndMappedFiles)
{
	const test::TempTree tree;
	const std::string path = tree.write("a model", std::string(4096, 'x'));
	const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));

	struct stat st {
	};

	ASSERT_EQ(::fstat(fd.get(), &st), 0);
	HolderScan scan;
	scan.fstype = "none-such";
	scan.devices = {st.st_dev};

	auto list = find_holders(scan);
	ASSERT_TRUE(list);
	EXPECT_TRUE(holds(*list, "fd", path));
	EXPECT_FALSE(holds(*list, "map", path));

	void *map = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd.get(), 0);
	ASSERT_NE(map, MAP_FAILED);
	list = find_holders(scan);
	ASSERT_TRUE(list);
	EXPECT_TRUE(holds(*list, "map", path));
	::munmap(map, 4096);

	scan.skip_pid = ::getpid();
	list = find_holders(scan);
	ASSERT_TRUE(list);
	EXPECT_FALSE(holds(*list, "fd", path));
}

TEST(Holders, KnowsTheFileSystemByItsTableOfMounts)
{
	HolderScan scan;

	scan.fstype = "proc";
	const Fd fd(::open("/proc/version", O_RDONLY | O_CLOEXEC));
	const auto list = find_holders(scan);
	ASSERT_TRUE(list);
	EXPECT_TRUE(holds(*list, "fd", "/proc/version"));
	EXPECT_TRUE(std::any_of(list->holders.begin(), list->holders.end(),
				[](const Holder &holder) { return holder.kind == "mount"; }));
}

TEST(Holders, FindsWhatNoTableOfMountsHas)
{
	// A pipe: its file system is mounted nowhere, as after umount -l.
	int ends[2];
	ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
	const Fd in(ends[0]);
	const Fd out(ends[1]);

	struct statfs fs {
	};

	ASSERT_EQ(::fstatfs(in.get(), &fs), 0);
	HolderScan scan;
	scan.fstype = "none-such";
	scan.magic = fs.f_type;
	const auto list = find_holders(scan);
	ASSERT_TRUE(list);
	EXPECT_TRUE(
		std::any_of(list->holders.begin(), list->holders.end(), [](const Holder &holder) {
			return holder.pid == ::getpid() && holder.name.starts_with("pipe:");
		}));
}

TEST(Holders, AFixtureThatIsNotThere)
{
	HolderScan scan;

	scan.proc = "/nonexistent";
	EXPECT_FALSE(find_holders(scan));
}

} // namespace itme
