// SPDX-License-Identifier: GPL-2.0
#include "files.hpp"

#include "temp_tree.hpp"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace itme
{
namespace
{

/// For this thread, as systemd's RestrictSUIDSGID= does it.
bool forbid_openat2()
{
	sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const sock_fprog all{sizeof(code) / sizeof(code[0]), code};

	return !::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all);
}

void open_all_below()
{
	const test::TempTree tree;
	const Fd dir(::open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
	const auto code = [&](const char *path, int flags = O_RDONLY) {
		const auto fd = open_below(dir.get(), path, flags);
		return fd ? 0 : fd.error();
	};

	std::filesystem::create_directories(tree.path() + "/a/b");
	tree.write("x", "");
	tree.write("a/b/y", "");
	std::filesystem::create_symlink("a", tree.path() + "/link");
	std::filesystem::create_symlink("x", tree.path() + "/a/file");
	EXPECT_EQ(code("x"), 0);
	EXPECT_EQ(code("a/b/y"), 0);
	EXPECT_EQ(code("a//b/./y"), 0);
	EXPECT_EQ(code(".", O_RDONLY | O_DIRECTORY), 0);
	EXPECT_EQ(code("a/z"), ENOENT);
	EXPECT_EQ(code("x/y"), ENOTDIR);
	EXPECT_NE(code("link/b/y"), 0);
	EXPECT_NE(code("a/file"), 0);
	EXPECT_NE(code("../x"), 0);
	EXPECT_NE(code("/etc/passwd"), 0);
	EXPECT_NE(code(""), 0);
	// Another file system.
	const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	EXPECT_EQ(open_below(root.get(), "proc/self", O_RDONLY).error(), EXDEV);
}

} // namespace

TEST(OpenBelow, NothingLeadsOut)
{
	open_all_below();
}

TEST(OpenBelow, WhereOpenat2IsNotAllowed)
{
	std::thread([] {
		ASSERT_TRUE(forbid_openat2());
		ASSERT_EQ(::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0), -1);
		ASSERT_EQ(errno, ENOSYS);
		open_all_below();
	}).join();
}

} // namespace itme
