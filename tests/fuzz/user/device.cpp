// SPDX-License-Identifier: GPL-2.0
// What the module answers: all fields of all structures, as a module of another age might fill
// them. Only the length of the map is kept in bounds, as libitme has to take the room for it.
#include "fuzz.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fuzzer/FuzzedDataProvider.h>
#include <map>
#include <memory>

namespace
{

using itme::Fd;
using itme::Raw;

class Answers final : public itme::Device
{
public:
	explicit Answers(FuzzedDataProvider &data) : data_(&data), root_(any_fd()) {}

	int root() const override { return root_.get(); }

	Raw<Fd> open(const std::string &) override
	{
		if (data_->ConsumeIntegral<std::uint8_t>() < 4)
			return tl::unexpected(error());
		return any_fd();
	}

	Raw<std::vector<std::string>> names() override
	{
		std::vector<std::string> names(data_->ConsumeIntegralInRange<std::size_t>(0, 3));

		for (auto &name : names) {
			// What a directory can hold: neither empty, nor with slashes and NULs.
			name = data_->ConsumeRandomLengthString(40);
			std::replace(name.begin(), name.end(), '/', '_');
			std::replace(name.begin(), name.end(), '\0', '_');
			name += name.empty() || name == "." || name == ".." ? "x" : "";
		}
		return names;
	}

	Raw<void> unlink(const std::string &) override
	{
		if (data_->ConsumeBool())
			return tl::unexpected(error());
		return {};
	}

	Raw<void> ioctl(int, unsigned long request, void *arg) override
	{
		if (data_->ConsumeIntegral<std::uint8_t>() < 4)
			return tl::unexpected(error());
		switch (request) {
		case ITME_IOC_OBJECT:
			object(*static_cast<itme_object *>(arg));
			break;
		case ITME_IOC_RESIDENCY:
			residency(*static_cast<itme_residency *>(arg));
			break;
		default:
			fill(arg, _IOC_SIZE(request));
			break;
		}
		return {};
	}

private:
	static Fd any_fd() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

	int error() { return data_->ConsumeIntegralInRange(1, 133); }

	void fill(void *to, std::size_t size)
	{
		// Zeroes when the input has come to its end.
		std::memset(to, 0, size);
		data_->ConsumeData(to, size);
	}

	void object(itme_object &arg)
	{
		const std::uint64_t path = arg.path;
		const std::uint32_t room = arg.path_len;

		fill(&arg, sizeof(arg));
		if (path) {
			const std::string text = data_->ConsumeRandomLengthString(64);
			std::memcpy(reinterpret_cast<char *>(path), text.data(),
				    std::min<std::size_t>(room, text.size()));
		}
	}

	void residency(itme_residency &arg)
	{
		const std::uint64_t map = arg.map;
		const std::uint64_t room = arg.map_len;

		fill(&arg, sizeof(arg));
		arg.map_len %= 1U << 14;
		if (map) {
			const auto bytes = data_->ConsumeBytes<std::uint8_t>(
				std::min<std::size_t>(room, arg.map_len));
			std::copy(bytes.begin(), bytes.end(),
				  reinterpret_cast<std::uint8_t *>(map));
		}
	}

	FuzzedDataProvider *data_;
	Fd root_;
};

const std::array<std::vector<std::string>, 19> verbs{{
	{"tier", "list"},
	{"tier", "set", "dram", "1G"},
	{"tier", "set", "cxl", "64M"},
	{"list"},
	{"list", "-o", "name,id,path,flags,lower_dev,lower_ino,nvme"},
	{"residency", "x"},
	{"residency", "x", "--map"},
	{"residency", "x", "--map", "--width", "4096"},
	{"residency", "x", "--by-range", "a=1:2", "--by-range", "0x1000:8E", "--map"},
	{"advise", "willneed", "x"},
	{"advise", "pin", "x", "--tier", "cxl", "--offset", "8E", "--length", "15E"},
	{"stat"},
	{"stat", "x"},
	{"remove", "x", "y"},
	{"import", "/dev/null", "/proc/self/exe", "--chunk", "64K"},
	{"list", "-b", "-n"},
	{"swap", "list", "-o", "path,id,size,used,prio,flags,label,uuid"},
	{"swap", "remove", "--all"},
	{"swap", "add", "--check", "-p", "7", "/dev/null", "/proc/self/exe"},
}};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	FuzzedDataProvider input(data, size);
	itmectl::Environment env;
	// From the end of the input, so that the beginning is what the module says.
	auto args = verbs[input.ConsumeIntegralInRange<std::size_t>(0, verbs.size() - 1)];
	const bool json = input.ConsumeBool();

	env.open_mount = [&](const std::string &) -> itme::Result<itme::Mount> {
		return itme::Mount(std::make_unique<Answers>(input), "/fake");
	};
	if (json)
		args.insert(args.begin(), "-J");
	fuzz::check(fuzz::itmectl(args, env), json);
	// In colour it differs by escape sequences only.
	return 0;
}
