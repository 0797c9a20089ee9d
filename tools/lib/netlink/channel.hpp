// SPDX-License-Identifier: GPL-2.0
// What libitme asks the netlink family "itme", and what it hears. Tests put a model of the module
// in its place.
#pragma once

#include "attributes.hpp"
#include "result.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace itme
{

/// A message of the family: an answer or an event.
struct Reply {
	std::uint8_t command = 0;
	std::vector<std::uint8_t> bytes;

	Attributes attributes() const { return Attributes(bytes); }
};

/// What has been heard since the last time.
struct Heard {
	std::vector<Reply> events;
	/// We were too slow: some that should be among these are lost, nobody knows how many.
	bool overrun = false;
	/// The module has been unloaded after these: there will be nothing more.
	bool gone = false;
};

class Channel
{
public:
	virtual ~Channel() = default;

	/// One thing: at most one answer. The error is the kernel's sentence, where it has one.
	virtual Result<std::vector<Reply>> ask(const Message &request) = 0;
	/// All of them, as they were at one moment.
	virtual Result<std::vector<Reply>> dump(const Message &request) = 0;

	/// Hear events from now on. A channel that listens is not for requests.
	virtual Result<void> listen() = 0;
	/// For poll(): readable when there is something to hear.
	virtual int fd() const = 0;
	/// What there is, without waiting.
	virtual Result<Heard> hear() = 0;
};

/// A socket of its own.
Result<std::unique_ptr<Channel>> open_channel();

} // namespace itme
