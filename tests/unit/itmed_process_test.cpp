// SPDX-License-Identifier: GPL-2.0
// The daemon's children and its socket, as real processes.
#include "control.hpp"
#include "parser.hpp"

#include "temp_tree.hpp"

#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>

namespace itmed
{
namespace
{

using Clock = std::chrono::steady_clock;
using itme::test::TempTree;

/// What comes of a child that is run as the reader of headers.
itme::Result<ParsedModel> run(const std::string &program, const std::string &file,
			      const ParserLimits &limits, std::chrono::seconds patience)
{
	std::vector<ParserFile> files;
	files.push_back({"x.gguf", itme::Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC))});
	auto parser = Parser::start(program, files, 2U << 20, limits);
	const auto end = Clock::now() + patience;

	if (!parser)
		return tl::unexpected(parser.error());
	for (;;) {
		pollfd ready{parser->fd(), POLLIN, 0};
		::poll(&ready, 1, 100);
		if (parser->read() || Clock::now() > end)
			return parser->finish();
	}
}

std::string script(const TempTree &tree, const std::string &text)
{
	const auto path = tree.write("child", "#!/bin/sh\n" + text);

	std::filesystem::permissions(path, std::filesystem::perms::owner_all);
	return path;
}

/// The smallest that is a header: no key, one tensor of 32 floats.
std::string tiny_gguf()
{
	std::string text = "GGUF";
	const auto put = [&](auto value) {
		text.append(reinterpret_cast<const char *>(&value), sizeof(value));
	};
	const std::string name = "blk.0.attn_q.weight";
	put(std::uint32_t{3});
	put(std::uint64_t{1});
	put(std::uint64_t{0});
	put(std::uint64_t{name.size()});
	text += name;
	put(std::uint32_t{1});
	put(std::uint64_t{32});
	put(std::uint32_t{0});
	put(std::uint64_t{0});
	text.resize((text.size() + 31) / 32 * 32);
	return text + std::string(128, 'w');
}

} // namespace

TEST(ItmedChild, HangsAndIsEnded)
{
	const TempTree tree;
	const auto begin = Clock::now();
	const auto result =
		run(script(tree, "exec sleep 1000\n"), "/dev/null", {}, std::chrono::seconds(1));

	EXPECT_FALSE(result);
	EXPECT_LT(Clock::now() - begin, std::chrono::seconds(60));
}

TEST(ItmedChild, SaysTooMuch)
{
	const TempTree tree;
	const auto result = run(script(tree, "exec cat /dev/zero\n"), "/dev/null", {},
				std::chrono::seconds(60));

	ASSERT_FALSE(result);
}

TEST(ItmedChild, CrashesAndFails)
{
	const TempTree tree;

	auto result =
		run(script(tree, "kill -SEGV $$\n"), "/dev/null", {}, std::chrono::seconds(60));
	ASSERT_FALSE(result);
	EXPECT_NE(result.error().message.find("SEGV"), std::string::npos) << result.error().message;
	result = run(script(tree, "echo plan x; exit 7\n"), "/dev/null", {},
		     std::chrono::seconds(60));
	ASSERT_FALSE(result);
	EXPECT_EQ(result.error().message, "it ended with exit code 7");
	EXPECT_FALSE(run(tree.path() + "/none", "/dev/null", {}, std::chrono::seconds(60)));
}

TEST(ItmedChild, HasNothingButTheFile)
{
	const TempTree tree;
	// An open file of ours that is not for it, and an environment.
	const itme::Fd secret(::open("/dev/zero", O_RDONLY));
	const auto result =
		run(script(tree, "echo error $(ls -x /proc/self/fd | tr -d '\\n') ${HOME:-none}\n"),
		    "/dev/null", {}, std::chrono::seconds(60));

	ASSERT_FALSE(result);
	const auto &text = result.error().message;
	// 3 is the file; 4 is what ls itself has open, and the shell may keep its script at 10.
	EXPECT_EQ(text.find(std::to_string(secret.get()) + " "),
		  secret.get() <= 4 ? text.find(std::to_string(secret.get()) + " ")
				    : std::string::npos)
		<< text;
	EXPECT_NE(text.find("none"), std::string::npos) << text;
}

TEST(ItmedChild, ReadsAHeader)
{
	const TempTree tree;
	const auto path = tree.write("x", tiny_gguf());
	const auto result = run(ITMED_BINARY, path, {}, std::chrono::seconds(120));

	ASSERT_TRUE(result) << result.error().message;
	ASSERT_FALSE(result->plan.stages.empty());
	EXPECT_EQ(result->plan.stages[0][0].file, "x.gguf");
}

