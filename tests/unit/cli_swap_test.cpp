// SPDX-License-Identifier: GPL-2.0
// itmectl swap over a model of the module; the headers and the messages on real files.
#include "cli_fixture.hpp"
#include "swap.hpp"
#include "temp_tree.hpp"

#include <csignal>
#include <sys/stat.h>
#include <thread>

namespace itmectl
{
namespace
{

/// What mkswap writes, of a page of the given size.
std::string header(std::size_t page, const char *mark = "SWAPSPACE2", std::uint32_t version = 1)
{
	std::string text(std::max<std::size_t>(page, 65536), '\0');

	text.replace(page - 10, 10, mark, 10);
	text.replace(1024, 4, reinterpret_cast<const char *>(&version), 4);
	return text;
}

std::size_t page()
{
	return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A file that nobody else may read, as swap add wants it.
std::string area(const itme::test::TempTree &tree, const std::string &name, const std::string &text)
{
	std::string path = tree.write(name, text);

	EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
	return path;
}

itme::SwapHeader header_of(const std::string &path)
{
	const itme::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));

	return itme::read_swap_header(fd.get());
}

} // namespace

TEST(SwapHeader, ToldApart)
{
	using itme::SwapHeader;
	const itme::test::TempTree tree;
	const auto is = [&](const std::string &text, SwapHeader wanted) {
		EXPECT_EQ(header_of(tree.write("area", text)), wanted);
	};

	is(header(page()), SwapHeader::ours);
	is(header(page() == 16384 ? 4096 : 16384), SwapHeader::page_size);
	is(header(page(), "SWAPSPACE2", __builtin_bswap32(1)), SwapHeader::ours);
	is(header(page(), "SWAPSPACE2", 7), SwapHeader::version);
	is(header(page(), "SWAP-SPACE"), SwapHeader::version);
	is(header(page(), "S1SUSPEND\0"), SwapHeader::hibernated);
	is(std::string(1U << 17, '\0'), SwapHeader::none);
	is(std::string(100, 'x'), SwapHeader::unreadable);
	is("", SwapHeader::unreadable);
	EXPECT_EQ(itme::read_swap_header(-1), SwapHeader::unreadable);
}

TEST(ProcSwaps, NamesAreUnescaped)
{
	const char *const text = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n"
				 "/dev/dm-1                               partition\t1\t0\t-2\n"
				 "/a\\040b file\t1\t0\t-3";

	EXPECT_TRUE(itme::in_proc_swaps(text, "/dev/dm-1"));
	EXPECT_TRUE(itme::in_proc_swaps(text, "/a b"));
	EXPECT_FALSE(itme::in_proc_swaps(text, "/dev/dm-"));
	EXPECT_FALSE(itme::in_proc_swaps(text, ""));
	EXPECT_FALSE(itme::in_proc_swaps("", "/dev/dm-1"));
}

TEST_F(Cli, SwapAddListRemove)
{
	const itme::test::TempTree tree;
	const std::string a = area(tree, "a", header(page()));
	const std::string b = area(tree, "b c", header(page()));

	ASSERT_EQ(run({"swap", "list"}), 0);
	EXPECT_EQ(out, "PATH SIZE USED PRIO READ WRITTEN ERRORS FLAGS\n");
	ASSERT_EQ(run({"swap", "add", "-p", "5", "--check", a.c_str()}), 0);
	EXPECT_EQ(module.swaps[0].area.prio, 5);
	EXPECT_EQ(module.swaps[0].area.flags, ITME_SWAP_CHECK);
	ASSERT_EQ(run({"swap", "add", b.c_str(), "-J"}), 0);
	EXPECT_EQ(json()[0]["prio"], -3);
	EXPECT_EQ(json()[0]["flags"], Json::array());
	module.swaps[0].area.used = 3 * mib;
	module.swaps[0].area.write_bytes = 5 * mib;
	module.swaps[1].area.flags = ITME_SWAP_BAD | ITME_SWAP_DRAINING;
	module.swaps[1].area.errors = 2;
	ASSERT_EQ(run({"swap", "list", "-n", "-o", "size,used,prio,written_bytes,errors,flags"}),
		  0);
	EXPECT_EQ(out, "8M 3M  5 5M 0 check\n"
		       "8M  0 -3  0 2 bad,draining\n");
	ASSERT_EQ(run({"swap", "list", "--bytes", "-n", "-o", "used,label"}), 0);
	EXPECT_EQ(out, "3145728 scratch\n      0 scratch\n");
	ASSERT_EQ(run({"swap", "list", "--json"}), 0);
	EXPECT_EQ(json()[0]["path"], a);
	EXPECT_EQ(json()[0]["uuid"], "00010203-0405-0607-0809-0a0b0c0d0e0f");

	EXPECT_EQ(run({"swap", "add", a.c_str()}), 1);
	EXPECT_NE(err.find("itmectl swap list"), std::string::npos) << err;
	EXPECT_EQ(run({"swap", "remove", "/nonexistent"}), 1);
	EXPECT_NE(err.find("not a swap area"), std::string::npos);
	EXPECT_EQ(run({"swap", "remove", "7"}), 1);
	ASSERT_EQ(run({"swap", "remove", (tree.path() + "/./a").c_str()}), 0);
	EXPECT_EQ(out, "");
	ASSERT_EQ(module.swaps.size(), 1U);
	ASSERT_EQ(run({"swap", "remove", "2", "-J"}), 0);
	EXPECT_EQ(json()[0]["path"], b);
	EXPECT_TRUE(module.swaps.empty());
	ASSERT_EQ(run({"swap", "add", a.c_str(), b.c_str()}), 0);
	ASSERT_EQ(run({"swap", "remove", "--all"}), 0);
	EXPECT_TRUE(module.swaps.empty());

	for (const char *prio : {"-2", "32768", "x"})
		EXPECT_EQ(run({"swap", "add", "-p", prio, a.c_str()}), 2) << prio;
	EXPECT_EQ(run({"swap", "add"}), 2);
	EXPECT_EQ(run({"swap", "remove"}), 2);
	EXPECT_EQ(run({"swap", "remove", "--all", a.c_str()}), 2);
	EXPECT_EQ(run({"swap"}), 2);
	EXPECT_TRUE(module.swaps.empty());
}

