// SPDX-License-Identifier: GPL-2.0
#include "file.hpp"

#include "explain.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <numeric>

namespace itme
{

Result<Object> File::object()
{
	std::vector<char> path(4096);
	itme_object arg{};

	// A path longer than the room is cut and its full length returned: ask once more.
	for (int attempt = 0; attempt < 2; attempt++) {
		arg = {};
		arg.path = reinterpret_cast<std::uintptr_t>(path.data());
		arg.path_len = static_cast<std::uint32_t>(path.size());
		if (auto ret = device_->ioctl(fd_.get(), ITME_IOC_OBJECT, &arg); !ret)
			return explain_file(name_, ret.error());
		if (arg.path_len <= path.size())
			break;
		path.resize(std::min<std::size_t>(arg.path_len, 1U << 20));
	}
	path.back() = '\0';

	Object object;
	object.name = name_;
	object.id = arg.id;
	object.size = arg.size;
	object.chunk_size = arg.chunk_size;
	object.flags = arg.flags;
	object.opens = arg.opens ? arg.opens - 1 : 0;
	object.path = path.data();
	object.lower_ino = arg.lower_ino;
	object.lower_dev = arg.lower_dev;
	return object;
}

Result<Residency> File::residency(Range range, bool with_map)
{
	itme_residency arg{};
	std::vector<std::uint8_t> map;

	arg.offset = range.offset;
	arg.length = range.length;
	if (auto ret = device_->ioctl(fd_.get(), ITME_IOC_RESIDENCY, &arg); !ret)
		return explain_range(name_, range, ret.error());
	if (with_map) {
		map.resize(arg.map_len);
		arg = {};
		arg.offset = range.offset;
		arg.length = range.length;
		arg.map = reinterpret_cast<std::uintptr_t>(map.data());
		arg.map_len = map.size();
		if (auto ret = device_->ioctl(fd_.get(), ITME_IOC_RESIDENCY, &arg); !ret)
			return explain_range(name_, range, ret.error());
		map.resize(std::min<std::size_t>(map.size(), arg.map_len));
	}

	Residency result;
	// The range as the module took it: from a whole chunk on, as many bytes as it counted.
	result.offset = arg.chunk_size ? range.offset / arg.chunk_size * arg.chunk_size : 0;
	std::copy(std::begin(arg.bytes), std::end(arg.bytes), std::begin(result.bytes));
	result.length =
		std::accumulate(std::begin(arg.bytes), std::end(arg.bytes), std::uint64_t{0});
	result.chunks = arg.map_len;
	result.chunk_size = arg.chunk_size;
	result.large = arg.large;
	result.map = std::move(map);
	return result;
}

Result<std::uint64_t> File::advise(const Advice &advice)
{
	itme_advise arg{};

	arg.offset = advice.range.offset;
	arg.length = advice.range.length;
	arg.advice = advice.advice;
	arg.tier = advice.tier;
	if (auto ret = device_->ioctl(fd_.get(), ITME_IOC_ADVISE, &arg); !ret)
		return explain_advise(name_, advice, ret.error());
	return arg.done;
}

Result<itme_stats> File::stats()
{
	itme_stats arg{};

	arg.flags = ITME_STATS_FILE;
	if (auto ret = device_->ioctl(fd_.get(), ITME_IOC_STATS, &arg); !ret)
		return explain_file(name_, ret.error());
	return arg;
}

} // namespace itme
