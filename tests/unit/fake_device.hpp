// SPDX-License-Identifier: GPL-2.0
// A model of the module: enough of each request to check what libitme sends and makes of the
// answer.
#pragma once

#include "device.hpp"
#include "file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace itme::test
{

struct FakeFile {
	Object object;
	std::vector<std::uint8_t> map;
	std::vector<itme_advise> advices;
};

struct FakeSwap {
	itme_swap area = {};
	std::string path;
};

/// The state, shared by all devices of a test as the module's is by all mounts.
struct FakeModule {
	std::map<std::string, FakeFile> files;
	std::map<int, std::string> open; ///< fd numbers; one left over is overwritten when reused
	itme_tier_info tiers[2] = {};
	itme_stats stats = {};
	std::vector<FakeSwap> swaps;
	std::uint32_t last_swap = 0;
	bool swap_remove_waits = false;	     ///< until a signal comes
	std::map<unsigned long, int> errors; ///< what a request is to fail with
	std::map<std::string, int> unopened; ///< and the opening of a file
	bool reserved_clean = true;

	static constexpr std::uint32_t chunk = 2U << 20;

	FakeModule()
	{
		tiers[0].budget = 512ULL << 20;
		tiers[0].used = 3ULL << 20;
		tiers[0].capacity = 4ULL << 30;
		tiers[0].nodes[0] = 1;
		tiers[1].tier = ITME_TIER_CXL;
		tiers[1].budget = 1ULL << 30;
		tiers[1].capacity = 8ULL << 30;
		tiers[1].nodes[0] = 0x16; // 1-2,4
	}

	void add(const std::string &name, std::uint64_t size, const std::string &path,
		 std::uint64_t ino = 1, std::uint64_t dev = 1, std::uint32_t chunk_size = chunk)
	{
		FakeFile &file = files[name];
		file.object = {name, files.size(), size, chunk_size, 0, 1, path, ino, dev};
		file.map.assign((size + chunk_size - 1) / chunk_size, ITME_TIER_NVME);
	}
};

class FakeDevice final : public Device
{
public:
	explicit FakeDevice(FakeModule &module) : module_(module), root_(any_fd()) {}

	int root() const override { return root_.get(); }

	Raw<Fd> open(const std::string &name) override
	{
		if (!module_.files.contains(name))
			return tl::unexpected(ENOENT);
		if (const auto at = module_.unopened.find(name); at != module_.unopened.end())
			return tl::unexpected(at->second);
		Fd fd = any_fd();
		module_.open[fd.get()] = name;
		return fd;
	}

	Raw<std::vector<std::string>> names() override
	{
		std::vector<std::string> names;
		for (const auto &[name, file] : module_.files)
			names.push_back(name);
		return names;
	}

	Raw<void> unlink(const std::string &name) override
	{
		if (!module_.files.erase(name))
			return tl::unexpected(ENOENT);
		return {};
	}

	Raw<void> ioctl(int fd, unsigned long request, void *arg) override
	{
		if (const auto error = module_.errors.find(request); error != module_.errors.end())
			return tl::unexpected(error->second);
		switch (request) {
		case ITME_IOC_INFO:
			return info(*static_cast<itme_info *>(arg));
		case ITME_IOC_TIER_GET:
			return tier_get(*static_cast<itme_tier_info *>(arg));
		case ITME_IOC_TIER_SET:
			return tier_set(*static_cast<itme_tier_info *>(arg));
		case ITME_IOC_IMPORT:
			return import(*static_cast<itme_import *>(arg));
		case ITME_IOC_OBJECT:
			return object(file(fd), *static_cast<itme_object *>(arg));
		case ITME_IOC_RESIDENCY:
			return residency(file(fd), *static_cast<itme_residency *>(arg));
		case ITME_IOC_ADVISE:
			return advise(file(fd), *static_cast<itme_advise *>(arg));
		case ITME_IOC_STATS:
			*static_cast<itme_stats *>(arg) = module_.stats;
			return {};
		case ITME_IOC_SWAP_ADD:
			return swap_add(*static_cast<itme_swap_add *>(arg));
		case ITME_IOC_SWAP_REMOVE:
			return swap_remove(*static_cast<itme_swap_remove *>(arg));
		case ITME_IOC_SWAP_GET:
			return swap_get(*static_cast<itme_swap *>(arg));
		default:
			return tl::unexpected(ENOTTY);
		}
	}

private:
	static Fd any_fd() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

	FakeFile &file(int fd) { return module_.files.at(module_.open.at(fd)); }

	template <std::size_t N>
	void check_reserved(const __u64 (&reserved)[N])
	{
		if (!std::all_of(std::begin(reserved), std::end(reserved),
				 [](__u64 word) { return word == 0; }))
			module_.reserved_clean = false;
	}

	Raw<void> info(itme_info &arg)
	{
		check_reserved(arg.reserved);
		arg.features = ITME_FEATURE_IMPORT | ITME_FEATURE_ADVISE | ITME_FEATURE_CXL;
		arg.chunk_min = 64U << 10;
		arg.chunk_max = FakeModule::chunk;
		return {};
	}

	Raw<void> tier_get(itme_tier_info &arg)
	{
		check_reserved(arg.reserved);
		if (arg.tier >= 2 || arg.flags)
			return tl::unexpected(EINVAL);
		arg = module_.tiers[arg.tier];
		return {};
	}

	Raw<void> tier_set(itme_tier_info &arg)
	{
		check_reserved(arg.reserved);
		if (arg.tier >= 2 || arg.flags)
			return tl::unexpected(EINVAL);
		auto &tier = module_.tiers[arg.tier];
		const bool off = arg.tier == ITME_TIER_CXL && !arg.budget;
		if (arg.budget > tier.capacity || (!off && arg.budget < 4ULL * FakeModule::chunk))
			return tl::unexpected(EINVAL);
		if (arg.budget < tier.pinned)
			return tl::unexpected(EBUSY);
		tier.budget = arg.budget;
		return {};
	}

	Raw<void> import(itme_import &arg)
	{
		check_reserved(arg.reserved);
		const std::string name(reinterpret_cast<const char *>(arg.name), arg.name_len);

		struct stat st {
		};

		if (arg.flags || ::fstat(arg.lower_fd, &st))
			return tl::unexpected(EINVAL);
		if (!st.st_size)
			return tl::unexpected(ENODATA);
		if (module_.files.contains(name))
			return tl::unexpected(EEXIST);
		module_.add(name, static_cast<std::uint64_t>(st.st_size), "/lower/" + name,
			    st.st_ino, st.st_dev,
			    arg.chunk_size ? arg.chunk_size : FakeModule::chunk);
		return {};
	}

	Raw<void> object(const FakeFile &file, itme_object &arg)
	{
		check_reserved(arg.reserved);
		const std::string &path = file.object.path;
		if (arg.path && arg.path_len)
			std::memcpy(reinterpret_cast<char *>(arg.path), path.c_str(),
				    std::min<std::size_t>(arg.path_len, path.size() + 1));
		arg.path_len = static_cast<std::uint32_t>(path.size() + 1);
		arg.id = file.object.id;
		arg.size = file.object.size;
		arg.chunk_size = file.object.chunk_size;
		arg.flags = file.object.flags;
		arg.opens = file.object.opens;
		arg.lower_ino = file.object.lower_ino;
		arg.lower_dev = file.object.lower_dev;
		return {};
	}

	Raw<void> residency(const FakeFile &file, itme_residency &arg)
	{
		check_reserved(arg.reserved);
		const std::uint64_t size = file.object.size;
		const std::uint64_t chunk = file.object.chunk_size;
		std::uint64_t end = 0;
		if (arg.offset >= size || arg.flags ||
		    __builtin_add_overflow(arg.offset, arg.length, &end))
			return tl::unexpected(EINVAL);
		const std::uint64_t stop = arg.length ? std::min<std::uint64_t>(size, end) : size;
		const std::uint64_t first = arg.offset / chunk;
		const std::uint64_t last = (stop + chunk - 1) / chunk;
		for (std::uint64_t i = first; i < last; i++) {
			if (arg.map && i - first < arg.map_len)
				reinterpret_cast<std::uint8_t *>(arg.map)[i - first] = file.map[i];
			arg.bytes[file.map[i] & ITME_MAP_TIER_MASK] +=
				std::min(chunk, size - i * chunk);
		}
		arg.map_len = last - first;
		arg.chunk_size = file.object.chunk_size;
		return {};
	}

	Raw<void> advise(FakeFile &file, itme_advise &arg)
	{
		check_reserved(arg.reserved);
		if (arg.flags || arg.pad || arg.offset >= file.object.size)
			return tl::unexpected(EINVAL);
		file.advices.push_back(arg);
		arg.done = arg.length ? arg.length : file.object.size - arg.offset;
		if (arg.advice == ITME_ADVICE_PAGEOUT)
			for (std::uint64_t at = arg.offset; at < arg.offset + arg.done;
			     at += file.object.chunk_size)
				file.map.at(at / file.object.chunk_size) = ITME_TIER_NVME;
		return {};
	}

	Raw<void> swap_add(itme_swap_add &arg)
	{
		check_reserved(arg.reserved);
		if (arg.flags & ~ITME_SWAP_CHECK || arg.prio < -1 || arg.prio > ITME_SWAP_PRIO_MAX)
			return tl::unexpected(EINVAL);
		FakeSwap swap;
		swap.path =
			std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(arg.fd));
		for (const auto &other : module_.swaps)
			if (other.path == swap.path)
				return tl::unexpected(EBUSY);
		if (arg.prio < 0)
			arg.prio = -2 - static_cast<std::int32_t>(module_.swaps.size());
		swap.area.id = ++module_.last_swap;
		swap.area.flags = arg.flags;
		swap.area.prio = arg.prio;
		swap.area.bytes = 8U << 20;
		std::memcpy(swap.area.label, "scratch", 7);
		for (std::uint8_t i = 0; i < 16; i++)
			swap.area.uuid[i] = i;
		arg.id = swap.area.id;
		module_.swaps.push_back(std::move(swap));
		return {};
	}

	Raw<void> swap_remove(const itme_swap_remove &arg)
	{
		check_reserved(arg.reserved);
		const auto at = std::find_if(module_.swaps.begin(), module_.swaps.end(),
					     [&](const auto &s) { return s.area.id == arg.id; });
		if (at == module_.swaps.end())
			return tl::unexpected(ENOENT);
		if (module_.swap_remove_waits) {
			::pause();
			return tl::unexpected(errno);
		}
		module_.swaps.erase(at);
		return {};
	}

	Raw<void> swap_get(itme_swap &arg)
	{
		check_reserved(arg.reserved);
		if (arg.flags)
			return tl::unexpected(EINVAL);
		for (const auto &[area, path] : module_.swaps) {
			if (area.id < arg.id)
				continue;
			const auto room = arg.path_len;
			const auto to = arg.path;
			arg = area;
			if (to)
				std::memcpy(reinterpret_cast<char *>(to), path.c_str(),
					    std::min<std::size_t>(room, path.size() + 1));
			arg.path = to;
			arg.path_len = static_cast<std::uint32_t>(path.size() + 1);
			return {};
		}
		return tl::unexpected(ENOENT);
	}

	FakeModule &module_;
	Fd root_;
};

} // namespace itme::test