TEST_F(Cli, SwapAddSaysWhy)
{
	const itme::test::TempTree tree;
	const std::string good = area(tree, "good", header(page()));
	const std::string none = area(tree, "none", std::string(1U << 17, 'x'));
	const std::string old = area(tree, "old", header(page(), "S1SUSPEND\0"));
	const std::string other = area(tree, "other", header(page() == 16384 ? 4096 : 16384));
	const std::string fifo = tree.path() + "/fifo";
	ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
	const auto error = [&](const std::string &path, const std::string &what) {
		EXPECT_EQ(run({"swap", "add", path.c_str()}), 1) << what;
		EXPECT_NE(err.find(what), std::string::npos) << err;
	};

	error("/nonexistent", "no such file");
	error(fifo, "neither a block device");
	error("/dev/null", "neither a block device");
	error(tree.path(), "irectory");
	for (const mode_t mode : {0640U, 0604U, 0620U}) {
		ASSERT_EQ(::chmod(good.c_str(), mode), 0);
		error(good, "others may read");
		error(good, "chmod 600 " + good);
	}
	EXPECT_TRUE(module.swaps.empty());
	ASSERT_EQ(::chmod(good.c_str(), 0600), 0);
	module.errors[ITME_IOC_SWAP_ADD] = EINVAL;
	error(none, "no swap header; if nothing on it is needed: mkswap " + none);
	error(old, "hibernated");
	error(other, "another page size");
	error(good, "has holes");
	for (const auto &[code, what] :
	     std::initializer_list<std::pair<int, const char *>>{{EPERM, "run it as root"},
								 {EBUSY, "in use"},
								 {ENOSPC, "bad pages"},
								 {EROFS, "read-only"},
								 {EOPNOTSUPP, "take a partition"},
								 {E2BIG, "too many swap areas"},
								 {EINTR, "nothing was added"},
								 {ENOTTY, "does not know"}}) {
		module.errors[ITME_IOC_SWAP_ADD] = code;
		error(good, what);
	}
}

TEST_F(Cli, SwapRemoveSaysWhy)
{
	const itme::test::TempTree tree;
	const std::string a = area(tree, "a", header(page()));

	ASSERT_EQ(run({"swap", "add", a.c_str()}), 0);
	for (const auto &[code, what] : std::initializer_list<std::pair<int, const char *>>{
		     {EPERM, "run it as root"},
		     {ENOSPC, "no room elsewhere"},
		     {EIO, "remove the files that have it"},
		     {EBUSY, "removed already"}}) {
		module.errors[ITME_IOC_SWAP_REMOVE] = code;
		EXPECT_EQ(run({"swap", "remove", a.c_str()}), 1);
		EXPECT_NE(err.find(what), std::string::npos) << err;
	}
	EXPECT_EQ(module.swaps.size(), 1U);
}

TEST_F(Cli, SwapRemoveIsGivenBackOnCtrlC)
{
	const itme::test::TempTree tree;
	const std::string a = area(tree, "a", header(page()));

	ASSERT_EQ(run({"swap", "add", a.c_str()}), 0);
	module.swap_remove_waits = true;
	// Blocked before the verb blocks it, so that it cannot end us if it comes too early.
	sigset_t interrupt;
	sigset_t before;
	::sigemptyset(&interrupt);
	::sigaddset(&interrupt, SIGINT);
	::pthread_sigmask(SIG_BLOCK, &interrupt, &before);
	const pthread_t self = ::pthread_self();
	std::thread presses([&] { ::pthread_kill(self, SIGINT); });
	EXPECT_EQ(run({"swap", "remove", a.c_str()}), 1);
	presses.join();
	EXPECT_NE(err.find("interrupted; it is used as before"), std::string::npos) << err;
	EXPECT_EQ(module.swaps.size(), 1U);
	::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace itmectl
