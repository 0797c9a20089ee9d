// SPDX-License-Identifier: GPL-2.0
#include "run.hpp"

#include "files.hpp"
#include "temp_tree.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace itme
{
namespace
{

Object object(const std::string &name, const std::string &path, std::uint32_t flags = 0)
{
	Object object;

	object.name = name;
	object.path = path;
	object.lower_ino = 7;
	object.lower_dev = 3;
	object.flags = flags;
	return object;
}

Lookup always(Raw<PathIdentity> identity)
{
	return [identity](const std::string &) { return identity; };
}

} // namespace

TEST(PlanBinds, BindsTheSameInode)
{
	const auto plan = plan_binds({object("m", "/models/m")}, always(PathIdentity{7, 3, false}));

	ASSERT_EQ(plan.binds.size(), 1U);
	EXPECT_EQ(plan.binds[0].name, "m");
	EXPECT_EQ(plan.binds[0].target, "/models/m");
	EXPECT_TRUE(plan.warnings.empty());
}

TEST(PlanBinds, LeavesWhatWasReplaced)
{
	for (const auto &identity : {PathIdentity{8, 3, false}, PathIdentity{7, 4, false}}) {
		const auto plan = plan_binds({object("m", "/models/m")}, always(identity));
		EXPECT_TRUE(plan.binds.empty());
		ASSERT_EQ(plan.warnings.size(), 1U);
		EXPECT_NE(plan.warnings[0].find("another file now"), std::string::npos);
	}
}

TEST(PlanBinds, LeavesWhatCannotBeReached)
{
	const auto never = [](const std::string &path) -> Raw<PathIdentity> {
		ADD_FAILURE() << "looked up " << path;
		return tl::unexpected(ENOENT);
	};

	EXPECT_EQ(plan_binds({object("m", "")}, never).warnings.size(), 1U);
	EXPECT_EQ(plan_binds({object("m", "(unreachable)/m")}, never).warnings.size(), 1U);
	EXPECT_EQ(plan_binds({object("m", "/m")}, always(tl::unexpected(EACCES))).warnings.size(),
		  1U);
}

TEST(PlanBinds, TellsReplacedFromDeleted)
{
	const std::vector<Object> gone{object("m", "/m (deleted)", ITME_OBJECT_UNLINKED)};
	const auto lookup = [](bool there) {
		return [there](const std::string &path) -> Raw<PathIdentity> {
			EXPECT_EQ(path, "/m");
			if (!there)
				return tl::unexpected(ENOENT);
			return PathIdentity{7, 3, false}; // even a number that was used again
		};
	};

	EXPECT_NE(plan_binds(gone, lookup(true)).warnings.at(0).find("another file now"),
		  std::string::npos);
	EXPECT_NE(plan_binds(gone, lookup(false)).warnings.at(0).find("has been deleted"),
		  std::string::npos);
	EXPECT_TRUE(plan_binds(gone, lookup(true)).binds.empty());
}

TEST(PlanBinds, InsideARunNothingIsLeftToDo)
{
	const auto plan = plan_binds({object("m", "/models/m")}, always(PathIdentity{1, 9, true}));

	EXPECT_TRUE(plan.binds.empty());
	EXPECT_TRUE(plan.warnings.empty());
}

TEST(PlanBinds, WrittenFilesHaveNoOtherPath)
{
	const auto plan = plan_binds({object("a", "", ITME_OBJECT_NATIVE), object("m", "/m")},
				     always(PathIdentity{7, 3, false}));

	EXPECT_EQ(plan.binds.size(), 1U);
	EXPECT_EQ(plan.imported, 1U);
	EXPECT_TRUE(plan.warnings.empty());
}

TEST(RunChild, EndsAsItDid)
{
	int after = 0;
	const auto exited = run_child([] { return 42; }, [&] { after++; });
	ASSERT_TRUE(exited);
	EXPECT_EQ(end_as(*exited), 42);
	const auto killed = run_child([] { return ::raise(SIGKILL); }, [&] { after++; });
	ASSERT_TRUE(killed);
	EXPECT_TRUE(WIFSIGNALED(*killed));
	EXPECT_EQ(after, 2);
	EXPECT_EXIT(::exit(end_as(*killed)), ::testing::KilledBySignal(SIGKILL), "");
}

TEST(RunChild, PassesSignalsOn)
{
	// The child sends it to us; that it comes back ends the child.
	const pid_t self = ::getpid();
	const auto ended = run_child(
		[self] {
			for (int i = 0; i < 500; i++) {
				::kill(self, SIGTERM);
				::usleep(10000);
			}
			return 0;
		},
		[] { ::raise(SIGTERM); });

	ASSERT_TRUE(ended);
	EXPECT_TRUE(WIFSIGNALED(*ended) && WTERMSIG(*ended) == SIGTERM);
}

TEST(ListFilesBelow, GoesThroughDirectoriesAndFollowsNothing)
{
	const test::TempTree tree;
	tree.write("b", "");
	tree.write("d/e/f", "");
	tree.link("d/up", "..");
	tree.link("l", "b");
	ASSERT_EQ(::mkfifo((tree.path() + "/d/p").c_str(), 0600), 0);
	const Fd root(::open(tree.path().c_str(), O_RDONLY | O_DIRECTORY));

	const auto files = list_files_below(root.get());
	ASSERT_TRUE(files);
	EXPECT_EQ(*files, (std::vector<std::string>{"b", "d/e/f"}));
	EXPECT_TRUE(open_below(root.get(), "d/e/f", O_RDONLY));
	EXPECT_EQ(open_below(root.get(), "d/up/b", O_RDONLY).error(), ELOOP);
	EXPECT_EQ(open_below(root.get(), "l", O_RDONLY).error(), ELOOP);
	EXPECT_EQ(open_below(root.get(), "../x", O_RDONLY).error(), EXDEV);
}

TEST(LookUp, TellsTheInode)
{
	EXPECT_TRUE(look_up("/proc/self"));
	EXPECT_EQ(look_up("/nonexistent").error(), ENOENT);
}

TEST(FindUser, ByNameAndNumber)
{
	EXPECT_EQ(find_user("root")->uid, 0U);
	EXPECT_EQ(find_user("0")->name, "root");
	EXPECT_EQ(find_user("4242424:77")->uid, 4242424U);
	EXPECT_EQ(find_user("4242424:77")->gid, 77U);
	for (const char *text : {"", "no such user", "4242424", "-1", "4294967295", "4294967295:0",
				 "0:", "0:x", "root:0", "99999999999999:1"})
		EXPECT_FALSE(find_user(text)) << text;
}

} // namespace itme
