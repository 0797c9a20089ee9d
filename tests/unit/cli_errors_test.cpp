// SPDX-License-Identifier: GPL-2.0
// The program itself, on a host that has no itmefs.
#include "mount.hpp"
#include "temp_tree.hpp"

#include "files.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/wait.h>

namespace itme
{
namespace
{

struct Outcome {
	int status;
	std::string text; ///< of both streams
};

Outcome run(const std::string &args)
{
	const std::string command = std::string(ITMECTL_BINARY " ") + args + " 2>&1 </dev/null";
	std::FILE *pipe = ::popen(command.c_str(), "r");
	std::array<char, 4096> chunk{};
	Outcome outcome{-1, ""};

	if (!pipe)
		return outcome;
	while (std::size_t n = std::fread(chunk.data(), 1, chunk.size(), pipe))
		outcome.text.append(chunk.data(), n);
	outcome.status = WEXITSTATUS(::pclose(pipe));
	return outcome;
}

bool have_mount()
{
	return find_itmefs(parse_mountinfo(*read_file("/proc/self/mountinfo"))).has_value();
}

} // namespace

TEST(Binary, SaysHowToMount)
{
	if (have_mount())
		GTEST_SKIP() << "an itmefs is mounted";
	for (const char *verb :
	     {"list", "tier list", "tier set dram 1G", "import /dev/null", "remove x",
	      "residency x", "advise pin x", "stat", "list --json"}) {
		const auto outcome = run(verb);
		EXPECT_EQ(outcome.status, 1) << verb;
		EXPECT_NE(outcome.text.find("mount -t itmefs -o dram="), std::string::npos) << verb;
		EXPECT_EQ(outcome.text.find('\n'), outcome.text.size() - 1) << outcome.text;
	}
	EXPECT_EQ(run("run -- true").status, 125);
}

TEST(Binary, MountOptionHasToNameAnItmefs)
{
	const test::TempTree tree;

	EXPECT_NE(run("--mount " + tree.path() + " list").text.find("not an itmefs mount"),
		  std::string::npos);
	EXPECT_NE(run("--mount /nonexistent list").text.find("No such file"), std::string::npos);
	EXPECT_EQ(run("--mount /dev/null list").status, 1);
}

TEST(Binary, FullDiskIsAnError)
{
	EXPECT_EQ(run("--help >/dev/full").status, 1);
	EXPECT_EQ(run("--help").status, 0);
}

TEST(Binary, DoctorRunsOnThisMachine)
{
	const auto outcome = run("doctor --json");

	EXPECT_LE(outcome.status, 1);
	EXPECT_EQ(outcome.text[0], '[');
}

} // namespace itme