TEST(ItmedChild, HostileHeaders)
{
	const TempTree tree;
	std::string huge = tiny_gguf();

	// 2^60 tensors.
	huge[8 + 7] = 0x10;
	EXPECT_FALSE(run(ITMED_BINARY, tree.write("huge", huge), {}, std::chrono::seconds(120)));
	EXPECT_FALSE(run(ITMED_BINARY, tree.write("short", tiny_gguf().substr(0, 40)), {},
			 std::chrono::seconds(120)));
	EXPECT_FALSE(run(ITMED_BINARY, tree.write("none", ""), {}, std::chrono::seconds(120)));
}

TEST(ItmedControl, WhoMayDoWhat)
{
	EXPECT_EQ(access_of(0, {}, std::nullopt), Access::change);
	EXPECT_EQ(access_of(1000, {1000, 44}, 44), Access::read);
	EXPECT_EQ(access_of(1000, {1000}, 44), Access::none);
	EXPECT_EQ(access_of(1000, {0}, std::nullopt), Access::none);
	EXPECT_EQ(access_for("status"), Access::read);
	EXPECT_EQ(access_for("metrics"), Access::read);
	for (const char *name : {"reload", "replan", "", "anything"})
		EXPECT_EQ(access_for(name), Access::change) << name;
}

TEST(ItmedControl, Requests)
{
	EXPECT_EQ(parse_request(R"({"request": "status"})")->name, "status");
	EXPECT_EQ(parse_request(R"({"request": "replan", "model": "x"})")->model, "x");
	EXPECT_FALSE(parse_request(""));
	EXPECT_FALSE(parse_request("status"));
	EXPECT_FALSE(parse_request("[]"));
	EXPECT_FALSE(parse_request(R"({"request": 1})"));
	EXPECT_FALSE(parse_request(R"({"request": "exec"})"));
	EXPECT_FALSE(parse_request(R"({"request": "replan", "model": {}})"));
	EXPECT_FALSE(parse_request(std::string(60'000, '[')));
	EXPECT_FALSE(parse_request(std::string(Control::request_max + 1, ' ')));
	EXPECT_EQ(format_answer(itme::fail(1, "no \xff")),
		  "{\"error\":\"no \xef\xbf\xbd\",\"ok\":false}\n");
}

namespace
{

/// A loop with a socket, in which one client talks.
class Loop
{
public:
	explicit Loop(const std::string &path)
	{
		sd_event_new(&loop_);
		auto control = Control::listen(loop_, path, std::nullopt, [](const Request &) {
			return itme::Result<nlohmann::json>(std::string(300'000, 'x'));
		});
		if (control)
			control_ = std::move(*control);
	}

	Loop(const Loop &) = delete;
	Loop &operator=(const Loop &) = delete;

	~Loop()
	{
		control_.reset();
		sd_event_unref(loop_);
	}

	bool valid() const { return control_ != nullptr; }

	/// Until the other end is closed or nothing comes any more.
	std::string talk(const std::string &path, const std::string &say)
	{
		const itme::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
		sockaddr_un address{};
		std::string heard;
		char buffer[65536];

		address.sun_family = AF_UNIX;
		std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
		if (::connect(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)))
			return "refused";
		(void)!::write(fd.get(), say.data(), say.size());
		const auto end = Clock::now() + std::chrono::seconds(30);
		while (Clock::now() < end) {
			sd_event_run(loop_, 10'000);
			const auto got = ::read(fd.get(), buffer, sizeof(buffer));
			if (got == 0)
				break;
			if (got > 0)
				heard.append(buffer, static_cast<std::size_t>(got));
		}
		return heard;
	}

private:
	sd_event *loop_ = nullptr;
	std::unique_ptr<Control> control_;
};

} // namespace

TEST(ItmedControl, ASocket)
{
	const TempTree tree;
	const std::string path = tree.path() + "/sock";
	Loop loop(path);

	ASSERT_TRUE(loop.valid());
	EXPECT_EQ(std::filesystem::status(path).permissions(),
		  std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
	const auto answer = loop.talk(path, "{\"request\": \"status\"}\n");
	if (::getuid() == 0)
		EXPECT_EQ(answer.size(),
			  std::string("{\"data\":\"\",\"ok\":true}\n").size() + 300'000);
	else
		EXPECT_NE(answer.find("not for this user"), std::string::npos);
	EXPECT_NE(loop.talk(path, "what?\n").find("\"ok\":false"), std::string::npos);
	EXPECT_NE(loop.talk(path, std::string(70'000, 'y')).find("\"ok\":false"),
		  std::string::npos);
	// Who says nothing is sent away; the next one is served.
	EXPECT_EQ(loop.talk(path, ""), "");
	EXPECT_NE(loop.talk(path, "{\"request\": \"status\"}\n"), "");
}

TEST(ItmedControl, OnlyASocketIsReplaced)
{
	const TempTree tree;
	const std::string path = tree.write("sock", "somebody's file");

	EXPECT_FALSE(Loop(path).valid());
	EXPECT_TRUE(std::filesystem::exists(path));
}

} // namespace itmed
