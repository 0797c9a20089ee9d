// SPDX-License-Identifier: GPL-2.0
#include "monitor.hpp"

#include "cli_fixture.hpp"

#include <cstdlib>
#include <ctime>

namespace itmectl
{
namespace
{

itme::Message event(std::uint8_t command)
{
	itme::Message message(command);

	return std::move(message.put_uint(ITME_A_EVENT_TIME, 1));
}

itme::Reply told(const itme::Message &message)
{
	return itme::test::FakeChannel::reply(message);
}

std::string after_time(const std::string &line)
{
	return line.substr(std::min<std::size_t>(line.find(' ') + 1, line.size()));
}

} // namespace

using CliMonitor = Cli;

TEST_F(CliMonitor, Lines)
{
	module.add("m\x1b", 8 * mib, "/m");
	family.plans[3].info.id = 3;
	family.plans[3].info.name = "decode";
	itme::Heard heard;
	heard.events.push_back(told(event(ITME_CMD_STAGE_NTF)
					    .put_u32(ITME_A_EVENT_PLAN, 3)
					    .put_u32(ITME_A_EVENT_STAGE, 9)));
	heard.events.push_back(told(event(ITME_CMD_STALL_NTF)
					    .put_u32(ITME_A_EVENT_OBJECT, 1)
					    .put_uint(ITME_A_EVENT_OFFSET, 64 * mib)
					    .put_uint(ITME_A_EVENT_NS, 12'300'000)
					    .put_uint(ITME_A_EVENT_LOST, 5)));
	heard.events.push_back(told(event(ITME_CMD_IO_ERROR_NTF)
					    .put_u32(ITME_A_EVENT_OBJECT, 77)
					    .put_uint(ITME_A_EVENT_OFFSET, 0)
					    .put_u32(ITME_A_EVENT_ERROR, EIO)));
	heard.events.push_back(told(event(ITME_CMD_OBJECT_NEW_NTF)
					    .put_u32(ITME_A_EVENT_OBJECT, 77)
					    .put_text(ITME_A_EVENT_NAME, "new")
					    .put_uint(ITME_A_EVENT_BYTES, 1536)));
	heard.events.push_back(told(event(99).put_text(150, "?")));
	heard.overrun = true;
	family.heard = {heard};

	// It ends as the module goes.
	EXPECT_EQ(run({"monitor"}, 2), 1);
	std::vector<std::string> lines;
	for (std::size_t at = 0; at < out.size(); at = out.find('\n', at) + 1)
		lines.push_back(after_time(out.substr(at, out.find('\n', at) - at)));
	EXPECT_EQ(lines, (std::vector<std::string>{
				 "stage         plan 3 (decode) stage 9",
				 "lost          5",
				 "stall         m\\x1b (1) at 64M 12.3ms",
				 "io-error      object 77 at 0: Input/output error",
				 "object-new    new (77) 1.5K",
				 "event-99     ",
				 "lost          unknown",
			 }));
	EXPECT_NE(err.find("more than 5 events were lost"), std::string::npos);
	EXPECT_NE(err.find("has been unloaded"), std::string::npos);
}

TEST_F(CliMonitor, Json)
{
	module.add("m\xff", 8 * mib, "/m");
	itme::Heard heard;
	heard.events.push_back(told(event(ITME_CMD_STALL_NTF)
					    .put_u32(ITME_A_EVENT_OBJECT, 1)
					    .put_uint(ITME_A_EVENT_OFFSET, 64)
					    .put_uint(ITME_A_EVENT_NS, 12)));
	heard.overrun = true;
	family.heard = {heard};
	EXPECT_EQ(run({"monitor", "--json"}, 2), 1);
	const auto first = itmectl::Json::parse(out.substr(0, out.find('\n')));
	EXPECT_EQ(first["event"], "stall");
	EXPECT_EQ(first["name"], "m\xef\xbf\xbd");
	EXPECT_EQ(first["offset"], 64);
	EXPECT_EQ(first["ns"], 12);
	const auto second = itmectl::Json::parse(out.substr(out.find('\n') + 1));
	EXPECT_EQ(second["event"], "lost");
	EXPECT_TRUE(second["count"].is_null());
}

TEST_F(CliMonitor, FilterAndCount)
{
	itme::Heard heard;
	for (const auto command : {ITME_CMD_PRESSURE_NTF, ITME_CMD_STAGE_NTF, ITME_CMD_PRESSURE_NTF,
				   ITME_CMD_PRESSURE_NTF})
		heard.events.push_back(told(event(static_cast<std::uint8_t>(command))));
	family.heard = {heard};
	EXPECT_EQ(run({"monitor", "--filter", "stall,pressure", "-c", "2"}), 0);
	EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
	EXPECT_EQ(out.find("stage"), std::string::npos);
	EXPECT_EQ(run({"monitor", "--filter", "stall,bogus"}), 2);
	EXPECT_NE(err.find("'bogus' is not an event; they are object-new"), std::string::npos);
}

TEST(EventNames, AsksOnce)
{
	int asked = 0;
	EventNames names(
		[&] {
			asked++;
			return std::map<std::uint32_t, std::string>{{1, "one"}};
		},
		[] { return std::map<std::uint32_t, std::string>{}; });

	EXPECT_EQ(names.object(1), "one");
	EXPECT_EQ(names.object(1), "one");
	EXPECT_EQ(asked, 1);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(names.object(2), "");
	EXPECT_EQ(asked, 2);
	itme::Event gone;
	gone.command = ITME_CMD_OBJECT_GONE_NTF;
	gone.object = 2;
	gone.name = "two";
	names.see(gone);
	EXPECT_EQ(names.object(2), "two");
	EXPECT_EQ(asked, 2);
}

TEST(EventLine, LocalTime)
{
	EventNames names([] { return std::map<std::uint32_t, std::string>{}; },
			 [] { return std::map<std::uint32_t, std::string>{}; });
	itme::Event pressure;

	pressure.command = ITME_CMD_PRESSURE_NTF;
	pressure.bytes = 2 << 20;
	::setenv("TZ", "UTC", 1);
	::tzset();
	EXPECT_EQ(event_line(pressure, names, 3'723'045'000'000, false),
		  "01:02:03.045 pressure      2M");
	EXPECT_EQ(event_line(pressure, names, 3'723'045'000'000, true),
		  "01:02:03.045 pressure      2097152");
}

} // namespace itmectl
