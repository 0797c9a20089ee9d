// SPDX-License-Identifier: GPL-2.0
// One imported file.
#pragma once

#include "device.hpp"

#include <cstdint>
#include <linux/itme.h>
#include <string>
#include <vector>

namespace itme
{

/// Bytes of a file; length 0 means to its end.
struct Range {
	std::uint64_t offset = 0;
	std::uint64_t length = 0;
};

struct Object {
	std::string name;
	std::uint64_t id = 0;
	std::uint64_t size = 0;
	std::uint32_t chunk_size = 0;
	std::uint32_t flags = 0; ///< ITME_OBJECT_*
	std::uint32_t opens = 0; ///< of others: the one that asked is not counted
	std::string path;	 ///< of the lower file; ends in " (deleted)" when it has no name
	std::uint64_t lower_ino = 0;
	std::uint64_t lower_dev = 0;
};

struct Residency {
	std::uint64_t offset = 0;
	std::uint64_t length = 0;
	std::uint64_t bytes[ITME_TIER_NR] = {};
	std::uint64_t chunks = 0;
	std::uint32_t chunk_size = 0;
	std::uint64_t large = 0;
	std::vector<std::uint8_t> map; ///< one byte a chunk, when asked for
};

struct Advice {
	itme_advice advice = ITME_ADVICE_WILLNEED;
	itme_tier tier = ITME_TIER_ANY;
	Range range;
};

class File
{
public:
	/// The device has to outlive the file.
	File(Device &device, Fd fd, std::string name) :
		device_(&device), fd_(std::move(fd)), name_(std::move(name))
	{
	}

	const std::string &name() const { return name_; }

	Result<Object> object();
	Result<Residency> residency(Range range, bool with_map = false);
	/// How many bytes of the range the advice holds for.
	Result<std::uint64_t> advise(const Advice &advice);
	Result<itme_stats> stats();

private:
	Device *device_;
	Fd fd_;
	std::string name_;
};

} // namespace itme
