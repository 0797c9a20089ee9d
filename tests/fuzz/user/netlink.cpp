// SPDX-License-Identifier: GPL-2.0
// What the netlink family answers and tells, as a module of another age might: attributes of any
// type, of any size, nested in any way, and errors.
#include "fuzz.hpp"

#include "fake_device.hpp"
#include "netlink/channel.hpp"

#include <array>
#include <cerrno>
#include <fuzzer/FuzzedDataProvider.h>
#include <memory>
#include <sys/eventfd.h>

namespace
{

using itme::Heard;
using itme::Message;
using itme::Reply;
using itme::Result;

class Answers final : public itme::Channel
{
public:
	explicit Answers(FuzzedDataProvider &data) : data_(&data), fd_(::eventfd(1, EFD_CLOEXEC)) {}

	Result<std::vector<Reply>> ask(const Message &request) override
	{
		return replies(request.command(), 2);
	}

	Result<std::vector<Reply>> dump(const Message &request) override
	{
		return replies(request.command(), 6);
	}

	Result<void> listen() override { return {}; }

	int fd() const override { return fd_.get(); }

	Result<Heard> hear() override
	{
		Heard heard;

		heard.gone = !data_->remaining_bytes();
		if (heard.gone)
			return heard;
		auto events = replies(
			static_cast<std::uint8_t>(data_->ConsumeIntegralInRange(11, 20)), 4);
		if (!events)
			return tl::unexpected(events.error());
		heard.events = std::move(*events);
		heard.overrun = data_->ConsumeBool();
		return heard;
	}

private:
	Result<std::vector<Reply>> replies(std::uint8_t command, std::size_t most)
	{
		std::vector<Reply> all;

		if (data_->ConsumeIntegral<std::uint8_t>() < 4)
			return itme::fail(data_->ConsumeIntegralInRange(1, 133), "{}",
					  data_->ConsumeRandomLengthString(32));
		for (auto left = data_->ConsumeIntegralInRange<std::size_t>(0, most); left; left--)
			all.push_back({command, reply(command)});
		return all;
	}

	std::vector<std::uint8_t> reply(std::uint8_t command)
	{
		// Bytes as they come, or attributes that are whole at least.
		if (data_->ConsumeIntegral<std::uint8_t>() < 32)
			return data_->ConsumeBytes<std::uint8_t>(
				data_->ConsumeIntegral<std::uint8_t>());
		Message message(command);
		attributes(message, 3);
		const auto bytes = message.attributes();
		return {bytes.begin(), bytes.end()};
	}

	void attributes(Message &message, int depth)
	{
		for (int left = data_->ConsumeIntegralInRange(0, 12); left; left--) {
			const int type = data_->ConsumeIntegralInRange(1, 26);
			switch (data_->ConsumeIntegralInRange(0, depth ? 4 : 3)) {
			case 0:
				message.put_u32(type, data_->ConsumeIntegralInRange(0U, 4U));
				break;
			case 1:
				message.put_u32(type, data_->ConsumeIntegral<std::uint32_t>());
				break;
			case 2:
				message.put_uint(type, data_->ConsumeIntegral<std::uint64_t>());
				break;
			case 3:
				message.put_text(type, data_->ConsumeRandomLengthString(16));
				break;
			default:
				message.nest(type, [&] { attributes(message, depth - 1); });
				break;
			}
		}
	}

	FuzzedDataProvider *data_;
	itme::Fd fd_;
};

const std::array<std::vector<std::string>, 15> verbs{{
	{"plan", "list"},
	{"plan", "list", "-o", "ranges,length,budget,lookahead,triggers,targets,fired,dropped"},
	{"plan", "show", "1"},
	{"plan", "show", "1", "-o", "stage,files,dram,cursors"},
	{"plan", "save", "1"},
	{"plan", "set", "--cyclic", "x", "y"},
	{"plan", "set", "--once", "x", "--stage", "1G"},
	{"plan", "delete", "1", "2"},
	{"plan", "step", "1", "2"},
	{"plan", "learn"},
	{"plan", "learn", "1"},
	{"advise", "hot", "0x1000", "--pid", "1", "--length", "15E"},
	{"advise", "cold", "all", "--pid", "1"},
	{"monitor"},
	{"top", "-b", "-n", "1", "-d", "0.01"},
}};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	FuzzedDataProvider input(data, size);
	itme::test::FakeModule module;
	itmectl::Environment env;
	auto args = verbs[input.ConsumeIntegralInRange<std::size_t>(0, verbs.size() - 1)];
	const bool json = input.ConsumeBool();

	module.add("x", 10ULL << 20, "/x");
	env.open_mount = [&](const std::string &) -> itme::Result<itme::Mount> {
		return itme::Mount(std::make_unique<itme::test::FakeDevice>(module), "/fake");
	};
	env.open_channel = [&]() -> itme::Result<std::unique_ptr<itme::Channel>> {
		return std::make_unique<Answers>(input);
	};
	// Objects on lines.
	const bool lines = json && args[0] == "monitor";
	// What is saved is JSON, and the number of a plan is as well.
	if (json)
		args.insert(args.begin(), "-J");
	auto output = fuzz::itmectl(args, env);
	if (lines)
		for (const auto &line : fuzz::split(output.out, '\n'))
			HOLDS(line.empty() || itmectl::Json::accept(line));
	fuzz::check({output.status, lines ? "" : output.out, output.err}, json);
	return 0;
}
