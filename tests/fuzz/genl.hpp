// SPDX-License-Identifier: GPL-2.0
// Messages of the netlink family itme, put together by hand, so that wrong ones can be made as
// well.
#pragma once

#include <cstdint>
#include <functional>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <span>
#include <string>
#include <vector>

namespace fuzz
{

/// What is made wrong of a message that was right.
enum class Break : std::uint64_t {
	none,
	cut,	   ///< the datagram ends early, and the header says so
	cut_short, ///< the datagram ends early, and the header does not
	overlong,  ///< the header says more than there is
	attr_len,  ///< an attribute's length is a small number
	attr_over, ///< an attribute ends after its message
	attr_type, ///< an attribute is another one
	nested,	   ///< an attribute says to be nested that is not, or the other way round
	unknown,   ///< an attribute nobody knows is added
	twice,	   ///< an attribute comes once more
	command,   ///< another command, or none
	headless,  ///< no generic header
	byte,	   ///< any byte is any other
};

/// A message being made; its first attribute begins after the generic header.
class Message
{
public:
	Message(std::uint16_t family, std::uint8_t command, std::uint16_t flags);

	void put(std::uint16_t type, const void *data, std::size_t length);
	void put_u32(std::uint16_t type, std::uint64_t value);
	/// NLA_UINT: of four bytes, or of eight where they are needed.
	void put_uint(std::uint16_t type, std::uint64_t value);
	std::size_t nest(std::uint16_t type);
	void end(std::size_t nest);
	void spoil(Break how, std::uint64_t where);

	/// What is sent. Its header is kept right, if it is not spoilt.
	std::span<std::uint8_t> bytes();

	std::size_t size() const { return bytes_.size(); }

private:
	template <class T>
	void store(std::size_t at, T value);
	void spoil_attribute(Break how, std::uint64_t where);

	std::vector<std::uint8_t> bytes_;
	std::vector<std::size_t> attributes_; ///< where each of them begins, nested ones too
	bool spoilt_ = false;
};

/// What one message of an answer is.
using Take = std::function<void(const nlmsghdr &header)>;

/// Of the family, as this kernel has numbered it; 0 when there is none.
struct Family {
	std::uint16_t id = 0;
	std::uint32_t events = 0;
};

const Family &family();

/// Datagrams, as long as there are any, one after the other. Return: how many, at most @most.
unsigned take_messages(int fd, unsigned most, const Take &take);
/// The first of a type of a message's attributes, in host's memory; empty when there is none.
std::span<const std::uint8_t> attribute_of(const nlmsghdr &header, std::uint16_t type);

/// What a request came to: 0 or -errno. A dump is read to its end.
long request(int fd, Message &message, const Take &take = {});

} // namespace fuzz
